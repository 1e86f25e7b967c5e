"""Single values by name: the schema's version, marks, and whether the last daemon stopped cleanly."""

from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from monitor.store.sql import upsert
from monitor.store.tables import META


def read_meta(connection: Connection, name: str) -> str | None:
    return connection.execute(select(META.c.value).where(META.c.name == name)).scalar()


def number_of(connection: Connection, name: str) -> int | None:
    found = read_meta(connection, name)
    return None if found is None else int(found)


def numbers_of(connection: Connection, names: tuple[str, ...]) -> dict[str, int]:
    """Several at once; those that are there."""
    return {name: int(value) for name, value in connection.execute(_some(names))}


@cache
def _some(names: tuple[str, ...]) -> Select[Any]:
    """Made once, because it is asked at each commit."""
    return select(META.c.name, META.c.value).where(or_(*(META.c.name == name for name in names)))


def set_meta(connection: Connection, name: str, value: str) -> None:
    upsert(connection, META, [{"name": name, "value": value}])
