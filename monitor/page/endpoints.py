"""One endpoint as the page shows it, from the checks that it has. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, timedelta

from monitor.model import MAIN_ORDER, Check, CheckHistory, Kind, PageSettings, Result, Snapshot
from monitor.model.rollup import NOTHING
from monitor.page import days as ninety
from monitor.page.figures import Past
from monitor.page.nouns import CellView, EndpointView, ErrorView, RunView
from monitor.page.states import State, check_state, endpoint_state
from monitor.page.stories import STATES

DAY = timedelta(days=1)
_FINE = {State.OPERATIONAL, State.MAINTENANCE}
RUNS = 24
"""Latest runs that an endpoint's own page lists."""


def main_check(checks: Sequence[Check]) -> Check:
    return min(checks, key=lambda check: (not check.probe.main, MAIN_ORDER.index(check.probe.kind)))


def endpoint_view(
    checks: Sequence[Check], snapshot: Snapshot, shown: PageSettings, *, paused: bool = False
) -> EndpointView:
    """`paused`: somebody works on it, and what it answers meanwhile says nothing."""
    now, main = snapshot.at, main_check(checks)
    histories = {check.probe.id: snapshot.checks.get(check.key) for check in checks}
    states = {
        check.probe.id: State.MAINTENANCE
        if paused
        else check_state(check, histories[check.probe.id], now)
        for check in checks
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
        url=endpoint.url if shown.hosts else "",
        host=endpoint.url.split("://", 1)[1].split("/", 1)[0] if shown.hosts else "",
        tags=endpoint.tags,
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
        windows={1: day, **history.windows} if history else {},
        days=ninety.last_days(
            now.astimezone(UTC).date(), measured, snapshot.incidents, main.key,
            frozenset(check.key for check in checks), now, main.probe.every,
        ),
        points=history.series if history else (),
        shades=_shades(main, snapshot),
        phases=_phases(history),
        total=day.quantile("ttft" if main.probe.streams else "total", 0.5),
        cells={
            check.probe.id: _cell(
                check, histories[check.probe.id], states[check.probe.id], models=shown.models
            )
            for check in checks
        },
        kinds={check.probe.id: check.probe.kind for check in checks},
        runs=_runs(checks, histories),
        history=Past(
            figure=figure,
            main=history,
            all=tuple(each for each in histories.values() if each),
        ),
        trouble=_trouble(checks, snapshot, states),
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


def _shades(main: Check, snapshot: Snapshot) -> tuple[tuple[State, float, float], ...]:
    """Incidents of the main check within the last 24 hours, as shares of them."""
    start = snapshot.at - DAY
    found = []
    for incident in snapshot.incidents:
        begin, end = max(incident.opened, start), incident.closed or snapshot.at
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
        milliseconds=timings.ttft if check.probe.streams else timings.total,
    )


def _trouble(
    checks: Sequence[Check], snapshot: Snapshot, states: Mapping[str, State]
) -> Kind | None:
    """The failure of the check that is worst off."""
    found = []
    for check in checks:
        history, state = snapshot.checks.get(check.key), states[check.probe.id]
        if state not in _FINE and history and history.latest and history.latest.failure:
            found.append((state is not State.MAJOR, history.latest.failure.kind))
    return min(found, key=lambda pair: pair[0])[1] if found else None
