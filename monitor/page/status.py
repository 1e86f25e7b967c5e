"""The page as `status.json`: everything it shows, for programs. Pure."""

from datetime import datetime

from monitor.model import Kind, Rollup
from monitor.page.nouns import EndpointView, ErrorView, PageView, ServiceView, SpendView
from monitor.page.shapes import (
    Amount,
    CheckStatus,
    DayOfUse,
    EndpointStatus,
    ErrorStatus,
    HalfHour,
    IncidentStatus,
    Percentiles,
    PickStatus,
    ServiceStatus,
    SpendStatus,
    Status,
    UpdateStatus,
    Window,
)
from monitor.page.stories import Story


def status(page: PageView) -> Status:
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
        services=tuple(_service(service, page) for service in page.services),
        incidents=tuple(map(_incident, page.stories)),
    )


def _service(service: ServiceView, page: PageView) -> ServiceStatus:
    picks = () if page.stopped else service.picks
    return ServiceStatus(
        id=service.id,
        name=service.name,
        state=service.state,
        best=picks[0].url if picks else None,
        picks=tuple(
            PickStatus(
                endpoint=pick.endpoint,
                url=pick.url,
                median_ms=round(pick.milliseconds, 1),
                long_call=pick.long_call,
            )
            for pick in picks
        ),
        spend=_spend(service.spend) if service.spend else None,
        endpoints=tuple(map(_endpoint, service.endpoints)),
    )


def _spend(spend: SpendView) -> SpendStatus:
    return SpendStatus(
        today=Amount(tokens=spend.today.tokens, money=spend.today.money),
        month=Amount(tokens=spend.month.tokens, money=spend.month.money),
        currency=spend.currency,
    )


def _endpoint(endpoint: EndpointView) -> EndpointStatus:
    return EndpointStatus(
        id=endpoint.path.split("/")[1],
        name=endpoint.name,
        url=endpoint.url,
        state=endpoint.state,
        main=endpoint.main,
        streams=endpoint.streams,
        cut_after_s=endpoint.cut_after.total_seconds() if endpoint.cut_after else None,
        trouble=endpoint.trouble,
        fault=endpoint.trouble.fault if endpoint.trouble else None,
        availability_90d=endpoint.availability,
        excluded_90d=endpoint.excluded,
        cert_expires=endpoint.cert_expires and _second(endpoint.cert_expires),
        checks={
            probe: CheckStatus(state=cell.state, text=cell.text)
            for probe, cell in endpoint.cells.items()
        },
        windows=tuple(_window(days, rollup) for days, rollup in endpoint.windows.items()),
        days=tuple(
            DayOfUse(day=day.day, state=day.state, minutes=day.minutes) for day in endpoint.days
        ),
        last_24h=tuple(
            HalfHour(
                at=_second(point.at),
                p50_ms=_short(point.p50),
                p95_ms=_short(point.p95),
                tokens_per_s=_short(point.tokens_per_s),
            )
            for point in endpoint.points
        ),
        errors=tuple(map(_error, endpoint.errors)) or None,
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


def _by_count(rollup: Rollup) -> list[Kind]:
    kinds = sorted(rollup.kinds, key=lambda kind: (-rollup.kinds[kind], kind))
    return [Kind(kind) for kind in kinds]


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


def _incident(story: Story) -> IncidentStatus:
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
