"""One endpoint as the page shows it, from the checks that it has; and those that are retired. Pure."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.model import (
    BalanceHistory,
    Check,
    CheckHistory,
    Endpoint,
    FailureKind,
    Fault,
    Incident,
    Outcome,
    PageSettings,
    Point,
    Service,
    Snapshot,
    counts_for,
)
from monitor.model.rollup import NOTHING, Rollup
from monitor.page import day_bars, formatting
from monitor.page.incident_views import STATES
from monitor.page.published import ErrorStatus
from monitor.page.render_cache import RenderCache
from monitor.page.states import State, check_state, endpoint_state
from monitor.page.trust import Comparable, Learned, learned, trust_facts
from monitor.page.view_models import CheckView, EndpointHistory, EndpointView, RetiredView
from monitor.page.window_stats import can_be, real, rounded
from monitor.ranking import WINDOW, main_check

DAY = timedelta(days=1)
_FINE = {State.OPERATIONAL, State.MAINTENANCE}
_WORST_FIRST = (State.MAJOR, State.DEGRADED, State.UNKNOWN)


def detail_path(path: str) -> str:
    """Return the file beside an endpoint's page, below the page's folder."""
    return f"endpoints/{path}/status.json"


@dataclass(frozen=True, slots=True)
class _Inputs:
    """All that the view of an endpoint follows from."""

    checks: tuple[Check, ...]
    histories: tuple[CheckHistory | None, ...]
    states: tuple[State, ...]
    is_old: tuple[bool, ...]
    """Beside each check, whether its latest result says nothing of now."""
    incidents: tuple[Incident, ...]
    settings: PageSettings
    learned: tuple[Learned | None, ...]
    """Beside each check, what is known of it where the page shows what one gets."""
    balance: BalanceHistory | None
    moment: tuple[object, ...]
    """What of the time matters: the day, and while something happens the minute."""


def endpoint_view(
    checks: Sequence[Check],
    snapshot: Snapshot,
    settings: PageSettings,
    incidents: Sequence[Incident],
    cache: RenderCache,
    *,
    vantage: str,
    paused: bool,
    peers: Comparable,
) -> EndpointView:
    """View an endpoint as a vantage sees it. `paused`: somebody works on it, and what it answers meanwhile says nothing.
    `peers` are the checks of the service that its own may be compared with.
    """
    known = learned(checks, peers, snapshot.habits)
    inputs = _inputs(tuple(checks), snapshot, tuple(incidents), settings, known, paused=paused)
    key = "endpoint", vantage, checks[0].endpoint.path
    return cache.keep(key, inputs, lambda: _view(inputs, snapshot.at))


def _inputs(
    checks: tuple[Check, ...],
    snapshot: Snapshot,
    incidents: tuple[Incident, ...],
    settings: PageSettings,
    known: tuple[Learned | None, ...],
    *,
    paused: bool,
) -> _Inputs:
    now = snapshot.at.astimezone(UTC)
    histories = tuple(snapshot.checks.get(check.key) for check in checks)
    lately = any(incident.closed is None or now - incident.closed < DAY for incident in incidents)
    return _Inputs(
        checks=checks,
        histories=histories,
        states=tuple(
            State.MAINTENANCE if paused else check_state(check, history, now)
            for check, history in zip(checks, histories, strict=True)
        ),
        is_old=tuple(
            bool(history and history.latest and now - history.latest.at > counts_for(check.every))
            for check, history in zip(checks, histories, strict=True)
        ),
        incidents=incidents,
        settings=settings,
        learned=known,
        balance=snapshot.balances.get(checks[0].endpoint.path),
        moment=(now.date(), lately and now.replace(second=0, microsecond=0)),
    )


def _view(inputs: _Inputs, now: datetime) -> EndpointView:
    checks, settings = inputs.checks, inputs.settings
    main = main_check(checks)
    histories = dict(zip((check.probe.id for check in checks), inputs.histories, strict=True))
    states = dict(zip((check.probe.id for check in checks), inputs.states, strict=True))
    history = histories[main.probe.id]
    last_24h = history.last_24h if history else NOTHING
    last_90d = history.windows.get(day_bars.SHOWN, NOTHING) if history else NOTHING
    latency = "ttft" if main.probe.streams else "ttfb"
    endpoint, known = main.endpoint, tuple(history for history in histories.values() if history)
    trouble = _trouble(inputs)
    main_state = _main_state(inputs, states[main.probe.id])
    latest = max((history.latest.at for history in known if history.latest), default=None)
    measured = _measured(history)
    cert_expires = history.latest.cert_expires if history and history.latest else None
    return EndpointView(
        id=endpoint.id,
        path=endpoint.path,
        name=formatting.name(endpoint.name, endpoint.id),
        url=endpoint.url if settings.hosts else None,
        host=endpoint.url.split("://", 1)[1].split("/", 1)[0] if settings.hosts else "",
        state=endpoint_state(states.values(), main_state),
        main_state=main_state,
        testable=endpoint.url.startswith("https://") and endpoint.ca_file is None,
        tags=tuple(map(formatting.name, endpoint.tags)),
        main=main.probe.id,
        streams=main.probe.streams,
        cut_after_s=endpoint.cut_after.total_seconds() if endpoint.cut_after else None,
        trouble=trouble,
        fault=trouble.fault if trouble else None,
        availability_90d=last_90d.availability,
        good_90d=last_90d.good,
        excluded_90d=last_90d.excluded,
        p50_ms=rounded(last_24h.quantile(latency, 0.5)),
        p95_ms=rounded(last_24h.quantile(latency, 0.95)),
        tokens_per_s=rounded(last_24h.quantile("tokens_per_s", 0.5)),
        call_ms=last_24h.quantile("ttft" if main.probe.streams else "total", 0.5),
        cert_expires=cert_expires and formatting.whole_second(cert_expires),
        latest=latest and formatting.whole_second(latest),
        checks={
            check.probe.id: _check(check, states[check.probe.id], inputs, models=settings.models)
            for check in checks
        },
        detail=detail_path(endpoint.path),
        measured=measured and formatting.whole_second(measured),
        fresh_until=measured and formatting.whole_second(measured + counts_for(main.every)),
        history=EndpointHistory(
            since=_since(history, now),
            days=day_bars.last_days(
                now.astimezone(UTC).date(),
                history.days if history else {},
                inputs.incidents,
                main.key,
                frozenset(check.key for check in checks),
                now,
                main.probe.every,
            ),
            main=history,
            checks=known,
            streams=main.probe.streams,
        ),
        points=tuple(map(_point, history.series)) if history else (),
        shades=_shades(main, inputs.incidents, now),
        phases=_phases(last_24h),
        streaming=tuple(check.probe.id for check in checks if check.probe.streams),
        errors=tuple(_errors(histories)) if settings.errors else (),
        trust=tuple(trust_facts(checks, inputs.histories, inputs.learned, inputs.incidents, main)),
        balance=inputs.balance,
    )


def _main_state(inputs: _Inputs, state: State) -> State:
    """Return the state of the main call. Where it is not measured, but another one cannot even connect, the
    main call cannot either.
    """
    if state is not State.UNKNOWN:
        return state
    for check, other in zip(inputs.checks, inputs.states, strict=True):
        if other is State.MAJOR:
            kind = _reason(check, inputs)
            if kind and (kind.row.fails_on_connecting or kind.fault is Fault.PATH):
                return State.MAJOR
    return state


def _measured(history: CheckHistory | None) -> datetime | None:
    """Return when the newest result came that says anything."""
    if history is None or history.latest is None:
        return None
    results = (history.latest, *reversed(history.recent))
    return next((result.at for result in results if result.outcome is not Outcome.UNKNOWN), None)


def _since(history: CheckHistory | None, now: datetime) -> datetime | None:
    """Return when a check was measured first; None once there is a day of data, or none.

    It is exact in the first half hour, and later the begin of the half hour on the clock.
    """
    today = now.astimezone(UTC).date()
    if history is None or any(
        day < today - DAY and each.counted for day, each in history.days.items()
    ):
        return None
    times = [result.at for result in history.recent if result.outcome is not Outcome.UNKNOWN]
    times += [
        point.at for point in history.series if point.p50 is not None and now - point.at > WINDOW
    ]
    first = min(times, default=None)
    return None if first is None or now - first > DAY - timedelta(hours=1) else first


def _errors(histories: Mapping[str, CheckHistory | None]) -> Iterator[ErrorStatus]:
    for probe, history in histories.items():
        latest = history.latest if history else None
        if history and latest and latest.failure:
            evidence = history.evidence
            yield ErrorStatus(
                check=probe,
                at=formatting.whole_second(latest.at),
                kind=latest.failure.kind,
                message=latest.failure.message,
                status=latest.http_status,
                headers=evidence.headers if evidence else (),
                body=evidence.body if evidence else "",
            )


def _point(point: Point) -> Point:
    p50, p95, speed = point.p50, point.p95, point.tokens_per_s
    if can_be(p50) and can_be(p95) and can_be(speed):
        return point
    return Point(point.at, real(p50), real(p95), real(speed))


def _shades(
    main: Check, incidents: Sequence[Incident], now: datetime
) -> tuple[tuple[State, float, float], ...]:
    """Return the incidents of the main check within the last 24 hours, as shares of them."""
    start = now - DAY
    shades = []
    for incident in incidents:
        begin, end = max(incident.opened, start), incident.closed or now
        if main.key in incident.checks and end > begin:
            state = STATES[incident.severity]
            shades.append((state, (begin - start) / DAY, (end - start) / DAY))
    return tuple(shades)


def _phases(last_24h: Rollup) -> tuple[tuple[str, float], ...]:
    """Return medians as durations that follow one another, in milliseconds."""
    dns, connect, tls, ttfb, ttft = (
        last_24h.quantile(name, 0.5) for name in ("dns", "connect", "tls", "ttfb", "ttft")
    )
    if ttfb is None:
        return ()
    setup = sum(value or 0 for value in (dns, connect, tls))
    phases = [("dns", dns), ("tcp", connect), ("tls", tls), ("wait", max(0.0, ttfb - setup))]
    if ttft is not None:
        phases.append(("token", max(0.0, ttft - ttfb)))
    return tuple((name, value) for name, value in phases if value is not None)


def _check(check: Check, state: State, inputs: _Inputs, *, models: bool) -> CheckView:
    history = inputs.histories[inputs.checks.index(check)]
    kind, median = None, None
    if history and history.latest:
        kind = _reason(check, inputs)
        median = history.last_24h.quantile("ttft" if check.probe.streams else "total", 0.5)
    return CheckView(
        kind=check.probe.kind,
        title=check.probe.title,
        state=state,
        text=kind.row.label if kind else formatting.cell(state, kind, median, ever=bool(history)),
        failure=kind,
        median_ms=rounded(median),
        model=check.model if models else None,
        ever=history is not None,
    )


def _trouble(inputs: _Inputs) -> FailureKind | None:
    """Return the failure of the check that is worst off."""
    worst: tuple[int, FailureKind] | None = None
    for check, state in zip(inputs.checks, inputs.states, strict=True):
        kind = _reason(check, inputs)
        if kind and (worst is None or _WORST_FIRST.index(state) < worst[0]):
            worst = _WORST_FIRST.index(state), kind
    return worst[1] if worst else None


def _reason(check: Check, inputs: _Inputs) -> FailureKind | None:
    """Return its latest failure; where that says nothing of a trouble that is still believed, the incident's.

    It is none where the check is well, or was asked too long ago to say anything of now.
    """
    number = inputs.checks.index(check)
    history, state = inputs.histories[number], inputs.states[number]
    if state in _FINE:
        return None
    failure = history.latest.failure if history and history.latest else None
    if state is State.UNKNOWN:
        return failure.kind if failure and not inputs.is_old[number] else None
    if failure and failure.outcome is not Outcome.UNKNOWN:
        return failure.kind
    believed = (
        incident.reasons[check.endpoint.path]
        for incident in inputs.incidents
        if not incident.closed and check.key in incident.active
    )
    known = next(
        (failure for failure in believed if failure.outcome is not Outcome.UNKNOWN), failure
    )
    return known.kind if known else None


def retired_views(
    service: Service, checks: Sequence[Check], snapshot: Snapshot
) -> Iterator[RetiredView]:
    """Yield the base URLs that are not probed any more, from what the store still knows of them.

    `checks` are those of the service's other endpoints.
    """
    ranks = {check.probe.id: check.probe.main_rank for check in checks}
    for endpoint in service.endpoints:
        if endpoint.retired:
            prefix = f"{endpoint.path}/"
            known = tuple(
                history for key, history in snapshot.checks.items() if key.startswith(prefix)
            )
            yield _retired_view(endpoint, known, ranks, snapshot)


def _retired_view(
    endpoint: Endpoint,
    histories: tuple[CheckHistory, ...],
    ranks: Mapping[str, int],
    snapshot: Snapshot,
) -> RetiredView:
    main = min(histories, key=lambda history: _rank(history, ranks), default=None)
    last_90d = main.windows.get(day_bars.SHOWN, NOTHING) if main else NOTHING
    latest = max((history.latest.at for history in histories if history.latest), default=None)
    return RetiredView(
        id=endpoint.id,
        path=endpoint.path,
        name=formatting.name(endpoint.name, endpoint.id),
        availability_90d=last_90d.availability,
        good_90d=last_90d.good,
        last=latest and latest.astimezone(UTC).date(),
        latest=latest and formatting.whole_second(latest),
        detail=detail_path(endpoint.path),
        history=EndpointHistory(
            since=_since(main, snapshot.at),
            days=day_bars.last_days(
                snapshot.at.astimezone(UTC).date(),
                main.days if main else {},
                snapshot.incidents,
                main.check if main else "",
                frozenset(history.check for history in histories),
                snapshot.at,
                timedelta(minutes=1),
            ),
            main=main,
            checks=histories,
            streams="ttft" in last_90d.figures,
        ),
    )


def _rank(history: CheckHistory, ranks: Mapping[str, int]) -> tuple[int, bool]:
    """Rank a check whose probe is no longer configured by the service's other probe of that id.

    Among those that no other endpoint has, one that streamed comes first.
    """
    probe = history.check.rsplit("/", 1)[1]
    last_90d = history.windows.get(day_bars.SHOWN, NOTHING)
    return ranks.get(probe, sys.maxsize), "ttft" not in last_90d.figures
