"""The page for programs: `status.json` says how things stand, and a file of its own how each endpoint
has been. Pure.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from monitor.model import FailureKind, Point, Rollup
from monitor.page.day_bars import Day
from monitor.page.endpoint_nouns import EndpointView, ErrorView, Measured, RetiredView, RunView
from monitor.page.incident_views import IncidentView
from monitor.page.published import (
    CheckStatus,
    DayOfUse,
    EndpointDetail,
    EndpointStatus,
    ErrorStatus,
    HalfHour,
    IncidentStatus,
    MaintenanceStatus,
    Percentiles,
    PickStatus,
    RetiredStatus,
    RunStatus,
    ServiceStatus,
    Status,
    UpdateStatus,
    Window,
)
from monitor.page.view_models import MaintenanceView, PageView, PickView, ServiceView


class Statuses:
    """Remembers what was said of each endpoint, because most have no news since the last page."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[EndpointView, EndpointStatus]] = {}
        self._now: dict[str, tuple[EndpointView, EndpointStatus]] = {}

    def turn(self) -> None:
        """Another page begins: what the last one did not ask for is forgotten."""
        self._before, self._now = self._now, {}

    def __call__(self, endpoint: EndpointView) -> EndpointStatus:
        kept = self._before.get(endpoint.path)
        found = kept[1] if kept and kept[0] is endpoint else _endpoint(endpoint)
        self._now[endpoint.path] = endpoint, found
        return found


def status(page: PageView, endpoints: Statuses) -> Status:
    endpoints.turn()
    return Status(
        title=page.title,
        vantage=page.vantage,
        version=page.version,
        generated_at=_second(page.generated),
        valid_until=_second(page.valid_until),
        stopped_at=page.stopped and _second(page.stopped),
        state=page.state,
        headline=" ".join(page.headline),
        text=page.text,
        service=page.triage_service,
        network=page.triage_network,
        services=tuple(_service(service, page, endpoints) for service in page.services),
        incidents=tuple(map(_incident, page.stories)),
        maintenance=tuple(map(_maintenance, page.works)),
        undelivered=page.undelivered
        and replace(page.undelivered, last=_second(page.undelivered.last)),
        links=dict(page.links),
    )


def _maintenance(work: MaintenanceView) -> MaintenanceStatus:
    return MaintenanceStatus(
        id=work.id,
        title=work.title,
        begins=_second(work.window.start),
        ends=_second(work.window.end),
        active=work.active,
        endpoints=work.endpoints,
    )


def _service(service: ServiceView, page: PageView, endpoints: Statuses) -> ServiceStatus:
    picks, following = ((), ()) if page.stopped else (service.picks, service.next)
    return ServiceStatus(
        id=service.id,
        name=service.name,
        state=service.state,
        best=picks[0].url or None if picks else None,
        picks=tuple(map(_pick, picks)),
        next=tuple(map(_pick, following)),
        spend=service.spend,
        endpoints=tuple(map(endpoints, service.endpoints)),
        retired=tuple(map(_retired, service.retired)),
    )


def _pick(pick: PickView) -> PickStatus:
    return PickStatus(
        endpoint=pick.endpoint,
        url=pick.url or None,
        median_ms=round(pick.milliseconds, 1),
        long_call=pick.long_call,
    )


def _retired(endpoint: RetiredView) -> RetiredStatus:
    return RetiredStatus(
        id=endpoint.path.split("/")[1],
        name=endpoint.name,
        availability_90d=endpoint.availability,
        last=endpoint.last,
        detail=detail_path(endpoint.path),
    )


def _days(days: Iterable[Day]) -> tuple[DayOfUse, ...]:
    return tuple(DayOfUse(day=day.day, state=day.state, minutes=day.minutes) for day in days)


def _endpoint(endpoint: EndpointView) -> EndpointStatus:
    return EndpointStatus(
        id=endpoint.path.split("/")[1],
        name=endpoint.name,
        url=endpoint.url or None,
        state=endpoint.state,
        tags=endpoint.tags,
        main=endpoint.main,
        streams=endpoint.streams,
        cut_after_s=endpoint.cut_after.total_seconds() if endpoint.cut_after else None,
        trouble=endpoint.trouble,
        fault=endpoint.trouble.fault if endpoint.trouble else None,
        availability_90d=endpoint.availability,
        excluded_90d=endpoint.excluded,
        p50_ms=_short(endpoint.p50),
        p95_ms=_short(endpoint.p95),
        tokens_per_s=_short(endpoint.speed),
        cert_expires=endpoint.cert_expires and _second(endpoint.cert_expires),
        latest=endpoint.latest and _second(endpoint.latest),
        checks={
            probe: CheckStatus(
                kind=endpoint.kinds.get(probe),
                state=cell.state,
                text=cell.text,
                failure=cell.kind,
                median_ms=_short(cell.milliseconds),
                model=cell.model,
            )
            for probe, cell in endpoint.cells.items()
        },
        detail=detail_path(endpoint.path),
    )


def detail_path(path: str) -> str:
    """Of the file beside an endpoint's page, below the page's folder."""
    return f"endpoints/{path}/status.json"


def detail(endpoint: EndpointView) -> EndpointDetail:
    return replace(
        retired_detail(endpoint),
        retired=False,
        phases_ms={name: round(value, 1) for name, value in endpoint.phases},
        last_24h=tuple(map(_half_hour, endpoint.points)),
        runs=tuple(map(_run, endpoint.runs)),
        errors=tuple(map(_error, endpoint.errors)) or None,
    )


def retired_detail(endpoint: Measured) -> EndpointDetail:
    """What is still known of one that nobody asks any more."""
    service, own = endpoint.path.split("/")
    return EndpointDetail(
        service=service,
        id=own,
        name=endpoint.name,
        retired=True,
        latest=endpoint.latest and _second(endpoint.latest),
        phases_ms={},
        windows=tuple(_window(days, rollup) for days, rollup in endpoint.windows.items()),
        days=_days(endpoint.days),
        last_24h=(),
        runs=(),
        errors=None,
    )


def _half_hour(point: Point) -> HalfHour:
    return HalfHour(
        at=_second(point.at),
        p50_ms=_short(point.p50),
        p95_ms=_short(point.p95),
        tokens_per_s=_short(point.tokens_per_s),
    )


def _run(run: RunView) -> RunStatus:
    return RunStatus(
        probe=run.probe,
        at=_second(run.at),
        outcome=run.outcome,
        failure=run.kind,
        ms=_short(run.milliseconds),
    )


def _window(days: int, rollup: Rollup) -> Window:
    return Window(
        days=days,
        runs=rollup.counted + rollup.unknown,
        availability=rollup.availability,
        excluded=rollup.excluded,
        ttft_ms=_percentiles(rollup, "ttft"),
        ttfb_ms=_percentiles(rollup, "ttfb"),
        total_ms=_percentiles(rollup, "total"),
        tokens_per_s_p50=_short(rollup.quantile("tokens_per_s", 0.5)),
        failures={kind: rollup.kinds[kind] for kind in _by_count(rollup)},
    )


def _percentiles(rollup: Rollup, figure: str) -> Percentiles | None:
    p50, p95, p99 = (_short(rollup.quantile(figure, q)) for q in (0.5, 0.95, 0.99))
    if p50 is None or p95 is None or p99 is None:
        return None
    return Percentiles(p50=p50, p95=p95, p99=p99)


def _by_count(rollup: Rollup) -> list[FailureKind]:
    kinds = sorted(rollup.kinds, key=lambda kind: (-rollup.kinds[kind], kind))
    return [FailureKind(kind) for kind in kinds]


def _error(error: ErrorView) -> ErrorStatus:
    evidence = error.evidence
    return ErrorStatus(
        check=error.probe,
        at=_second(error.at),
        kind=error.kind,
        message=error.message,
        status=error.status,
        headers=evidence.headers if evidence else (),
        body=evidence.body if evidence else "",
    )


def _incident(story: IncidentView) -> IncidentStatus:
    return IncidentStatus(
        id=story.id,
        title=story.title,
        state=story.state,
        severity=story.severity,
        opened=_second(story.opened),
        closed=story.closed and _second(story.closed),
        what=story.text,
        do=story.remedy,
        endpoints=story.endpoints,
        failed_runs=dict(story.failed),
        updates=tuple(
            UpdateStatus(at=_second(each.at), label=each.label, text=each.text)
            for each in story.updates
        ),
    )


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
