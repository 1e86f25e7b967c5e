"""The page in the shape of Statuspage's API v2, for clients that exist; additions begin with `x_`. Pure.

A base URL is a group, the calls that are made to it are its components. Names are whole, because
clients tell components apart by them.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any

from monitor.page import formatting
from monitor.page.feed import changed
from monitor.page.states import State
from monitor.page.view_models import (
    CheckView,
    EndpointView,
    IncidentView,
    MaintenanceView,
    PageView,
    ServiceView,
)

Document = dict[str, Any]

_PAGE = "monitor"
_INDICATOR = {
    State.OPERATIONAL: "none",
    State.MAINTENANCE: "maintenance",
    State.DEGRADED: "minor",
    State.PARTIAL: "major",
    State.MAJOR: "critical",
    State.UNKNOWN: "minor",  # Statuspage has no word for it, but it is not "all operational"
}
_IMPACT = {
    State.DEGRADED: "minor",
    State.PARTIAL: "major",
    State.MAJOR: "critical",
    State.UNKNOWN: "none",
}


def statuspage(page: PageView) -> dict[str, Document]:
    """Return the documents by file name without its ending."""
    status = {"status": _status(page)}
    components = [
        component
        for service in page.services
        for endpoint in service.endpoints
        for component in _components(service, endpoint, page)
    ]
    for position, component in enumerate(components, 1):
        component["position"] = position
    groups = {component["id"]: component for component in components if component["group"]}
    incidents = [_incident(incident, groups, page) for incident in page.incidents]
    unresolved = [incident for incident in incidents if incident["resolved_at"] is None]
    works = [_work(plan, groups, page) for plan in page.maintenance]
    active = [work for work in works if work["status"] == "in_progress"]
    upcoming = [work for work in works if work not in active]
    parts: dict[str, Document] = {
        "status": status,
        "components": {"components": components},
        "incidents": {"incidents": incidents},
        "incidents/unresolved": {"incidents": unresolved},
        "summary": status
        | {"components": components, "incidents": unresolved, "scheduled_maintenances": works},
        "scheduled-maintenances": {"scheduled_maintenances": works},
        "scheduled-maintenances/active": {"scheduled_maintenances": active},
        "scheduled-maintenances/upcoming": {"scheduled_maintenances": upcoming},
    }
    head = {"page": _head(page)}
    return {name: head | part for name, part in parts.items()}


def _head(page: PageView) -> Document:
    return {
        "id": _PAGE,
        "name": page.title,
        "url": page.url,
        "time_zone": "Etc/UTC",
        "updated_at": formatting.iso(page.generated_at),
        "x_valid_until": formatting.iso(page.valid_until),
    }


def _status(page: PageView) -> Document:
    if page.stopped_at:
        description = f"Monitoring stopped at {formatting.moment(page.stopped_at)}."
        return {"indicator": "minor", "description": description}
    return {"indicator": _INDICATOR[page.state], "description": page.headline}


def _components(service: ServiceView, endpoint: EndpointView, page: PageView) -> Iterator[Document]:
    known, since = _last_known(endpoint), _since(endpoint, page)
    moved = max([since, *map(changed, page.incidents_by_path.get(endpoint.path, ()))])
    dates = {
        "created_at": formatting.iso(since),
        "updated_at": formatting.iso(moved),
        "start_date": f"{since:%Y-%m-%d}",
    }
    name = f"{service.name} · {endpoint.name}" if len(page.services) > 1 else endpoint.name
    group = _component(endpoint.path, name, endpoint.state, known, page)
    children = [
        _call(endpoint, name, probe, check, page) for probe, check in endpoint.checks.items()
    ]
    yield (
        group
        | dates
        | {
            "group": True,
            "description": endpoint.url,
            "components": [child["id"] for child in children],
        }
    )
    for child in children:
        yield child | dates


def _call(
    endpoint: EndpointView, group: str, probe: str, check: CheckView, page: PageView
) -> Document:
    """Return the component of one kind of call to a base URL."""
    shown = _last_known(endpoint) if check.state is State.UNKNOWN else check.state
    name = f"{group} · {formatting.probe(probe, check.kind, check.title)}"
    return _component(f"{endpoint.path}/{probe}", name, check.state, shown, page) | {
        "group_id": endpoint.path,
        "description": check.text,
    }


def _last_known(endpoint: EndpointView) -> State:
    """Return the state as it was known last: Statuspage has no word for `unknown`, and `x_state` says the truth."""
    if endpoint.state is not State.UNKNOWN:
        return endpoint.state
    known = (day.state for day in reversed(endpoint.history.days) if day.state is not State.UNKNOWN)
    return next(known, State.MAINTENANCE)


def _since(endpoint: EndpointView, page: PageView) -> datetime:
    """Return the first of the days shown on which anything was measured."""
    days = (day.day for day in endpoint.history.days if day.state is not State.UNKNOWN)
    day = next(days, None) or page.generated_at.astimezone(UTC).date()
    return datetime.combine(day, time(), UTC)


def _component(key: str, name: str, state: State, shown: State, page: PageView) -> Document:
    return {
        "id": key,
        "name": name,
        "status": shown.value,
        "x_state": (State.UNKNOWN if page.stopped_at else state).value,
        "position": 0,
        "description": None,
        "showcase": True,
        "group_id": None,
        "page_id": _PAGE,
        "group": False,
        "only_show_if_degraded": False,
    }


def _among(groups: Mapping[str, Document], paths: Iterable[str]) -> list[Document]:
    """Return the groups of these base URLs, in the order of the page."""
    components = (groups[path] for path in paths if path in groups)
    return sorted(components, key=lambda component: int(component["position"]))


def _incident(incident: IncidentView, groups: Mapping[str, Document], page: PageView) -> Document:
    own = f"incidents/{incident.id}/"
    updates = [
        _update(str(incident.id), number, _status_at(incident, update.at), update.text, update.at)
        for number, update in enumerate(incident.updates[::-1], 1)
    ]
    return {
        "id": str(incident.id),
        "name": incident.title,
        "status": "resolved" if incident.closed else "investigating",
        "impact": _IMPACT[incident.state],
        "shortlink": f"{page.url}/{own}" if page.url else own,
        "started_at": formatting.iso(incident.opened),
        "created_at": formatting.iso(incident.opened),
        "updated_at": formatting.iso(changed(incident)),
        "monitoring_at": None,
        "resolved_at": incident.closed and formatting.iso(incident.closed),
        "x_measured": incident.measured,
        "page_id": _PAGE,
        "components": _among(groups, incident.endpoints),
        "incident_updates": updates[::-1],
    }


def _work(work: MaintenanceView, groups: Mapping[str, Document], page: PageView) -> Document:
    """Return one window of maintenance; each window of a recurring one is one of its own."""
    begins, ends = formatting.iso(work.begins), formatting.iso(work.ends)
    own = f"{work.id}-{work.begins.astimezone(UTC):%Y%m%dT%H%M}"
    status = "in_progress" if work.active else "scheduled"
    return {
        "id": own,
        "name": work.title,
        "status": status,
        "impact": "maintenance",
        "shortlink": page.url,
        "started_at": begins,
        "created_at": begins,
        "updated_at": begins,
        "monitoring_at": None,
        "resolved_at": None,
        "scheduled_for": begins,
        "scheduled_until": ends,
        "page_id": _PAGE,
        "components": _among(groups, work.endpoints),
        "incident_updates": [_update(own, 1, status, work.title, work.begins)],
    }


def _status_at(incident: IncidentView, at: datetime) -> str:
    return "resolved" if incident.closed and at >= incident.closed else "investigating"


def _update(of: str, number: int, status: str, body: str, moment: datetime) -> Document:
    at = formatting.iso(moment)
    return {
        "id": f"{of}-{number}",
        "incident_id": of,
        "status": status,
        "body": body,
        "created_at": at,
        "display_at": at,
        "updated_at": at,
        "affected_components": None,
    }
