"""Damage to the file: found, put aside, and what can still be read saved into a fresh one."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Table,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from monitor.model import FailureKind, StoreError
from monitor.store import rollup_job, schema, small_tables
from monitor.store.database import UNREADABLE
from monitor.store.histogram import OUTCOMES
from monitor.store.run_rows import HOUR_MS
from monitor.store.schema import CHECKS, DAYS, EVIDENCE, HOURS, KEY_VALUE, RUNS, WORDS
from monitor.store.sqlite.connections import TEXT

_MANY = 500
_STEPS = 100_000
"""Of SQLite's machine, a few milliseconds."""
Row = tuple[Any, ...]
Keys = Mapping[Table, Sequence[Row]]
"""Primary keys by table."""


def damage(
    path: Path, *, whole: bool = True, stop: Callable[[], bool] = lambda: False
) -> str | None:
    """Ask SQLite what is wrong with the file; None for a sound or a new one.

    `quick_check` would cost the same here, and does not see an index that is damaged. Unless `whole`, only
    the first page is looked at. Raises StoreError where it cannot be opened, or at `stop`.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as connection:
            connection.text_factory = TEXT
            connection.set_progress_handler(stop, _STEPS)
            look = "PRAGMA integrity_check(1)" if whole else "SELECT 'ok' FROM sqlite_schema"
            answer = (connection.execute(look).fetchone() or ["ok"])[0]
    except sqlite3.OperationalError as error:  # locked or unreadable is no damage
        raise StoreError(f"{path} cannot be opened: {error}") from None
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # it may say what stands there
        return str(error)
    return None if answer == "ok" else str(answer).replace("\n", " ")


def set_aside(path: Path, stamp: str, what: str = "corrupt") -> Path:
    """Move a damaged file, with its journal, out of the way; never delete it, nor another one."""
    aside, times = path.with_name(f"{path.name}.{what}-{stamp}"), 1
    while aside.exists():
        times += 1
        aside = path.with_name(f"{path.name}.{what}-{stamp}-{times}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def copy(path: Path, to: Path) -> None:
    """Write a consistent copy beside a busy writer, in one step: in many it would start over each time."""
    fresh = to.with_name(to.name + ".part")
    try:
        fresh.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source:
            copy_open(source, fresh)
        if wrong := damage(fresh):
            raise StoreError(f"{to} was not written: the copy is damaged ({wrong})")
        fresh.replace(to)
    except (OSError, sqlite3.Error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise StoreError(f"{to} cannot be written: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def copy_open(source: sqlite3.Connection, to: Path) -> None:
    """Copy a file that is open, also one that has lost its name."""
    with contextlib.closing(sqlite3.connect(to)) as target:
        source.backup(target, pages=-1)
        target.execute("PRAGMA journal_mode=DELETE").close()


def salvage(aside: Path, connection: Connection) -> int:
    """Save all but runs and words of a damaged store; the number of rows.

    Those tables are small, and lie elsewhere in the file than the runs that fill it: one bad page seldom
    takes them. A table that cannot be read, or not all of it, is no reason to give up.
    """
    saved = 0
    with contextlib.suppress(sqlite3.Error):
        address = f"{aside.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as old:
            old.text_factory = TEXT
            for table in SQLModel.metadata.sorted_tables:
                if table not in {RUNS, WORDS, EVIDENCE}:
                    saved += _save_table(old, table, connection)
    settle(connection)
    return saved


def settle(connection: Connection) -> None:
    """Mark that what is rolled up stays as it is: its runs are gone, so it cannot be made again."""
    newest = select(func.max(HOURS.c.period)).where(HOURS.c.check_id == CHECKS.c.id)
    until = (newest.scalar_subquery() + 1) * HOUR_MS
    connection.execute(
        update(CHECKS).where(CHECKS.c.rolled_until < until).values(rolled_until=until)
    )
    last = connection.execute(select(func.max(CHECKS.c.rolled_until))).scalar()
    if last is not None:
        schema.set_value(connection, rollup_job.RUNS_FROM, str(last // HOUR_MS))


def _save_table(old: sqlite3.Connection, table: Table, connection: Connection) -> int:
    """Save values as they stand there; what cannot be read among them is found afterwards."""
    names = table.columns.keys()
    marks = ", ".join("?" * len(names))
    insert = f"INSERT OR REPLACE INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  # our own names
    saved = 0
    for rows in _batches(_readable(old, table, names)):
        with contextlib.suppress(DBAPIError), connection.begin_nested():
            connection.exec_driver_sql(insert, rows)
            saved += len(rows)
    return saved


def _readable(old: sqlite3.Connection, table: Table, names: Sequence[str]) -> Iterator[Row]:
    with contextlib.suppress(sqlite3.Error):
        for row in old.execute(f"SELECT {', '.join(names)} FROM {table.name}"):  # noqa: S608  # our own names
            if table is not KEY_VALUE or row[1] != "schema":
                yield row


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := [*islice(rows, _MANY)]:
        yield batch


def find_unreadable(connection: Connection) -> Keys:
    """Return rows that nobody can read in a file that is sound: no checksum covers what a row holds."""
    unreadable = {
        table: [*_unreadable(connection, table)] for table in SQLModel.metadata.sorted_tables
    }
    return {table: keys for table, keys in unreadable.items() if keys}


def _unreadable(connection: Connection, table: Table) -> Iterator[Row]:
    """Return rows with a number of another type, an outcome or a kind that is none, or a body of no meaning."""
    keys = [*table.primary_key]
    wrong: list[ColumnElement[bool]] = [
        func.typeof(column).not_in(("integer", "null"))
        for column in table.columns
        if isinstance(column.type, Integer) and not column.primary_key
    ]
    if table is RUNS:
        known = select(WORDS.c.id).where(WORDS.c.text.in_([kind.value for kind in FailureKind]))
        kind = RUNS.c.kind_id
        # "NULL NOT IN ()" is true: where nothing ever failed, every good run would be wrong.
        wrong += [
            RUNS.c.outcome.not_in(range(len(OUTCOMES))),
            kind.is_not(None) & kind.not_in(known),
        ]
    if wrong:
        yield from map(tuple, connection.execute(select(*keys).where(or_(*wrong))))
    if table in {RUNS, WORDS}:
        return
    read = _READ.get(table.name, tuple)
    for key in connection.execute(select(*keys)).all():
        try:
            row = connection.execute(select(table).where(tuple_(*keys) == tuple_(*key))).one()
            read(row)
        except UNREADABLE:
            yield tuple(key)


def _value(row: Any) -> object:
    """Read a single value: a mark is a number, and what a daemon leaves is a list of moments."""
    if row.name in {rollup_job.HOURS_FROM, rollup_job.RUNS_FROM, "schema"}:
        return int(row.value)
    if row.name in {small_tables.SEEN, small_tables.CRASHES}:
        return [*map(datetime.fromisoformat, row.value.split())]
    return None


_READ: Mapping[str, Callable[[Any], object]] = {
    "key_value": _value,
    "incidents": lambda row: small_tables.INCIDENT.validate_json(row.body),
    "outbox": lambda row: small_tables.MESSAGE.validate_json(row.body),
    "habits": lambda row: small_tables.HABIT.validate_json(row.body),
    "evidence": lambda row: small_tables.EVIDENCE.validate_json(row.body),
    "hour_rollups": lambda row: rollup_job.sum_from(row).unpacked(),
    "day_rollups": lambda row: rollup_job.sum_from(row).unpacked(),
}


def drop_unreadable(connection: Connection, unreadable: Keys) -> None:
    """Delete them, and make anew what follows from other rows: one lost row must not cost others."""
    for table, keys in unreadable.items():
        for first in range(0, len(keys), _MANY):
            some = [*keys[first : first + _MANY]]
            connection.execute(delete(table).where(tuple_(*table.primary_key).in_(some)))
    if KEY_VALUE in unreadable:
        settle(connection)
    for table in (HOURS, DAYS):
        rollup_job.remake(connection, table, unreadable.get(table, ()))
