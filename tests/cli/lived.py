"""A folder in which a daemon has lived: one base URL where nobody listens, and what came of it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

MONITOR = Path(sys.executable).parent / "monitor"
CONFIG = """[monitor]
listen = ""
[alerts]
after = 1
[service.relay]
endpoints = { cdn = "http://127.0.0.1:9" }
probes = { chat = { kind = "http", every = "1s" } }
"""


def environment(folder: Path, **more: str) -> dict[str, str]:
    path = f"{MONITOR.parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(folder), "NO_PROXY": "127.0.0.1", "COLUMNS": "100", **more}


def shell(command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment(folder, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


_FORKING = """
import json, os, shlex, sys, tempfile
from importlib import import_module
from monitor.cli.app import command_files, main
for file in command_files():
    import_module(f'monitor.cli.{file.module}')
for command in json.load(sys.stdin):
    with tempfile.TemporaryFile() as heard:
        if (child := os.fork()) == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number in (1, 2):
                os.dup2(heard.fileno(), number)
            sys.argv[:] = shlex.split(command)
            code = 0
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # taking down all that is imported would take longer than the command
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        heard.seek(0)
        print(json.dumps([status, heard.read().decode()]), flush=True)
"""


def spoken(commands: list[str], folder: Path) -> list[tuple[int, str]]:
    """Exit status and words of each. Imported once and then forked: a command is its own process,
    and a hundred of them take seconds."""
    done = subprocess.run(
        [sys.executable, "-c", _FORKING],
        cwd=folder,
        env=environment(folder),
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def live(folder: Path) -> None:
    """Until an incident is open and on the disk."""
    (folder / "monitor.toml").write_text(CONFIG)
    daemon = subprocess.Popen(
        [MONITOR, "run"], cwd=folder, env=environment(folder), stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + 60
        while "#1" not in shell("monitor incidents", folder).stdout:
            assert time.monotonic() < end
            time.sleep(0.5)
    finally:
        daemon.terminate()
        daemon.communicate(timeout=60)
