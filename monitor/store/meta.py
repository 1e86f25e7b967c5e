"""Single values by name: the schema's version, marks, and whether the last daemon stopped cleanly."""

from sqlalchemy import Connection, select

from monitor.store.sql import upsert
from monitor.store.tables import META


def read_meta(connection: Connection, name: str) -> str | None:
    return connection.execute(select(META.c.value).where(META.c.name == name)).scalar()


def number_of(connection: Connection, name: str) -> int | None:
    found = read_meta(connection, name)
    return None if found is None else int(found)


def set_meta(connection: Connection, name: str, value: str) -> None:
    upsert(connection, META, [{"name": name, "value": value}])
