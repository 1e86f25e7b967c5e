"""What a page needs of days that are over is what adding up those days anew would give, to the byte:
however days end, come late, are forgotten, and whatever went wrong before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, select
from store_cast import streamed, tables

from monitor.model import WINDOWS, Outcome, Rollup, Timings
from monitor.model.rollup import WINDOW_FIGURES, merge
from monitor.store import upkeep
from monitor.store.encoding import encode
from monitor.store.meta import number_of, set_meta
from monitor.store.past import Past, spans_of
from monitor.store.rolled import from_bytes
from monitor.store.sql import upsert
from monitor.store.sums import total
from monitor.store.tables import CHECKS, DAYS, NUMBER_BITS, NUMBER_MASK, PAST
from monitor.store.tally import Tally

FIRST = 20_000
"""A unix day."""
LAST = 120
CHECK_NUMBERS = (1, 2, 300)
"""More than are changed at once."""
numbers = st.sampled_from(CHECK_NUMBERS)
ttfts = st.integers(1, 900)
steps = st.one_of(
    st.tuples(st.just("over"), st.integers(1, 40), st.dictionaries(numbers, ttfts)),
    st.tuples(st.just("late"), st.integers(1, 100), st.dictionaries(numbers, ttfts, min_size=1)),
    st.tuples(st.just("prune"), st.integers(1, 100), st.just({})),
)
Rows = dict[tuple[int, int], bytes]
"""Bodies by day and check."""


@contextmanager
def store() -> Iterator[Engine]:
    with tables() as engine:
        with engine.begin() as connection:
            rows = [
                {"number": number, "key": f"a/e/{number}", "vantage": "", "kind": "chat", "last": 0}
                for number in CHECK_NUMBERS
            ]
            upsert(connection, CHECKS, rows)
        yield engine


def body(ttft: int) -> bytes:
    """Of one run, that was down where it took very long."""
    outcome = Outcome.UP if ttft < 800 else Outcome.DOWN
    result = streamed(timings=Timings(ttft=float(ttft)), outcome=outcome)
    coded, tally = encode(result, message=None, in_maintenance=ttft % 7 == 0, missed=0), Tally()
    tally.add_rows([(coded.shape, 0, coded.body(1))])
    return tally.to_bytes()


def write_day(connection: Connection, day: int, found: dict[int, bytes]) -> None:
    rows = [{"key": day << NUMBER_BITS | number, "body": body} for number, body in found.items()]
    upsert(connection, DAYS, rows)


def stored(connection: Connection) -> dict[int, bytes]:
    found: Any = connection.execute(select(PAST.c.number, PAST.c.body))
    return dict(found.all())


def days_of(connection: Connection) -> dict[tuple[int, int], bytes]:
    rows = connection.execute(select(DAYS.c.key, DAYS.c.body))
    return {(key >> NUMBER_BITS, key & NUMBER_MASK): body for key, body in rows}


def anew(rows: Rows, until: int) -> dict[int, bytes]:
    pasts: dict[int, Past] = {}
    for (day, number), each in sorted(rows.items()):
        for at, (begin, end) in enumerate(spans_of(until, until)):
            if begin <= day < end:
                pasts.setdefault(number, Past()).shift(day, each, (), (at,))
    return {number: past.to_bytes(until) for number, past in pasts.items()}


@settings(deadline=None, max_examples=60)
@given(given_steps=st.lists(steps, min_size=1, max_size=8))
def test_it_is_what_the_days_add_up_to_however_they_came(
    given_steps: list[tuple[str, int, dict[int, int]]],
) -> None:
    until = FIRST
    with store() as engine:
        for what, count, ttfts_by_check in given_steps:
            bodies = {number: body(ttft) for number, ttft in ttfts_by_check.items()}
            with engine.begin() as connection:
                if what == "over":
                    write_day(connection, until, bodies)
                    until += count
                    upkeep.roll(connection, until)
                elif what == "late":
                    day, before = until - count, days_of(connection)
                    write_day(connection, day, bodies)
                    was = {at: before[day, at] for at in bodies if (day, at) in before}
                    upkeep.remade(connection, day, was, bodies)
                else:
                    upkeep.cut(connection, until - count)
            with engine.begin() as connection:
                if number_of(connection, upkeep.MARK) is not None:
                    assert stored(connection) == anew(days_of(connection), until)


@settings(deadline=None, max_examples=30)
@given(
    rows=st.dictionaries(st.tuples(st.integers(0, LAST), numbers), ttfts, max_size=20),
    ahead=st.integers(0, 95),
    mark=st.sampled_from(["right", "absent", "stale"]),
)
def test_a_reader_finds_the_same_whether_the_sums_are_there_or_stale_or_absent_and_whatever_day_it_is(
    rows: dict[tuple[int, int], int], ahead: int, mark: str
) -> None:
    end, until = FIRST + LAST, FIRST + LAST + ahead
    with store() as engine, engine.begin() as connection:
        for (day, number), ttft in rows.items():
            write_day(connection, FIRST + day, {number: body(ttft)})
        if mark == "right":
            upkeep.roll(connection, end)
        elif mark == "stale":
            upkeep.roll(connection, end - 3)
            set_meta(connection, upkeep.MARK, str(end - 1))
        found = upkeep.read(connection, until, end)
        bodies = {
            (day, number): from_bytes(each) for (day, number), each in days_of(connection).items()
        }
    for number in CHECK_NUMBERS:
        mine = {day: each for (day, of), each in bodies.items() if of == number and day < end}
        seen = found.get(number)
        for at, length in enumerate(WINDOWS):
            within = [each for day, each in mine.items() if until - length < day]
            got = total(seen.sums[: at + 1] if seen else [], WINDOW_FIGURES)
            assert got == shown(merge(within))
        assert (seen.bars if seen else {}) == {
            day: (*(each.outcomes.get(name.value, 0) for name in Outcome), each.maintenance)
            for day, each in mine.items()
            if until - max(WINDOWS) < day
        }


def shown(rollup: Rollup) -> Rollup:
    figures = {name: found for name, found in rollup.figures.items() if name in WINDOW_FIGURES}
    return Rollup(
        **{**{name: getattr(rollup, name) for name in rollup.__slots__}, "figures": figures}
    )


def test_rows_that_nobody_may_believe_are_made_anew_when_the_next_day_is_over() -> None:
    with store() as engine, engine.begin() as connection:
        for back in range(1, 100):
            write_day(connection, FIRST - back, {1: body(100 + back)})
        upkeep.roll(connection, FIRST)
        right = stored(connection)
        connection.execute(delete(PAST))
        connection.exec_driver_sql(f"DELETE FROM meta WHERE name = '{upkeep.MARK}'")
        upkeep.roll(connection, FIRST)
        assert stored(connection) == right


@pytest.mark.parametrize(("kept", "left"), [(30, 29), (3, 2)])
def test_where_few_days_are_kept_the_windows_have_no_more(kept: int, left: int) -> None:
    with store() as engine, engine.begin() as connection:
        for back in range(1, 100):
            write_day(connection, FIRST - back, {1: body(100)})
        upkeep.roll(connection, FIRST)
        upkeep.cut(connection, FIRST - kept + 1)
        (seen,) = upkeep.read(connection, FIRST, FIRST).values()
        assert total(seen.sums).counted == len(seen.bars) == left
        assert min(day for day, _ in days_of(connection) if day > FIRST - 90) == FIRST - left


def test_a_day_before_the_windows_changes_nothing() -> None:
    with store() as engine, engine.begin() as connection:
        write_day(connection, FIRST - 1, {1: body(100)})
        upkeep.roll(connection, FIRST)
        before = stored(connection)
        upkeep.remade(connection, FIRST - 90, {}, {1: body(200)})
        assert stored(connection) == before
