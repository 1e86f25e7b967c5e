"""A bit that falls in a row, which no checksum of the file covers, costs that row at most."""

import asyncio
import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import CHAT, entry, failed, opened, other_changes, streamed

from monitor.model import Habit, StoreError
from monitor.store import Store

LOST = {
    "outbox": "UPDATE outbox SET body = CAST(x'ff' || CAST(body AS BLOB) AS TEXT) WHERE id = 2",
    "habits": "UPDATE habits SET body = '{'",
    "incidents": "UPDATE incidents SET body = replace(body, 'bad_gateway', 'bad_gatewax') WHERE id = 1",
    "runs": "UPDATE runs SET outcome = 9 WHERE at = (SELECT max(at) FROM runs)",
}
KEPT = {
    "hour_rollups": "UPDATE hour_rollups SET histograms = substr(histograms, 1, 9) WHERE length(histograms) > 9",
    "day_rollups": "UPDATE day_rollups SET histograms = substr(histograms, 1, 9) WHERE length(histograms) > 9",
    "key_value": "INSERT INTO key_value VALUES ('', 'hours_from', '49x')",
}


@pytest.fixture(scope="session")
def engine() -> str:
    """What befalls a file."""
    return "sqlite"


async def live(url: str, clock: HandClock) -> None:
    """Three days; of the last hour some runs are in no rollup yet."""
    async with opened(url, clock) as store:
        for number in range(72):
            run = failed(clock.now()) if number % 5 == 0 else streamed(clock.now())
            store.record(entry(run, habit=Habit(good=7), **other_changes(number)))
            clock.tick(3600)
            await store.flush()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a store after those three days, to be copied."""
    path = tmp_path_factory.mktemp("lived") / "monitor.db"
    asyncio.run(live(f"sqlite:///{path}", HandClock()))
    return path


async def minute(store: Store, clock: HandClock) -> None:
    clock.tick(61)
    for _ in range(2):
        store.heartbeat(clock.now())
        with contextlib.suppress(StoreError):
            await store.snapshot(clock.now())
        await store.flush()


def harm(path: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute(sql).rowcount
        other.commit()


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("table", [*LOST, *KEPT])
async def test_a_row_that_cannot_be_read_is_told_kept_aside_and_done_without(
    url: str, clock: HandClock, tmp_path: Path, lived: Path, table: str, *, started: bool
) -> None:
    path, harming = tmp_path / "monitor.db", (LOST | KEPT)[table]
    later = 3600 if table == "hour_rollups" else 8 * 86400  # when somebody reads it
    shutil.copy(lived, path)
    clock.tick(72 * 3600)
    async with opened(url, clock) as store:
        before = (await store.snapshot(clock.now())).checks[CHAT]
        if started:
            harm(path, harming)
            clock.tick(later)
            await minute(store, clock)
    if not started:
        harm(path, harming)
        clock.tick(later)
    async with opened(url, clock) as store:
        memory = store.recall()
        await minute(store, clock)
        await minute(store, clock)
        after = (await store.snapshot(clock.now())).checks[CHAT]
        assert store.trouble is None
        assert sum(day.counted for day in after.days.values()) == 72 - (table == "runs")
        assert after.windows[90].counted == 72 - (table == "runs")
    assert (len(memory.incidents), len(memory.habits)) == (
        15 - (table == "incidents"),
        table != "habits",
    )
    assert before.windows[90].counted == 72
    (aside,) = tmp_path.glob("monitor.db.unreadable-*")
    with contextlib.closing(sqlite3.connect(aside)) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_where_nothing_ever_failed_a_bad_row_costs_no_good_run(
    url: str, clock: HandClock, tmp_path: Path
) -> None:
    async with opened(url, clock) as store:
        for _ in range(20):
            store.record(entry(streamed(clock.now())))
            clock.tick(60)
        await store.flush()
        harm(tmp_path / "monitor.db", LOST["runs"])
    async with opened(url, clock) as store:
        await minute(store, clock)
        await minute(store, clock)
        after = (await store.snapshot(clock.now())).checks[CHAT]
    assert sum(day.counted for day in after.days.values()) == 19


def test_a_folder_in_the_place_of_the_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder, and the store is a file"):
        Store.read_only(f"sqlite:///{tmp_path}")
