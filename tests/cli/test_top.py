"""`monitor top`: what fits a small terminal, the worst first; a live screen that leaves the terminal as it was."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from lived import MONITOR, environment, live, shell

from monitor.agent.signature import new_key
from monitor.cli.console import SafeConsole
from monitor.cli.daemon_health import DaemonHealth
from monitor.cli.top import Look, frame
from monitor.config import Config, parse
from monitor.model import (
    AgentState,
    CheckHistory,
    Failure,
    FailureKind,
    Incident,
    Outcome,
    Result,
    Rollup,
    Severity,
    Snapshot,
    Spend,
)

KEY = new_key()
NOW = datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WIDTH, HEIGHT = 80, 24
HOSTILE = "got \x1b[2J\u202e" + "x" * 500


def config(number: int) -> Config:
    urls = ", ".join(f'e{n:03} = "https://e{n}.example"' for n in range(number))
    text = (
        f'[service.relay]\nendpoints = {{ {urls} }}\nprobes = {{ http = "1m" }}\n'
        'budget_per_day = "100 tokens"\n'
        f'[vantage.cn]\nname = "Shanghai"\nkey = "{KEY.public}"\n'
    )
    return parse(text, path=Path("/nowhere/monitor.toml"), env={})


def history(key: str, outcome: Outcome, ago: int) -> CheckHistory:
    failure = Failure(FailureKind.BAD_GATEWAY, HOSTILE) if outcome is Outcome.DOWN else None
    latest = Result(
        check=key,
        vantage="local",
        at=NOW - ago * SECOND,
        outcome=outcome,
        failure=failure,
        late_ms=ago,
    )
    day = Rollup(outcomes={"up": 3, "down": 1})
    return CheckHistory(check=key, latest=latest, states=(), days={}, last_24h=day)


def incident(number: int) -> Incident:
    return Incident(
        id=number,
        service="relay",
        severity=Severity.DOWN,
        opened=NOW - 90 * SECOND,
        checks=tuple(f"relay/e{n:03}/http" for n in range(40)),
        active=frozenset({"relay/e000/http"}),
        failure=Failure(FailureKind.BAD_GATEWAY, HOSTILE),
    )


def look(number: int, *, incidents: int = 0) -> Look:
    """Every third check is down, the last one was never asked, and all others are up."""
    loaded = config(number)
    outcomes = [Outcome.DOWN if n % 3 == 0 else Outcome.UP for n in range(number - 1)]
    checks = {
        check.key: history(check.key, outcome, ago=n + 1)
        for n, (check, outcome) in enumerate(zip(loaded.checks, outcomes, strict=False))
    }
    snapshot = Snapshot(
        at=NOW,
        checks=checks,
        incidents=tuple(map(incident, range(incidents))),
        spent_today={"relay": Spend(40)},
        spent_month={"relay": Spend(900)},
    )
    daemon = DaemonHealth(7, None, NOW - 3600 * SECOND)
    heard = AgentState(vantage="cn", stream="s", upto=1, heard=NOW - 4 * SECOND)
    return Look(
        config=loaded,
        snapshot=snapshot,
        daemon=daemon,
        last_write=NOW - SECOND,
        agents={"cn": heard},
    )


def drawn(shown: Look, *, height: int | None = HEIGHT, width: int = WIDTH) -> list[str]:
    out = StringIO()
    console = SafeConsole(file=out, width=width, height=HEIGHT, color_system=None)
    console.print(frame(shown, NOW, height=height))
    return [line.rstrip() for line in out.getvalue().rstrip("\n").split("\n")]


def test_it_says_how_the_daemon_does_and_shows_the_worst_checks_first() -> None:
    lines = drawn(look(4))
    assert lines[:4] == [
        "12:00:05 UTC  The daemon has been running for 1h (process 7).",
        "4 checks: 2 up, 1 down  newest runs at most 3 ms late  last write 1s ago",
        "places  cn heard 4s ago",
        "",
    ]
    assert [line.split()[:3] for line in lines[4:9]] == [
        ["check", "outcome", "asked"],
        ["relay/e000/http", "down", "1s"],
        ["relay/e003/http", "never", "asked"],
        ["relay/e001/http", "up", "2s"],
        ["relay/e002/http", "up", "3s"],
    ]
    assert lines[10].split() == ["spent", "today", "this", "month", "budget", "left", "today"]
    assert lines[11].split() == [
        *["relay", "40", "tokens", "900", "tokens", "100", "tokens", "60%"]
    ]


@pytest.mark.parametrize("checks", [1, 7, 18, 200])
@pytest.mark.parametrize("incidents", [0, 1, 30])
def test_a_frame_fits_a_terminal_of_80_by_24_whatever_endpoints_say(
    checks: int, incidents: int
) -> None:
    lines = drawn(look(checks, incidents=incidents))
    assert len(lines) <= HEIGHT
    assert max(map(len, lines)) <= WIDTH
    assert not re.search(r"[\x00-\x1f\x7f\u202e]", "".join(lines))
    assert lines[-1].startswith("relay")
    if checks == 200:
        assert any(re.fullmatch(r"… and \d+ more checks", line) for line in lines)
    if incidents == 30:
        assert "… and 26 more open incidents" in lines


def test_in_a_pipe_nothing_is_left_out_and_nothing_cut() -> None:
    lines = drawn(look(200, incidents=30), height=None, width=10_000)
    assert sum(line.startswith("relay/") for line in lines) == 200
    assert sum(line.startswith("#") for line in lines) == 30
    assert max(map(len, lines)) > 500


def test_what_is_not_known_is_said_and_not_guessed() -> None:
    shown = replace(look(2), daemon=None, last_write=None, agents={}, trouble="the disk is full")
    shown = replace(shown, snapshot=replace(shown.snapshot, at=NOW - 60 * SECOND, checks={}))
    assert drawn(shown)[:4] == [
        "12:00:05 UTC  No daemon runs; this is what the last one stored.",
        "2 checks: none asked yet  newest runs at most - late  last write -",
        "This is 1m old: the disk is full",
        "places  cn never heard",
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    live(folder)
    return folder


@pytest.mark.slow
def test_once_and_in_a_pipe_it_prints_one_picture(folder: Path) -> None:
    once, piped = shell("monitor top --once", folder), shell("monitor top | cat", folder)
    for done in (once, piped):
        assert (done.returncode, done.stderr) == (0, "")
        assert "1 check: 1 down" in done.stdout
        assert re.search(r"relay/cdn/chat +down +\S+ ago .*tcp_refused", done.stdout)
        assert re.search(r"#1 .*open +down +relay/cdn/chat", done.stdout)
    none = shell("mkdir empty && cd empty && cp ../monitor.toml . && monitor top", folder)
    assert none.returncode == 1
    assert "there is no store at" in none.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_a_live_screen_goes_on_until_it_is_ended_and_leaves_the_terminal_as_it_was(
    folder: Path, end: signal.Signals, code: int
) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(MONITOR, ["monitor", "top"], environment(folder) | {"TERM": "xterm-256color"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    shown = read(terminal, until=rb"(?s)relay/cdn/chat.*relay/cdn/chat")
    os.kill(pid, end)
    shown += read(terminal)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == code
    assert shown.count(b"\x1b[?1049h") == shown.count(b"\x1b[?1049l") == 1
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert b"Traceback" not in shown


def read(terminal: int, *, until: bytes | None = None) -> bytes:
    """Read what a program draws until it drew that, or else until it ended."""
    drawn, limit = b"", time.monotonic() + 60
    while until is None or not re.search(until, drawn):
        assert time.monotonic() < limit
        if select.select([terminal], [], [], 1)[0]:
            try:
                more = os.read(terminal, 1 << 16)
            except OSError:  # the other side is closed
                return drawn
            if not more:
                return drawn
            drawn += more
    return drawn


@pytest.mark.slow
def test_beside_a_running_daemon_it_says_since_when_and_sees_new_runs(folder: Path) -> None:
    daemon = subprocess.Popen(
        [MONITOR, "run"], cwd=folder, env=environment(folder), stderr=subprocess.DEVNULL
    )
    try:
        limit = time.monotonic() + 60
        pattern = rf"(?s)has been running for \S+ \(process {daemon.pid}\).*last write [0-5]s ago"
        while not re.search(pattern, shell("monitor top --once", folder).stdout):
            assert time.monotonic() < limit
    finally:
        daemon.terminate()
        daemon.wait(60)
