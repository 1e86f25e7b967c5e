"""Streams that are closed or that nobody reads: commands do their work, or end as other programs do."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import entry, opened, streamed

MONITOR = Path(sys.executable).parent / "monitor"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "monitor.toml").write_text(
        '[monitor]\nlisten = ""\n[service.a]\nendpoints = { direct = "http://127.0.0.1:9" }\n'
        'probes = { http = "1s" }\n'
    )
    return tmp_path


async def remember(home: Path, runs: int) -> None:
    async with opened(f"sqlite:///{home}/monitor.db", HandClock(NOON)) as store:
        for number in range(runs):
            store.record(entry(streamed(NOON + timedelta(seconds=number))))


def unread(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Exit status and errors of a command whose reader went away before it began."""
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(
        [MONITOR, *arguments], cwd=cwd, stdout=write, stderr=subprocess.PIPE, text=True
    ) as command:
        os.close(write)
        _, said = command.communicate(timeout=60)
    return command.returncode, said


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 3000])
async def test_an_export_that_nobody_reads_to_its_end_ends_in_silence_by_sigpipe(
    home: Path, runs: int
) -> None:
    """Whether all of it waits in the buffer until the end, or not."""
    await remember(home, runs)
    assert unread("export", cwd=home) == (-signal.SIGPIPE, "")


@pytest.mark.parametrize(
    "command", [("status",), ("schema",), ("history", "a/direct/chat", "--csv")]
)
async def test_so_does_whatever_else_prints(home: Path, command: tuple[str, ...]) -> None:
    await remember(home, 1)
    assert unread(*command, cwd=home) == (-signal.SIGPIPE, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["schema", "validate", "status --json", "export", "--version"])
async def test_output_that_finds_no_room_is_no_fault_of_ours(
    home: Path, command: str, unbuffered: str
) -> None:
    """Whether it is written at once, or when the command ends."""
    await remember(home, 1)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [MONITOR, *command.split()],
            cwd=home,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    told = "the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_what_fails_still_says_why_and_ends_with_its_own_status(home: Path) -> None:
    (home / "monitor.toml").write_text("[service.a]\nendpoints = 3\n")
    code, said = unread("status", cwd=home)
    assert code == 78
    assert "service.a.endpoints" in said


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_a_daemon_whose_streams_are_closed_runs_all_the_same(home: Path, closed: str) -> None:
    daemon = subprocess.Popen(["sh", "-c", f'exec "{MONITOR}" run {closed}'], cwd=home)
    deadline = time.monotonic() + 60
    while not (seen := latest(home)) and time.monotonic() < deadline:
        time.sleep(0.5)
    low = {number: str(Path(f"/proc/{daemon.pid}/fd/{number}").readlink()) for number in (0, 1, 2)}
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0
    assert seen == "tcp_refused"
    assert not [path for path in low.values() if path.startswith(str(home))]


def latest(home: Path) -> str | None:
    """The kind of the last failure that the store knows."""
    said = subprocess.run(
        [MONITOR, "status", "--json"], cwd=home, capture_output=True, text=True, check=False
    )
    checks = json.loads(said.stdout)["checks"] if said.returncode == 0 else []
    run = checks[0]["latest"] if checks else None
    return str(run["failure"]["kind"]) if run else None
