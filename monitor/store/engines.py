"""Finds the engine that a URL names."""

from monitor.model import StoreError
from monitor.model.errors import how_to_install
from monitor.store.database import Database
from monitor.store.sqlite.file_database import SQLite


def database(url: str) -> Database:
    """Return the place that a URL names. Raises StoreError."""
    if not url.startswith(("postgresql://", "postgres://")):
        return SQLite(url)
    try:
        from monitor.store.postgresql.server_database import PostgreSQL  # noqa: PLC0415  # an extra
    except ImportError:
        raise StoreError(
            "a store on PostgreSQL needs psycopg, which is not installed; run: "
            + how_to_install("postgres")
        ) from None
    return PostgreSQL(url)


def store_name(url: str) -> str:
    """Return how people are told of a store: its path, or its address without a password."""
    return database(url).name
