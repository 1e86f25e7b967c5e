"""A snapshot and the config -> what the page says. Pure; the templates see only a `PageView`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta

from monitor.model import NO_SPEND, Fault, Incident, Kind, Service, Snapshot
from monitor.model.words import WORDS, Words
from monitor.page.best import Candidate, Pick, candidates, choose
from monitor.page.endpoints import endpoint_view, main_check
from monitor.page.headline import headline, overall, text, triage_network, triage_service
from monitor.page.nouns import (
    EndpointView,
    PageView,
    PastDay,
    PickView,
    ServiceView,
    Site,
    SpendView,
)
from monitor.page.states import SERVING, State, service_state
from monitor.page.stories import Story, story

PAST_DAYS = 7


def view(
    site: Site, snapshot: Snapshot, picks: Mapping[str, Pick]
) -> tuple[PageView, Mapping[str, Pick]]:
    """`picks` is what was recommended before, by service; returned as it is now."""
    public = tuple(service for service in site.services if service.public)
    chosen: dict[str, Pick] = {}
    services = tuple(
        _service(service, site, snapshot, picks.get(service.id, Pick()), chosen)
        for service in public
    )
    return _page(site, snapshot, services), chosen


def _service(
    service: Service, site: Site, snapshot: Snapshot, before: Pick, chosen: dict[str, Pick]
) -> ServiceView:
    checks = [check for check in site.checks if check.service == service.id]
    by_endpoint = {endpoint.path: [check for check in checks if check.endpoint.path == endpoint.path]
                   for endpoint in service.endpoints}  # fmt: skip
    shown = site.settings
    endpoints = tuple(
        endpoint_view(found, snapshot, errors=shown.errors)
        for found in by_endpoint.values() if found
    )  # fmt: skip
    mains = [main_check(found) for found in by_endpoint.values() if found]
    ranked = candidates(mains, snapshot.checks, snapshot.at)
    chosen[service.id] = choose(before, ranked)
    return ServiceView(
        id=service.id,
        name=service.name,
        state=service_state([each.state for each in endpoints], carried=_carried(endpoints)),
        endpoints=endpoints,
        picks=_picks(service, endpoints, ranked, chosen[service.id].endpoint),
        probes=tuple(dict.fromkeys(check.probe.id for check in checks)),
        spend=_spend(service.id, snapshot, shown.currency) if shown.spend else None,
    )


def _spend(service: str, snapshot: Snapshot, currency: str) -> SpendView:
    today = snapshot.spent_today.get(service, NO_SPEND)
    return SpendView(today, snapshot.spent_month.get(service, NO_SPEND), currency)


def _carried(endpoints: Sequence[EndpointView]) -> bool:
    """Every kind of call that was measured at all works through one endpoint at least."""
    seen: dict[str, set[State]] = {}
    for endpoint in endpoints:
        for probe, cell in endpoint.cells.items():
            if cell.state is not State.UNKNOWN:
                seen.setdefault(probe, set()).add(cell.state)
    return all(states & SERVING for states in seen.values())


def _picks(
    service: Service,
    endpoints: Sequence[EndpointView],
    ranked: Sequence[Candidate],
    chosen: str | None,
) -> tuple[PickView, ...]:
    """The base URL to use now, and where that one cuts long calls off, the best that does not."""
    views = {each.path: each for each in endpoints}
    best = [each for each in ranked if each.endpoint == chosen]
    whole = [each for each in ranked if views[each.endpoint].cut_after is None]
    shown = best + whole[:1] if best and views[best[0].endpoint].cut_after else best
    limits = any(each.cut_after for each in endpoints)
    return tuple(
        PickView(
            service=service.name,
            endpoint=each.endpoint,
            url=views[each.endpoint].url,
            host=views[each.endpoint].host,
            milliseconds=each.milliseconds,
            long_call=each not in best,
            unlimited=limits and views[each.endpoint].cut_after is None,
        )
        for each in shown
    )


def _page(site: Site, snapshot: Snapshot, services: tuple[ServiceView, ...]) -> PageView:
    endpoints = [endpoint for service in services for endpoint in service.endpoints]
    state = overall(services)
    names = {service.id: service.name for service in services} | {
        each.path: each.name for each in endpoints
    }
    incidents = tuple(_public(incident, services) for incident in snapshot.incidents
                      if incident.service is None or incident.service in names)  # fmt: skip
    stories = tuple(
        story(incident, names, _instead(incident, services), snapshot.at) for incident in incidents
    )
    fresh = not any(history.latest for history in snapshot.checks.values())
    return PageView(
        title=site.settings.title,
        url=site.settings.url,
        vantage=site.vantage,
        version=site.version,
        generated=snapshot.at,
        valid_until=snapshot.at if snapshot.stopped_at else snapshot.at + site.stale_after,
        interval=site.every,
        stopped=snapshot.stopped_at,
        state=state,
        headline=headline(services, state, fresh=fresh),
        text=text(endpoints, incidents, fresh=fresh),
        triage_service=triage_service(services),
        triage_network=triage_network(endpoints),
        services=services,
        picks=tuple(pick for service in services for pick in service.picks),
        current=tuple(each for each in stories if each.closed is None),
        past=_past(stories, endpoints, snapshot.at.astimezone(UTC).date()),
        stories=stories,
        glossary=_glossary(stories),
    )


def _public(incident: Incident, services: Sequence[ServiceView]) -> Incident:
    """One of the monitor itself may cover services that are nobody else's business."""
    if incident.service is not None:
        return incident
    shown = {service.id for service in services}
    return replace(
        incident,
        checks=tuple(check for check in incident.checks if check.split("/")[0] in shown),
        timeline=tuple(
            each for each in incident.timeline
            if each.check is None or each.check.split("/")[0] in shown
        ),
    )  # fmt: skip


def _instead(incident: Incident, services: Sequence[ServiceView]) -> str | None:
    """What to use meanwhile: the best one of the service, unless the incident covers it."""
    service = next((each for each in services if each.id == incident.service), None)
    if service is None or service.best is None:
        return None
    covered = {each.url for each in service.endpoints if each.path in incident.endpoints}
    return None if service.best.url in covered else service.best.url


def _past(
    stories: Sequence[Story], endpoints: Sequence[EndpointView], today: date
) -> tuple[PastDay, ...]:
    """By the UTC day on which they began; a quiet day is listed too."""
    measured = {
        day.day for each in endpoints for day in each.days if day.state is not State.UNKNOWN
    }
    return tuple(
        PastDay(
            day=day,
            measured=day in measured,
            stories=tuple(each for each in stories if each.opened.astimezone(UTC).date() == day),
        )
        for day in (today - timedelta(days=back) for back in range(PAST_DAYS))
    )


def _glossary(stories: Sequence[Story]) -> tuple[Words, ...]:
    """The failures that a reader of this page may meet: those it names, then the usual ones."""
    usual = (
        Kind.CONNECT_TIMEOUT, Kind.CERT_EXPIRED, Kind.EDGE_TIMEOUT, Kind.AUTH_INVALID, Kind.RATE_LIMITED,
        Kind.SERVER_ERROR, Kind.FAKE_STREAMING, Kind.TRUNCATED, Kind.EMPTY_COMPLETION,
    )  # fmt: skip
    named = {each.label for each in stories}
    found = [
        kind for kind in Kind if WORDS[kind].label in named and kind.fault is not Fault.MONITOR
    ]
    return tuple(WORDS[kind] for kind in dict.fromkeys((*found, *usual)))
