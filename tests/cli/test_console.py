"""How commands speak where something is amiss, in a pipe, and to a shell."""

import asyncio
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.model import Outcome, Result, RunRecord
from monitor.store import Store

MONITOR = Path(sys.executable).parent / "monitor"
LONG = "a-very-long-endpoint-name-that-no-terminal-of-eighty-columns-shows-beside-all-the-others"


def shell(command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = f"{MONITOR.parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env={"PATH": path, "HOME": str(cwd), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "monitor.toml").write_text(
        f'[monitor]\nlisten = ""\n[service.a]\nendpoints = {{ {LONG} = "http://127.0.0.1:9" }}\n'
    )
    return tmp_path


def test_in_a_pipe_nothing_is_cut_and_nothing_is_coloured(config: Path) -> None:
    done = shell("monitor once | cat", config, COLUMNS="40", FORCE_COLOR="", TERM="xterm-256color")
    assert f"a/{LONG}/http" in done.stdout
    assert "tcp_refused: " in done.stdout
    assert "\033" not in done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line != line.rstrip()] == []


def test_a_fault_of_our_own_is_one_line_and_whole_with_debug(config: Path) -> None:
    (config / "sitecustomize.py").write_text(
        "import json\n"
        "def broken(*_, **__): raise ZeroDivisionError('planted')\n"
        "json.dumps = broken\n"
    )
    done = shell("monitor schema", config, PYTHONPATH=str(config))
    assert done.returncode == 70
    assert done.stderr == (
        "internal error: ZeroDivisionError, which is a fault of monitor's own;"
        " `monitor --debug ...` shows the whole story\n"
    )
    done = shell("monitor --debug schema", config, PYTHONPATH=str(config))
    assert done.returncode == 1
    assert "ZeroDivisionError: planted" in done.stderr


@pytest.mark.slow
def test_bash_completes_commands_and_options(tmp_path: Path) -> None:
    asked = {"_MONITOR_COMPLETE": "complete_bash"}
    found = shell("monitor", tmp_path, **asked, COMP_WORDS="monitor re", COMP_CWORD="1").stdout
    assert {"render", "reload", "report-failure"} <= set(found.split())
    found = shell(
        "monitor", tmp_path, **asked, COMP_WORDS="monitor once --j", COMP_CWORD="2"
    ).stdout
    assert "--json" in found.split()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_is_installed_for_every_shell(tmp_path: Path, name: str) -> None:
    asked = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = shell(f"monitor --install-completion {name}", tmp_path, **asked)
    assert done.returncode == 0, done.stderr
    installed = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "_MONITOR_COMPLETE" in installed


@pytest.mark.slow
def test_a_long_export_shows_on_a_terminal_how_far_it_is(config: Path) -> None:
    """Standard error of `script` is a terminal; what is exported goes to a file."""
    asyncio.run(many_runs(config))
    export = "monitor export -o all.csv"
    done = shell(f"script -qec '{export}' /dev/null", config, TERM="xterm", COLUMNS="80")
    assert "rows" in done.stdout
    assert re.search(r"\d[05]00/\?", done.stdout)
    assert "wrote all.csv: 30000 rows" in done.stdout
    assert shell(export, config).stderr == ""


async def many_runs(folder: Path, count: int = 30_000) -> None:
    store = Store(f"sqlite:///{folder / 'monitor.db'}", clock=SystemClock())
    store.open()
    for step in range(count):
        at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=step)
        result = Result(check="a/x/http", vantage="local", at=at, outcome=Outcome.UP)
        store.record(RunRecord(result=result, kind="http"))
    await store.close()


@pytest.mark.slow
def test_what_a_terminal_cannot_encode_ends_nothing(config: Path) -> None:
    text = (config / "monitor.toml").read_text()
    (config / "monitor.toml").write_text(f'{text}[service.b]\nname = "优化"\nendpoints = {{}}\n')
    done = shell("monitor validate", config, PYTHONIOENCODING="ascii")
    assert done.returncode == 78, done.stderr
    (config / "monitor.toml").write_text(text.replace("[service.a]", '[service.a]\nname = "优化"'))
    asyncio.run(many_runs(config, 1))
    done = shell("monitor status", config, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "??: no base URL is known" in done.stdout
