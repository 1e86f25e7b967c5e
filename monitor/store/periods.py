"""Hours, days, months and years of checks.

Rollups answer also for what has been rolled up only (older than the raw rows). What is not rolled
up yet (the newest hour or two), and hours that are forgotten before their runs, are added up from
the results.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Table, func, select

from monitor.model import Period, Resolution, Rollup
from monitor.store import history
from monitor.store.fold import ROLLED
from monitor.store.history import Ask
from monitor.store.meta import number_of
from monitor.store.names import Names
from monitor.store.rolled import from_bytes
from monitor.store.runs import rows_between
from monitor.store.sums import Sum, total
from monitor.store.tables import DAYS, HOURS, NUMBER_BITS, NUMBER_MASK, RESULTS
from monitor.store.tally import HALVES, Row, Tally
from monitor.store.times import EPOCH, half_of_key, hour_of_key, key_of_hour

_LOOKUPS = 500
_RAW_HOURS = 24
"""Of the runs of so many hours in one transaction."""
_HOUR, _TICK = timedelta(hours=1), timedelta(microseconds=1)
_TABLES = {Resolution.HOUR: (HOURS, 1), Resolution.DAY: (DAYS, 24)}


def each_period(
    ask: Ask,
    wanted: Mapping[int, tuple[str, str]],
    resolution: Resolution,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Period]:
    """Oldest first: those that begin before `until` and end after `since`."""
    if resolution not in _TABLES:
        yield from _calendar(ask, wanted, resolution, since, until)
        return
    oldest, newest = ask(partial(_extent, resolution=resolution))
    unit = _TABLES[resolution][1] * _HOUR
    first = oldest if since is None else max(oldest, (since - EPOCH) // unit)
    end = newest + 1 if until is None else min(newest + 1, -(-(until - EPOCH) // unit))
    start, step = first, max(1, history.PAGE // max(1, len(wanted)))
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


def _calendar(
    ask: Ask,
    wanted: Mapping[int, tuple[str, str]],
    of: Resolution,
    since: datetime | None,
    until: datetime | None,
) -> Iterator[Period]:
    """Months or years, from their days."""
    first = None if since is None else of.begin(since)
    last = None if until is None else of.end(of.begin(until - _TICK))
    days = each_period(ask, wanted, Resolution.DAY, first, last)
    for begin, found in groupby(days, lambda day: of.begin(day.at)):
        sums: dict[tuple[str, str], Sum] = defaultdict(Sum)
        for day in found:
            sums[day.check, day.vantage].add_rollup(day.rollup)
        for (check, vantage), whole in sorted(sums.items()):
            yield Period(
                check=check, vantage=vantage, at=begin, resolution=of, rollup=total([whole])
            )


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
