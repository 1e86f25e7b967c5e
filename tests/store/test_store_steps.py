"""Forgetting goes by short steps: results are written between them, and the event loop goes on."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from sqlalchemy import event
from store_cast import CHAT, NOON, entry, opened, sizes, streamed

from monitor.model import HistorySettings
from monitor.store import Store
from monitor.store.retention import STEP
from monitor.store.sqlite import health


class Watch:
    """How long each transaction of the writer takes, in seconds."""

    def __init__(self, store: Store) -> None:
        self.began, self.took = time.monotonic(), list[float]()
        event.listen(
            store._upkeep.engine, "begin", lambda _: setattr(self, "began", time.monotonic())
        )
        event.listen(
            store._upkeep.engine,
            "commit",
            lambda _: self.took.append(time.monotonic() - self.began),
        )


async def lag(worst: list[float]) -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(0.005)
        worst.append(time.monotonic() - before - 0.005)


@pytest.mark.slow
@pytest.mark.parametrize("count", [60_000, pytest.param(1_000_000, marks=pytest.mark.proof)])
async def test_a_great_forgetting_holds_up_no_result_and_gives_its_space_back(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(health, "SPARE", 64)
    path = tmp_path / "m.db"
    async with opened(f"sqlite:///{path}", clock) as store:
        for step in range(count):
            store.record(entry(streamed(NOON + timedelta(milliseconds=100 * step))))
            if step % 5000 == 4999:
                await store.flush()
        clock.tick(count / 10 + 2 * 3600)
        for _ in range(count // 36_000 + 3):  # each hour is rolled up with a commit
            store.heartbeat(clock.now())
            await store.flush()
        before = sizes(path)[0] * 4096

        watch, worst, acknowledged = Watch(store), list[float](), list[float]()
        lagging = asyncio.create_task(lag(worst))
        forgetting = asyncio.create_task(
            store.prune(clock.now(), HistorySettings(raw=timedelta(0)))
        )
        while not forgetting.done():
            clock.tick(0.1)
            began = time.monotonic()
            store.record(entry(streamed(clock.now())))
            await store.flush()
            acknowledged.append(time.monotonic() - began)
        lagging.cancel()
        await forgetting
        assert len(await store.results(CHAT, since=NOON)) <= len(acknowledged)
        days = (await store.snapshot(clock.now())).checks[CHAT].days
        assert sum(day.counted for day in days.values()) == count + len(acknowledged)
    print(
        f"{count} runs forgotten in {len(watch.took)} transactions: the longest "
        f"{1000 * max(watch.took):.0f} ms; a result waited {1000 * max(acknowledged):.0f} ms at most, "
        f"the event loop {1000 * max(worst):.0f} ms; {before >> 10} KB became {path.stat().st_size >> 10} KB"
    )
    assert len(watch.took) > count / STEP
    assert max(watch.took) < 1 + count / 500_000  # a busy machine's disk; see what is printed
    assert path.stat().st_size < before / 4
