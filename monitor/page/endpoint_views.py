"""One endpoint as the page shows it, from the checks that it has. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.model import (
    Check,
    CheckHistory,
    FailureKind,
    Incident,
    Outcome,
    PageSettings,
    Point,
    Result,
    Snapshot,
)
from monitor.model.rollup import NOTHING
from monitor.page import day_bars as ninety
from monitor.page import formatting
from monitor.page.endpoint_nouns import CellView, EndpointView, ErrorView, RunView
from monitor.page.incident_views import STATES
from monitor.page.states import State, check_state, endpoint_state
from monitor.page.window_stats import Past, can_be, real

DAY = timedelta(days=1)
_FINE = {State.OPERATIONAL, State.MAINTENANCE}
_WORST_FIRST = (State.MAJOR, State.DEGRADED, State.UNKNOWN)
RUNS = 24
"""Latest runs that an endpoint's own page lists."""


def main_check(checks: Sequence[Check]) -> Check:
    return min(checks, key=lambda check: (not check.probe.main, check.probe.main_rank))


@dataclass(frozen=True, slots=True)
class _Basis:
    """All that the view of an endpoint follows from."""

    checks: tuple[Check, ...]
    histories: tuple[CheckHistory | None, ...]
    states: tuple[State, ...]
    incidents: tuple[Incident, ...]
    shown: PageSettings
    moment: tuple[object, ...]
    """What of the time matters: the day, and while something happens the minute."""


class EndpointViews:
    """Remembers how each endpoint looked, because most have no news since the last page."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[_Basis, EndpointView]] = {}
        self._now: dict[str, tuple[_Basis, EndpointView]] = {}
        self._concerned: dict[str, list[Incident]] = {}

    def turn(self, incidents: Iterable[Incident]) -> None:
        """Another page begins: what the last one did not ask for is forgotten."""
        self._before, self._now, self._concerned = self._now, {}, {}
        for incident in incidents:
            for path in incident.endpoints:
                self._concerned.setdefault(path, []).append(incident)

    def view(
        self, checks: Sequence[Check], snapshot: Snapshot, shown: PageSettings, *, paused: bool
    ) -> EndpointView:
        """`paused`: somebody works on it, and what it answers meanwhile says nothing."""
        path = checks[0].endpoint.path
        incidents = tuple(self._concerned.get(path, ()))
        basis = _basis(tuple(checks), snapshot, incidents, shown, paused=paused)
        before = self._before.get(path)
        found = before[1] if before and before[0] == basis else _view(basis, snapshot.at)
        self._now[path] = basis, found
        return found


def _basis(
    checks: tuple[Check, ...],
    snapshot: Snapshot,
    incidents: tuple[Incident, ...],
    shown: PageSettings,
    *,
    paused: bool,
) -> _Basis:
    now = snapshot.at.astimezone(UTC)
    histories = tuple(snapshot.checks.get(check.key) for check in checks)
    lately = any(each.closed is None or now - each.closed < DAY for each in incidents)
    return _Basis(
        checks=checks,
        histories=histories,
        states=tuple(
            State.MAINTENANCE if paused else check_state(check, history, now)
            for check, history in zip(checks, histories, strict=True)
        ),
        incidents=incidents,
        shown=shown,
        moment=(now.date(), lately and now.replace(second=0, microsecond=0)),
    )


def _view(basis: _Basis, now: datetime) -> EndpointView:
    checks, shown, main = basis.checks, basis.shown, main_check(basis.checks)
    histories = dict(zip((check.probe.id for check in checks), basis.histories, strict=True))
    states = dict(zip((check.probe.id for check in checks), basis.states, strict=True))
    history = histories[main.probe.id]
    day = history.last_24h if history else NOTHING
    figure = "ttft" if main.probe.streams else "ttfb"
    lately = history.windows.get(ninety.SHOWN, NOTHING) if history else NOTHING
    endpoint = main.endpoint
    return EndpointView(
        path=endpoint.path,
        service=endpoint.service,
        name=formatting.name(endpoint.name, endpoint.id),
        url=endpoint.url if shown.hosts else "",
        host=endpoint.url.split("://", 1)[1].split("/", 1)[0] if shown.hosts else "",
        tags=tuple(map(formatting.name, endpoint.tags)),
        state=endpoint_state(list(states.values()), states[main.probe.id]),
        cut_after=endpoint.cut_after,
        main=main.probe.id,
        main_kind=main.probe.kind,
        streams=main.probe.streams,
        p50=day.quantile(figure, 0.5),
        p95=day.quantile(figure, 0.95),
        speed=day.quantile("tokens_per_s", 0.5),
        availability=lately.availability,
        excluded=lately.excluded,
        windows={1: day, **history.windows} if history else {},
        days=ninety.last_days(
            now.astimezone(UTC).date(), history.days if history else {}, basis.incidents, main.key,
            frozenset(check.key for check in checks), now, main.probe.every,
        ),
        points=tuple(map(_point, history.series)) if history else (),
        shades=_shades(main, basis.incidents, now),
        phases=_phases(history),
        total=day.quantile("ttft" if main.probe.streams else "total", 0.5),
        cells={
            check.probe.id: _cell(
                check, histories[check.probe.id], states[check.probe.id], models=shown.models
            )
            for check in checks
        },
        kinds={check.probe.id: check.probe.kind for check in checks},
        titles={check.probe.id: check.probe.title for check in checks},
        runs=_runs(checks, histories),
        latest=max((each.latest.at for each in histories.values() if each and each.latest), default=None),
        history=Past(
            figure=figure,
            main=history,
            all=tuple(each for each in histories.values() if each),
        ),
        trouble=_trouble(basis),
        cert_expires=history.latest.cert_expires if history and history.latest else None,
        errors=tuple(_errors(histories)) if shown.errors else (),
    )  # fmt: skip


def _errors(histories: Mapping[str, CheckHistory | None]) -> Iterator[ErrorView]:
    for probe, history in histories.items():
        latest = history.latest if history else None
        if history and latest and latest.failure:
            yield ErrorView(
                probe=probe,
                at=latest.at,
                kind=latest.failure.kind,
                message=latest.failure.message,
                status=latest.http_status,
                evidence=history.evidence,
            )


def _point(point: Point) -> Point:
    p50, p95, speed = point.p50, point.p95, point.tokens_per_s
    if can_be(p50) and can_be(p95) and can_be(speed):
        return point
    return Point(point.at, real(p50), real(p95), real(speed))


def _shades(
    main: Check, incidents: Sequence[Incident], now: datetime
) -> tuple[tuple[State, float, float], ...]:
    """Incidents of the main check within the last 24 hours, as shares of them."""
    start = now - DAY
    found = []
    for incident in incidents:
        begin, end = max(incident.opened, start), incident.closed or now
        if main.key in incident.checks and end > begin:
            found.append((STATES[incident.severity], (begin - start) / DAY, (end - start) / DAY))
    return tuple(found)


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


def _cell(check: Check, history: CheckHistory | None, state: State, *, models: bool) -> CellView:
    model = check.model if models else None
    if history is None or history.latest is None:
        return CellView(state=state, model=model)
    failure = history.latest.failure
    kind = failure.kind if failure and state not in _FINE else None
    figure = "ttft" if check.probe.streams else "total"
    median = history.last_24h.quantile(figure, 0.5)
    return CellView(state=state, kind=kind, milliseconds=median, model=model)


def _runs(
    checks: Sequence[Check], histories: Mapping[str, CheckHistory | None]
) -> tuple[RunView, ...]:
    found = [
        _run(check, result)
        for check in checks
        if (history := histories[check.probe.id])
        for result in history.recent
    ]
    return tuple(sorted(found, key=lambda run: run.at, reverse=True)[:RUNS])


def _run(check: Check, result: Result) -> RunView:
    timings = result.timings
    return RunView(
        probe=check.probe.id,
        at=result.at,
        outcome=result.outcome,
        kind=result.failure.kind if result.failure else None,
        milliseconds=real(timings.ttft if check.probe.streams else timings.total),
    )


def _trouble(basis: _Basis) -> FailureKind | None:
    """The failure of the check that is worst off."""
    found = [
        (_WORST_FIRST.index(state), kind)
        for check, history, state in zip(basis.checks, basis.histories, basis.states, strict=True)
        if state not in _FINE and (kind := _reason(check, history, state, basis.incidents))
    ]
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _reason(
    check: Check, history: CheckHistory | None, state: State, incidents: Sequence[Incident]
) -> FailureKind | None:
    """Its latest failure; where that says nothing of a trouble that is still believed, the incident's."""
    failure = history.latest.failure if history and history.latest else None
    if failure and (state is State.UNKNOWN or failure.outcome is not Outcome.UNKNOWN):
        return failure.kind
    believed = (each.failure for each in incidents if not each.closed and check.key in each.active)
    known = next((each for each in believed if each.outcome is not Outcome.UNKNOWN), failure)
    return known.kind if known else None
