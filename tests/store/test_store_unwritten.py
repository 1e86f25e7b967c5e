"""While the disk fails, the page is made of what can be read and what waits in memory: the same page
as if all of it had been written.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import CHAT, NOON, entry, failed, opened, streamed
from test_store_bad_days import MESSAGE, STATE
from test_store_keeps import INCIDENT

from monitor.model import CheckHistory, Rollup, RunRecord, Snapshot, Spend, StoreError
from monitor.store import Store

MODELS = "a/direct/models"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def runs(start: datetime, count: int) -> list[RunRecord]:
    """A day and more of two checks, some of it bad, in maintenance, and after runs that were missed."""
    found = []
    for step in range(count):
        at = start + timedelta(minutes=17 * step)
        bad = step % 5 == 0
        found.append(
            entry(
                failed(at) if bad else streamed(at),
                in_maintenance=step % 7 == 0,
                missed=step % 3,
                states=(replace(STATE, streak=step),),
                spent=Spend(10, 0.5),
            )
        )
        found.append(entry(streamed(at + timedelta(seconds=1), check=MODELS, stream=None)))
    return found


async def rolled(store: Store, clock: HandClock) -> None:
    """One hour is rolled up with each commit."""
    for _ in range(60):
        store.heartbeat(clock.now())
        await store.flush()


def plain(rollup: Rollup) -> Rollup:
    figures = {name: dict(found) for name, found in rollup.figures.items()}
    return replace(rollup, figures=figures)


def comparable(history: CheckHistory) -> CheckHistory:
    """Days that are over carry more than their bars only where they waited."""
    return replace(
        history,
        days={
            day: Rollup(outcomes=rollup.outcomes, maintenance=rollup.maintenance)
            for day, rollup in history.days.items()
        },
        last_24h=plain(history.last_24h),
        windows={length: plain(rollup) for length, rollup in history.windows.items()},
    )


async def test_what_waits_is_shown_as_if_it_were_written(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "m.db"
    async with opened(f"sqlite:///{path}", clock) as store:
        for each in runs(NOON, 100):
            store.record(each)
        clock.wall = NOON + timedelta(minutes=17 * 100)
        await rolled(store, clock)
        await store.snapshot(clock.now())
        clock.wall = NOON + timedelta(minutes=17 * 190)
        with locked(path):
            for each in runs(NOON + timedelta(minutes=17 * 100), 90):
                store.record(each)
            store.record(entry(failed(clock.now()), incidents=(INCIDENT,), outgoing=(MESSAGE,)))
            with pytest.raises(StoreError):
                await store.flush()
            waiting = await store.snapshot(clock.now())
        await rolled(store, clock)
        assert store.trouble is None
        written = await store.snapshot(clock.now())
    assert waiting.incidents == written.incidents == (INCIDENT,)
    assert [replace(each, id=0) for each in waiting.outbox] == [MESSAGE]
    assert waiting.spent_today == written.spent_today
    assert waiting.spent_month == written.spent_month == {"a": Spend(1900, 95.0)}
    for check in (CHAT, MODELS):
        got, want = comparable(waiting.checks[check]), comparable(written.checks[check])
        assert replace(got, series=()) == replace(want, series=())
        assert [point.at for point in got.series] == [point.at for point in want.series]
        assert [point.p50 is None for point in got.series] == [
            point.p50 is None for point in want.series
        ]


async def test_a_check_that_was_never_written_is_shown(tmp_path: Path, clock: HandClock) -> None:
    path = tmp_path / "m.db"
    async with opened(f"sqlite:///{path}", clock) as store:
        await store.snapshot(clock.now())
        with locked(path):
            store.record(entry(streamed()))
            with pytest.raises(StoreError):
                await store.flush()
            seen = await store.snapshot(clock.now())
        assert seen.checks[CHAT].latest == streamed()
        assert seen.checks[CHAT].last_24h.availability == 1.0


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
        seen = await with_one_more(store, clock)
    assert (seen.at, seen.incidents) == (clock.now(), (INCIDENT,))
    assert seen.checks[CHAT].latest is not None


async def with_one_more(store: Store, clock: HandClock) -> Snapshot:
    with pytest.raises(StoreError, match="cannot be read"):
        await store.results(CHAT, since=NOON)
    assert await store.incident(INCIDENT.id) == INCIDENT
    return await store.snapshot(clock.now())


def ruin(path: Path) -> None:
    """Every page, below the feet of those who read it."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        other.execute("INSERT INTO meta VALUES ('seen by readers', '')").close()
        other.commit()
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
