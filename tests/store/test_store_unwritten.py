"""While the disk fails, the page is made of what can be read and what waits in memory: the same page
as if all of it had been written.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import (
    CHAT,
    INCIDENT,
    MESSAGE,
    MODELS,
    NOON,
    comparable,
    entry,
    failed,
    opened,
    runs,
    streamed,
)

from monitor.model import Snapshot, Spend, StoreError
from monitor.store import Store
from monitor.store.engines import database


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Keep the writer from writing, as another program that is in the way."""
    engine = database(url).writing()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE key_value SET value = value")
        yield
        connection.rollback()
    engine.dispose()


async def rolled(store: Store, clock: HandClock) -> None:
    """One hour is rolled up with each commit."""
    for _ in range(60):
        store.heartbeat(clock.now())
        await store.flush()


async def test_what_waits_is_shown_as_if_it_were_written(url: str, clock: HandClock) -> None:
    async with opened(url, clock) as store:
        for run in runs(NOON, 100):
            store.record(run)
        clock.wall = NOON + timedelta(minutes=17 * 100)
        await rolled(store, clock)
        await store.snapshot(clock.now())
        clock.wall = NOON + timedelta(minutes=17 * 190)
        with locked(url):
            for run in runs(NOON + timedelta(minutes=17 * 100), 90):
                store.record(run)
            store.record(entry(failed(clock.now()), incidents=(INCIDENT,), outgoing=(MESSAGE,)))
            with pytest.raises(StoreError):
                await store.flush()
            waiting = await store.snapshot(clock.now())
        await rolled(store, clock)
        assert store.trouble is None
        written = await store.snapshot(clock.now())
    assert waiting.incidents == written.incidents == (INCIDENT,)
    assert [replace(message, id=0) for message in waiting.outbox] == [MESSAGE]
    assert waiting.spent_today == written.spent_today
    assert waiting.spent_month == written.spent_month == {"a": Spend(1900, 95.0)}
    for check in (CHAT, MODELS):
        shown, later = comparable(waiting.checks[check]), comparable(written.checks[check])
        assert replace(shown, series=()) == replace(later, series=())
        assert [point.at for point in shown.series] == [point.at for point in later.series]
        assert [point.p50 is None for point in shown.series] == [
            point.p50 is None for point in later.series
        ]


async def test_a_check_that_was_never_written_is_shown(url: str, clock: HandClock) -> None:
    async with opened(url, clock) as store:
        await store.snapshot(clock.now())
        with locked(url):
            store.record(entry(streamed()))
            with pytest.raises(StoreError):
                await store.flush()
            snapshot = await store.snapshot(clock.now())
        assert snapshot.checks[CHAT].latest == streamed()
        assert snapshot.checks[CHAT].last_24h.availability == 1.0


async def test_where_nothing_can_be_read_the_last_look_is_shown_with_what_came_since(
    tmp_path: Path, clock: HandClock
) -> None:
    path = tmp_path / "m.db"
    async with opened(f"sqlite:///{path}", clock) as store:
        store.record(entry(streamed(), incidents=(INCIDENT,)))
        await store.flush()
        await store.snapshot(clock.now())
        ruin(path)
        clock.tick(5)
        snapshot = await with_one_more(store, clock)
    assert (snapshot.at, snapshot.incidents) == (clock.now(), (INCIDENT,))
    assert snapshot.checks[CHAT].latest is not None


@pytest.mark.parametrize("readable", [True, False])
async def test_a_day_that_leaves_a_window_leaves_it_at_midnight_also_while_the_disk_fails(
    tmp_path: Path, clock: HandClock, readable: bool
) -> None:
    """Percentiles and kinds of failure cannot be told without the file; counts can."""
    path = tmp_path / "m.db"
    async with opened(f"sqlite:///{path}", clock) as store:
        for clock.wall, result_at in ((NOON - timedelta(days=6), failed), (NOON, streamed)):
            store.record(entry(result_at(clock.wall)))
            await rolled(store, clock)
        before = (await store.snapshot(clock.now())).checks[CHAT].windows
        clock.wall = NOON + timedelta(hours=12, minutes=1)
        with locked(f"sqlite:///{path}") if readable else contextlib.nullcontext(ruin(path)):
            store.record(entry(streamed(clock.wall)))
            after = (await store.snapshot(clock.now())).checks[CHAT].windows
    assert [window.outcomes for window in before.values()] == [{"down": 1, "up": 1}] * 3
    assert [window.outcomes for window in after.values()] == [
        {"up": 2},
        *[{"down": 1, "up": 2}] * 2,
    ]
    assert [window.quantile("ttft", 0.5) is not None for window in after.values()] == [readable] * 3
    assert [bool(window.kinds) for window in after.values()] == [False, readable, readable]


async def with_one_more(store: Store, clock: HandClock) -> Snapshot:
    with pytest.raises(StoreError, match="cannot be read"):
        await store.results(CHAT, since=NOON)
    assert await store.incident(INCIDENT.id) == INCIDENT
    return await store.snapshot(clock.now())


def ruin(path: Path) -> None:
    """Every page, below the feet of those who read it."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        other.execute("INSERT INTO key_value VALUES ('', 'seen by readers', '')").close()
        other.commit()
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
