"""Writes a plan as the text of a monitor.toml for people: grouped, commented, with what was not carried over below."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from monitor.imports.grouping import PlannedEndpoint, PlannedService
from monitor.imports.imported import Remark
from monitor.model.config_text import toml_string
from monitor.model.duration import format_duration

_BARE = re.compile(r"[A-Za-z0-9_-]+")
Document = Mapping[str, Any]


def document_of_service(service: PlannedService) -> Document:
    """Return the table of a service. What all its parts share stands there once."""
    keys = {endpoint.key for endpoint in service.endpoints.values()}
    shared_key = next(iter(keys)) if len(keys) == 1 else None
    models = {check.settings.get("model") for check in service.probes.values()} - {None}
    shared_model = next(iter(models)) if len(models) == 1 else None
    table: dict[str, Any] = {"name": service.name}
    if shared_key:
        table["key"] = shared_key
    if shared_model:
        table["model"] = shared_model
    table["endpoints"] = {
        id_: _endpoint(endpoint, shared_key) for id_, endpoint in service.endpoints.items()
    }
    table["probes"] = {}
    for id_, check in service.probes.items():
        probe: dict[str, Any] = {} if id_ == check.kind else {"kind": check.kind}
        if check.every:
            probe["every"] = _duration(check.every)
        for name, value in check.settings.items():
            if name == "model" and value == shared_model:
                continue
            if name == "slow":
                probe[name] = f"total > {_duration(value)}"
            else:
                probe[name] = _duration(value) if isinstance(value, timedelta) else value
        table["probes"][id_] = probe["every"] if probe.keys() == {"every"} else probe
    return table


def _endpoint(endpoint: PlannedEndpoint, shared_key: str | None) -> Any:
    check = endpoint.check
    table: dict[str, Any] = {"url": check.url}
    if endpoint.name != endpoint.id:
        table["name"] = endpoint.name
    if endpoint.key and endpoint.key != shared_key:
        table["key"] = endpoint.key
    if check.proxy:
        table["proxy"] = check.proxy
    if check.headers:
        table["headers"] = dict(check.headers)
    if check.tags:
        table["tags"] = list(check.tags)
    if check.paused:
        table["retired"] = True
    return check.url if table.keys() == {"url"} else table


def _duration(length: timedelta) -> str:
    """Write a duration; less than a second, or a part of one, in milliseconds."""
    if length.microseconds:
        return f"{max(round(length.total_seconds() * 1000), 1)}ms"
    return format_duration(length)


def toml_text(document: Document, program: str, files: str, remarks: Iterable[Remark]) -> str:
    """Return the whole text. The document has the tables `page`, `alerts`, `service`, `channel` and `maintenance`."""
    lines = [
        f"# Written by `monitor import` from {_comment(program)}: {_comment(files)}.",
        "# docs/configuration.md explains every key, `monitor validate` checks this file, `monitor once` asks everything once.",
        "",
    ]
    for id_, table in document.get("service", {}).items():
        lines += [*_service(id_, table), ""]
    for name in ("page", "alerts"):
        if table := document.get(name):
            lines += [f"[{name}]", *_keys(table), ""]
    for name in ("channel", "maintenance"):
        for id_, table in document.get(name, {}).items():
            lines += [f"[{name}.{_key(id_)}]", *_keys(table), ""]
    noted = [f"# - {_comment(str(remark))}" for remark in remarks]
    if noted:
        lines += ["# Not carried over, or not as it was:", *noted]
    return "\n".join(lines).rstrip("\n") + "\n"


def _service(id_: str, table: Document) -> Iterator[str]:
    yield f"[service.{_key(id_)}]"
    yield from _keys(
        {key: value for key, value in table.items() if key not in {"endpoints", "probes"}}
    )
    for name, comment in (
        ("endpoints", "id = base URL; history hangs on the id"),
        ("probes", "each of them against each base URL"),
    ):
        yield ""
        yield f"[service.{_key(id_)}.{name}]    # {comment}"
        yield from _keys(table[name])


def _keys(table: Document) -> Iterator[str]:
    return (f"{_key(name)} = {_value(value)}" for name, value in table.items())


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_string(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inside = ", ".join(_keys(value))
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, int | float):
        return repr(value)
    return toml_string(str(value))


def _comment(text: str) -> str:
    """Return a text that may stand in a comment: one line without control characters."""
    return re.sub(
        r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text.encode("utf-8", "replace").decode()
    )
