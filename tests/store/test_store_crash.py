"""Neither a killed daemon nor a full disk loses what was acknowledged."""

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from store_cast import CHAT, NOON, opened

from monitor.clock import Clock
from monitor.store.sqlite.connections import path_of
from monitor.store.sqlite.repair import damage

HERE = Path(__file__).parent

WRITES_UNTIL_KILLED = """
import asyncio, sys
from datetime import timedelta
from store_cast import NOON, entry, streamed, other_changes
from monitor.clock import SystemClock
from monitor.store import Store

async def main(first):
    store = Store(sys.argv[1], clock=SystemClock()); store.open()
    for number in range(first, first + 10_000):
        store.record(entry(streamed(NOON + timedelta(seconds=number)), **other_changes(number)))
        await store.flush()
        print(number, flush=True)

asyncio.run(main(int(sys.argv[2])))
"""

FILLS_ITS_DISK = """
import asyncio, resource, signal, sys
from datetime import timedelta
from store_cast import CHAT, NOON, entry, streamed
from monitor.clock import SystemClock
from monitor.model import StoreError
from monitor.store import Store

async def main():
    store = Store(sys.argv[1], clock=SystemClock()); store.open()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    refused = 0
    for number in range(3000):
        store.record(entry(streamed(NOON + timedelta(seconds=number))))
        if number % 300 == 299:
            try:
                await store.flush()
            except StoreError:
                refused += 1
    print(refused > 0, store.trouble is not None)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.flush()
    print(store.trouble, len(await store.results(CHAT, since=NOON)))
    await store.close()

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def engine() -> str:
    """What befalls a file."""
    return "sqlite"


def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{HERE}:{HERE.parent}:{HERE.parents[1]}"},
    )


@pytest.mark.slow
@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.proof)])
async def test_kills_lose_nothing_that_was_acknowledged(url: str, clock: Clock, kills: int) -> None:
    """Each one once the daemon is at work, at any moment of what a commit and a half take."""
    rng, acknowledged = Random(kills), -1
    for _ in range(kills):
        with start(WRITES_UNTIL_KILLED, url, str(acknowledged + 1)) as daemon:
            assert daemon.stdout is not None
            began = time.monotonic()
            for _ in range(rng.randint(1, 5)):
                acknowledged, before, began = int(daemon.stdout.readline()), began, time.monotonic()
            time.sleep(rng.uniform(0, 1.5) * min(began - before, 0.2))
            daemon.kill()
            acknowledged = max([acknowledged, *map(int, daemon.stdout.read().split())])
    async with opened(url, clock) as store:
        results = await store.results(CHAT, since=NOON)
        memory = store.recall()
        waiting = await store.due(clock.now())
    numbers = {(result.at - NOON) // timedelta(seconds=1) for result in results}
    wanted = set(range(0, acknowledged + 1, 5))
    print(f"{kills} kills, {acknowledged + 1} acknowledged, {len(numbers)} stored")
    assert numbers == set(range(len(numbers)))
    assert len(numbers) > acknowledged
    assert memory.states[CHAT, "local", "down"].streak == max(numbers)
    assert {incident.id - 1 for incident in memory.incidents} >= wanted
    assert {(message.incident or 0) - 1 for message in waiting} >= wanted
    assert damage(path_of(url)) is None


@pytest.mark.slow
def test_results_wait_out_a_full_disk_and_are_all_written_after_it(url: str) -> None:
    with start(FILLS_ITS_DISK, url) as daemon:
        output, _ = daemon.communicate(timeout=30)
    assert output == "True True\nNone 3000\n"
