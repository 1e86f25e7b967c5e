"""The JSON Schema of monitor.toml, made from the tables it is read with."""

import re
from datetime import timedelta
from typing import Any, cast

from pydantic import ConfigDict, TypeAdapter, create_model

from monitor.config.policy_tables import with_policies
from monitor.config.tables import (
    AlertsTable,
    ChannelTable,
    EndpointTable,
    HistoryTable,
    MaintenanceTable,
    MonitorTable,
    PageTable,
    PriceTable,
    ServiceTable,
)
from monitor.model.duration import format_duration
from monitor.probes import PROBES

_ISO = re.compile(r"P(?=.)(?:\d+D)?(?:T[\dHMS.]+)?")


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the whole file."""
    alerts = with_policies(AlertsTable)
    probes = {kind: (settings | str, None) for kind, settings in PROBES.items()}
    any_probe = create_model("Probes", __config__=ConfigDict(extra="allow"), **probes)  # type: ignore[call-overload]
    service = create_model(
        "Service",
        __base__=ServiceTable,
        endpoints=(dict[str, EndpointTable | str], ...),
        probes=(any_probe | None, None),
    )
    root = create_model(
        "monitor.toml",
        __config__=ConfigDict(extra="forbid"),
        monitor=(MonitorTable, MonitorTable()),
        page=(PageTable, PageTable()),
        alerts=(alerts, alerts()),
        history=(HistoryTable, HistoryTable()),
        channel=(dict[str, ChannelTable], {}),
        service=(dict[str, service], ...),
        price=(dict[str, PriceTable], {}),
        maintenance=(dict[str, MaintenanceTable], {}),
    )
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **root.model_json_schema()}
    return cast("dict[str, Any]", _as_written(found))


def _as_written(value: Any) -> Any:
    """Pydantic shows a default duration after ISO 8601; the file has `4h`."""
    if isinstance(value, dict):
        return {name: _as_written(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_as_written(item) for item in value]
    if isinstance(value, str) and _ISO.fullmatch(value):
        return format_duration(TypeAdapter(timedelta).validate_python(value))
    return value
