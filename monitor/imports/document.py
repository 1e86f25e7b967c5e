"""Turns a plan into the document of a monitor.toml, and takes out of it what the configuration does not allow."""

from collections.abc import Mapping
from typing import Any

from monitor.imports.grouping import Plan
from monitor.imports.toml_text import document_of_service
from monitor.model.config_text import free_id, slug

Document = dict[str, Any]
_LONGEST_TITLE = 80


def document_of(plan: Plan) -> Document:
    """Return the whole document of a plan."""
    imported = plan.imported
    document: Document = {
        "service": {
            id_: dict(document_of_service(service)) for id_, service in plan.services.items()
        },
        "channel": {},
        "maintenance": {},
    }
    if imported.page:
        document["page"] = dict(imported.page)
    if imported.alerts:
        document["alerts"] = dict(imported.alerts)
    for channel in imported.channels:
        id_ = free_id(slug(channel.name) or "channel", document["channel"])
        table: Document = {"url": channel.url}
        if channel.telegram_api:
            table["telegram_api"] = channel.telegram_api
        services = _services(plan, channel.sources)
        if channel.sources is not None and services != set(plan.services):
            table["services"] = sorted(services)
        if channel.sources is None or services:
            document["channel"][id_] = table
    for window in imported.windows:
        id_ = free_id(slug(window.name) or "maintenance", document["maintenance"])
        table = {"title": window.name[:_LONGEST_TITLE], **window.keys}
        if window.sources is not None:
            places = (plan.places[source] for source in window.sources if source in plan.places)
            table["endpoints"] = sorted({f"{place[0]}/{place[1]}" for place in places})
        if window.sources is None or table["endpoints"]:
            document["maintenance"][id_] = table
    return document


def _services(plan: Plan, sources: frozenset[str] | None) -> set[str]:
    if sources is None:
        return set(plan.services)
    return {plan.places[source][0] for source in sources if source in plan.places}


def without(document: Document, where: str) -> bool:
    """Take out the smallest part that a complaint speaks of. False where there is none.

    `where` is the complaint's place, such as `service.a.endpoints.b.url`.
    """
    names = where.split(".")
    if len(names) < 2 or names[1] not in _table(document, names[0]):
        return names[0] in {"page", "alerts"} and document.pop(names[0], None) is not None
    part = _table(document, names[0])[names[1]] if names[0] not in {"page", "alerts"} else {}
    if names[0] == "service" and len(names) > 3 and names[3] in _table(part, names[2]):
        _drop_of_service(document, names)
    elif names[0] == "service" and names[2:3] == ["key"] and "key" in part:
        del part["key"]
    else:
        del _table(document, names[0])[names[1]]
    _forget_gone(document)
    return True


def _drop_of_service(document: Document, names: list[str]) -> None:
    service = document["service"][names[1]]
    entry = service[names[2]][names[3]]
    if names[4:] == ["key"] and isinstance(entry, dict) and "key" in entry:
        del entry["key"]
        return
    del service[names[2]][names[3]]
    if not service[names[2]]:
        del document["service"][names[1]]


def _forget_gone(document: Document) -> None:
    """Take services and endpoints that are gone out of channels and windows; what covers nothing any more goes too."""
    services = document["service"]
    paths = {
        f"{id_}/{endpoint}" for id_, table in services.items() for endpoint in table["endpoints"]
    }
    for kind, key, known in (
        ("channel", "services", set(services)),
        ("maintenance", "endpoints", paths),
    ):
        for id_, table in list(document[kind].items()):
            if key in table:
                table[key] = [name for name in table[key] if name in known]
                if not table[key]:
                    del document[kind][id_]


def _table(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}
