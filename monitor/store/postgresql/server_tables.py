"""The tables of a store on PostgreSQL, and its views for people who read them."""

from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import SQLModel

from monitor.store import schema
from monitor.store.postgresql import partitions
from monitor.store.views import views

VIEWS = views(
    moment="""to_char(to_timestamp(runs.at / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(CAST(mod(runs.at, 1000) AS text), 3, '0') || 'Z'""",
    hour="""to_char(to_timestamp(period * 3600) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:00:00"Z"')""",
    day="to_char(to_timestamp(period * 86400) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    kinds="CAST(kinds AS json) AS kinds",
    event="entry ->> '{}'",
    timeline="json_array_elements(CAST(body AS json) -> 'timeline') AS entry",
)


def create(connection: Connection) -> None:
    """Create all tables and views in an empty database, in the caller's transaction.

    Foreign keys are left out: each would look up every row that is inserted, and every run where a word is deleted.
    """
    for table in SQLModel.metadata.sorted_tables:
        connection.execute(CreateTable(table, include_foreign_key_constraints=[]))
        for index in table.indexes:
            connection.execute(CreateIndex(index))
    partitions.create_rest(connection)
    for view in VIEWS:
        connection.exec_driver_sql(view)
    schema.set_version(connection)
