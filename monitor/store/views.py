"""The views for people who read the store themselves; docs/history.md documents them. Each engine says times in its own words."""

from monitor.store.schema import PERCENTILES, TIMES

_MS = ", ".join(f"{name} / 10.0 AS {name.removesuffix('_100us')}_ms" for name in TIMES)
_ROLLUP_MS = ", ".join(f"{each} / 10.0 AS {each.removesuffix('_100us')}_ms" for each in PERCENTILES)


def views(
    *, moment: str, hour: str, day: str, kinds: str, event: str, timeline: str
) -> tuple[str, ...]:
    """Return the statements that create the views.

    `moment` is the ISO text of the column `runs.at`, `hour` and `day` those of `period`; `kinds` is that column
    as the engine has JSON; `event` takes a field of one entry of `timeline`, which is joined to incidents.
    """
    at, what, check, kind, text = map(event.format, ("at", "what", "check", "kind", "text"))
    return (
        f"""CREATE VIEW runs_readable AS SELECT {moment} AS at,
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
        *(
            f"""CREATE VIEW {name} AS SELECT {begin} AS at, checks.key AS check_key, checks.vantage,
    up, degraded, down, unknown, maintenance,
    (up + degraded) * 1.0 / nullif(up + degraded + down, 0) AS availability,
    up * 1.0 / nullif(up + degraded + down, 0) AS good, late, missed, {kinds}, {_ROLLUP_MS},
    tokens_in, tokens_out, cost_e8 / 1e8 AS cost_usd, period
FROM {source} JOIN checks ON checks.id = check_id"""  # noqa: S608  # our own names
            for name, source, begin in (
                ("hours", "hour_rollups", hour),
                ("days", "day_rollups", day),
            )
        ),
        f"""CREATE VIEW timeline AS SELECT incidents.vantage, incidents.id AS incident,
    {at} AS at, {what} AS what,
    {check} AS check_key, {kind} AS kind,
    {text} AS text
FROM incidents, {timeline}""",  # noqa: S608  # our own names
    )
