"""Copies a store that no daemon writes to another place, of either engine: whole or not at all."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, func, insert, inspect, select, tuple_
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from monitor.clock import Clock
from monitor.model import StoreError
from monitor.store import schema
from monitor.store.agents import AgentRow
from monitor.store.database import Database, Upkeep
from monitor.store.engines import database
from monitor.store.reader import must_be_written
from monitor.store.schema import KEY_VALUE, RUNS, insert_many

_PAGE = 2000
_AGENTS = AgentRow.metadata.tables["agents"]
_ITS_OWN = (KEY_VALUE.c.vantage == "") & (
    KEY_VALUE.c.name.in_(["schema", "claim"]) | KEY_VALUE.c.name.like("standby %")
)
"""Values that each store has of its own."""


def move(
    source_url: str,
    target_url: str,
    *,
    clock: Clock,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, int]:
    """Copy all rows in the order of their keys, and return how many by table. Raises StoreError.

    The source stays as it is. Nothing may be in the target yet. `progress` is told how many rows are copied.
    """
    source, target = database(source_url), database(target_url)
    if source.name == target.name:
        raise StoreError(f"{source.name} is the store itself; name another place")
    source.must_exist()
    held = [_upkeep(place, clock) for place in (source, target)]
    try:
        _must_hold_history(source)
        for upkeep in held:
            upkeep.prepare()  # nobody else writes either of them meanwhile
        return _copy(source, target, held, progress)
    except DBAPIError as error:
        raise StoreError(f"{source.name} was not moved: {held[1].why(error)}") from error
    finally:
        for upkeep in held:
            upkeep.release()


def _upkeep(place: Database, clock: Clock) -> Upkeep:
    return place.upkeep(
        clock=clock,
        note=lambda _: None,
        replaced=lambda: None,
        max_size=None,
        is_read_long=lambda: False,
    )


def _must_hold_history(place: Database) -> None:
    """Raise StoreError before tables are made where there were none."""
    engine = place.reading()
    try:
        with engine.begin() as connection:
            must_be_written(place, there=schema.check_version(connection))
    finally:
        engine.dispose()


def _copy(
    source: Database, target: Database, held: Sequence[Upkeep], progress: Callable[[int], None]
) -> dict[str, int]:
    engine, done, (of, into) = source.reading(), 0, held
    try:
        with engine.begin() as reading:
            tables = [*SQLModel.metadata.sorted_tables]
            if inspect(reading).has_table(_AGENTS.name):
                tables.append(_AGENTS)
            # Before the target's transaction begins, which may not stand still for long.
            counts = {table.name: _count(reading, table) for table in tables}
            with into.begin() as writing:
                _AGENTS.metadata.create_all(
                    writing, [table for table in tables if table is _AGENTS]
                )
                _must_be_empty(writing, tables, target)
                for table in tables:
                    for rows in _pages(reading, table):
                        into.expect(writing, table, (row[0] for row in rows))
                        _insert(writing, table, rows)
                        done += len(rows)
                        progress(done)
                        if of.due():
                            of.look()  # else its claim would be taken for that of a dead daemon
                    if counts[table.name] != _count(writing, table):
                        raise StoreError(
                            f"not all rows of {table.name} arrived in {target.name}; nothing was kept"
                        )
                into.copied(writing)
    finally:
        engine.dispose()
    return counts


def _must_be_empty(connection: Connection, tables: Sequence[Table], target: Database) -> None:
    if any(_count(connection, table) for table in tables):
        raise StoreError(f"there is a history in {target.name} already; name an empty place")


def _pages(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    keys = [*table.primary_key]
    query = select(table).order_by(*keys).limit(_PAGE)
    query = query.where(~_ITS_OWN) if table is KEY_VALUE else query
    places = [[*table.columns].index(key) for key in keys]
    rows = connection.execute(query).all()
    while rows:
        yield rows
        after = tuple(rows[-1][place] for place in places)
        rows = connection.execute(query.where(tuple_(*keys) > tuple_(*after))).all()


def _insert(connection: Connection, table: Table, rows: Sequence[Any]) -> None:
    if table is RUNS:
        insert_many(connection, table, rows)
    else:
        connection.execute(insert(table), [row._asdict() for row in rows])


def _count(connection: Connection, table: Table) -> int:
    query = select(func.count()).select_from(table)
    query = query.where(~_ITS_OWN) if table is KEY_VALUE else query
    return int(connection.execute(query).scalar_one())
