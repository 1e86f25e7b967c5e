"""`monitor` as processes that can be killed: a hub, and agents in folders of their own."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

MONITOR = Path(sys.executable).parent / "monitor"


class Place:
    """One `monitor` process that can be killed and started again; its output stays in a file."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.words = folder, words
        self.log = folder / "log.txt"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, line: str = "", **env: str) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [MONITOR, *self.words],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self.folder), **env},
            )
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(line.encode())
            self.process.stdin.close()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None


def runs_of(path: Path, vantage: str) -> list[tuple[str, int]]:
    """Check and begin (unix ms) of the runs of a vantage in a store, each as often as it is there."""
    if not path.exists():
        return []
    query = "SELECT key, at FROM runs JOIN checks ON checks.id = check_id WHERE vantage = ?"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            return sorted(connection.execute(query, (vantage,)))
        except sqlite3.OperationalError:  # it is being made
            return []
