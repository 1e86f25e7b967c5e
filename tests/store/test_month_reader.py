"""What the store has of a month: its days, incidents and the ledger of all places."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from cast import HandClock
from store_cast import CHAT, INCIDENT, MODELS, entry, failed, opened, streamed

from monitor.model import (
    HistorySettings,
    Month,
    MonthCounts,
    MonthRecord,
    PastCounts,
    Resolution,
    RunRecord,
    Spend,
    StoreError,
)
from monitor.store import Store, read_month

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOVEMBER = Month(2026, 11)
NOW = datetime(2026, 12, 2, 12, tzinfo=UTC)
HALVES = 2 * 24 * 34


def half_hours() -> Sequence[RunRecord]:
    """A run at each half hour from 30 October until 3 December, every tenth one a failure."""
    first = datetime(2026, 10, 30, tzinfo=UTC)
    times = [first + number * HOUR / 2 for number in range(HALVES)]
    return [
        entry(failed(at) if number % 10 == 0 else streamed(at), spent=Spend(2, 0.5))
        for number, at in enumerate(times)
    ]


async def written(url: str, entries: Sequence[RunRecord], *, keep: timedelta | None) -> None:
    """Runs of the past, added up; `keep` is for how long hours and runs are kept."""
    clock = HandClock(NOW)
    async with opened(url, clock) as store:
        await store.backfill(entries)
        await store.flush()
        store.heartbeat(NOW)
        await store.flush()
        if keep is not None:
            await store.prune(NOW, HistorySettings(raw=keep, hours=keep))


def read(url: str, month: Month, now: datetime = NOW) -> MonthRecord:
    with closing(Store.read_only(url)) as reader:
        return read_month(reader, month, now)


def only(record: MonthRecord) -> MonthCounts:
    [counts] = record.counts
    return counts


@pytest.mark.parametrize("keep", [None, 10 * DAY])
async def test_a_month_is_the_sum_of_its_utc_days_whether_hours_and_runs_are_kept_or_not(
    url: str, keep: timedelta | None
) -> None:
    await written(url, half_hours(), keep=keep)
    counts = only(read(url, NOVEMBER))
    assert (counts.check, counts.vantage, counts.rollup.counted) == (CHAT, "local", 30 * 48)
    assert counts.rollup.outcomes == {"up": 30 * 48 * 9 // 10, "down": 30 * 48 // 10}
    assert sorted(counts.measured) == [date(2026, 11, day) for day in range(1, 31)]
    assert set(counts.rollup.figures) == {"ttft", "total"}
    assert counts.rollup.quantile("ttft", 0.5) == pytest.approx(633, rel=0.01)


async def test_spend_is_the_ledgers_of_each_place_by_utc_day_while_that_is_kept(url: str) -> None:
    await written(url, half_hours(), keep=None)
    there = Store(url, clock=HandClock(NOW), vantage="there")
    there.open()
    await there.backfill([entry(streamed(NOVEMBER.begin, vantage="there"), spent=Spend(7))])
    await there.close()
    assert read(url, NOVEMBER).spent == {
        ("local", "a"): Spend(2 * 30 * 48, 0.5 * 30 * 48),
        ("there", "a"): Spend(7),
    }
    assert read(url, Month(2026, 1)).spent == {}
    assert read(url, Month(2025, 10)).spent is None


async def test_incidents_are_those_open_at_some_time_of_it(url: str) -> None:
    spans = {
        1: (NOVEMBER.begin - 2 * DAY, NOVEMBER.begin - DAY),
        2: (NOVEMBER.begin - DAY, NOVEMBER.begin + DAY),
        3: (NOVEMBER.end - HOUR, None),
        4: (NOVEMBER.end, None),
    }
    incidents = [
        replace(INCIDENT, id=number, opened=begin, closed=end)
        for number, (begin, end) in spans.items()
    ]
    await written(url, [entry(streamed(NOW - HOUR), incidents=tuple(incidents))], keep=None)
    assert [incident.id for incident in read(url, NOVEMBER).incidents] == [3, 2]


async def test_counts_of_another_program_are_counts_of_the_month(url: str) -> None:
    async with opened(url, HandClock(NOW)) as store:
        day = PastCounts(at=NOVEMBER.begin, resolution=Resolution.DAY, up=9, down=1, maintenance=5)
        await store.backfill_counts(MODELS, "models", [day])
    counts = only(read(url, NOVEMBER))
    assert (counts.rollup.availability, counts.rollup.maintenance) == (0.9, 5)
    assert counts.measured == {date(2026, 11, 1)}


async def test_of_a_month_before_all_others_nothing_is_known(url: str) -> None:
    await written(url, [entry(streamed(NOW - HOUR))], keep=None)
    record = read(url, NOVEMBER)
    assert (record.counts, record.incidents, record.spent) == ((), (), {})
    assert record.measured_since == datetime(2026, 12, 2, tzinfo=UTC)
    assert record.seen_until is not None
    nowhere = url.replace("monitor.db", "none.db").replace("/store", "/nowhere")
    with pytest.raises(StoreError, match=r"there is no (?:store|such database)"):
        read(nowhere, NOVEMBER)


async def test_maintenance_alone_is_no_measurement(url: str) -> None:
    at = NOVEMBER.begin + HOUR
    await written(url, [entry(streamed(at), in_maintenance=True, missed=3)], keep=None)
    counts = only(read(url, NOVEMBER))
    assert (counts.measured, counts.rollup.maintenance, counts.rollup.missed) == (frozenset(), 1, 3)
