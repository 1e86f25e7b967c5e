"""The page as files for programs: `status.json`, the Statuspage v2 shape, `best.txt`. Pure."""

from typing import Any

from monitor.page import words
from monitor.page.nouns import EndpointView, ErrorView, PageView, PickView, ServiceView, SpendView
from monitor.page.states import State, worst
from monitor.page.stories import Story

Document = dict[str, Any]

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


def status(page: PageView) -> Document:
    """Everything that the page shows."""
    return {
        "title": page.title,
        "vantage": page.vantage,
        "generated_at": words.iso(page.generated),
        "valid_until": words.iso(page.valid_until),
        "stopped_at": page.stopped and words.iso(page.stopped),
        "state": page.state.value,
        "headline": " ".join(page.headline),
        "text": page.text,
        "services": [_service(service) for service in page.services],
        "incidents": [_incident(story) for story in page.stories],
    }


def _service(service: ServiceView) -> Document:
    return {
        "id": service.id,
        "name": service.name,
        "state": service.state.value,
        "best": service.best and service.best.url,
        **({"spend": _spend(service.spend)} if service.spend else {}),
        "endpoints": [_endpoint(endpoint) for endpoint in service.endpoints],
    }


def _spend(spend: SpendView) -> Document:
    parts = {"today": spend.today, "month": spend.month}
    found = {name: {"tokens": each.tokens, "money": each.money} for name, each in parts.items()}
    return {**found, "currency": spend.currency}


def _error(error: ErrorView) -> Document:
    evidence = error.evidence
    return {
        "check": error.probe,
        "at": words.iso(error.at),
        "kind": error.kind.value,
        "message": error.message,
        "status": error.status,
        "headers": dict(evidence.headers) if evidence else {},
        "body": evidence.body if evidence else "",
    }


def _endpoint(endpoint: EndpointView) -> Document:
    return {
        "id": endpoint.path.split("/")[1],
        "name": endpoint.name,
        "url": endpoint.url,
        "state": endpoint.state.value,
        "main": endpoint.main,
        "cut_after_s": endpoint.cut_after and endpoint.cut_after.total_seconds(),
        ("ttft_ms" if endpoint.streams else "ttfb_ms"): {
            "p50": _ms(endpoint.p50),
            "p95": _ms(endpoint.p95),
        },
        "tokens_per_s": _ms(endpoint.speed),
        "availability_90d": endpoint.availability,
        "excluded_90d": endpoint.excluded,
        "trouble": endpoint.trouble and endpoint.trouble.value,
        **({"errors": [_error(each) for each in endpoint.errors]} if endpoint.errors else {}),
        "checks": {
            probe: {"state": cell.state.value, "text": cell.text}
            for probe, cell in endpoint.cells.items()
        },
        "days": [
            {"day": day.day.isoformat(), "state": day.state.value, "minutes": day.minutes}
            for day in endpoint.days
        ],
        "last_24h": [
            {"at": words.iso(point.at), "p50_ms": _ms(point.p50), "p95_ms": _ms(point.p95)}
            for point in endpoint.points
        ],
    }


def _incident(story: Story) -> Document:
    return {
        "id": story.id,
        "title": story.title,
        "state": story.state.value,
        "severity": story.severity.value,
        "opened": words.iso(story.opened),
        "closed": story.closed and words.iso(story.closed),
        "what": story.text,
        "do": story.remedy,
        "endpoints": list(story.endpoints),
        "failed_runs": dict(story.failed),
        "updates": [
            {"at": words.iso(each.at), "label": each.label, "text": each.text}
            for each in story.updates
        ],
    }


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def best_text(page: PageView) -> str:
    """One line a service; an empty one where none works, or where nobody looks any more."""
    return "".join(f"{pick.url if pick else ''}\n" for pick in _picks(page).values())


def _picks(page: PageView) -> dict[str, PickView | None]:
    return {service.id: None if page.stopped else service.best for service in page.services}


def best(page: PageView) -> Document:
    return {
        "generated_at": words.iso(page.generated),
        "valid_until": words.iso(page.valid_until),
        "services": {
            name: pick and {"url": pick.url, "median_ms": _ms(pick.milliseconds)}
            for name, pick in _picks(page).items()
        },
    }


def statuspage(page: PageView) -> dict[str, Document]:
    """File name -> document, in the shape of Statuspage's API v2; additions begin with `x_`."""
    head = {
        "page": {
            "id": "monitor",
            "name": page.title,
            "url": page.url or "",
            "time_zone": "Etc/UTC",
            "updated_at": words.iso(page.generated),
            "x_valid_until": words.iso(page.valid_until),
        }
    }
    summary_status = _status(page)
    components = [each for service in page.services for each in _components(service, page)]
    for position, component in enumerate(components, 1):
        component["position"] = position
    incidents = [_v2_incident(story, components) for story in page.stories]
    unresolved = [each for each in incidents if each["resolved_at"] is None]
    return {
        "status": head | {"status": summary_status},
        "components": head | {"components": components},
        "incidents": head | {"incidents": incidents},
        "incidents/unresolved": head | {"incidents": unresolved},
        "summary": head
        | {
            "status": summary_status,
            "components": components,
            "incidents": unresolved,
            "scheduled_maintenances": [],
        },
    }


def _status(page: PageView) -> Document:
    if page.stopped:
        description = f"Monitoring stopped at {words.moment(page.stopped)}."
        return {"indicator": "minor", "description": description}
    return {"indicator": _INDICATOR[page.state], "description": " ".join(page.headline)}


def _last_known(endpoint: EndpointView) -> State:
    """Statuspage has no word for `unknown`: it stays what it was, and `x_state` says the truth."""
    if endpoint.state is not State.UNKNOWN:
        return endpoint.state
    known = [day.state for day in endpoint.days if day.state is not State.UNKNOWN]
    return known[-1] if known else State.MAINTENANCE


def _components(service: ServiceView, page: PageView) -> list[Document]:
    """A service is a group, its endpoints the components in it."""
    known = {endpoint.path: _last_known(endpoint) for endpoint in service.endpoints}
    state = worst(known.values()) if service.state is State.UNKNOWN else service.state
    group = _component(service.id, service.name, service.state, state, page) | {
        "group": True,
        "components": [endpoint.path for endpoint in service.endpoints],
    }
    members = [
        _component(endpoint.path, endpoint.name, endpoint.state, known[endpoint.path], page)
        | {"group_id": service.id, "description": endpoint.url}
        for endpoint in service.endpoints
    ]
    return [group, *members]


def _component(key: str, name: str, state: State, shown: State, page: PageView) -> Document:
    return {
        "id": key,
        "name": name,
        "status": shown.value,
        "x_state": state.value,
        "created_at": None,
        "updated_at": words.iso(page.generated),
        "position": 0,
        "description": None,
        "showcase": True,
        "start_date": None,
        "group_id": None,
        "page_id": "monitor",
        "group": False,
        "only_show_if_degraded": False,
    }


def _v2_incident(story: Story, components: list[Document]) -> Document:
    concerned = [each for each in components if each["id"] in story.endpoints]
    changed = story.updates[0].at if story.updates else story.opened
    return {
        "id": str(story.id),
        "name": story.title,
        "status": "resolved" if story.closed else "investigating",
        "impact": _IMPACT[story.state],
        "shortlink": f"incidents/{story.id}/",
        "started_at": words.iso(story.opened),
        "created_at": words.iso(story.opened),
        "updated_at": words.iso(changed),
        "monitoring_at": None,
        "resolved_at": story.closed and words.iso(story.closed),
        "page_id": "monitor",
        "components": concerned,
        "incident_updates": [
            {
                "id": f"{story.id}-{number}",
                "incident_id": str(story.id),
                "status": "resolved" if each.label == "Resolved" else "investigating",
                "body": each.text,
                "created_at": words.iso(each.at),
                "display_at": words.iso(each.at),
                "updated_at": words.iso(each.at),
                "affected_components": None,
            }
            for number, each in reversed(list(enumerate(reversed(story.updates))))
        ],
    }
