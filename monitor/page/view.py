"""A snapshot and the config -> what the page says. Pure; the templates see only a `PageView`.

What was measured is worked out once, the sentences about it once a language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta

from monitor.language import Language, language
from monitor.model import NO_SPEND, Check, Fault, Incident, Kind, Service, Snapshot
from monitor.model.words import Words
from monitor.page import words
from monitor.page.best import Candidate, Pick, candidates, choose
from monitor.page.endpoints import endpoint_view, main_check
from monitor.page.headline import headline, overall, text, triage_network, triage_service
from monitor.page.maintenance import paused_now, works
from monitor.page.nouns import (
    EndpointView,
    PageView,
    PastDay,
    PickView,
    ServiceView,
    Site,
    SpendView,
)
from monitor.page.retired import retired
from monitor.page.states import WORKING, State, service_state
from monitor.page.stories import Story, Teller

PAST_DAYS = 7
NEXT = 3
"""More base URLs that are named after the best."""


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
    first, *others = (
        _page(site, snapshot, services, language(code), "" if number == 0 else f"{code}/")
        for number, code in enumerate(site.settings.languages)
    )
    return replace(first, others=tuple(others)), chosen


def _service(
    service: Service, site: Site, snapshot: Snapshot, before: Pick, chosen: dict[str, Pick]
) -> ServiceView:
    checks = [check for check in site.checks if check.service == service.id]
    by_endpoint: dict[str, list[Check]] = {endpoint.path: [] for endpoint in service.endpoints}
    for check in checks:
        by_endpoint[check.endpoint.path].append(check)
    shown = site.settings
    paused = {path for path in by_endpoint if paused_now(site.maintenance, path, snapshot.at)}
    endpoints = tuple(
        endpoint_view(found, snapshot, shown, paused=path in paused)
        for path, found in by_endpoint.items() if found
    )  # fmt: skip
    mains = [
        main_check(found) for path, found in by_endpoint.items() if found and path not in paused
    ]
    ranked = candidates(mains, snapshot.checks, snapshot.at)
    chosen[service.id] = choose(before, ranked)
    picks, following = _picks(service, endpoints, ranked, chosen[service.id].endpoint)
    return ServiceView(
        id=service.id,
        name=service.name,
        state=service_state([each.state for each in endpoints], carried=_carried(endpoints)),
        endpoints=endpoints,
        picks=picks,
        next=following,
        retired=tuple(retired(service, snapshot)),
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
            if cell.state not in {State.UNKNOWN, State.MAINTENANCE}:
                seen.setdefault(probe, set()).add(cell.state)
    return all(states & WORKING for states in seen.values())


def _picks(
    service: Service,
    endpoints: Sequence[EndpointView],
    ranked: Sequence[Candidate],
    chosen: str | None,
) -> tuple[tuple[PickView, ...], tuple[PickView, ...]]:
    """The base URL to use now, and where that one cuts long calls off, the best that does not; the next."""
    views = {each.path: each for each in endpoints}
    best = [each for each in ranked if each.endpoint == chosen]
    whole = [each for each in ranked if views[each.endpoint].cut_after is None]
    shown = best + whole[:1] if best and views[best[0].endpoint].cut_after else best
    limits = any(each.cut_after for each in endpoints)

    def pick(each: Candidate) -> PickView:
        view = views[each.endpoint]
        return PickView(
            service=service.name,
            endpoint=each.endpoint,
            url=view.url,
            host=view.shown,
            milliseconds=each.milliseconds,
            long_call=each in shown and each not in best,
            unlimited=limits and view.cut_after is None,
        )

    others = [each for each in ranked if each not in shown]
    return tuple(map(pick, shown)), tuple(map(pick, others[:NEXT]))


def _page(
    site: Site, snapshot: Snapshot, services: tuple[ServiceView, ...], said: Language, path: str
) -> PageView:
    endpoints = [endpoint for service in services for endpoint in service.endpoints]
    state = overall(services)
    names = {service.id: service.name for service in services}
    names |= {each.path: each.name for each in endpoints}
    names |= {each.path: each.name for service in services for each in service.retired}
    incidents = tuple(_public(incident, services) for incident in snapshot.incidents
                      if incident.service is None or incident.service in names)  # fmt: skip
    tell = Teller(names, said).story
    stories = tuple(
        tell(incident, None if snapshot.stopped_at else _instead(incident, services), snapshot.at)
        for incident in incidents
    )
    fresh = not any(history.latest for history in snapshot.checks.values())
    whence = words.whence(site.vantage, said)
    return PageView(
        language=said,
        path=path,
        others=(),
        title=site.settings.title,
        url=site.settings.url,
        links=site.settings.links,
        css=site.settings.css,
        logo=site.settings.logo,
        vantage=site.vantage,
        whence=whence,
        version=site.version,
        generated=snapshot.at,
        valid_until=snapshot.at if snapshot.stopped_at else snapshot.at + site.stale_after,
        stale_after=site.stale_after,
        interval=site.every,
        stopped=snapshot.stopped_at,
        state=state,
        sentences=headline(services, state, whence, said, fresh=fresh),
        text=text(endpoints, incidents, said, fresh=fresh),
        triage_service=triage_service(services, said),
        triage_network=triage_network(endpoints, said),
        services=services,
        picks=tuple(pick for service in services for pick in service.picks),
        current=tuple(each for each in stories if each.closed is None),
        past=_past(stories, endpoints, snapshot.at.astimezone(UTC).date()),
        stories=stories,
        works=works(site.maintenance, services, snapshot.at),
        glossary=_glossary(stories, said),
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
    covered = {each.shown for each in service.endpoints if each.path in incident.endpoints}
    return None if service.best.host in covered else service.best.url or service.best.host


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


def _glossary(stories: Sequence[Story], said: Language) -> tuple[Words, ...]:
    """The failures that a reader of this page may meet: those it names, then the usual ones."""
    usual = (
        Kind.CONNECT_TIMEOUT, Kind.CERT_EXPIRED, Kind.EDGE_TIMEOUT, Kind.AUTH_INVALID, Kind.RATE_LIMITED,
        Kind.SERVER_ERROR, Kind.FAKE_STREAMING, Kind.TRUNCATED, Kind.EMPTY_COMPLETION,
    )  # fmt: skip
    named = {each.kind for each in stories}
    found = [kind for kind in Kind if kind in named and kind.fault is not Fault.MONITOR]
    return tuple(said.words(kind) for kind in dict.fromkeys((*found, *usual)))
