"""The documents that webhooks get: one an event, made of what is known when it is decided. Pure.

JSON and the published JSON Schema (`docs/webhook.schema.json`) are made from these types, so they cannot
differ: `pytest tests/alerts/test_events.py --golden` writes the schema anew. Adding a field breaks nobody;
renaming one raises `VERSION`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from monitor.alerts.alternatives import Alternative, Alternatives
from monitor.model import (
    Endpoint,
    FailureKind,
    Fault,
    Incident,
    Mute,
    Service,
    Severity,
    WebhookEvent,
)

VERSION: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFacts:
    """An incident at the time of the event. Its number and `opened` stay the same until it is closed.

    `checks` are all that it ever covered, as `service/endpoint/probe`. `muted` says why people are not
    told of it now, if so.
    """

    number: int
    opened: datetime
    closed: datetime | None
    acknowledged: datetime | None
    muted: Mute | None
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageFacts:
    """A place that probes, with its name for people."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """A base URL that the event concerns; `id` is `service/endpoint`.

    `failing` says whether it is still bad, `bad_from` the ids of the vantages that see it bad now, `kind` and
    `fault` why, null once it is well. `base_url` is null where it left the configuration.
    """

    id: str
    name: str
    base_url: str | None
    failing: bool
    kind: FailureKind | None
    fault: Fault | None
    bad_from: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BestFacts:
    """A base URL to use now; `endpoint` is `service/endpoint`.

    `median_ms` is the time to its first token in the last half hour, or to the headers where nothing
    streams. With `flaw` it spoils its answers or lies in an incident, and there is no better one.
    """

    endpoint: str
    name: str
    base_url: str
    median_ms: float
    flaw: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDocument:
    """One event; `test` is none, and asks for nothing. Times are UTC. `id` is the same over all tries, and that of the header `webhook-id`.

    `at` is when it was decided, `vantage` the place of the monitor that decided; `bad_from` are the places
    that see it bad now, which need not be that one. `kind`, `fault` and `message` are those of the incident's latest failure,
    `since` is when the trouble began. `best` is what to use instead; for `best_changed` it is the new
    recommendation, null where there is none, and `previous` the endpoint that was recommended before.
    `page` is where a person reads on.
    """

    version: Literal[1] = VERSION
    event: WebhookEvent | Literal["test"]
    id: str
    at: datetime
    vantage: str
    bad_from: tuple[VantageFacts, ...]
    incident: IncidentFacts | None
    service: ServiceFacts | None
    endpoints: tuple[EndpointFacts, ...]
    severity: Severity | None
    kind: FailureKind | None
    fault: Fault | None
    message: str
    since: datetime | None
    best: BestFacts | None
    previous: str | None
    page: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names by which the configuration knows what ids stand for."""

    vantage: str
    services: Mapping[str, Service]
    endpoints: Mapping[str, Endpoint]
    """Keyed by `service/endpoint`."""
    vantages: Mapping[str, str] = field(default_factory=dict)
    """Those that have a name for people."""
    page_url: str | None = None


def incident_document(
    event: WebhookEvent,
    incident: Incident,
    at: datetime,
    names: Names,
    instead: Alternatives,
    silent: Collection[str] = (),
) -> EventDocument:
    """Describe an incident as it is now; the id is still to be given.

    `silent` are the vantages that saw it bad and say nothing of it now.
    """
    endpoints = tuple(_endpoint(path, incident, names, silent) for path in incident.endpoints)
    places = {place for endpoint in endpoints for place in endpoint.bad_from}
    return EventDocument(
        event=event,
        id="",
        at=at.astimezone(UTC),
        vantage=names.vantage,
        bad_from=tuple(
            VantageFacts(id=place, name=names.vantages.get(place, place))
            for place in sorted(places)
        ),
        incident=IncidentFacts(
            number=incident.id,
            opened=incident.opened.astimezone(UTC),
            closed=incident.closed and incident.closed.astimezone(UTC),
            acknowledged=incident.acked and incident.acked.astimezone(UTC),
            muted=incident.muted,
            checks=incident.checks,
        ),
        service=_service(incident.service, names),
        endpoints=endpoints,
        severity=incident.severity,
        kind=incident.failure.kind,
        fault=incident.failure.fault,
        message=incident.failure.message,
        since=incident.opened.astimezone(UTC),
        best=_best(instead.named[0]) if instead.named else None,
        previous=None,
        page=f"{names.page_url}/incidents/{incident.id}/" if names.page_url else None,
    )


def best_document(
    service: str, best: BestFacts | None, previous: str | None, at: datetime, names: Names
) -> EventDocument:
    """Describe a recommendation that changed; the id is still to be given."""
    return EventDocument(
        event=WebhookEvent.BEST_CHANGED,
        id="",
        at=at.astimezone(UTC),
        vantage=names.vantage,
        bad_from=(),
        incident=None,
        service=_service(service, names),
        endpoints=(),
        severity=None,
        kind=None,
        fault=None,
        message="",
        since=None,
        best=best,
        previous=previous,
        page=names.page_url,
    )


def example_document(at: datetime, names: Names) -> EventDocument:
    """Make a document that tries a webhook, and speaks of nothing; the id is still to be given."""
    nothing = best_document("", None, None, at, names)
    return replace(nothing, event="test", service=None, message="This is a test: nothing happened.")


def _best(first: Alternative) -> BestFacts:
    return BestFacts(
        endpoint=first.endpoint,
        name=first.name,
        base_url=first.url,
        median_ms=round(first.milliseconds, 1),
        flaw=False,
    )


def _service(service: str | None, names: Names) -> ServiceFacts | None:
    if service is None:
        return None
    known = names.services.get(service)
    return ServiceFacts(id=service, name=known.name if known else service)


def _endpoint(
    path: str, incident: Incident, names: Names, silent: Collection[str]
) -> EndpointFacts:
    known = names.endpoints.get(path)
    failing = [check for check in incident.active if check.rpartition("/")[0] == path]
    places = {place for check in failing for place in incident.bad_from.get(check, ())}
    if failing and not places and incident.severity is not Severity.MONITOR:
        places = {names.vantage}  # which alone decides
    why = incident.reasons[path] if failing else None
    return EndpointFacts(
        id=path,
        name=known.name if known else path.partition("/")[2],
        base_url=known.url if known else None,
        failing=bool(failing),
        kind=why.kind if why else None,
        fault=why.fault if why else None,
        bad_from=tuple(sorted(places.difference(silent))),
    )
