"""A snapshot and the config -> what the page says. Pure; the templates see only a `PageView`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from monitor.model import (
    Check,
    CheckHistory,
    Fault,
    Incident,
    PageSettings,
    Point,
    Service,
    Severity,
    Snapshot,
)
from monitor.model.check import MAIN_ORDER
from monitor.model.failure import Kind
from monitor.model.rollup import NOTHING
from monitor.model.words import WORDS, Words
from monitor.page import days as ninety
from monitor.page import words
from monitor.page.best import Candidate, Pick, candidates, choose
from monitor.page.days import Day
from monitor.page.states import SERVING, State, check_state, endpoint_state, service_state, worst
from monitor.page.stories import Story, story

PAST_DAYS = 7
LONG_CALLS = timedelta(seconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What does not change from page to page."""

    services: tuple[Service, ...]
    checks: tuple[Check, ...]
    settings: PageSettings
    vantage: str
    version: str

    @property
    def every(self) -> timedelta:
        """The shortest interval of all checks: how fresh the page can be."""
        return min((check.probe.every for check in self.checks), default=timedelta(minutes=1))

    @property
    def stale_after(self) -> timedelta:
        return max(5 * self.every, timedelta(minutes=10))


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    state: State
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    path: str
    service: str
    name: str
    url: str
    host: str
    state: State
    cut_after: timedelta | None
    main: str
    """The id of the main check's probe."""
    main_kind: str
    streams: bool
    p50: float | None
    p95: float | None
    speed: float | None
    availability: float | None
    excluded: float | None
    days: tuple[Day, ...]
    points: tuple[Point, ...]
    phases: tuple[tuple[str, float], ...]
    total: float | None
    cells: Mapping[str, CellView]
    """By probe id."""
    trouble: Words | None
    """Plain words for what is wrong now, if something is."""
    cert_expires: datetime | None

    @property
    def bad_days(self) -> tuple[Day, ...]:
        """Newest first."""
        return tuple(day for day in reversed(self.days) if day.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickView:
    service: str
    url: str
    host: str
    milliseconds: float
    long_call: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    state: State
    what: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    id: str
    name: str
    state: State
    endpoints: tuple[EndpointView, ...]
    best: PickView | None
    probes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDay:
    day: date
    stories: tuple[Story, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    title: str
    url: str | None
    vantage: str
    version: str
    generated: datetime
    valid_until: datetime
    interval: timedelta
    stopped: datetime | None
    state: State
    headline: tuple[str, ...]
    """Sentences."""
    text: str
    triage_service: Triage
    triage_network: Triage
    services: tuple[ServiceView, ...]
    picks: tuple[PickView, ...]
    current: tuple[Story, ...]
    past: tuple[PastDay, ...]
    stories: tuple[Story, ...]
    """All that have a page of their own."""
    glossary: tuple[Words, ...]

    @property
    def endpoints(self) -> tuple[EndpointView, ...]:
        return tuple(endpoint for service in self.services for endpoint in service.endpoints)

    @property
    def probes(self) -> tuple[str, ...]:
        """Every probe id of the page, each once: the columns of the matrix."""
        return tuple(dict.fromkeys(probe for service in self.services for probe in service.probes))


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
    endpoints = tuple(_endpoint(found, snapshot) for found in by_endpoint.values() if found)
    mains = [_main(found) for found in by_endpoint.values() if found]
    ranked = candidates(mains, snapshot.checks, snapshot.at)
    chosen[service.id] = choose(before, ranked)
    return ServiceView(
        id=service.id,
        name=service.name,
        state=service_state([each.state for each in endpoints], carried=_carried(endpoints)),
        endpoints=endpoints,
        best=_pick(service, endpoints, ranked, chosen[service.id].endpoint),
        probes=tuple(dict.fromkeys(check.probe.id for check in checks)),
    )


def _main(checks: Sequence[Check]) -> Check:
    return min(checks, key=lambda check: (not check.probe.main, MAIN_ORDER.index(check.probe.kind)))


def _carried(endpoints: Sequence[EndpointView]) -> bool:
    """Every kind of call that was measured at all works through one endpoint at least."""
    seen: dict[str, set[State]] = {}
    for endpoint in endpoints:
        for probe, cell in endpoint.cells.items():
            if cell.state is not State.UNKNOWN:
                seen.setdefault(probe, set()).add(cell.state)
    return all(states & SERVING for states in seen.values())


def _pick(
    service: Service,
    endpoints: Sequence[EndpointView],
    ranked: Sequence[Candidate],
    path: str | None,
) -> PickView | None:
    found = next((candidate for candidate in ranked if candidate.endpoint == path), None)
    endpoint = next((each for each in endpoints if each.path == path), None)
    if found is None or endpoint is None:
        return None
    return PickView(
        service=service.name, url=endpoint.url, host=endpoint.host, milliseconds=found.milliseconds
    )


def _endpoint(checks: Sequence[Check], snapshot: Snapshot) -> EndpointView:
    now, main = snapshot.at, _main(checks)
    histories = {check.probe.id: snapshot.checks.get(check.key) for check in checks}
    states = {
        check.probe.id: check_state(check, histories[check.probe.id], now) for check in checks
    }
    history = histories[main.probe.id]
    day = history.last_24h if history else NOTHING
    figure = "ttft" if main.probe.streams else "ttfb"
    measured = history.days if history else {}
    share, excluded = ninety.availability(measured.values())
    endpoint = main.endpoint
    return EndpointView(
        path=endpoint.path,
        service=endpoint.service,
        name=endpoint.name,
        url=endpoint.url,
        host=endpoint.url.split("://", 1)[1].split("/", 1)[0],
        state=endpoint_state(list(states.values()), states[main.probe.id]),
        cut_after=endpoint.cut_after,
        main=main.probe.id,
        main_kind=main.probe.kind,
        streams=main.probe.streams,
        p50=day.quantile(figure, 0.5),
        p95=day.quantile(figure, 0.95),
        speed=day.quantile("tokens_per_s", 0.5),
        availability=share,
        excluded=excluded,
        days=ninety.last_days(
            now.astimezone(UTC).date(), measured, snapshot.incidents, main.key,
            frozenset(check.key for check in checks), now,
        ),
        points=history.series if history else (),
        phases=_phases(history),
        total=day.quantile("ttft" if main.probe.streams else "total", 0.5),
        cells={check.probe.id: _cell(check, histories[check.probe.id], states[check.probe.id]) for check in checks},
        trouble=_trouble(histories.values(), states.values()),
        cert_expires=history.latest.cert_expires if history and history.latest else None,
    )  # fmt: skip


def _phases(history: CheckHistory | None) -> tuple[tuple[str, float], ...]:
    """Medians of the last 24 hours, as durations that follow one another."""
    if history is None:
        return ()
    dns, connect, tls, ttfb, ttft = (
        history.last_24h.quantile(name, 0.5) for name in ("dns", "connect", "tls", "ttfb", "ttft")
    )
    if ttfb is None:
        return ()
    setup = sum(value or 0 for value in (dns, connect, tls))
    found = [("dns", dns), ("tcp", connect), ("tls", tls), ("wait", max(0.0, ttfb - setup))]
    if ttft is not None:
        found.append(("token", max(0.0, ttft - ttfb)))
    return tuple((name, value) for name, value in found if value is not None)


def _cell(check: Check, history: CheckHistory | None, state: State) -> CellView:
    if history is None or history.latest is None:
        return CellView(state=state, text="Not yet measured")
    failure = history.latest.failure
    if failure and state is not State.OPERATIONAL:
        return CellView(state=state, text=WORDS[failure.kind].label)
    figure = "ttft" if check.probe.streams else "total"
    return CellView(state=state, text=words.seconds(history.last_24h.quantile(figure, 0.5)))


def _trouble(histories: object, states: object) -> Words | None:
    pairs = zip(histories, states, strict=True)  # type: ignore[call-overload]
    for history, state in sorted(pairs, key=lambda pair: pair[1] is not State.MAJOR):
        if state is not State.OPERATIONAL and history and history.latest and history.latest.failure:
            return WORDS[history.latest.failure.kind]
    return None


def _page(site: Site, snapshot: Snapshot, services: tuple[ServiceView, ...]) -> PageView:
    endpoints = [endpoint for service in services for endpoint in service.endpoints]
    state = _overall(services)
    names = {service.id: service.name for service in services} | {
        each.path: each.name for each in endpoints
    }
    stories = tuple(
        story(incident, names, _instead(incident, services), snapshot.at)
        for incident in snapshot.incidents
        if incident.service is None or incident.service in names
    )
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
        headline=_headline(services, state),
        text=_text(endpoints, snapshot),
        triage_service=_triage_service(services),
        triage_network=_triage_network(endpoints),
        services=services,
        picks=_picks(services),
        current=tuple(each for each in stories if each.closed is None),
        past=_past(stories, snapshot.at.astimezone(UTC).date()),
        stories=stories,
        glossary=_glossary(stories),
    )


def _overall(services: Sequence[ServiceView]) -> State:
    states = [service.state for service in services]
    found = worst(states) if states else State.UNKNOWN
    some_left = found is State.MAJOR and any(state in SERVING for state in states)
    return State.PARTIAL if some_left else found


def _headline(services: Sequence[ServiceView], state: State) -> tuple[str, ...]:
    """The sentence of the page: whether the service is up, then what is wrong with its base URLs."""
    if state is State.UNKNOWN:
        return ("We cannot measure right now.",)
    if all(
        endpoint.state is State.OPERATIONAL
        for service in services
        for endpoint in service.endpoints
    ):
        return ("All base URLs work.",)
    down = [service.name for service in services if service.state is State.MAJOR]
    if len(down) == len(services):
        return ("The service is down.",) if len(services) == 1 else ("All services are down.",)
    first = (
        f"{words.joined(down)} {'is' if len(down) == 1 else 'are'} down." if down else _up(services)
    )
    rest = _wrong(
        [
            each
            for service in services
            if service.state is not State.MAJOR
            for each in service.endpoints
        ]
    )
    return (first, *([f"{rest}."] if rest else []))


def _up(services: Sequence[ServiceView]) -> str:
    return "The service is up." if len(services) == 1 else "The services are up."


def _wrong(endpoints: Sequence[EndpointView]) -> str:
    states = [endpoint.state for endpoint in endpoints]
    parts = [
        (states.count(State.MAJOR), "is down", "are down"),
        (states.count(State.PARTIAL), "fails in part", "fail in part"),
        (states.count(State.DEGRADED), "is degraded", "are degraded"),
        (states.count(State.MAINTENANCE), "is in maintenance", "are in maintenance"),
        (states.count(State.UNKNOWN), "cannot be measured", "cannot be measured"),
    ]
    count, singular, plural = next((part for part in parts if part[0]), (0, "", ""))
    return words.urls(count, singular, plural) if count else ""


def _text(endpoints: Sequence[EndpointView], snapshot: Snapshot) -> str:
    serving = sum(endpoint.state in SERVING for endpoint in endpoints)
    measured = sum(endpoint.state is not State.UNKNOWN for endpoint in endpoints)
    account = next((incident for incident in snapshot.incidents
                    if incident.severity is Severity.ACCOUNT and not incident.closed), None)  # fmt: skip
    if account:
        return f"{WORDS[account.failure.kind].what} This concerns the account of the monitor, not the service."
    if not measured:
        return (
            "There are no results yet, or the monitor cannot see. The states below are not known."
        )
    return f"Requests succeed through {serving} of {len(endpoints)} base URLs right now."


def _triage_service(services: Sequence[ServiceView]) -> Triage:
    state = worst([service.state for service in services]) if services else State.UNKNOWN
    up = sum(service.state in SERVING | {State.PARTIAL} for service in services)
    calls = len({probe for service in services for probe in service.probes})
    if state is State.UNKNOWN:
        return Triage(state=state, what="Not known", note="Nothing could be measured")
    if up == len(services):
        note = f"All {calls} kinds of calls are answered" if calls > 1 else "Calls are answered"
        return Triage(state=State.OPERATIONAL, what="Up", note=note)
    down = len(services) - up
    return Triage(state=State.MAJOR, what="Down", note=f"{down} of {len(services)} services" if len(services) > 1 else
                  "A kind of call fails through every base URL")  # fmt: skip


def _triage_network(endpoints: Sequence[EndpointView]) -> Triage:
    """Paths to the service: what fails while others work."""
    states = [endpoint.state for endpoint in endpoints]
    parts = [
        f"{states.count(state)} {word}"
        for state, word in (
            (State.MAJOR, "down"),
            (State.PARTIAL, "in part"),
            (State.DEGRADED, "degraded"),
        )
        if state in states
    ]
    unknown = states.count(State.UNKNOWN)
    note = f"{unknown} not measured" if unknown else f"{len(endpoints)} base URLs"
    if unknown == len(states):
        return Triage(state=State.UNKNOWN, what="Not known", note=note)
    return Triage(state=worst(states), what=", ".join(parts) or "All paths work", note=note)


def _picks(services: Sequence[ServiceView]) -> tuple[PickView, ...]:
    found = [service.best for service in services if service.best]
    for service in services:
        unlimited = [
            each
            for each in service.endpoints
            if each.cut_after is None and each.state in SERVING and each.p50
        ]
        limited = any(each.cut_after for each in service.endpoints)
        if limited and unlimited:
            quickest = min(unlimited, key=lambda each: each.p50 or 0)
            found.append(PickView(
                service=service.name, url=quickest.url, host=quickest.host,
                milliseconds=quickest.p50 or 0, long_call=True,
            ))  # fmt: skip
    return tuple(found)


def _instead(incident: Incident, services: Sequence[ServiceView]) -> str | None:
    best = next((service.best for service in services if service.id == incident.service), None)
    bad = set(incident.endpoints)
    endpoint = next(
        (
            each
            for service in services
            for each in service.endpoints
            if best and each.url == best.url
        ),
        None,
    )
    return best.url if best and endpoint and endpoint.path not in bad else None


def _past(stories: Sequence[Story], today: date) -> tuple[PastDay, ...]:
    """By the UTC day on which they began; the days before today are listed even when quiet."""
    shown = [today - timedelta(days=back) for back in range(PAST_DAYS)]
    return tuple(
        PastDay(
            day=day,
            stories=tuple(
                each
                for each in stories
                if each.closed and each.opened.astimezone(UTC).date() == day
            ),
        )
        for day in shown
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
