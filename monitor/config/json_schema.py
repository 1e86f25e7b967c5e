"""The JSON Schema of monitor.toml, made from the tables it is read with."""

import re
from datetime import timedelta
from types import GenericAlias
from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter, create_model

from monitor.config.tables import (
    POLICY_TABLES,
    AgentTable,
    AlertsTable,
    ChannelTable,
    EndpointTable,
    HistoryTable,
    MaintenanceTable,
    MonitorTable,
    PageTable,
    PriceTable,
    ServiceTable,
    VantageTable,
    VerdictTable,
    WebhookTable,
)
from monitor.model.duration import format_duration
from monitor.probes import PROBES

_ISO = re.compile(r"P(?=.)(?:\d+D)?(?:T[\dHMS.]+)?")


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the whole file."""
    limits: dict[str, Any] = {name: (table | None, None) for name, table in POLICY_TABLES.items()}
    alerts = create_model("AlertsTable", __base__=AlertsTable, **limits)
    probes = {kind: (settings | str, None) for kind, settings in PROBES.items()}
    any_probe = create_model("Probes", __config__=ConfigDict(extra="allow"), **probes)  # type: ignore[call-overload]
    service = create_model(
        "Service",
        __base__=ServiceTable,
        endpoints=(_by_id(EndpointTable | str), ...),
        probes=(any_probe | None, None),
    )
    agent: dict[str, Any] = {"agent": (AgentTable | None, None)}
    root = create_model(
        "monitor.toml",
        __config__=ConfigDict(extra="forbid"),
        monitor=(MonitorTable, {}),
        page=(PageTable, {}),
        alerts=(alerts, {}),
        history=(HistoryTable, {}),
        channel=(_by_id(ChannelTable), {}),
        webhook=(_by_id(WebhookTable), {}),
        service=(_by_id(service), ...),
        price=(_by_id(PriceTable), {}),
        maintenance=(_by_id(MaintenanceTable), {}),
        vantage=(_by_id(VantageTable), {}),
        verdict=(VerdictTable, {}),
        **agent,
    )
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root.model_json_schema(),
    }
    return cast("dict[str, Any]", _as_written(document))


def _by_id(table: Any) -> Any:
    return GenericAlias(dict, (str, table))


def _as_written(value: Any) -> Any:
    """Write durations as the file does: pydantic shows a default after ISO 8601, not as `4h`."""
    if isinstance(value, dict):
        return {name: _as_written(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    if isinstance(value, str) and _ISO.fullmatch(value):
        return format_duration(TypeAdapter(timedelta).validate_python(value))
    return value
