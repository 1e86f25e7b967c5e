"""Sums of six hours that are over, beside the hours themselves, in the transaction that makes these.

A look adds up eight rows of a check for its last day, not 24; so does the day when it is over.

The mark `quarters` (unix quarters of days, in `meta`) says from which one on they are all there, up to
those that are not over. Before it, and where there is no mark, the hours say it. A quarter is what
its hours add up to, to the byte, however it came about.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from monitor.store.meta import number_of, set_meta
from monitor.store.rolled import split
from monitor.store.sql import upsert
from monitor.store.sums import added_up
from monitor.store.tables import HOURS, NUMBER_BITS, NUMBER_MASK, QUARTERS
from monitor.store.tally import HALVES, POINT
from monitor.store.varint import pack

MARK = "quarters"
LENGTH = 6
KEPT = 8
"""Two days: a look goes back to the begin of the day in which the last 24 hours begin."""
_SILENT = pack((0,) * HALVES * POINT)


def roll(connection: Connection, touched: Collection[int], before: int, after: int) -> None:
    """Hours up to `before` were over, those up to `after` are; of the new ones, only `touched` have rows."""
    end = after // LENGTH
    if end == before // LENGTH:
        return
    mark = number_of(connection, MARK)
    first = max(before // LENGTH if mark is None else mark, end - KEPT)
    for quarter in sorted({hour // LENGTH for hour in (before, *touched)}):
        if first <= quarter < end:
            _write(connection, quarter, None)
    _raise(connection, first)


def remade(connection: Connection, numbers: Mapping[int, Iterable[int]], over: int) -> None:
    """These hours of these checks, of those up to `over`."""
    mark = number_of(connection, MARK)
    found: dict[int, set[int]] = defaultdict(set)
    for hour, some in numbers.items():
        found[hour // LENGTH].update(some)
    for quarter, some in found.items():
        if mark is not None and mark <= quarter < over // LENGTH:
            _write(connection, quarter, some)


def cut(connection: Connection, hour: int) -> None:
    """Hours before this one are forgotten."""
    mark, first = number_of(connection, MARK), -(-hour // LENGTH)
    if mark is not None and mark < first:
        _raise(connection, first)


def _raise(connection: Connection, mark: int) -> None:
    set_meta(connection, MARK, str(mark))
    connection.execute(delete(QUARTERS).where(QUARTERS.c.key < mark << NUMBER_BITS))


def spans(connection: Connection, begins: Sequence[int], over: int) -> list[range]:
    """Of unix quarters: those that lie wholly between two of these rising hours, or the last and `over`."""
    mark = number_of(connection, MARK)
    if mark is None:
        return []
    found = (
        range(max(mark, -(-begin // LENGTH)), min(end, over) // LENGTH)
        for begin, end in pairwise([*begins, over])
    )
    return [*filter(None, found)]


def of_day(connection: Connection, day: int) -> Iterable[tuple[int, bytes]] | None:
    """Those of a unix day that is over, by number of their check; None where they are not all there."""
    mark, first = number_of(connection, MARK), 24 // LENGTH * day
    if mark is None or first < mark:
        return None
    query = select(QUARTERS.c.key, QUARTERS.c.body)
    rows = connection.execute(query.where(between(QUARTERS, first, first + 24 // LENGTH)))
    return ((key & NUMBER_MASK, body) for key, body in rows)


def between(table: Table, first: int, end: int) -> ColumnElement[bool]:
    """Rows of these periods."""
    return table.c.key.between(first << NUMBER_BITS, (end << NUMBER_BITS) - 1)


def _write(connection: Connection, quarter: int, only: Collection[int] | None) -> None:
    first = quarter * LENGTH
    span = between(HOURS, first, first + LENGTH)
    found: dict[int, dict[int, bytes]] = defaultdict(dict)
    for key, body in connection.execute(select(HOURS.c.key, HOURS.c.body).where(span)):
        number = key & NUMBER_MASK
        if only is None or number in only:
            found[number][(key >> NUMBER_BITS) - first] = body
    rows = [
        {"key": quarter << NUMBER_BITS | number, "body": quarter_of(hours)}
        for number, hours in sorted(found.items())
    ]
    upsert(connection, QUARTERS, rows)


def quarter_of(hours: Mapping[int, bytes]) -> bytes:
    """By their place in it."""
    found = {at: split(body) for at, body in hours.items()}
    points = [parts.points if (parts := found.get(at)) else b"" for at in range(LENGTH)]
    packed = b"".join(each or _SILENT for each in points) if any(points) else b""
    return added_up(found.values(), packed)
