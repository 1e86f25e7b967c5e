"""Rows that nobody can read in a file that is sound: what a row holds is covered by no checksum.

They are looked for when somebody has met one. What follows from other rows is made anew from them, the
rest goes: one row that is lost must not cost all others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, select

from monitor.store import fold, nouns, quarters, upkeep
from monitor.store.batch import FLOOR, LATE
from monitor.store.errors import UNREADABLE
from monitor.store.lanes import opened
from monitor.store.meta import number_of
from monitor.store.names import Names
from monitor.store.numbers import numbers_in
from monitor.store.past import opened_past
from monitor.store.recall import CRASHES, SEEN
from monitor.store.rolled import split
from monitor.store.runs import rows_between
from monitor.store.salvage import settle
from monitor.store.tables import (
    CHECKS,
    DAYS,
    EVIDENCE,
    HABITS,
    HOURS,
    INCIDENTS,
    META,
    NUMBER_BITS,
    NUMBER_MASK,
    OUTBOX,
    PAST,
    QUARTERS,
    RESULTS,
)
from monitor.store.times import key_of_hour

_AT_ONCE = 500
_ROLLED = {META, HOURS, QUARTERS, DAYS, PAST}
Found = Mapping[Table, Sequence[Any]]
"""Primary keys by table."""
Read = Callable[[Any, Any], object]
"""Of a primary key, and the column behind it that holds all the rest."""


def find(connection: Connection) -> Found:
    """Of the runs only those that are read again and again: the newest."""
    found = {table: [*_bad(_rows(connection, table), read)] for table, read in _READ.items()}
    names = Names()

    def read_run(_: int, body: bytes) -> object:
        return numbers_in(names.shape_of(connection, body).flags, body)

    if not found[META]:
        found[RESULTS] = [*_bad(_newest(connection), read_run)]
    return {table: keys for table, keys in found.items() if keys}


def _newest(connection: Connection) -> list[tuple[int, bytes]]:
    """What is in no rollup yet, or was not an hour ago; and of each check the last."""
    rolled = number_of(connection, fold.ROLLED) or 0
    last = select(RESULTS.c.key, RESULTS.c.body).where(RESULTS.c.key.in_(select(CHECKS.c.last)))
    rows = connection.execute(last).all()
    return [*map(tuple, rows), *rows_between(connection, key_of_hour(max(rolled - 1, 0)), None)]


def drop(connection: Connection, found: Found) -> None:
    """And make anew what can be."""
    for table, keys in found.items():
        _delete(connection, table, keys)
    if found.keys() & {META, RESULTS}:
        settle(connection)
    if found.keys() & _ROLLED:
        _delete(connection, META, [quarters.MARK, upkeep.MARK])
        for table in (QUARTERS, PAST):
            connection.execute(delete(table))
        fold.remake(connection, Names(), _late(connection, found))
        upkeep.roll(connection, (number_of(connection, fold.ROLLED) or 0) // 24)


def _late(connection: Connection, found: Found) -> Iterator[int]:
    """A key in each hour that is to be made again, where all its runs are there."""
    floor = number_of(connection, FLOOR) or 0
    for table, length in ((HOURS, 1), (DAYS, 24)):
        for key in found.get(table, ()):
            first = (key >> NUMBER_BITS) * length
            for hour in range(first, first + length):
                if key_of_hour(hour) >= floor:
                    yield key_of_hour(hour) | key & NUMBER_MASK


def _bad(rows: Iterable[tuple[Any, Any]], read: Read) -> Iterator[Any]:
    for key, rest in rows:
        try:
            read(key, rest)
        except UNREADABLE:
            yield key


def _rows(connection: Connection, table: Table) -> Iterator[tuple[Any, Any]]:
    (key,), rest = table.primary_key, "value" if table is META else "body"
    for found in connection.execute(select(key, table.c[rest])).partitions(_AT_ONCE):
        yield from ((row[0], row[1]) for row in found)


def _delete(connection: Connection, table: Table, keys: Sequence[Any]) -> None:
    (key,) = table.primary_key
    for first in range(0, len(keys), _AT_ONCE):
        connection.execute(delete(table).where(key.in_(keys[first : first + _AT_ONCE])))


def _rollup(_: int, body: bytes) -> object:
    return [*opened(split(body).figures)]


def _mark(name: str, value: str) -> object:
    if name in {fold.ROLLED, FLOOR, LATE, quarters.MARK, upkeep.MARK}:
        return int(value)
    return [*map(datetime.fromisoformat, value.split())] if name in {SEEN, CRASHES} else None


_READ: Mapping[Table, Read] = {
    META: _mark,
    INCIDENTS: lambda _, body: nouns.incident_from(body),
    OUTBOX: lambda _, body: nouns.outgoing_from(body),
    HABITS: lambda _, body: nouns.habit_from(body),
    EVIDENCE: lambda _, body: nouns.evidence_from(body),
    HOURS: _rollup,
    QUARTERS: _rollup,
    DAYS: _rollup,
    PAST: lambda _, body: opened_past(body),
}
