"""Questions about ranges: raw results, hours, days and what failing runs left, all of it in pages."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import CHAT, NOON, entry, failed, in_a_file, opened, streamed

from monitor.model import (
    Evidence,
    HistorySettings,
    Incident,
    KnownCheck,
    Outcome,
    Period,
    Resolution,
    Result,
    Rollup,
    Severity,
    StoreError,
)
from monitor.model.rollup import WINDOW_FIGURES, merge
from monitor.store import Store
from monitor.store import reader as readers

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OTHER = "a/cdn/chat"


def two_days() -> list[Result]:
    """Every 20 minutes from noon, two checks in turn; each ninth run fails."""
    return [
        (failed if step % 9 == 0 else streamed)(
            NOON + step * timedelta(minutes=20), check=(CHAT, OTHER)[step % 2]
        )
        for step in range(144)
    ]


async def filled(store: Store, clock: HandClock, results: list[Result]) -> None:
    """As a daemon would have: the clock goes along, hours are rolled up as they end."""
    for step, result in enumerate(results):
        clock.wall = result.at
        store.record(entry(result, missed=1 if result.outcome is Outcome.DOWN else 0))
        if step % 5 == 0:
            await store.flush()
    await store.flush()


def expected(results: list[Result], begin: datetime, length: timedelta) -> Rollup:
    within = [result for result in results if begin <= result.at < begin + length]
    missed = sum(result.outcome is Outcome.DOWN for result in within)
    return replace(merge(map(Rollup.of, within)), missed=missed)


@pytest.mark.parametrize(("resolution", "length"), [(Resolution.HOUR, HOUR), (Resolution.DAY, DAY)])
async def test_every_hour_and_day_says_what_its_results_say_also_the_open_one(
    store: Store, url: str, clock: HandClock, resolution: Resolution, length: timedelta
) -> None:
    given = two_days()
    await filled(store, clock, given)
    reader = Store.read_only(url)
    mine = [result for result in given if result.check == CHAT]
    midnight = NOON.replace(hour=0)
    begins = [midnight + step * length for step in range(3 * DAY // length)]
    assert reader.rollups(CHAT, resolution, since=midnight - DAY) == tuple(
        Period(check=CHAT, vantage="local", at=at, resolution=resolution, rollup=rollup)
        for at in begins
        if (rollup := expected(mine, at, length)) != Rollup()
    )
    reader.close()


async def test_a_range_holds_each_hour_that_it_touches(
    store: Store, url: str, clock: HandClock
) -> None:
    await filled(store, clock, two_days())
    reader = Store.read_only(url)
    since, until = NOON + HOUR * 3.5, NOON + HOUR * 6
    periods = reader.rollups(CHAT, Resolution.HOUR, since=since, until=until)
    assert [period.at for period in periods] == [NOON + HOUR * 3, NOON + HOUR * 4, NOON + HOUR * 5]
    reader.close()


async def test_all_that_is_stored_comes_in_pages_and_in_order(
    store: Store, url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "PAGE", 10)
    given = two_days()
    await filled(store, clock, given)
    reader = Store.read_only(url)
    assert list(reader.each_result()) == given
    assert reader.results(OTHER, since=given[10].at, until=given[50].at) == tuple(
        each for each in given[10:50] if each.check == OTHER
    )
    hours = list(reader.each_period(Resolution.HOUR))
    assert [period.at for period in hours] == sorted(period.at for period in hours)
    assert merge(period.rollup for period in hours).outcomes == {"up": 128, "down": 16}
    reader.close()


async def test_counts_outlive_the_runs_they_come_from(
    store: Store, url: str, clock: HandClock
) -> None:
    given = two_days()
    await filled(store, clock, given)
    clock.tick(40 * 86_400)
    store.heartbeat(clock.now())
    await store.flush()
    await store.prune(clock.now(), HistorySettings())
    reader = Store.read_only(url)
    assert list(reader.each_result()) == []
    days = reader.each_period(Resolution.DAY)
    assert merge(period.rollup for period in days).outcomes == {"up": 128, "down": 16}
    assert reader.checks() == tuple(
        KnownCheck(check=check, vantage="local", kind="chat", last=at)
        for check, at in ((OTHER, given[-1].at), (CHAT, given[-2].at))
    )
    reader.close()


async def test_what_failing_runs_left_is_found_by_range(store: Store, url: str) -> None:
    left = Evidence(body="<html> 502")
    store.record(entry(failed(), evidence=left))
    store.record(entry(failed(NOON + HOUR, check=OTHER), evidence=left))
    await store.flush()
    reader = Store.read_only(url)
    assert list(reader.each_evidence()) == [(CHAT, NOON, left), (OTHER, NOON + HOUR, left)]
    assert list(reader.each_evidence(CHAT, since=NOON + HOUR)) == []
    assert reader.evidence(OTHER, NOON + HOUR) == left
    reader.close()


async def test_incidents_are_found_by_the_time_they_were_open(store: Store, url: str) -> None:
    first = Incident(
        id=1,
        service="a",
        severity=Severity.DOWN,
        opened=NOON,
        closed=NOON + HOUR,
        failure=failed().failure,
        checks=(CHAT,),
        active=frozenset(),
    )
    second = replace(first, id=2, opened=NOON + DAY, closed=None, active=frozenset({CHAT}))
    await store.save((first, second))
    reader = Store.read_only(url)
    assert reader.incidents() == (second, first)
    assert reader.incidents(since=NOON + HOUR * 2) == (second,)
    assert reader.incidents(until=NOON + HOUR * 2) == (first,)
    assert reader.incidents(since=NOON + HOUR * 2, until=NOON + HOUR * 3) == ()
    reader.close()


async def test_windows_of_days_and_their_percentiles_come_with_the_snapshot(
    store: Store, clock: HandClock
) -> None:
    given = [streamed(NOON - back * DAY) for back in range(100, -1, -1)]
    slow = replace(given[-20].timings, ttft=9000.0)
    given[-20] = replace(given[-20], timings=slow)
    await filled(store, clock, given)
    history = (await store.snapshot(clock.now())).checks[CHAT]
    assert {days: window.outcomes for days, window in history.windows.items()} == {
        7: {"up": 7},
        30: {"up": 30},
        90: {"up": 90},
    }
    slowest = {days: window.quantile("ttft", 1.0) for days, window in history.windows.items()}
    usual, slow_one = Rollup.of(given[0]), Rollup.of(given[-20])
    assert slowest == {
        7: usual.quantile("ttft", 1.0),
        30: slow_one.quantile("ttft", 1.0),
        90: slow_one.quantile("ttft", 1.0),
    }
    expected = merge(map(Rollup.of, given[-90:]))
    shown = {name: expected.figures[name] for name in WINDOW_FIGURES}
    assert history.windows[90] == replace(expected, figures=shown)


@pytest.mark.parametrize(("resolution", "length"), [(Resolution.MONTH, 14), (Resolution.YEAR, 2)])
async def test_months_and_years_of_the_calendar_are_one_rollup_each(
    store: Store, url: str, clock: HandClock, resolution: Resolution, length: int
) -> None:
    given = [streamed(NOON - back * DAY) for back in range(400, -1, -1)]
    await filled(store, clock, given)
    reader = Store.read_only(url)
    periods = reader.rollups(CHAT, resolution)
    wanted: dict[datetime, list[Result]] = {}
    for result in given:
        month = result.at.month if resolution is Resolution.MONTH else 1
        wanted.setdefault(datetime(result.at.year, month, 1, tzinfo=UTC), []).append(result)
    assert len(wanted) == length
    assert {period.at: period.rollup for period in periods} == {
        at: merge(map(Rollup.of, runs)) for at, runs in wanted.items()
    }
    reader.close()


async def test_a_range_holds_each_month_that_it_touches_whole(
    store: Store, url: str, clock: HandClock
) -> None:
    given = [streamed(NOON - back * DAY) for back in range(100, -1, -1)]
    given += [replace(result, check=OTHER) for result in given]
    await filled(store, clock, given)
    reader = Store.read_only(url)
    october, november = (datetime(2026, month, 1, tzinfo=UTC) for month in (10, 11))
    for since, until, months in (
        (october, november, [october]),
        (october + 30 * DAY, november + HOUR, [october, november]),
        (november - HOUR, None, [october, november]),
    ):
        periods = list(reader.each_period(Resolution.MONTH, since=since, until=until))
        assert [(period.at, period.check) for period in periods] == [
            (month, check) for month in months for check in (OTHER, CHAT)
        ]
        assert periods[0].rollup.counted == 31
    reader.close()


async def test_percentiles_of_a_window_keep_up_with_its_runs(
    store: Store, clock: HandClock
) -> None:
    """Each hundredth of them, and each hour; counts always."""
    slow = streamed().timings
    for step in range(300):
        at = NOON + step * timedelta(seconds=10)
        store.record(entry(streamed(at, timings=replace(slow, ttft=633.2 + 10 * step))))
        if step in {199, 201, 299}:
            await store.flush()
            clock.wall = at
            window = (await store.snapshot(clock.now())).checks[CHAT].windows[7]
            known = step if step != 201 else 199
            assert window.counted == step + 1
            largest = window.quantile("ttft", 1.0)
            assert largest
            assert abs(largest / (633.2 + 10 * known) - 1) <= 0.01


@in_a_file
async def test_a_reader_copies_the_store_beside_the_daemon(
    store: Store, url: str, clock: HandClock, tmp_path: Path
) -> None:
    given = [streamed(NOON + timedelta(seconds=number)) for number in range(500)]
    for result in given:
        store.record(entry(result))
    await store.flush()
    reader = Store.read_only(url)
    store.record(entry(streamed(NOON + timedelta(hours=1))))  # not committed yet, or just
    reader.backup(tmp_path / "copy.db")
    async with opened(f"sqlite:///{tmp_path / 'copy.db'}", clock) as copy:
        assert [*await copy.results(CHAT, since=NOON)][:500] == given
    with pytest.raises(StoreError, match=r"nowhere/copy.db cannot be written: "):
        reader.backup(tmp_path / "nowhere" / "copy.db")
    reader.close()


async def test_runs_count_as_their_hours_did_whatever_is_maintenance_today(
    store: Store, url: str, clock: HandClock
) -> None:
    runs = [streamed(NOON + step * timedelta(minutes=20)) for step in range(9)]
    for step, run in enumerate(runs):
        clock.wall = run.at
        store.record(entry(run, in_maintenance=step % 4 == 1, missed=step % 3))
    await store.flush()
    with closing(Store.read_only(url)) as reader:
        counted = [*reader.each_counted(CHAT)]
        hours = reader.rollups(CHAT, Resolution.HOUR)
    assert [run for run, _ in counted] == runs
    total = merge(share for _, share in counted)
    assert (total.maintenance, total.missed) == (2, 9)
    assert total == merge(hour.rollup for hour in hours)
