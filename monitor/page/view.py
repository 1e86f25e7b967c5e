"""A snapshot and the config -> what the page says. Pure; the templates see only a `PageView`.

What was measured is computed once, the sentences about it once a language.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from math import inf

from monitor.incident_gaps import gaps
from monitor.language import Language
from monitor.language import language as language_of
from monitor.model import (
    Announcement,
    CheckHistory,
    FailureKind,
    Fault,
    Incident,
    Maintenance,
    MaintenanceWindow,
    NotificationType,
    Snapshot,
    clean_text,
    name_in,
)
from monitor.model.failure import Words
from monitor.page import formatting
from monitor.page.headline import (
    headline,
    is_all_measured,
    paragraph,
    triage_network,
    triage_service,
)
from monitor.page.incident_views import IncidentViews, reader_of
from monitor.page.published import Undelivered
from monitor.page.render_cache import RenderCache
from monitor.page.states import State, overall_state
from monitor.page.vantage_headline import (
    PageVerdict,
    verdict_of_places,
    verdict_unseen,
    whence_of,
)
from monitor.page.vantage_looks import (
    VantageLook,
    looks,
    pick_key,
    seen_from,
    vantage_views,
)
from monitor.page.view_models import (
    AnnouncementView,
    EndpointView,
    IncidentView,
    MaintenanceView,
    PageView,
    PastDays,
    ServiceView,
    Site,
    VantageView,
)
from monitor.ranking import Pick

PAST_DAYS = 7
LONGEST_TEXT = 1000
"""Characters of an announcement."""
AHEAD = timedelta(days=7)
"""How early maintenance is announced."""
CALENDAR_AHEAD = timedelta(days=90)
"""How far the calendar says when recurring maintenance comes."""


def view(
    site: Site, snapshot: Snapshot, picks: Mapping[str, Pick], cache: RenderCache | None = None
) -> tuple[PageView, Mapping[str, Pick]]:
    """Return the home page in the first language, with those in the others, and what is recommended now.

    `picks` is what was recommended before, by `pick_key`; `cache` holds what has no news.
    """
    cache = cache or RenderCache()
    cache.turn()
    all_looks = looks(site, snapshot, picks, cache)
    first, *others = (
        _home(
            site, snapshot, all_looks, cache, language_of(code), "" if number == 0 else f"{code}/"
        )
        for number, code in enumerate(site.settings.languages)
    )
    now = {
        pick_key(site, look.id, service): pick
        for look in all_looks
        for service, pick in look.picks.items()
    }
    return replace(first, others=tuple(others)), now


def _home(
    site: Site,
    snapshot: Snapshot,
    all_looks: Sequence[VantageLook],
    cache: RenderCache,
    language: Language,
    path: str,
) -> PageView:
    """View the home page, and where several places probe that of each."""
    services = all_looks[0].services
    vantages = vantage_views(site, all_looks, language)
    names = _names(services, language)
    page = _page(site, snapshot, services, names, vantages, cache, language, path)
    if not vantages:
        return page
    by_vantage = (
        _page(
            site, snapshot, vantage.services, names, vantages, cache, language, path, shown=vantage
        )
        for vantage in vantages
    )
    return replace(page, by_vantage=tuple(by_vantage))


def _page(
    site: Site,
    snapshot: Snapshot,
    services: tuple[ServiceView, ...],
    names: Mapping[str, str],
    vantages: tuple[VantageView, ...],
    cache: RenderCache,
    language: Language,
    path: str,
    shown: VantageView | None = None,
) -> PageView:
    """View the home page of all places, or of the one that is `shown`."""
    endpoints = tuple(endpoint for service in services for endpoint in service.endpoints)
    by_path = {endpoint.path: endpoint for endpoint in endpoints}
    public = tuple(
        _public(incident, services)
        for incident in snapshot.incidents
        if (incident.service is None or incident.service in names)
        and (shown is None or seen_from(incident, shown.id, site.vantage))
    )
    sights = (shown,) if shown else vantages
    views = IncidentViews(names, language, cache, vantages, shown)
    unmeasured = gaps(
        public, snapshot, site.checks, site.vantage, site.vantages, shown.id if shown else None
    )
    incidents = views.views(public, partial(_instead, services, sights), snapshot.at, unmeasured)
    fresh = not any(history.latest for history in _histories(site, snapshot, shown))
    own_name = name_in(language.code, site.vantage_names, site.vantage)
    own = shown or next((vantage for vantage in vantages if vantage.id == site.vantage), None)
    whence = own.whence if own else formatting.whence(own_name, language)
    measuring = [vantage for vantage in vantages if vantage.measures]
    measured = [*endpoints]
    if vantages and shown is None:
        measured += [endpoint for vantage in vantages for endpoint in vantage.endpoints]
        verdict = verdict_of_places(vantages, services, public, unmeasured, language, fresh=fresh)
    elif shown and not shown.sees:
        verdict = verdict_unseen(shown, language)
    else:
        verdict = PageVerdict(
            state=overall_state([service.state for service in services]),
            sentences=headline(services, public, whence, language, fresh=fresh),
            text=paragraph(services, public, unmeasured, language, fresh=fresh),
            service=triage_service(services, language),
            network=triage_network(
                endpoints, language, all_measured=is_all_measured(public, unmeasured)
            ),
        )
    generated, stopped = formatting.whole_second(snapshot.at), snapshot.stopped_at
    return PageView(
        language=language,
        path=path,
        others=(),
        title=formatting.name(site.settings.title, "Status"),
        note=name_in(language.code, site.settings.note, ""),
        url=site.settings.url,
        links={formatting.name(label): address for label, address in site.settings.links},
        css=site.settings.css,
        logo=site.settings.logo,
        shows_reports=site.settings.reports,
        shows_trust=site.settings.trust,
        vantage=shown.id if shown else site.vantage,
        whence=whence,
        measured_whence=whence_of(measuring, language) if measuring and shown is None else whence,
        vantages=vantages,
        shown_vantage=shown,
        version=site.version,
        generated_at=generated,
        measured_at=max(
            (endpoint.measured for endpoint in measured if endpoint.measured), default=None
        ),
        valid_until=generated if stopped else generated + site.stale_after,
        stale_after=site.stale_after,
        fresh_until=None
        if verdict.state is State.UNKNOWN
        else max((each.fresh_until for each in measured if each.fresh_until), default=None),
        interval=site.every,
        stopped_at=stopped and formatting.whole_second(stopped),
        state=verdict.state,
        headline=language.space.join(verdict.sentences).replace("\u200b", ""),
        sentences=verdict.sentences,
        text=verdict.text,
        service=verdict.service,
        network=verdict.network,
        services=services,
        past=_past(incidents, measured, snapshot),
        endpoints=endpoints,
        by_path=by_path,
        incidents=incidents,
        incidents_by_path=_by_path(incidents),
        maintenance=maintenance_views(site.maintenance, endpoints, snapshot.at),
        calendar=calendar_views(site.maintenance, endpoints, snapshot.at),
        announcements=_announcements(snapshot.announcements, names),
        undelivered=_undelivered(snapshot),
        glossary=_glossary(incidents, language),
    )


def _histories(site: Site, snapshot: Snapshot, shown: VantageView | None) -> Iterator[CheckHistory]:
    """Yield what was measured at all places, or at one."""
    if shown is None or shown.id == site.vantage:
        yield from snapshot.checks.values()
    for vantage, histories in snapshot.elsewhere.items():
        if site.vantages and (shown is None or shown.id == vantage):
            yield from histories.values()


def _names(services: Sequence[ServiceView], language: Language) -> dict[str, str]:
    """Return the name of each service, of each `service/endpoint` and of each check."""
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
    """Return the incidents of each endpoint."""
    by_path: dict[str, tuple[IncidentView, ...]] = {}
    for incident in incidents:
        for path in incident.endpoints:
            by_path[path] = (*by_path.get(path, ()), incident)
    return by_path


def _public(incident: Incident, services: Sequence[ServiceView]) -> Incident:
    """Return the incident without services that are nobody else's business: one of the monitor itself may
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
    services: Sequence[ServiceView], sights: Sequence[VantageView], incident: Incident
) -> str | None:
    """Find what to use meanwhile: the best base URL of the service that the incident does not cover.

    Where none is ranked yet, one of which all works now, as alerts do.
    """
    reader = reader_of(incident, sights)
    seen = reader.services if reader else services
    service = next((shown for shown in seen if shown.id == incident.service), None)
    if service is None or not incident.severity.is_of_base_urls:
        return None
    paths = {*incident.endpoints}
    if reader:
        bad = (
            check
            for check in incident.active
            if check not in incident.partial or reader.id in incident.bad_from.get(check, ())
        )
        paths = {check.rpartition("/")[0] for check in bad}
    picks = [*service.picks, *service.next]
    usable = [pick for pick in picks if not pick.flaw and pick.endpoint not in paths]
    if usable:
        return usable[0].url or usable[0].host
    working = [
        endpoint
        for endpoint in service.endpoints
        if {endpoint.main_state, endpoint.state} == {State.OPERATIONAL}
        and endpoint.path not in paths
    ]
    first = min(working, key=lambda endpoint: endpoint.p50_ms or inf, default=None)
    return (first.url or first.shown) if first else None


def _past(
    incidents: Sequence[IncidentView], endpoints: Sequence[EndpointView], snapshot: Snapshot
) -> tuple[PastDays, ...]:
    """Return the incidents by the UTC day on which they began, newest day first; quiet days in a row are one entry."""
    by_day: dict[date, list[IncidentView]] = {}
    for incident in incidents:
        by_day.setdefault(incident.opened.astimezone(UTC).date(), []).append(incident)
    imported_until = {
        check.rpartition("/")[0]: until.astimezone(UTC).date()
        for check, until in snapshot.imported_until.items()
    }
    past: list[PastDays] = []
    today = snapshot.at.astimezone(UTC).date()
    for back in range(PAST_DAYS):
        day = today - timedelta(days=back)
        measured = [
            endpoint.path
            for endpoint in endpoints
            if endpoint.history.days[-1 - back].state is not State.UNKNOWN
        ]
        entry = PastDays(
            since=day,
            day=day,
            measured=bool(measured),
            imported=any(day <= imported_until.get(path, date.min) for path in measured),
            incidents=tuple(by_day.get(day, ())),
        )
        if past and not entry.incidents and replace(past[-1], since=day, day=day) == entry:
            past[-1] = replace(past[-1], since=day)
        else:
            past.append(entry)
    return tuple(past)


def maintenance_views(
    maintenance: Sequence[Maintenance], endpoints: Sequence[EndpointView], now: datetime
) -> tuple[MaintenanceView, ...]:
    """Return of each maintenance the window that is open, else the next within a week; what is in progress comes first."""
    views = [
        view
        for plan in maintenance
        for view in _windows(plan, plan.windows(now, now + AHEAD)[:1], endpoints, now)
    ]
    return tuple(sorted(views, key=lambda view: (not view.active, view.begins, view.ends)))


def calendar_views(
    maintenance: Sequence[Maintenance], endpoints: Sequence[EndpointView], now: datetime
) -> tuple[MaintenanceView, ...]:
    """Return the windows of the calendar in order: what comes once whenever that is, what recurs for `CALENDAR_AHEAD`."""
    views = [
        view
        for plan in maintenance
        for view in _windows(
            plan,
            (plan.once,) if plan.once else plan.windows(now, now + CALENDAR_AHEAD),
            endpoints,
            now,
        )
    ]
    return tuple(sorted(views, key=lambda view: (view.begins, view.ends, view.id)))


def _windows(
    plan: Maintenance,
    windows: Sequence[MaintenanceWindow],
    endpoints: Sequence[EndpointView],
    now: datetime,
) -> Iterator[MaintenanceView]:
    """Yield these windows of a maintenance; nothing where it covers only what is not public."""
    covered = [endpoint for endpoint in endpoints if plan.covers(endpoint.path)]
    for window in windows if covered else ():
        yield MaintenanceView(
            id=plan.id,
            title=formatting.name(plan.title, plan.id),
            begins=formatting.whole_second(window.start),
            ends=formatting.whole_second(window.end),
            active=window.holds(now),
            endpoints=tuple(endpoint.path for endpoint in covered),
            names=tuple(endpoint.name for endpoint in covered),
            whole=len(covered) == len(endpoints),
            recurs=plan.recurring is not None,
        )


def _announcements(
    announcements: Sequence[Announcement], names: Mapping[str, str]
) -> tuple[AnnouncementView, ...]:
    """Return those that are about all or about a service that people see."""
    return tuple(
        AnnouncementView(
            id=each.id,
            at=formatting.whole_second(each.at),
            until=each.until and formatting.whole_second(each.until),
            service=each.service or None,
            text=clean_text(each.text, LONGEST_TEXT),
            name=names.get(each.service, ""),
        )
        for each in announcements
        if not each.service or each.service in names
    )


def _undelivered(snapshot: Snapshot) -> Undelivered | None:
    to_people = [row.created for row in snapshot.dead if row.what is not NotificationType.EVENT]
    if not to_people:
        return None
    return Undelivered(len(to_people), formatting.whole_second(max(to_people)))


def _glossary(incidents: Sequence[IncidentView], language: Language) -> tuple[Words, ...]:
    """Return the failures that a reader of this page may meet: those it names, then the common ones."""
    named = {kind for incident in incidents for kind in incident.kinds}
    kinds = [kind for kind in FailureKind if kind in named and kind.fault is not Fault.MONITOR]
    common = [kind for kind in FailureKind if kind.row.is_common]
    return tuple(language.words(kind) for kind in dict.fromkeys((*kinds, *common)))
