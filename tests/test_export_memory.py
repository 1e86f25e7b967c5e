"""An export of many runs takes no more memory than one of few."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import NOON, entry, opened, streamed

MONITOR = Path(sys.executable).parent / "monitor"
RUN = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
)


async def fill(folder: Path, runs: int) -> None:
    folder.mkdir()
    (folder / "monitor.toml").write_text(
        '[service.a]\nendpoints = { direct = "http://127.0.0.1:9" }\n'
    )
    async with opened(f"sqlite:///{folder}/monitor.db", HandClock(NOON)) as store:
        for number in range(runs):
            store.record(entry(streamed(NOON - timedelta(seconds=runs - number))))
            if number % 5000 == 0:
                await store.flush()


def exported(folder: Path) -> tuple[int, int]:
    """Rows, and megabytes at most."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, MONITOR, "export", "-o", folder / "out.csv"],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    with (folder / "out.csv").open() as lines:
        return sum(1 for _ in lines) - 1, int(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_many_runs_take_no_more_memory_than_few(tmp_path: Path) -> None:
    found = {}
    for runs in (1_000, 60_000):
        asyncio.run(fill(tmp_path / str(runs), runs))
        rows, found[runs] = exported(tmp_path / str(runs))
        assert rows == runs
    print({"MB by runs": found})
    assert found[60_000] < found[1_000] + 30
