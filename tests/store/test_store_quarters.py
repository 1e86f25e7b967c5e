"""Sums of six hours are what their hours add up to, to the byte, and a look says the same with them and
without: however hours come, late or at once, are forgotten, and whatever the clock does.
"""

from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, select
from store_cast import CHAT, NOON, entry, failed, streamed, tables

from monitor.model import HistorySettings, Snapshot, Timings
from monitor.store import fold, prune, quarters
from monitor.store.batch import gather, write
from monitor.store.lanes import opened
from monitor.store.look import Looker
from monitor.store.meta import number_of, set_meta
from monitor.store.names import Names
from monitor.store.rolled import from_bytes, split
from monitor.store.sums import Sum, total
from monitor.store.tables import DAYS, HOURS, META, NUMBER_BITS, NUMBER_MASK, QUARTERS
from monitor.store.tally import HALVES, POINT
from monitor.store.times import hours
from monitor.store.varint import unpack

HOUR = timedelta(hours=1)
checks = st.sampled_from([CHAT, "a/cdn/chat"])
runs = st.lists(st.tuples(st.integers(0, 60 * 80), st.integers(1, 900), checks), max_size=25)
steps = st.one_of(
    st.tuples(st.just("runs"), runs),
    st.tuples(st.just("roll"), st.integers(1, 80)),
    st.tuples(st.just("roll once"), st.integers(1, 80)),
    st.tuples(st.just("prune"), st.integers(1, 60)),
    st.tuples(st.just("lost"), st.just(0)),
)


def record(connection: Connection, names: Names, given_runs: list[tuple[int, int, str]]) -> None:
    """By minute, time to first token, and check; a run that took very long is down."""
    entries = []
    for minute, ttft, check in given_runs:
        at = NOON + timedelta(minutes=minute)
        timings = Timings(ttfb=ttft / 2, ttft=float(ttft))
        run = streamed(at, timings=timings, check=check) if ttft < 800 else failed(at, check=check)
        entries.append(entry(run, in_maintenance=ttft % 7 == 0, missed=ttft % 3))
    write(connection, names, gather(entries), NOON, vantage="local", crowded=True)


def roll(connection: Connection, names: Names, until: int, *, once: bool = False) -> None:
    while fold.roll_next(connection, names, hours(NOON) + until) and not once:
        pass


def live(engine: Engine, given_steps: list[tuple[str, object]]) -> None:
    names = Names()
    for what, how in given_steps:
        with engine.begin() as connection:
            if what == "runs":
                assert isinstance(how, list)
                record(connection, names, how)
            elif what == "lost":  # as in a store that was saved from a damaged one
                connection.execute(delete(META).where(META.c.name == quarters.MARK))
                connection.execute(delete(QUARTERS))
            else:
                assert isinstance(how, int)
                if what == "prune":
                    kept = HistorySettings(raw=None, hours=how * HOUR, days=None)
                    prune.prune_step(connection, NOON + 80 * HOUR, kept)
                else:
                    roll(connection, names, how, once=what == "roll once")


def bodies(connection: Connection, table: object) -> dict[tuple[int, int], bytes]:
    """By period and check."""
    rows = connection.execute(select(table.c.key, table.c.body))  # type: ignore[attr-defined]
    return {(key >> NUMBER_BITS, key & NUMBER_MASK): body for key, body in rows}


def in_short(body: bytes, length: int) -> tuple[object, ...]:
    """All that a stored rollup says, with points for so many hours."""
    points = unpack(split(body).points) or [0] * length * HALVES * POINT
    return from_bytes(body), points


def expected(connection: Connection) -> dict[tuple[int, int], tuple[object, ...]]:
    mark, over = number_of(connection, quarters.MARK), number_of(connection, fold.ROLLED)
    found: dict[tuple[int, int], dict[int, bytes]] = defaultdict(dict)
    for (hour, number), body in bodies(connection, HOURS).items():
        if mark is not None and over is not None and mark <= hour // 6 < over // 6:
            found[hour // 6, number][hour % 6] = body
    return {key: anew(mine) for key, mine in found.items()}


def anew(mine: dict[int, bytes]) -> tuple[object, ...]:
    whole, points = Sum(), []
    for place in range(6):
        parts = split(mine[place]) if place in mine else None
        if parts:
            whole.add(parts, opened(parts.figures))
        points += (parts and unpack(parts.points)) or [0] * HALVES * POINT
    return total([whole]), points


def look(engine: Engine, now: datetime) -> Snapshot:
    with engine.begin() as connection:
        return Looker(None).snapshot(connection, now)


@settings(deadline=None, max_examples=30)
@given(given_steps=st.lists(steps, min_size=1, max_size=8), at=st.integers(0, 100))
@example(
    given_steps=[
        ("runs", [(hour * 60 + 7, 100 + hour, CHAT) for hour in range(60)]),
        ("roll", 60),
        ("runs", [(40 * 60, 500, CHAT), (52 * 60, 850, CHAT)]),
    ],
    at=60,
)
def test_a_quarter_is_its_hours_and_a_look_says_the_same_without(
    given_steps: list[tuple[str, object]], at: int
) -> None:
    now = NOON + at * HOUR + timedelta(minutes=20)
    with tables() as engine:
        live(engine, given_steps)
        with engine.begin() as connection:
            stored = bodies(connection, QUARTERS)
            assert {key: in_short(body, 6) for key, body in stored.items()} == expected(connection)
        seen = look(engine, now)
        with engine.begin() as connection:
            connection.execute(delete(META).where(META.c.name == quarters.MARK))
        assert look(engine, now) == seen


@settings(deadline=None, max_examples=10)
@given(given_runs=runs, late=runs)
def test_a_day_is_the_same_from_quarters_and_from_hours(
    given_runs: list[tuple[int, int, str]], late: list[tuple[int, int, str]]
) -> None:
    found = []
    for forgetful in (False, True):
        names = Names()
        with tables() as engine, engine.begin() as connection:
            for batch in (given_runs, late):
                record(connection, names, batch)
                for until in range(90):
                    if forgetful:
                        connection.execute(delete(META).where(META.c.name == quarters.MARK))
                        names.forget_marks()
                    roll(connection, names, until)
            found.append(bodies(connection, DAYS))
    assert found[0] == found[1]


def test_a_look_reads_quarters_where_they_are_there() -> None:
    """Else they would be of no use: here they say something else than the hours."""
    with tables() as engine:
        live(engine, [("runs", [(hour * 60, 200, CHAT) for hour in range(50)]), ("roll", 50)])
        with engine.begin() as connection:
            connection.execute(delete(HOURS))
        (seen,) = look(engine, NOON + 50 * HOUR).checks.values()
    assert seen.last_24h.counted == 18


def test_quarters_are_kept_for_two_days() -> None:
    with tables() as engine:
        live(engine, [("runs", [(hour * 60, 200, CHAT) for hour in range(80)]), ("roll", 80)])
        with engine.begin() as connection:
            end = (hours(NOON) + 80) // 6
            assert [quarter for quarter, _ in bodies(connection, QUARTERS)] == [
                *range(end - 8, end)
            ]


@pytest.mark.parametrize("kept", [31, 33])
def test_hours_that_are_forgotten_in_the_middle_of_a_quarter_are_not_seen_any_more(
    kept: int,
) -> None:
    with tables() as engine:
        runs_each_hour = [(hour * 60, 200, CHAT) for hour in range(80)]
        live(engine, [("runs", runs_each_hour), ("roll", 80), ("prune", kept)])
        with engine.begin() as connection:
            set_meta(connection, fold.ROLLED, str(hours(NOON) + 80))
            first = min(hour for hour, _ in bodies(connection, HOURS))
            assert first == hours(NOON) + 80 - kept
            assert min(quarter for quarter, _ in bodies(connection, QUARTERS)) * 6 >= first
