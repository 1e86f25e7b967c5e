"""The tables of a store in a file, and its views for people who read them."""

from sqlalchemy import Connection
from sqlmodel import SQLModel

from monitor.store import schema
from monitor.store.views import views

VIEWS = views(
    moment="strftime('%Y-%m-%dT%H:%M:%S', runs.at / 1000, 'unixepoch') || printf('.%03dZ', runs.at % 1000)",
    hour="strftime('%Y-%m-%dT%H:00:00Z', period * 3600, 'unixepoch')",
    day="strftime('%Y-%m-%d', period * 86400, 'unixepoch')",
    kinds="kinds",
    event="json_extract(value, '$.{}')",
    timeline="json_each(body, '$.timeline')",
)


def create(connection: Connection) -> None:
    """Create all tables and views in an empty file, in the caller's transaction."""
    SQLModel.metadata.create_all(connection)
    for view in VIEWS:
        connection.exec_driver_sql(view)
    schema.set_version(connection)
