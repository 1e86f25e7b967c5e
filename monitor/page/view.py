"""A snapshot and the config -> what the page says. Pure; the templates see only a `PageView`.

What was measured is computed once, the sentences about it once a language.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

from monitor.language import Language
from monitor.language import language as language_of
from monitor.model import (
    NO_SPEND,
    Check,
    FailureKind,
    Fault,
    Incident,
    Maintenance,
    NotificationType,
    Service,
    Snapshot,
    name_in,
)
from monitor.model.failure import Words
from monitor.page import formatting
from monitor.page.endpoint_views import endpoint_view, retired_views
from monitor.page.headline import headline, text, triage_network, triage_service
from monitor.page.incident_views import IncidentView, IncidentViews
from monitor.page.published import SpendView, Undelivered
from monitor.page.render_cache import RenderCache
from monitor.page.states import WORKING, State, call_state, overall_state, service_state
from monitor.page.view_models import (
    EndpointView,
    MaintenanceView,
    PageView,
    PastDay,
    PickView,
    ServiceView,
    Site,
)
from monitor.ranking import Candidate, Pick, candidates, choose, main_check

PAST_DAYS = 7
AHEAD = timedelta(days=7)
"""How early maintenance is announced."""


def view(
    site: Site, snapshot: Snapshot, picks: Mapping[str, Pick], cache: RenderCache | None = None
) -> tuple[PageView, Mapping[str, Pick]]:
    """`picks` is what was recommended before, by service; returned as it is now. `cache` holds what
    has no news.
    """
    cache = cache or RenderCache()
    cache.turn()
    incidents: dict[str, list[Incident]] = {}
    for incident in snapshot.incidents:
        for endpoint in incident.endpoints:
            incidents.setdefault(endpoint, []).append(incident)
    pairs = [
        service_view(service, site, snapshot, incidents, picks.get(service.id, Pick()), cache)
        for service in site.services
        if service.public
    ]
    services = tuple(service for service, _ in pairs)
    first, *others = (
        _page(site, snapshot, services, cache, language_of(code), "" if number == 0 else f"{code}/")
        for number, code in enumerate(site.settings.languages)
    )
    return replace(first, others=tuple(others)), {service.id: pick for service, pick in pairs}


def _page(
    site: Site,
    snapshot: Snapshot,
    services: tuple[ServiceView, ...],
    cache: RenderCache,
    language: Language,
    path: str,
) -> PageView:
    endpoints = tuple(endpoint for service in services for endpoint in service.endpoints)
    by_path = {endpoint.path: endpoint for endpoint in endpoints}
    names = _names(services, language)
    public = tuple(
        _public(incident, services)
        for incident in snapshot.incidents
        if incident.service is None or incident.service in names
    )
    by_id = {service.id: service for service in services}
    instead = partial(_instead, by_id, by_path)
    unseen = partial(_is_unseen, by_path)
    views = IncidentViews(names, language, cache)
    incidents = views.views(public, instead, snapshot.at, unseen)
    fresh = not any(history.latest for history in snapshot.checks.values())
    whence = formatting.whence(name_in(language.code, site.vantage_names, site.vantage), language)
    sentences = headline(services, public, whence, language, fresh=fresh)
    generated, stopped = formatting.whole_second(snapshot.at), snapshot.stopped_at
    return PageView(
        language=language,
        path=path,
        others=(),
        title=formatting.name(site.settings.title, "Status"),
        url=site.settings.url,
        links={formatting.name(label): address for label, address in site.settings.links},
        css=site.settings.css,
        logo=site.settings.logo,
        vantage=site.vantage,
        whence=whence,
        version=site.version,
        generated_at=generated,
        measured_at=max(
            (endpoint.measured for endpoint in endpoints if endpoint.measured), default=None
        ),
        valid_until=generated if stopped else generated + site.stale_after,
        stale_after=site.stale_after,
        interval=site.every,
        stopped_at=stopped and formatting.whole_second(stopped),
        state=overall_state([service.state for service in services]),
        headline=language.space.join(sentences).replace("\u200b", ""),
        sentences=sentences,
        text=text(services, public, language, fresh=fresh),
        service=triage_service(services, language),
        network=triage_network(endpoints, language),
        services=services,
        past=_past(incidents, endpoints, snapshot.at.astimezone(UTC).date()),
        endpoints=endpoints,
        by_path=by_path,
        incidents=incidents,
        incidents_by_path=_by_path(incidents),
        maintenance=maintenance_views(site.maintenance, endpoints, snapshot.at),
        undelivered=_undelivered(snapshot),
        glossary=_glossary(incidents, language),
    )


def _names(services: Sequence[ServiceView], language: Language) -> dict[str, str]:
    """The name of each service, of each `service/endpoint` and of each check."""
    names = {service.id: service.name for service in services}
    for service in services:
        names |= {endpoint.path: endpoint.name for endpoint in service.endpoints}
        names |= {endpoint.path: endpoint.name for endpoint in service.retired}
    for service in services:
        for endpoint in service.endpoints:
            for probe, check in endpoint.checks.items():
                call = formatting.call(probe, check.kind, check.title, language)
                names[f"{endpoint.path}/{probe}"] = call
    return names


def _by_path(incidents: Sequence[IncidentView]) -> Mapping[str, tuple[IncidentView, ...]]:
    """The incidents of each endpoint."""
    by_path: dict[str, tuple[IncidentView, ...]] = {}
    for incident in incidents:
        for path in incident.endpoints:
            by_path[path] = (*by_path.get(path, ()), incident)
    return by_path


def _public(incident: Incident, services: Sequence[ServiceView]) -> Incident:
    """The incident without services that are nobody else's business: one of the monitor itself may
    cover them.
    """
    if incident.service is not None:
        return incident
    shown = {service.id for service in services}
    return replace(
        incident,
        checks=tuple(check for check in incident.checks if check.split("/")[0] in shown),
        timeline=tuple(
            entry
            for entry in incident.timeline
            if entry.check is None or entry.check.split("/")[0] in shown
        ),
    )


def _instead(
    services: Mapping[str, ServiceView], by_path: Mapping[str, EndpointView], incident: Incident
) -> str | None:
    """Find what to use meanwhile: the best base URL of the service that the incident does not cover."""
    service = services.get(incident.service or "")
    if service is None or not incident.severity.is_of_base_urls:
        return None
    covered = {by_path[path].shown for path in incident.endpoints if path in by_path}
    picks = [*service.picks, *service.next]
    usable = [pick for pick in picks if not pick.flaw and pick.host not in covered]
    return usable[0].url or usable[0].host if usable else None


def _is_unseen(by_path: Mapping[str, EndpointView], incident: Incident) -> bool:
    """Say whether nothing is known now of any check that an incident takes for bad."""
    if not incident.severity.is_of_base_urls:
        return False
    cells = [
        by_path[path].checks[probe].state
        for path, _, probe in (check.rpartition("/") for check in incident.active)
        if path in by_path and probe in by_path[path].checks
    ]
    return bool(cells) and set(cells) == {State.UNKNOWN}


def _past(
    incidents: Sequence[IncidentView], endpoints: Sequence[EndpointView], today: date
) -> tuple[PastDay, ...]:
    """Incidents by the UTC day on which they began, newest day first; a quiet day is listed too."""
    by_day: dict[date, list[IncidentView]] = {}
    for incident in incidents:
        by_day.setdefault(incident.opened.astimezone(UTC).date(), []).append(incident)
    return tuple(
        PastDay(
            day=(day := today - timedelta(days=back)),
            measured=any(
                endpoint.history.days[-1 - back].state is not State.UNKNOWN
                for endpoint in endpoints
            ),
            incidents=tuple(by_day.get(day, ())),
        )
        for back in range(PAST_DAYS)
    )


def maintenance_views(
    maintenance: Sequence[Maintenance], endpoints: Sequence[EndpointView], now: datetime
) -> tuple[MaintenanceView, ...]:
    """Return of each maintenance the window that is open, else the next within a week; what is in progress comes first."""
    views = [view for plan in maintenance for view in _next_window(plan, endpoints, now)]
    return tuple(sorted(views, key=lambda view: (not view.active, view.begins, view.ends)))


def _next_window(
    maintenance: Maintenance, endpoints: Sequence[EndpointView], now: datetime
) -> Iterator[MaintenanceView]:
    """Nothing where it covers only what is not public."""
    covered = [endpoint for endpoint in endpoints if maintenance.covers(endpoint.path)]
    windows = maintenance.windows(now, now + AHEAD)
    if not covered or not windows:
        return
    yield MaintenanceView(
        id=maintenance.id,
        title=formatting.name(maintenance.title, maintenance.id),
        begins=formatting.whole_second(windows[0].start),
        ends=formatting.whole_second(windows[0].end),
        active=windows[0].holds(now),
        endpoints=tuple(endpoint.path for endpoint in covered),
        names=tuple(endpoint.name for endpoint in covered),
        whole=len(covered) == len(endpoints),
    )


def _undelivered(snapshot: Snapshot) -> Undelivered | None:
    to_people = [row.created for row in snapshot.dead if row.what is not NotificationType.EVENT]
    if not to_people:
        return None
    return Undelivered(len(to_people), formatting.whole_second(max(to_people)))


def _glossary(incidents: Sequence[IncidentView], language: Language) -> tuple[Words, ...]:
    """The failures that a reader of this page may meet: those it names, then the common ones."""
    named = {incident.kind for incident in incidents}
    kinds = [kind for kind in FailureKind if kind in named and kind.fault is not Fault.MONITOR]
    common = [kind for kind in FailureKind if kind.row.is_common]
    return tuple(language.words(kind) for kind in dict.fromkeys((*kinds, *common)))


# --- one service: its base URLs, and which of them to use now -------------------------------------


NEXT = 3
"""More base URLs that are named after the best."""


def service_view(
    service: Service,
    site: Site,
    snapshot: Snapshot,
    incidents: Mapping[str, Sequence[Incident]],
    before: Pick,
    cache: RenderCache,
) -> tuple[ServiceView, Pick]:
    """`incidents` are those of each endpoint; `before` is what was recommended last, returned as it is now."""
    checks = [check for check in site.checks if check.service == service.id]
    by_path: dict[str, list[Check]] = {endpoint.path: [] for endpoint in service.endpoints}
    for check in checks:
        by_path[check.endpoint.path].append(check)
    measured = {path: checks for path, checks in by_path.items() if checks}
    paused = {path for path in measured if _is_paused(site.maintenance, path, snapshot.at)}
    endpoints = tuple(
        endpoint_view(
            checks,
            snapshot,
            site.settings,
            incidents.get(path, ()),
            cache,
            paused=path in paused,
        )
        for path, checks in measured.items()
    )
    mains = [main_check(checks) for path, checks in measured.items() if path not in paused]
    ranked = candidates(mains, snapshot.checks, snapshot.at, snapshot.incidents, site.vantage)
    pick = choose(before, ranked)
    picks, following = _picks(service, endpoints, ranked, pick.endpoint)
    if snapshot.stopped_at:
        picks = following = ()
    calls = {
        probe: call_state(
            endpoint.checks[probe].state for endpoint in endpoints if probe in endpoint.checks
        )
        for probe in dict.fromkeys(check.probe.id for check in checks)
    }
    view = ServiceView(
        id=service.id,
        name=formatting.name(service.name, service.id),
        state=service_state(
            [endpoint.state for endpoint in endpoints],
            [endpoint.main_state for endpoint in endpoints],
        ),
        calls=calls,
        main_call=call_state(endpoint.main_state for endpoint in endpoints),
        best=picks[0].url if picks else None,
        endpoints=endpoints,
        picks=picks,
        next=following,
        chosen=pick.endpoint,
        retired=tuple(retired_views(service, checks, snapshot)),
        spend=_spend(service.id, snapshot, site.settings.currency) if site.settings.spend else None,
    )
    return view, pick


def _is_paused(maintenance: Sequence[Maintenance], path: str, now: datetime) -> bool:
    return any(plan.covers(path) and plan.window_at(now) for plan in maintenance)


def _spend(service: str, snapshot: Snapshot, currency: str) -> SpendView:
    today = snapshot.spent_today.get(service, NO_SPEND)
    return SpendView(today, snapshot.spent_month.get(service, NO_SPEND), currency)


def _picks(
    service: Service,
    endpoints: Sequence[EndpointView],
    ranked: Sequence[Candidate],
    chosen: str | None,
) -> tuple[tuple[PickView, ...], tuple[PickView, ...]]:
    """The base URL to use now, with the best for long calls where it cuts those off; then the next.

    Only those whose main call is answered now; one with a flaw only where nothing else is left.
    """
    views = {endpoint.path: endpoint for endpoint in endpoints}
    usable = [candidate for candidate in ranked if views[candidate.endpoint].main_state in WORKING]
    usable = [candidate for candidate in usable if candidate.flaw == usable[0].flaw]
    best = [candidate for candidate in usable if candidate.endpoint == chosen] or usable[:1]
    whole = [candidate for candidate in usable if views[candidate.endpoint].cut_after is None]
    shown = best + whole[:1] if best and views[best[0].endpoint].cut_after else best

    def pick(candidate: Candidate) -> PickView:
        view = views[candidate.endpoint]
        return PickView(
            service=formatting.name(service.name, service.id),
            endpoint=candidate.endpoint,
            name=view.name,
            url=view.url,
            host=view.shown,
            median_ms=round(candidate.milliseconds, 1),
            long_call=candidate in shown and candidate not in best,
            flaw=candidate.flaw,
            cut_after=view.cut_after,
        )

    others = [candidate for candidate in usable if candidate not in shown]
    return tuple(map(pick, shown)), tuple(map(pick, others[:NEXT]))
