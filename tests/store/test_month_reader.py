"""What the store has of a month: hours at its edges, days between, incidents and the ledger of all places."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

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
SHANGHAI = Month(2026, 11, ZoneInfo("Asia/Shanghai"))
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


async def test_a_month_in_utc_is_the_sum_of_its_days(url: str) -> None:
    await written(url, half_hours(), keep=None)
    record = read(url, NOVEMBER)
    assert record.counted == (NOVEMBER.begin, NOVEMBER.end)
    counts = only(record)
    assert (counts.check, counts.vantage, counts.rollup.counted) == (CHAT, "local", 30 * 48)
    assert counts.rollup.outcomes == {"up": 30 * 48 * 9 // 10, "down": 30 * 48 // 10}
    assert len(counts.measured) == 30
    assert set(counts.rollup.figures) == {"ttft", "total"}
    assert counts.rollup.quantile("ttft", 0.5) == pytest.approx(633, rel=0.01)


async def test_a_month_of_a_zone_takes_hours_at_its_edges(url: str) -> None:
    await written(url, half_hours(), keep=None)
    record = read(url, SHANGHAI)
    assert record.counted == (SHANGHAI.begin, SHANGHAI.end)
    counts = only(record)
    assert counts.rollup.counted == 30 * 48
    begin, end = counts.measured[0][0], counts.measured[-1][1]
    assert (begin, end) == (SHANGHAI.begin, SHANGHAI.end)
    assert [until - since for since, until in counts.measured] == [
        *[HOUR] * 8,
        *[DAY] * 29,
        *[HOUR] * 16,
    ]


async def test_where_hours_at_its_edges_are_gone_it_is_the_same_month_in_utc(url: str) -> None:
    await written(url, half_hours(), keep=10 * DAY)
    record = read(url, SHANGHAI)
    assert record.counted == (NOVEMBER.begin, NOVEMBER.end)
    assert only(record).rollup.counted == 30 * 48
    december = Month(2026, 12, SHANGHAI.zone)  # begins within the hours that are kept
    assert read(url, december).counted == (december.begin, december.end)


async def test_hours_that_are_gone_are_added_up_from_their_runs(url: str) -> None:
    await written(url, half_hours(), keep=None)
    async with opened(url, HandClock(NOW)) as store:
        await store.prune(NOW, HistorySettings(raw=60 * DAY, hours=10 * DAY))
    record = read(url, SHANGHAI)
    assert record.counted == (SHANGHAI.begin, SHANGHAI.end)
    assert only(record).rollup.counted == 30 * 48


async def test_spend_is_the_ledgers_of_each_place_by_utc_day_while_that_is_kept(url: str) -> None:
    await written(url, half_hours(), keep=None)
    there = Store(url, clock=HandClock(NOW), vantage="there")
    there.open()
    await there.backfill([entry(streamed(NOVEMBER.begin, vantage="there"), spent=Spend(7))])
    await there.close()
    assert read(url, SHANGHAI).spent == {
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
    assert counts.measured == ((NOVEMBER.begin, NOVEMBER.begin + DAY),)


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
    assert (counts.measured, counts.rollup.maintenance, counts.rollup.missed) == ((), 1, 3)
