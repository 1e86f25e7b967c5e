"""What a restart must find again, what is forgotten on purpose, and what never is."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cast import HandClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_cast import (
    CHAT,
    HABIT,
    INCIDENT,
    NOON,
    SEEN,
    asked,
    entry,
    failed,
    in_a_file,
    opened,
    streamed,
    tables,
)

from monitor.model import (
    AlertState,
    HistorySettings,
    NotificationType,
    OutboxMessage,
    Phase,
    Severity,
    Spend,
    Subscriber,
    clean_text,
)
from monitor.store import Store, schema, small_tables
from monitor.store.small_tables import FORMER, MOVED_CHATS, TOLD_BEST, take_over

STATE = AlertState(
    check=CHAT,
    vantage="local",
    rule="down",
    phase=Phase.RECOVERING,
    streak=1,
    since=NOON,
    bad_since=NOON,
    incident=7,
)
ROW = OutboxMessage(
    channel="phone",
    what=NotificationType.OPENED,
    severity=Severity.DOWN,
    incident=7,
    created=NOON,
    not_before=NOON,
)


async def test_a_restart_finds_states_incidents_habits_spend_and_messages(
    url: str, clock: HandClock
) -> None:
    async with opened(url, clock) as store:
        store.reserve("a", NOON.date(), Spend(300, 0.003))
        store.record(
            entry(
                failed(),
                habit=HABIT,
                states=(STATE,),
                incidents=(INCIDENT,),
                outgoing=(ROW,),
                spent=Spend(-100, -0.001),
                evidence=SEEN,
            )
        )
    async with opened(url, clock) as store:
        memory = store.recall()
        assert memory.states == {STATE.key: STATE}
        assert memory.incidents == (INCIDENT,)
        assert memory.next_incident == 8
        assert memory.habits == {CHAT: HABIT}
        assert memory.spent_today == {"a": Spend(200, 0.002)}
        assert memory.last_asked == {CHAT: NOON}
        assert memory.stopped_cleanly
        assert await store.evidence(CHAT, NOON) == SEEN
        assert [replace(row, id=0) for row in await store.due(clock.now())] == [ROW]


@in_a_file
async def test_a_start_after_a_crash_is_known_as_one(
    url: str, clock: HandClock, tmp_path: Path
) -> None:
    async with opened(url, clock) as store:
        first = store.recall()
        store.heartbeat(clock.now())
        await store.flush()
        copy = tmp_path / "copy.db"
        with closing(Store.read_only(url)) as reader:
            reader.backup(copy)  # what a killed daemon would have left
    async with opened(f"sqlite:///{copy}", clock) as store:
        again = store.recall()
    assert (first.last_seen, again.last_seen, again.stopped_cleanly) == (None, clock.now(), False)


async def test_a_daemon_under_another_id_is_the_one_that_was_seen_before(
    url: str, clock: HandClock
) -> None:
    """What it decided and told is its own; what was measured and spent stays with the place."""
    async with opened(url, clock) as store:
        store.recall()
        store.record(entry(streamed(clock.now())))
        store.reserve("a", clock.now().date(), Spend(300))
        await store.save((INCIDENT,), (ROW,))
        await store.subscribe(Subscriber(channel="phone", chat=7, language="en", since=clock.now()))
    for _ in range(2):
        store = Store(url, clock=clock, vantage="fra")
        store.open()
        memory = store.recall()
        snapshot = await store.snapshot(clock.now())
        subscribers = await store.subscribers()
        await store.close()
        assert (memory.last_seen, memory.crashes, memory.stopped_cleanly) == (clock.now(), 0, True)
        assert [incident.id for incident in memory.incidents] == [INCIDENT.id]
        assert [message.channel for message in snapshot.outbox] == [ROW.channel]
        assert [reader.chat for reader in subscribers] == [7]
        assert (snapshot.checks, memory.spent_today) == ({}, {})
    with closing(Store.read_only(url, vantage="fra")) as reader:
        assert json.loads(reader.note(FORMER) or "") == {"local": clock.now().isoformat()}
    with closing(Store.read_only(url)) as reader:
        assert [check.vantage for check in reader.checks()] == ["local"]


def test_of_two_earlier_ids_the_later_one_is_believed(url: str) -> None:
    """No mark is lost, and none is there twice."""
    with tables(url) as engine, engine.begin() as connection:
        for vantage, day in (("a", 1), ("c", 3), ("b", 2)):
            schema.set_value(
                connection, small_tables.SEEN, f"2026-11-0{day}T00:00:00+00:00", vantage
            )
            schema.set_value(connection, TOLD_BEST, vantage, vantage)
        schema.set_value(connection, MOVED_CHATS, "{}", "a")
        assert [*take_over(connection, "fra")] == ["a", "b", "c"]
        kept = connection.exec_driver_sql(
            "SELECT name, value FROM key_value WHERE vantage = 'fra' AND name != 'former_vantages' ORDER BY name"
        )
        assert [*map(tuple, kept)] == [
            (small_tables.SEEN, "2026-11-03T00:00:00+00:00"),
            (MOVED_CHATS, "{}"),
            (TOLD_BEST, "c"),
        ]
        assert take_over(connection, "fra") == {}
    engine.dispose()


async def test_yesterdays_spend_is_this_months_and_not_todays(url: str, clock: HandClock) -> None:
    async with opened(url, clock) as store:
        store.reserve("a", NOON.date() - timedelta(days=1), Spend(300))
        store.reserve("a", NOON.date().replace(day=1) - timedelta(days=1), Spend(9000))
        store.reserve("a", NOON.date(), Spend(20, 0.5))
    async with opened(url, clock) as store:
        assert store.recall().spent_today == {"a": Spend(20, 0.5)}
        snapshot = await store.snapshot(clock.now())
        assert snapshot.spent_today == {"a": Spend(20, 0.5)}
        assert snapshot.spent_month == {"a": Spend(320, 0.5)}


async def test_messages_are_postponed_sent_or_dead_over_restarts(
    url: str, clock: HandClock
) -> None:
    async with opened(url, clock) as store:
        await store.save(
            (INCIDENT,), (ROW, replace(ROW, channel="mail"), replace(ROW, channel="chat"))
        )
        phone, mail, chat = await store.due(clock.now())
        store.sent(phone.id, clock.now())
        store.dead(mail.id, "no such address")
        later = replace(
            chat, attempts=3, last_error="503", not_before=clock.now() + timedelta(seconds=60)
        )
        store.postpone(later)
    async with opened(url, clock) as store:
        assert await store.due(clock.now()) == ()
        clock.tick(61)
        assert await store.due(clock.now()) == (later,)
        waiting = (await store.snapshot(clock.now())).outbox
        assert {row.channel for row in waiting} >= {"chat"}


async def test_raw_runs_are_forgotten_but_never_their_counts(url: str, clock: HandClock) -> None:
    async with opened(url, clock) as store:
        for number in range(60):
            store.record(entry(streamed(NOON + timedelta(minutes=number))))
        store.record(entry(failed(NOON + timedelta(minutes=60)), evidence=SEEN))
        await store.flush()
        clock.tick(40 * 86_400)
        store.record(entry(streamed(clock.now())))
        await store.flush()
        for _ in range(3):
            clock.tick(60)
            store.heartbeat(clock.now())
            await store.flush()
            await store.prune(clock.now(), HistorySettings(raw=timedelta(days=30)))
        left = await store.results(CHAT, since=NOON)
        snapshot = await store.snapshot(clock.now())
    history = snapshot.checks[CHAT]
    assert len(left) == 1
    assert history.days[NOON.date()].outcomes == {"up": 60, "down": 1}
    assert history.windows[90].kinds == {"bad_gateway": 1}
    assert asked(url, "SELECT count(*) FROM evidence") == [(0,)]


@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(message=st.text(max_size=300), model=st.one_of(st.none(), st.text(max_size=100)))
async def test_any_text_that_capture_lets_through_comes_back(
    fresh_url: Callable[[], str], clock: HandClock, message: str, model: str | None
) -> None:
    wanted = failed(message=clean_text(message), model=clean_text(model, 100) if model else None)
    async with opened(fresh_url(), clock) as store:
        store.record(entry(wanted))
        await store.flush()
        (stored,) = await store.results(CHAT, since=NOON)
    assert (stored.failure, stored.model) == (wanted.failure, wanted.model)
