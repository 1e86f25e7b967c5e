"""Questions about checks and ranges of time: raw results, and what failing runs left."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select

from monitor.model import Evidence, KnownCheck, Result, Rollup
from monitor.store import find
from monitor.store.decoding import Run
from monitor.store.names import Names
from monitor.store.nouns import evidence_from
from monitor.store.runs import read_run
from monitor.store.tables import (
    CHECKS,
    EVIDENCE,
    NUMBER_BITS,
    NUMBER_MASK,
    RESULTS,
)
from monitor.store.times import from_millis

PAGE = 2000
"""Rows of one transaction: short, so that the journal can be cut in between."""
_LOOKUPS = 500

T = TypeVar("T")
Stored = tuple[int, Any]
Ask = Callable[[Callable[[Connection], Any]], Any]
"""Runs a question in a transaction of its own."""


def known(connection: Connection, vantage: str | None) -> tuple[KnownCheck, ...]:
    """Every check that has a history, by key."""
    rows = connection.execute(select(CHECKS).order_by(CHECKS.c.key, CHECKS.c.vantage)).all()
    newest = find.newest(connection, {row.number: row.last for row in rows})
    return tuple(
        KnownCheck(
            check=row.key,
            vantage=row.vantage,
            kind=row.kind,
            last=_at(newest[row.number]) if newest[row.number] else None,
        )
        for row in rows
        if vantage in {None, row.vantage}
    )


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


def each_counted(
    ask: Ask, wanted: Iterable[int], start: int, end: int | None
) -> Iterator[tuple[Result, Rollup]]:
    """As `each_result`, and what each was counted as."""
    names = Names()

    def page(connection: Connection, rows: Sequence[Stored]) -> list[tuple[Result, Rollup]]:
        runs = (read_run(connection, names, key, body) for key, body in rows)
        return [(run.result, _share(run)) for run in runs]

    return _pages(ask, RESULTS, wanted, start, end, page)


def _share(run: Run) -> Rollup:
    return replace(Rollup.of(run.result, in_maintenance=run.in_maintenance), missed=run.missed)


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


def _at(key: int) -> datetime:
    return from_millis(key >> NUMBER_BITS)
