"""Single values by name: the schema's version, marks, and whether the last daemon stopped cleanly."""

from sqlalchemy import Connection, bindparam, select

from monitor.store.sql import upsert
from monitor.store.tables import META


def read_meta(connection: Connection, name: str) -> str | None:
    return connection.execute(select(META.c.value).where(META.c.name == name)).scalar()


def number_of(connection: Connection, name: str) -> int | None:
    found = read_meta(connection, name)
    return None if found is None else int(found)


def numbers_of(connection: Connection, names: tuple[str, ...]) -> dict[str, int]:
    """Several at once; those that are there."""
    rows = connection.execute(_SOME, {"names": names})
    return {name: int(value) for name, value in rows}


_SOME = select(META.c.name, META.c.value).where(META.c.name.in_(bindparam("names", expanding=True)))


def set_meta(connection: Connection, name: str, value: str) -> None:
    upsert(connection, META, [{"name": name, "value": value}])
