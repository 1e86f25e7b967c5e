"""What can still be read of a damaged store goes into the fresh one: all but the runs themselves.

Catalogue, beliefs, incidents, habits, spend, messages, requests, days and hours are small, and lie
elsewhere in the file than the runs that fill it: one bad page seldom takes them.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.exc import DBAPIError

from monitor.store import quarters, upkeep
from monitor.store.batch import FLOOR
from monitor.store.engine import TEXT
from monitor.store.fold import ROLLED
from monitor.store.meta import number_of, set_meta
from monitor.store.requests import REQUESTS
from monitor.store.sql import upsert
from monitor.store.tables import (
    CHECKS,
    DAYS,
    HABITS,
    HOURS,
    INCIDENTS,
    LEDGER,
    META,
    NUMBER_BITS,
    NUMBER_MASK,
    OUTBOX,
    STATES,
)
from monitor.store.times import key_of_hour

_SAVED = (CHECKS, STATES, INCIDENTS, HABITS, LEDGER, OUTBOX, REQUESTS, DAYS, HOURS, META)
_MANY = 500


def salvage(aside: Path, connection: Connection) -> int:
    """How many rows; a table that cannot be read, or not all of it, is no reason to give up."""
    saved = 0
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_opened(aside)) as old:
        for table in _SAVED:
            saved += _table(old, table, connection)
    settle(connection)
    return saved


def settle(connection: Connection) -> None:
    """What is rolled up stays as it is: its runs are gone, so none of it can be made again."""
    ends = [number_of(connection, ROLLED) or 0]
    for table, length in ((HOURS, 1), (DAYS, 24)):
        newest = connection.execute(select(func.max(table.c.key))).scalar()
        ends += [] if newest is None else [((newest >> NUMBER_BITS) + 1) * length]
    if max(ends):
        set_meta(connection, ROLLED, str(max(ends)))
        set_meta(connection, FLOOR, str(key_of_hour(max(ends))))


def _opened(path: Path) -> sqlite3.Connection:
    old = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    old.row_factory, old.text_factory = sqlite3.Row, TEXT
    return old


def _table(old: sqlite3.Connection, table: Table, connection: Connection) -> int:
    saved = 0
    known: set[int] | None = None
    if table in {DAYS, HOURS}:
        known = set(connection.execute(select(CHECKS.c.number)).scalars())
    for rows in _batches(_readable(old, table)):
        kept = [row for row in rows if _belongs(row, table, known)]
        with contextlib.suppress(DBAPIError), connection.begin_nested():
            upsert(connection, table, kept)
            saved += len(kept)
    return saved


def _belongs(row: dict[str, Any], table: Table, known: set[int] | None) -> bool:
    if table is META:
        return row["name"] not in {"schema", upkeep.MARK, quarters.MARK}
    return known is None or (isinstance(row["key"], int) and row["key"] & NUMBER_MASK in known)


def _readable(old: sqlite3.Connection, table: Table) -> Iterator[dict[str, Any]]:
    with contextlib.suppress(sqlite3.Error):
        there = {row["name"] for row in old.execute(f"PRAGMA table_info({table.name})")}
        columns = ", ".join(name for name in table.columns.keys() if name in there)  # noqa: SIM118
        older = {"vantage": ""} if "vantage" in table.columns else {}
        for row in old.execute(f"SELECT {columns} FROM {table.name}"):  # noqa: S608  # our own names
            yield {**older, **dict(row)}


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _MANY:
            yield batch
            batch = []
    yield batch
