"""The tables of a store on PostgreSQL, and its views for people who read them."""

from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import SQLModel

from monitor.store import schema
from monitor.store.postgresql import partitions
from monitor.store.schema import PERCENTILES, TIMES

_ISO = """to_char(to_timestamp({0} / 1000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '.' || lpad(CAST(mod({0}, 1000) AS text), 3, '0') || 'Z'"""
_MS = ", ".join(f"{name} / 10.0 AS {name.removesuffix('_100us')}_ms" for name in TIMES)
_ROLLUP_MS = ", ".join(f"{each} / 10.0 AS {each.removesuffix('_100us')}_ms" for each in PERCENTILES)


def _rollup_view(name: str, source: str, at: str) -> str:
    return f"""CREATE VIEW {name} AS SELECT {at} AS at, checks.key AS check_key, checks.vantage,
    up, degraded, down, unknown, maintenance,
    (up + degraded) * 1.0 / nullif(up + degraded + down, 0) AS availability,
    up * 1.0 / nullif(up + degraded + down, 0) AS good, late, missed, CAST(kinds AS json) AS kinds, {_ROLLUP_MS},
    tokens_in, tokens_out, cost_e8 / 1e8 AS cost_usd, period
FROM {source} JOIN checks ON checks.id = check_id"""  # noqa: S608  # our own names


VIEWS = (
    f"""CREATE VIEW runs_readable AS SELECT {_ISO.format("runs.at")} AS at,
    checks.key AS check_key, checks.vantage,
    CASE outcome WHEN 0 THEN 'up' WHEN 1 THEN 'degraded' WHEN 2 THEN 'down' ELSE 'unknown' END AS outcome,
    kind.text AS kind, message.text AS message, in_maintenance, http_status, {_MS},
    tokens_per_10s / 10.0 AS tokens_per_s, tokens_in, tokens_out, cost_e8 / 1e8 AS cost_usd,
    model.text AS model, ip.text AS remote_ip, finish.text AS finish_reason, complete, missed, late_ms,
    runs.at AS at_ms
FROM runs JOIN checks ON checks.id = check_id
    LEFT JOIN words kind ON kind.id = kind_id LEFT JOIN words message ON message.id = message_id
    LEFT JOIN words model ON model.id = model_id LEFT JOIN words ip ON ip.id = ip_id
    LEFT JOIN words finish ON finish.id = finish_id""",  # noqa: S608  # our own names
    _rollup_view(
        "hours",
        "hour_rollups",
        """to_char(to_timestamp(period * 3600) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:00:00"Z"')""",
    ),
    _rollup_view(
        "days",
        "day_rollups",
        "to_char(to_timestamp(period * 86400) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    ),
    """CREATE VIEW timeline AS SELECT incidents.vantage, incidents.id AS incident,
    entry ->> 'at' AS at, entry ->> 'what' AS what, entry ->> 'check' AS check_key, entry ->> 'kind' AS kind,
    entry ->> 'text' AS text
FROM incidents, json_array_elements(CAST(body AS json) -> 'timeline') AS entry""",
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
