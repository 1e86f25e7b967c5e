"""Limits one transaction, so that nobody waits for another session without end."""

from collections.abc import Mapping

from sqlalchemy import Connection


def limit(connection: Connection, limits: Mapping[str, str]) -> None:
    """Set parameters for this transaction, and for no other one of its session: behind a pooler that is somebody else's."""
    calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in limits.items())
    connection.exec_driver_sql(f"SELECT {calls}")  # our own words
