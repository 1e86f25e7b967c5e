"""The schema's versions, in order. A released migration is never edited; the next one is added."""

from collections.abc import Callable

from sqlalchemy import Connection, inspect, select
from sqlmodel import SQLModel

from monitor.model import NewerSchemaError
from monitor.store.sql import upsert
from monitor.store.tables import META


def _first(connection: Connection) -> None:
    SQLModel.metadata.create_all(connection)


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (_first,)


def version(connection: Connection) -> int:
    """0 for an empty file."""
    if not inspect(connection).has_table("meta"):
        return 0
    found = connection.execute(select(META.c.value).where(META.c.name == "schema")).scalar()
    return int(found or 0)


def check_not_newer(found: int) -> None:
    if found > len(MIGRATIONS):
        raise NewerSchemaError(
            f"the store has schema {found}, this monitor knows {len(MIGRATIONS)}: "
            "install the newer version that wrote it, or go back to the backup beside the store"
        )


def create(connection: Connection) -> None:
    """All of them, in an empty file."""
    for step in range(len(MIGRATIONS)):
        migrate(connection, step)


def migrate(connection: Connection, found: int) -> None:
    """One step, and its number, in the caller's transaction."""
    MIGRATIONS[found](connection)
    upsert(connection, META, [{"name": "schema", "value": str(found + 1)}])
