"""Sums that slide are what adding everything anew would give, wherever they slide and whatever goes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete
from sqlalchemy.exc import DBAPIError
from store_cast import streamed

from monitor.model import Rollup, Timings
from monitor.model.rollup import FIGURES, merge
from monitor.store import migrations
from monitor.store.encoding import encode
from monitor.store.engine import writing
from monitor.store.rolled import counts_of
from monitor.store.sliding import Sliding, Span
from monitor.store.sql import insert_many
from monitor.store.sums import total
from monitor.store.tables import DAYS, NUMBER_BITS
from monitor.store.tally import Tally

LAST = 12
Rows = dict[tuple[int, int], int]
"""A time to first token by day and check."""
periods = st.integers(0, LAST)
spans = st.tuples(*[st.tuples(periods, periods)] * 2)
kept = st.dictionaries(st.tuples(periods, st.integers(1, 2)), st.integers(1, 900), max_size=20)


@contextmanager
def stored(rows: Rows) -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as folder:
        engine = writing(Path(folder) / "m.db")
        with engine.begin() as connection:
            migrations.create(connection)
            if rows:
                bodies = [
                    (day << NUMBER_BITS | check, body(ttft)) for (day, check), ttft in rows.items()
                ]
                insert_many(connection, DAYS, bodies)
        yield engine
        engine.dispose()


def run(ttft: int) -> Rollup:
    return Rollup.of(streamed(timings=Timings(ttft=float(ttft))))


def body(ttft: int) -> bytes:
    result = streamed(timings=Timings(ttft=float(ttft)))
    coded, tally = encode(result, message=None, in_maintenance=False, missed=0), Tally()
    tally.add_rows([(coded.shape, 0, coded.body(1))])
    return tally.to_bytes()


def expected(rows: Rows, check: int, span: Span) -> Rollup:
    return merge(run(ttft) for (day, of), ttft in rows.items() if of == check and span[0] <= day < span[1])  # fmt: skip


def fresh() -> Sliding[Rollup]:
    return Sliding(DAYS, FIGURES, counts_of)


@settings(deadline=None, max_examples=40)
@given(rows=kept, moves=st.lists(st.tuples(spans, periods), min_size=1, max_size=5))
def test_sums_are_those_of_their_spans_also_where_old_rows_are_pruned(
    rows: Rows, moves: list[tuple[tuple[Span, Span], int]]
) -> None:
    sliding, left = fresh(), dict(rows)
    with stored(rows) as engine:
        for to, pruned in moves:
            with engine.begin() as connection:
                sliding.move(connection, to)
            for check in (1, 2):
                for at, span in enumerate(to):
                    assert total(sliding.of(check, (at,))) == expected(left, check, span)
                days = {day for day, of in left if of == check and any(a <= day < b for a, b in to)}
                assert set(sliding.kept.get(check, {})) == days
            gone = {key for key in left if key[0] < pruned and not _held(key[0], to)}
            left = {key: ttft for key, ttft in left.items() if key not in gone}
            with engine.begin() as connection:
                _delete(connection, gone)


def _held(day: int, to: tuple[Span, Span]) -> bool:
    return any(begin <= day < end for begin, end in to)


def _delete(connection: Connection, gone: set[tuple[int, int]]) -> None:
    keys = [day << NUMBER_BITS | check for day, check in gone]
    connection.execute(delete(DAYS).where(DAYS.c.key.in_(keys)))


def test_rows_that_vanished_from_a_span_are_not_counted_for_ever() -> None:
    rows = {(day, 1): 100 + day for day in range(10)}
    sliding = fresh()
    with stored(rows) as engine:
        with engine.begin() as connection:
            sliding.move(connection, ((0, 8), (8, 8)))
            _delete(connection, {(0, 1), (1, 1)})
        with engine.begin() as connection:
            sliding.move(connection, ((2, 9), (9, 9)))
    assert total(sliding.of(1, (0,))) == expected(rows, 1, (2, 9))


def test_a_look_that_fails_halfway_is_begun_again() -> None:
    rows = {(day, 1): 100 + day for day in range(10)}
    sliding = fresh()
    with stored(rows) as engine:
        with engine.begin() as connection:
            sliding.move(connection, ((0, 5), (5, 5)))
            connection.exec_driver_sql("ALTER TABLE day RENAME TO gone")
        with pytest.raises(DBAPIError), engine.begin() as connection:
            sliding.move(connection, ((1, 6), (6, 6)))
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE gone RENAME TO day")
            sliding.move(connection, ((1, 6), (6, 6)))
    assert total(sliding.of(1, (0,))) == expected(rows, 1, (1, 6))
