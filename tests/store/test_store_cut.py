"""What a vantage measured falsely is cut out of every table, and nothing of anybody else."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cast import HandClock
from store_cast import CHAT, NOON

from monitor.model import (
    AgentState,
    Evidence,
    HistorySettings,
    Outcome,
    Resolution,
    Result,
    RunRecord,
)
from monitor.store import Reader, Store
from monitor.store.agents import ReceivedBatch, receive

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CN, FRA = "cn", "local"
EVERY_HOUR = [NOON + number * HOUR + timedelta(minutes=7) for number in range(72)]


@pytest.fixture
async def url(fresh_url: Callable[[], str], clock: HandClock) -> str:
    """Three days, in which two vantages failed once an hour; all but the last hour is rolled up."""
    url = fresh_url()
    clock.wall = NOON
    store = Store(url, clock=clock, others=[CN])
    store.open()
    store.recall()
    for number, at in enumerate(EVERY_HOUR, 1):
        clock.wall = at
        store.record(_failed(FRA, number))
        batch = ReceivedBatch(
            state=AgentState(vantage=CN, stream="s", upto=number, heard=at),
            first=number,
            sent_ms=0,
            runs=(_failed(CN, number),),
            taken_over_after=timedelta(),
        )
        await receive(store, batch, [number])
        store.heartbeat(clock.now())
        await store.flush()
    await store.close()
    return url


def _failed(vantage: str, number: int) -> RunRecord:
    at = EVERY_HOUR[number - 1]
    result = Result(check=CHAT, vantage=vantage, at=at, outcome=Outcome.DOWN)
    return RunRecord(result=result, kind="chat", evidence=Evidence(body=f"{vantage} {number}"))


def _seen(url: str, vantage: str) -> tuple[list[object], ...]:
    reader: Reader = Store.read_only(url, vantage=vantage)
    runs = [run.at for run in reader.each_result(CHAT)]
    evidence = [at for _, at, _ in reader.each_evidence(CHAT)]
    hours, days = (
        [(period.at, period.rollup.counted) for period in reader.rollups(CHAT, resolution)]
        for resolution in (Resolution.HOUR, Resolution.DAY)
    )
    reader.close()
    return [*runs], [*evidence], [*hours], [*days]


async def _cut(url: str, clock: HandClock, first: int, last: int) -> int:
    store = Store(url, clock=clock, others=[CN])
    store.open()
    try:
        return await store.cut(CN, NOON + first * HOUR, NOON + last * HOUR)
    finally:
        await store.close()


async def test_runs_evidence_hours_and_days_of_one_vantage_go_and_a_day_keeps_its_other_hours(
    url: str, clock: HandClock
) -> None:
    before, others = _seen(url, CN), _seen(url, FRA)
    assert before == others
    assert await _cut(url, clock, 30, 52) == 22

    runs, evidence, hours, days = _seen(url, CN)
    kept = [*range(30), *range(52, 72)]
    assert runs == evidence == [EVERY_HOUR[number] for number in kept]
    assert hours == [before[2][number] for number in kept]
    midnight = NOON - 12 * HOUR
    assert days == [
        (midnight, 12),
        (midnight + DAY, 18),
        (midnight + 2 * DAY, 8 + 12 - 8 - 4),
        (midnight + 3 * DAY, 12),
    ]
    assert _seen(url, FRA) == others


async def test_a_part_of_an_hour_is_the_whole_hour(url: str, clock: HandClock) -> None:
    store = Store(url, clock=clock, others=[CN])
    store.open()
    try:
        begin = NOON + 5 * HOUR + timedelta(minutes=59)
        assert await store.cut(CN, begin, begin + timedelta(minutes=2)) == 2
    finally:
        await store.close()


async def test_a_day_whose_hours_are_not_kept_any_more_goes_whole(
    url: str, clock: HandClock
) -> None:
    store = Store(url, clock=clock, others=[CN])
    store.open()
    try:
        short = HistorySettings(raw=HOUR, evidence=HOUR, hours=DAY, days=30 * DAY)
        for _ in range(5):
            await store.prune(clock.now(), short)
        await store.cut(CN, NOON + HOUR, NOON + 2 * HOUR)
    finally:
        await store.close()
    midnight = NOON - 12 * HOUR
    assert [at for at, _ in _seen(url, CN)[3]] == [
        midnight + DAY,
        midnight + 2 * DAY,
        midnight + 3 * DAY,
    ]
    assert next(at for at, _ in _seen(url, FRA)[3]) == midnight


async def test_what_comes_after_a_cut_is_counted_as_ever(url: str, clock: HandClock) -> None:
    await _cut(url, clock, 30, 200)
    store = Store(url, clock=clock, others=[CN])
    store.open()
    store.recall()
    try:
        clock.wall = EVERY_HOUR[-1] + timedelta(minutes=2)
        record = _failed(CN, 72)
        batch = ReceivedBatch(
            state=AgentState(vantage=CN, stream="s", upto=73, heard=clock.wall),
            first=73,
            sent_ms=0,
            runs=(record,),
            taken_over_after=timedelta(),
        )
        await receive(store, batch, [73])
        clock.wall += 3 * HOUR
        store.heartbeat(clock.now())
        await store.flush()
    finally:
        await store.close()
    assert _seen(url, CN)[3][-1] == (NOON + 2.5 * DAY, 1)
