"""A snapshot and the config -> what the page says. Pure; the templates see only a `PageView`.

What was measured is worked out once, the sentences about it once a language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta
from functools import partial

from monitor.language import Language, language
from monitor.model import FailureKind, Fault, Incident, Snapshot
from monitor.model.failure import Words
from monitor.page import formatting
from monitor.page.endpoint_nouns import EndpointView
from monitor.page.headline import headline, overall, text, triage_network, triage_service
from monitor.page.incident_views import IncidentView
from monitor.page.maintenance import works
from monitor.page.ranking import Pick
from monitor.page.service_views import service_view
from monitor.page.states import State
from monitor.page.view_cache import ViewCache
from monitor.page.view_models import PageView, PastDay, ServiceView, Site, Undelivered

PAST_DAYS = 7


def view(
    site: Site, snapshot: Snapshot, picks: Mapping[str, Pick], last: ViewCache | None = None
) -> tuple[PageView, Mapping[str, Pick]]:
    """`picks` is what was recommended before, by service; returned as it is now. `last` is of
    what has no news.
    """
    known = last or ViewCache()
    known.endpoints.turn(snapshot.incidents)
    found = [
        service_view(service, site, snapshot, known.endpoints, picks.get(service.id, Pick()))
        for service in site.services
        if service.public
    ]
    services = tuple(service for service, _ in found)
    first, *others = (
        _page(site, snapshot, services, known, language(code), "" if number == 0 else f"{code}/")
        for number, code in enumerate(site.settings.languages)
    )
    return replace(first, others=tuple(others)), {service.id: pick for service, pick in found}


def _page(
    site: Site,
    snapshot: Snapshot,
    services: tuple[ServiceView, ...],
    last: ViewCache,
    said: Language,
    path: str,
) -> PageView:
    endpoints = tuple(endpoint for service in services for endpoint in service.endpoints)
    by_path = {each.path: each for each in endpoints}
    state = overall(services)
    names = {service.id: service.name for service in services}
    names |= {each.path: each.name for each in endpoints}
    names |= {each.path: each.name for service in services for each in service.retired}
    names |= {
        f"{endpoint.path}/{probe}": formatting.call(probe, kind, endpoint.titles[probe], said)
        for endpoint in endpoints
        for probe, kind in endpoint.kinds.items()
    }
    incidents = tuple(_public(incident, services) for incident in snapshot.incidents
                      if incident.service is None or incident.service in names)  # fmt: skip
    instead = partial(
        _instead, {} if snapshot.stopped_at else {each.id: each for each in services}, by_path
    )
    stories = last.teller(names, said).stories(incidents, instead, snapshot.at)
    fresh = not any(history.latest for history in snapshot.checks.values())
    whence = formatting.whence(site.vantage, said)
    return PageView(
        language=said,
        path=path,
        others=(),
        title=formatting.name(site.settings.title, "Status"),
        url=site.settings.url,
        links=tuple((formatting.name(label), address) for label, address in site.settings.links),
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
        endpoints=endpoints,
        by_path=by_path,
        stories=stories,
        told=_told(stories),
        works=works(site.maintenance, services, snapshot.at),
        undelivered=_undelivered(snapshot),
        glossary=_glossary(stories, said),
    )


def _told(stories: Sequence[IncidentView]) -> Mapping[str, tuple[IncidentView, ...]]:
    """The stories of each endpoint."""
    found: dict[str, tuple[IncidentView, ...]] = {}
    for story in stories:
        for path in story.endpoints:
            found[path] = (*found.get(path, ()), story)
    return found


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


def _instead(
    services: Mapping[str, ServiceView], by_path: Mapping[str, EndpointView], incident: Incident
) -> str | None:
    """What to use meanwhile: the best one of the service, unless the incident covers it."""
    service = services.get(incident.service or "")
    if service is None or service.best is None:
        return None
    covered = {by_path[path].shown for path in incident.endpoints if path in by_path}
    return None if service.best.host in covered else service.best.url or service.best.host


def _past(
    stories: Sequence[IncidentView], endpoints: Sequence[EndpointView], today: date
) -> tuple[PastDay, ...]:
    """By the UTC day on which they began; a quiet day is listed too."""
    begun: dict[date, list[IncidentView]] = {}
    for story in stories:
        begun.setdefault(story.opened.astimezone(UTC).date(), []).append(story)
    return tuple(
        PastDay(
            day=(day := today - timedelta(days=back)),
            measured=any(each.days[-1 - back].state is not State.UNKNOWN for each in endpoints),
            stories=tuple(begun.get(day, ())),
        )
        for back in range(PAST_DAYS)
    )


def _undelivered(snapshot: Snapshot) -> Undelivered | None:
    if not snapshot.dead:
        return None
    return Undelivered(len(snapshot.dead), max(each.created for each in snapshot.dead))


def _glossary(stories: Sequence[IncidentView], said: Language) -> tuple[Words, ...]:
    """The failures that a reader of this page may meet: those it names, then the usual ones."""
    usual = [kind for kind in FailureKind if kind.row.is_common]
    named = {each.kind for each in stories}
    found = [kind for kind in FailureKind if kind in named and kind.fault is not Fault.MONITOR]
    return tuple(said.words(kind) for kind in dict.fromkeys((*found, *usual)))
