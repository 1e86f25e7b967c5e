"""Questions about ranges of time: raw results, hours and days, and what failing runs left.

Rollups answer also for what has been rolled up only (older than the raw rows). What is not rolled
up yet (the newest hour or two), and hours that are forgotten before their runs, are added up from
the results.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, select

from monitor.model import Evidence, Known, Period, Resolution, Result, Rollup
from monitor.store.fold import ROLLED
from monitor.store.meta import number_of
from monitor.store.names import Names
from monitor.store.nouns import evidence_from
from monitor.store.rolled import from_bytes
from monitor.store.runs import read_run, rows_between
from monitor.store.sums import Sum, total
from monitor.store.tables import (
    CHECKS,
    DAYS,
    EVIDENCE,
    HOURS,
    NUMBER_BITS,
    NUMBER_MASK,
    RESULTS,
)
from monitor.store.tally import HALVES, Row, Tally
from monitor.store.times import EPOCH, from_millis, half_of_key, hour_of_key, key_of_hour

PAGE = 2000
"""Rows of one transaction: short, so that the journal can be cut in between."""
_LOOKUPS = 500
_RAW_HOURS = 24
"""Of the runs of so many hours in one transaction."""
_TABLES = {Resolution.HOUR: (HOURS, 1), Resolution.DAY: (DAYS, 24)}

T = TypeVar("T")
Stored = tuple[int, Any]
Ask = Callable[[Callable[[Connection], Any]], Any]
"""Runs a question in a transaction of its own."""


def known(connection: Connection, vantage: str | None) -> tuple[Known, ...]:
    """Every check that has a history, by key."""
    rows = connection.execute(select(CHECKS).order_by(CHECKS.c.key, CHECKS.c.vantage)).all()
    newest = _newest(connection, {row.number: row.last for row in rows})
    return tuple(
        Known(
            check=row.key,
            vantage=row.vantage,
            kind=row.kind,
            last=_at(newest[row.number]) if newest[row.number] else None,
        )
        for row in rows
        if vantage in {None, row.vantage}
    )


def _newest(connection: Connection, rolled: Mapping[int, int]) -> dict[int, int]:
    """Key of the newest result by check number; `rolled` holds those that are rolled up."""
    newest = dict(rolled)
    start = key_of_hour(number_of(connection, ROLLED) or 0)
    for key in connection.execute(select(RESULTS.c.key).where(RESULTS.c.key >= start)).scalars():
        newest[key & NUMBER_MASK] = max(newest.get(key & NUMBER_MASK, 0), key)
    return newest


def numbers(
    connection: Connection, check: str | None, vantage: str | None
) -> dict[int, tuple[str, str]]:
    """Check numbers with key and vantage; None asks for all."""
    query = select(CHECKS.c.number, CHECKS.c.key, CHECKS.c.vantage)
    query = query if check is None else query.where(CHECKS.c.key == check)
    query = query if vantage is None else query.where(CHECKS.c.vantage == vantage)
    return {number: (key, seen_from) for number, key, seen_from in connection.execute(query)}


def each_result(ask: Ask, wanted: Iterable[int], start: int, end: int | None) -> Iterator[Result]:
    """Of the checks with these numbers, in the order they ran, a page at a time."""
    names = Names()

    def page(connection: Connection, rows: Sequence[Stored]) -> list[Result]:
        return [read_run(connection, names, key, body).result for key, body in rows]

    return _pages(ask, RESULTS, wanted, start, end, page)


def each_evidence(
    ask: Ask, wanted: Mapping[int, tuple[str, str]], start: int, end: int | None
) -> Iterator[tuple[str, datetime, Evidence]]:
    def page(_: Connection, rows: Sequence[Stored]) -> list[tuple[str, datetime, Evidence]]:
        return [(wanted[key & NUMBER_MASK][0], _at(key), evidence_from(body)) for key, body in rows]

    return _pages(ask, EVIDENCE, wanted, start, end, page)


def _pages(
    ask: Ask,
    table: Table,
    wanted: Iterable[int],
    start: int,
    end: int | None,
    read: Callable[[Connection, Sequence[Stored]], list[T]],
) -> Iterator[T]:
    only = frozenset(wanted)
    key = start
    while only:
        rows, found = ask(partial(_page, table=table, only=only, span=(key, end), read=read))
        yield from found
        if len(rows) < PAGE:
            return
        key = rows[-1][0] + 1


def _page(
    connection: Connection,
    table: Table,
    only: frozenset[int],
    span: tuple[int, int | None],
    read: Callable[[Connection, Sequence[Stored]], list[T]],
) -> tuple[Sequence[Stored], list[T]]:
    start, end = span
    query = select(table.c.key, table.c.body).where(table.c.key >= start)
    query = query if end is None else query.where(table.c.key < end)
    if len(only) < _LOOKUPS:
        query = query.where(table.c.key.op("&")(NUMBER_MASK).in_(only))
    rows: Any = connection.execute(query.order_by(table.c.key).limit(PAGE)).all()
    return rows, read(connection, [row for row in rows if row[0] & NUMBER_MASK in only])


def each_period(
    ask: Ask,
    wanted: Mapping[int, tuple[str, str]],
    resolution: Resolution,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Period]:
    """Oldest first: those that begin before `until` and end after `since`."""
    oldest, newest = ask(partial(_extent, resolution=resolution))
    unit = resolution.value
    first = oldest if since is None else max(oldest, (since - EPOCH) // unit)
    end = newest + 1 if until is None else min(newest + 1, -(-(until - EPOCH) // unit))
    start, step = first, max(1, PAGE // max(1, len(wanted)))
    while start < end:
        forgotten = resolution is Resolution.HOUR and start < ask(_first_hour)
        periods = (start, min(start + (min(step, _RAW_HOURS) if forgotten else step), end))
        start = periods[1]
        for key, rollup in ask(partial(_periods, wanted=wanted, of=resolution, periods=periods)):
            check, vantage = wanted[key & NUMBER_MASK]
            yield Period(
                check=check,
                vantage=vantage,
                at=EPOCH + (key >> NUMBER_BITS) * unit,
                resolution=resolution,
                rollup=rollup,
            )


def window(
    ask: Ask, wanted: Mapping[int, tuple[str, str]], since: datetime, until: datetime | None
) -> Rollup:
    """The days that overlap `since` to `until`, as one."""
    whole = Sum()
    for period in each_period(ask, wanted, Resolution.DAY, since, until):
        whole.add_rollup(period.rollup)
    return total([whole])


def _extent(connection: Connection, resolution: Resolution) -> tuple[int, int]:
    """The oldest and the newest period of which anything is known."""
    table, length = _TABLES[resolution]
    found: list[int] = []
    for edge in (func.min, func.max):
        for column, at in (
            (RESULTS.c.key, lambda key: hour_of_key(key) // length),
            (HOURS.c.key, lambda key: (key >> NUMBER_BITS) // length),
            (table.c.key, lambda key: key >> NUMBER_BITS),
        ):
            key = connection.execute(select(edge(column))).scalar()
            found += [] if key is None else [at(key)]
    return (min(found), max(found)) if found else (0, -1)


def _periods(
    connection: Connection,
    wanted: Mapping[int, object],
    of: Resolution,
    periods: tuple[int, int],
) -> list[tuple[int, Rollup]]:
    """By period << 20 | number, in order."""
    (table, length), (first, end) = _TABLES[of], periods
    found = {key: from_bytes(body) for key, body in _rolled(connection, table, wanted, first, end)}
    rolled = number_of(connection, ROLLED) or 0
    growing: dict[int, Tally] = defaultdict(Tally)
    if first <= rolled // length < end:  # of the day that goes on, its hours
        hours = (max(rolled // length, first) * length, rolled)
        for key, body in _rolled(connection, HOURS, wanted, *hours):
            growing[_key_of(key >> NUMBER_BITS, length, key)].add_body(body)
    _add_unrolled(connection, wanted, (max(rolled, first * length), end * length), length, growing)
    found |= {key: total([tally]) for key, tally in growing.items()}
    if of is Resolution.HOUR:
        found = _forgotten(connection, wanted, periods) | found
    return sorted(found.items(), key=lambda pair: pair[0])


def _forgotten(
    connection: Connection, wanted: Mapping[int, object], hours: tuple[int, int]
) -> dict[int, Rollup]:
    """Those whose rollups went before their runs; of the oldest that is kept some may be gone."""
    tallies: dict[int, Tally] = defaultdict(Tally)
    end = min(hours[1], _first_hour(connection) + 1)
    if hours[0] < end:
        span = (max(hours[0], _first_whole(connection)), end)
        _add_unrolled(connection, wanted, span, 1, tallies)
    return {key: total([tally]) for key, tally in tallies.items()}


def _first_hour(connection: Connection) -> int:
    """The first of which all rollups are kept; hours before it are in the runs, if at all."""
    rolled = number_of(connection, ROLLED) or 0
    oldest = connection.execute(select(func.min(HOURS.c.key))).scalar()
    return rolled if oldest is None else min(rolled, oldest >> NUMBER_BITS)


def _first_whole(connection: Connection) -> int:
    """The first hour of which no run is forgotten."""
    oldest = connection.execute(select(func.min(RESULTS.c.key))).scalar()
    day = connection.execute(select(func.min(DAYS.c.key))).scalar()
    hour = hour_of_key(oldest or 0)
    return hour + (day is not None and day >> NUMBER_BITS < hour // 24)


def _key_of(hour: int, length: int, key: int) -> int:
    return hour // length << NUMBER_BITS | key & NUMBER_MASK


def _rolled(
    connection: Connection, table: Table, wanted: Mapping[int, object], first: int, end: int
) -> Iterator[tuple[int, bytes]]:
    """By exact keys, because the rows of one check lie far apart."""
    keys = [
        period << NUMBER_BITS | number for period in range(first, end) for number in sorted(wanted)
    ]
    for place in range(0, len(keys), _LOOKUPS):
        query = select(table.c.key, table.c.body)
        some = table.c.key.in_(keys[place : place + _LOOKUPS])
        found: Any = connection.execute(query.where(some))
        yield from found


def _add_unrolled(
    connection: Connection,
    wanted: Mapping[int, object],
    span: tuple[int, int],
    length: int,
    growing: dict[int, Tally],
) -> None:
    """Of the unix hours in `span`, which only the results know."""
    names, rows = Names(), defaultdict[int, list[Row]](list)
    if span[0] >= span[1]:
        return
    for key, body in rows_between(connection, key_of_hour(span[0]), key_of_hour(span[1])):
        if key & NUMBER_MASK in wanted:
            row = (names.shape_of(connection, body), half_of_key(key) % HALVES, body)
            rows[_key_of(hour_of_key(key), length, key)].append(row)
    for key, found in rows.items():
        growing[key].add_rows(found)


def _at(key: int) -> datetime:
    return from_millis(key >> NUMBER_BITS)
