"""Finds the engine that a URL names."""

from monitor.store.database import Database
from monitor.store.sqlite.file_database import SQLite


def database(url: str) -> Database:
    """Return the place that a URL names. Raises StoreError."""
    return SQLite(url)


def store_name(url: str) -> str:
    """Return how people are told of a store: its path, or its address without a password."""
    return database(url).name
