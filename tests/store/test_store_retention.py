"""Each kind of data is kept for as long as it is to be, and no longer; the clock is moved by hand."""

from datetime import timedelta

import pytest
from cast import HandClock
from store_cast import CHAT, INCIDENT, NOON, SEEN, asked, entry, failed, opened, other_changes

from monitor.model import HistorySettings, Resolution, Spend
from monitor.store import Store

DAY = timedelta(days=1)
KEPT = HistorySettings(raw=4 * DAY, evidence=2 * DAY, hours=9 * DAY, days=20 * DAY)


async def live(store: Store, clock: HandClock, days: int, history: HistorySettings) -> None:
    """A run at 03:30 and one at 15:30 of each day, both failed; forgetting at noon."""
    clock.wall = NOON
    for day in range(days):
        for hour in (3.5, 15.5):
            clock.wall = NOON + day * DAY + timedelta(hours=hour)
            store.record(entry(failed(clock.wall), evidence=SEEN, spent=Spend(1)))
            await store.flush()
        clock.wall = NOON + (day + 1) * DAY
        for _ in range(3):  # each hour with a run is rolled up with a commit
            clock.wall += timedelta(minutes=20)
            store.heartbeat(clock.now())
            await store.flush()
        await store.prune(clock.now(), history)


def rows(url: str, table: str) -> int:
    return int(asked(url, f"SELECT count(*) FROM {table}")[0][0])


async def test_runs_evidence_hours_and_days_go_each_in_its_time(
    engine: str, url: str, clock: HandClock
) -> None:
    more = 1 if engine == "postgresql" else 0
    """Days go whole there: of the first its morning is left."""
    async with opened(url, clock) as store:
        await live(store, clock, 30, KEPT)
        now = clock.now()
        runs = await store.results(CHAT, since=NOON)
        reader = Store.read_only(url)
        evidence = [at for _, at, _ in reader.each_evidence(CHAT)]
        hours = [period.at for period in reader.rollups(CHAT, Resolution.HOUR)]
        days = [period.at for period in reader.rollups(CHAT, Resolution.DAY)]
        counted = sum(period.rollup.counted for period in reader.rollups(CHAT, Resolution.DAY))
        reader.close()
    assert [len(runs), len(evidence), len(hours), len(days)] == [8 + more, 4 + more, 18, 21]
    assert now - 4 * DAY <= runs[more].at < now - 3 * DAY
    assert now - 2 * DAY <= evidence[more] < now - 1 * DAY
    assert now - 9 * DAY <= hours[0] < now - 8 * DAY
    assert now - 21 * DAY < days[0] <= now - 20 * DAY  # the day that the limit lies in is whole
    assert counted == 2 * 21 - 1


async def test_hours_that_go_before_their_runs_are_added_up_from_them(
    url: str, clock: HandClock
) -> None:
    runs_longer = HistorySettings(raw=9 * DAY, hours=5 * DAY, days=60 * DAY)
    async with opened(url, clock) as store:
        await live(store, clock, 12, HistorySettings(raw=9 * DAY, hours=60 * DAY, days=60 * DAY))
        reader = Store.read_only(url)
        since = clock.now() - 8 * DAY  # of the oldest hour a part may be gone
        before = reader.rollups(CHAT, Resolution.HOUR, since=since)
        await store.prune(clock.now(), runs_longer)
        assert 0 < rows(url, "hour_rollups") < 5 * 2 + 1
        assert reader.rollups(CHAT, Resolution.HOUR, since=since) == before
        reader.close()
    assert len(before) == 2 * 8


async def test_without_an_end_only_evidence_goes(engine: str, url: str, clock: HandClock) -> None:
    more = 1 if engine == "postgresql" else 0
    history = HistorySettings(raw=None, hours=None, days=None, evidence=5 * DAY)
    async with opened(url, clock) as store:
        await live(store, clock, 12, history)
        await store.prune(clock.now(), history)
    kept = [rows(url, name) for name in ("runs", "evidence", "hour_rollups", "day_rollups")]
    assert kept == [24, 10 + more, 24, 13]  # a day is there from its first hour on


async def test_days_after_a_clock_far_ahead_was_set_right_are_counted(
    store: Store, url: str, clock: HandClock
) -> None:
    for ahead in (0 * DAY, 3650 * DAY, 1 * DAY):
        clock.wall = NOON + ahead
        store.record(entry(failed(clock.now())))
        await store.flush()
        await store.prune(clock.now(), KEPT)
    reader = Store.read_only(url)
    days = [period.at for period in reader.rollups(CHAT, Resolution.DAY, until=NOON + 9 * DAY)]
    reader.close()
    assert [f"{day:%d}" for day in days] == [
        "25"
    ]  # the one before was old, and went, when it was 2036


@pytest.mark.parametrize(("days", "left"), [(29, 1), (31, 0)])
async def test_messages_that_are_done_stay_a_month_and_those_that_wait_for_ever(
    url: str, clock: HandClock, days: int, left: int
) -> None:
    async with opened(url, clock) as store:
        store.record(entry(failed(NOON), **other_changes(0)))
        store.record(entry(failed(NOON + timedelta(seconds=1)), **other_changes(5)))
        await store.flush()
        sent, waiting = await store.due(clock.now())
        store.sent(sent.id, clock.now())
        clock.tick(days * 86_400)
        store.reserve("a", clock.now().date(), Spend(1))
        await store.flush()
        await store.prune(clock.now(), KEPT)
    assert rows(url, "outbox") == left + 1
    async with opened(url, clock) as store:
        assert [message.id for message in await store.due(clock.now())] == [waiting.id]


async def test_spend_stays_a_year_and_incidents_for_ever(url: str, clock: HandClock) -> None:
    async with opened(url, clock) as store:
        store.record(entry(failed(NOON), spent=Spend(5), incidents=(INCIDENT,)))
        await store.flush()
        for days, left in ((399, 1), (2, 0)):
            clock.tick(days * 86_400)
            await store.prune(clock.now(), KEPT)
            assert rows(url, "ledger") == left
        assert await store.incident(INCIDENT.id) == INCIDENT
