"""The tables of a store in a file, and its views for people who read them."""

from sqlalchemy import Connection
from sqlmodel import SQLModel

from monitor.store import schema
from monitor.store.schema import PERCENTILES, TIMES

_ISO = "strftime('%Y-%m-%dT%H:%M:%S', {0} / 1000, 'unixepoch') || printf('.%03dZ', {0} % 1000)"
_MS = ", ".join(f"{name} / 10.0 AS {name.removesuffix('_100us')}_ms" for name in TIMES)
_ROLLUP_MS = ", ".join(f"{each} / 10.0 AS {each.removesuffix('_100us')}_ms" for each in PERCENTILES)


def _rollup_view(name: str, source: str, at: str) -> str:
    return f"""CREATE VIEW {name} AS SELECT {at} AS at, checks.key AS check_key, checks.vantage,
    up, degraded, down, unknown, maintenance,
    (up + degraded) * 1.0 / nullif(up + degraded + down, 0) AS availability,
    up * 1.0 / nullif(up + degraded + down, 0) AS good, late, missed, kinds, {_ROLLUP_MS},
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
        "hours", "hour_rollups", "strftime('%Y-%m-%dT%H:00:00Z', period * 3600, 'unixepoch')"
    ),
    _rollup_view("days", "day_rollups", "strftime('%Y-%m-%d', period * 86400, 'unixepoch')"),
    """CREATE VIEW timeline AS SELECT incidents.vantage, incidents.id AS incident,
    json_extract(value, '$.at') AS at, json_extract(value, '$.what') AS what,
    json_extract(value, '$.check') AS check_key, json_extract(value, '$.kind') AS kind,
    json_extract(value, '$.text') AS text
FROM incidents, json_each(body, '$.timeline')""",
)


def create(connection: Connection) -> None:
    """Create all tables and views in an empty file, in the caller's transaction."""
    SQLModel.metadata.create_all(connection)
    for view in VIEWS:
        connection.exec_driver_sql(view)
    schema.set_version(connection)
