"""Looks from each vantage: at its services, and at incidents as they were seen from there. Pure.

A place that is not heard, or that cannot see, knows nothing of now: its bars and figures stay, its states
are unknown, and it recommends nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.incident_gaps import is_heard
from monitor.language import Language
from monitor.model import (
    LOCAL,
    AgentState,
    Check,
    CheckHistory,
    EntryKind,
    FailureKind,
    Fault,
    Incident,
    Severity,
    Snapshot,
    Vantage,
    name_in,
)
from monitor.page import formatting
from monitor.page.published import SeenFrom
from monitor.page.render_cache import RenderCache
from monitor.page.service_views import service_view
from monitor.page.states import WORKING, State, overall_state
from monitor.page.view_models import EndpointView, ServiceView, Site, VantageView
from monitor.ranking import Pick


@dataclass(frozen=True, slots=True, kw_only=True)
class VantageLook:
    """Holds what one vantage sees, in no language yet."""

    id: str
    vantage: Vantage | None = None
    """None for the daemon's own."""
    agent: AgentState | None = None
    is_heard: bool = True
    services: tuple[ServiceView, ...]
    picks: Mapping[str, Pick] = field(default_factory=dict)
    """What is recommended from there, by service."""

    @property
    def is_blind(self) -> bool:
        return self.agent is not None and self.agent.blind

    @property
    def state(self) -> State:
        return overall_state([service.state for service in self.services])

    @property
    def endpoints(self) -> Iterator[EndpointView]:
        for service in self.services:
            yield from service.endpoints


def pick_key(site: Site, vantage: str, service: str) -> str:
    """Return the key under which it is remembered what was recommended from a vantage."""
    return service if vantage == site.vantage else f"{service}@{vantage}"


def looks(
    site: Site, snapshot: Snapshot, picks: Mapping[str, Pick], cache: RenderCache
) -> tuple[VantageLook, ...]:
    """Return what each vantage sees, the daemon's own first; `picks` is what was recommended before."""
    own = _look(site, snapshot, VantageLook(id=site.vantage, services=()), picks, cache)
    if not site.vantages:
        return (own,)
    others = [
        _look(site, snapshot, _other(site, snapshot, vantage), picks, cache)
        for vantage in site.vantages
    ]
    others = [look for look in others if look.services]  # the others probe nothing that is public
    first, *rest = _judged_by_comparison((own, *others))
    return (_with_all(first, (first, *rest)), *rest)


def _other(site: Site, snapshot: Snapshot, vantage: Vantage) -> VantageLook:
    return VantageLook(
        id=vantage.id,
        vantage=vantage,
        agent=snapshot.agents.get(vantage.id),
        is_heard=is_heard(vantage, snapshot, site.checks),
        services=(),
    )


def _look(
    site: Site,
    snapshot: Snapshot,
    look: VantageLook,
    picks: Mapping[str, Pick],
    cache: RenderCache,
) -> VantageLook:
    """Fill in the services as they are seen."""
    sees = look.is_heard and not look.is_blind
    incidents: dict[str, list[Incident]] = {}
    for incident in snapshot.incidents:
        shown = seen_from(incident, look.id, site.vantage) if site.vantages else incident
        if shown and not sees:
            shown = replace(shown, active=frozenset())
        for endpoint in shown.endpoints if shown else ():
            incidents.setdefault(endpoint, []).append(shown or incident)
    if look.vantage:
        checks = snapshot.elsewhere.get(look.id, {})
        site = replace(site, checks=_measurable(site.checks, checks))
        checks = checks if sees else {key: _past_of(history) for key, history in checks.items()}
        snapshot = replace(snapshot, checks=checks, habits=None)
    pairs = [
        service_view(
            service,
            replace(site, vantage=look.id),
            snapshot,
            incidents,
            picks.get(pick_key(site, look.id, service.id), Pick()),
            cache,
        )
        for service in site.services
        if service.public and (look.vantage is None or look.vantage.probes(service.id))
    ]
    return replace(
        look,
        services=tuple(service for service, _ in pairs),
        picks={service.id: pick for service, pick in pairs},
    )


def _measurable(
    checks: Sequence[Check], histories: Mapping[str, CheckHistory]
) -> tuple[Check, ...]:
    """Leave out what was never asked at a place, or needs a key that it lacks, where other checks speak for a base URL."""

    def says_something(check: Check) -> bool:
        history = histories.get(check.key)
        failure = history.latest.failure if history and history.latest else None
        return history is not None and not (failure and failure.kind is FailureKind.NO_KEY)

    spoken_for = {check.endpoint.path for check in checks if says_something(check)}
    return tuple(
        check for check in checks if says_something(check) or check.endpoint.path not in spoken_for
    )


def _past_of(history: CheckHistory) -> CheckHistory:
    """Return what was measured, without what it would say of now."""
    return replace(history, latest=None, states=(), recent=())


def seen_from(incident: Incident, vantage: str, own: str) -> Incident | None:
    """Return an incident as one vantage saw it: its checks, begin and end there; None where it saw none of it.

    What was seen while only one vantage looked is of the daemon's own. The account is the same for all.
    """
    if incident.severity is Severity.MONITOR:
        return incident if vantage == own else None
    if not incident.severity.is_of_base_urls:
        return incident
    of_check: dict[str, set[str]] = {
        check: {*places} for check, places in incident.bad_from.items()
    }
    for entry in incident.timeline:
        if entry.check and entry.vantage and entry.what is not EntryKind.HEARD_LATE:
            of_check.setdefault(entry.check, set()).add(entry.vantage)
    everyone = set().union(*of_check.values()) or {own}
    checks = tuple(
        check for check in incident.checks if vantage in (of_check.get(check) or everyone)
    )
    if not checks:
        return None
    turns = [
        entry
        for entry in incident.timeline
        if entry.vantage == vantage and entry.what is not EntryKind.HEARD_LATE
    ]
    is_late = bool(turns) and turns[0].what is EntryKind.JOINED
    active = frozenset(
        check
        for check in incident.active
        if check in checks and vantage in (incident.bad_from.get(check) or everyone)
    )
    return replace(
        incident,
        severity=Severity.DOWN if incident.severity is Severity.PARTIAL else incident.severity,
        opened=turns[0].at if is_late else incident.opened,
        closed=None if active else _end(incident, vantage),
        checks=checks,
        active=active,
        partial=frozenset(),
    )


def _end(incident: Incident, vantage: str) -> datetime | None:
    """Return when a vantage saw the last of it well again."""
    left = [
        entry.at
        for entry in incident.timeline
        if entry.vantage == vantage and entry.what is EntryKind.LEFT
    ]
    is_bad_at_end = vantage in incident.places
    return max(left) if left and not is_bad_at_end else incident.closed


def _judged_by_comparison(looks: Sequence[VantageLook]) -> Iterator[VantageLook]:
    """Blame the path where nothing comes back while another vantage gets its answers."""
    well: dict[str, set[str]] = {}
    for look in looks:
        for endpoint in look.endpoints:
            if endpoint.main_state in WORKING:
                well.setdefault(endpoint.path, set()).add(look.id)
    for look in looks:
        blocked = {
            endpoint.path: replace(endpoint, fault=Fault.PATH)
            for endpoint in look.endpoints
            if _is_cut_off(endpoint) and well.get(endpoint.path, set()) - {look.id}
        }
        yield _with_endpoints(look, blocked)


def _is_cut_off(endpoint: EndpointView) -> bool:
    trouble = endpoint.trouble
    is_of_path = trouble is not None and trouble.row.is_of_path_if_others_get_through
    return endpoint.state is State.MAJOR and is_of_path


def _with_endpoints(look: VantageLook, changed: Mapping[str, EndpointView]) -> VantageLook:
    """Return the look with these base URLs instead of those of the same path."""
    if not changed:
        return look
    services = tuple(
        replace(
            service,
            endpoints=tuple(changed.get(endpoint.path, endpoint) for endpoint in service.endpoints),
        )
        for service in look.services
    )
    return replace(look, services=services)


def _with_all(own: VantageLook, looks: Iterable[VantageLook]) -> VantageLook:
    """Add to each base URL, for programs, what every vantage sees of it that has measured it."""
    seen: dict[str, dict[str, SeenFrom]] = {}
    for look in looks:
        for endpoint in look.endpoints:
            if endpoint.history.checks:
                seen.setdefault(endpoint.path, {})[look.id] = _seen(endpoint)
    changed = {
        endpoint.path: replace(endpoint, from_=seen.get(endpoint.path, {}))
        for endpoint in own.endpoints
    }
    return _with_endpoints(own, changed)


def _seen(endpoint: EndpointView) -> SeenFrom:
    return SeenFrom(
        state=endpoint.state,
        trouble=endpoint.trouble,
        fault=endpoint.fault,
        availability_90d=endpoint.availability_90d,
        good_90d=endpoint.good_90d,
        p50_ms=endpoint.p50_ms,
        p95_ms=endpoint.p95_ms,
        latest=endpoint.latest,
    )


# --- in one language ------------------------------------------------------------------------------


def place_name(site: Site, look: VantageLook, language: Language) -> str:
    """Return what people call a vantage; one without a name and an id has a word."""
    if look.vantage:
        return formatting.name(look.vantage.name(language.code), look.id)
    return own_name(site, language)


def own_name(site: Site, language: Language) -> str:
    """Return what people call the monitor's own vantage."""
    text = name_in(language.code, site.vantage_names, site.vantage)
    return language.gettext("the monitor's location") if text == LOCAL else formatting.name(text)


def vantage_views(
    site: Site, looks: Sequence[VantageLook], language: Language
) -> tuple[VantageView, ...]:
    """Return the vantages in a language; none where there is one only."""
    if len(looks) < 2:
        return ()
    return tuple(_view(site, look, language) for look in looks)


def _why_unseen(look: VantageLook, name: str, language: Language) -> str:
    """Say why nothing is known from a place now; nothing where something is."""
    say = language.gettext
    if look.is_heard:
        is_blind = look.is_blind
        return (
            say("%(place)s cannot see now: its own network or machine fails.", place=name)
            * is_blind
        )
    if look.agent is None:
        return say("%(place)s has not been heard yet.", place=name)
    moment = formatting.moment(look.agent.heard, language)
    return say("%(place)s is not heard since %(time)s.", place=name, time=moment)


def _view(site: Site, look: VantageLook, language: Language) -> VantageView:
    name, agent = place_name(site, look, language), look.agent
    return VantageView(
        id=look.id,
        name=name,
        whence=formatting.whence(name, language),
        path=f"from/{look.id}/",
        state=look.state,
        heard_at=formatting.whole_second(agent.heard) if agent else None,
        offset_ms=agent.offset_ms if agent else None,
        is_heard=look.is_heard,
        is_main=look.vantage is not None and look.vantage.main,
        is_blind=look.is_blind,
        why_unseen=_why_unseen(look, name[:1].upper() + name[1:], language),
        services=look.services,
        by_path={endpoint.path: endpoint for endpoint in look.endpoints if endpoint.history.checks},
    )
