"""Says how a month was: availability, outages, percentiles and spend of each base URL, as one document. Pure.

Everything follows from counts by hour and day, incidents and the ledger; nothing of it is stored. What was
not measured is neither good nor bad: its share stands beside each figure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from monitor.model import (
    NO_SPEND,
    Check,
    Endpoint,
    Incident,
    Month,
    MonthCounts,
    MonthRecord,
    Rollup,
    Service,
    Spend,
    Vantage,
)
from monitor.model.outages import length, outages, overlaps
from monitor.model.rollup import NOTHING
from monitor.ranking import main_check


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceReport:
    """A base URL over a month as one vantage measured it, by the check that speaks for it."""

    vantage: str
    check: str | None
    """Its key; None where no check speaks for it any more."""
    rollup: Rollup
    days: int
    """The UTC days on which a run counted."""

    @property
    def due(self) -> int:
        """Return the runs that were due: those that counted, and those that are left out."""
        return self.rollup.counted + sum(self.left_out.values())

    @property
    def left_out(self) -> Mapping[str, int]:
        """Return the runs that availability leaves out, by why: maintenance, not seen, and those that did not happen."""
        rollup = self.rollup
        return {
            "maintenance": rollup.maintenance,
            "unknown": rollup.unknown,
            "missed": rollup.missed,
        }

    @property
    def excluded(self) -> Mapping[str, float | None]:
        """Return the shares of the runs that were due that availability leaves out, by why."""
        return {why: runs / self.due if self.due else None for why, runs in self.left_out.items()}

    def percentiles(self, figure: str) -> Mapping[str, float | None]:
        """Return p50, p95 and p99 in milliseconds of `ttft` or `total`, within 1 %; None where none was timed."""
        return self.rollup.quantiles(figure)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointReport:
    """One base URL over a month."""

    path: str
    """`service/endpoint`."""
    name: str
    url: str | None
    """None where the configuration has it no more."""
    down: timedelta | None
    """How long incidents say that it was down; None where nothing measured it, or only an import knows of it."""
    imported_until: datetime | None
    """When what was imported of this month ends: no incident is known of before."""
    places: tuple[PlaceReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReport:
    """One service over a month."""

    id: str
    name: str
    endpoints: tuple[EndpointReport, ...]
    spent: Mapping[str, Spend] | None
    """By vantage; None where it is not kept any more."""

    @property
    def spent_in_all(self) -> Spend | None:
        return None if self.spent is None else sum(self.spent.values(), start=NO_SPEND)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthReport:
    """One month of UTC."""

    month: Month
    at: datetime
    """When it was made."""
    days: int
    """The UTC days of it that have begun."""
    days_measured: int
    """Those on which any base URL of it was measured."""
    measured_since: datetime | None
    currency: str
    services: tuple[ServiceReport, ...]
    incidents: tuple[Incident, ...]
    """Those of its services and of the monitor itself, newest first."""
    seen_until: datetime
    imported_until: Mapping[str, datetime]
    """By base URL, when what was imported of this month ends: which incidents it had before is not known."""

    @property
    def is_in_progress(self) -> bool:
        return self.at < self.month.end

    @property
    def until(self) -> datetime:
        """Return its end, or when the report was made where that came before."""
        return min(self.month.end, self.at)

    def within(self, incident: Incident) -> timedelta:
        """Return how long an incident lasted within the month, as far as it is known."""
        end = incident.closed or max(incident.opened, self.seen_until)
        return length(overlaps([(incident.opened, end)], [(self.month.begin, self.until)]))


def month_report(
    month: Month,
    record: MonthRecord,
    services: Sequence[Service],
    checks: Sequence[Check],
    own: str,
    vantages: Sequence[Vantage],
    currency: str,
    now: datetime,
) -> MonthReport:
    """Report a month of these services.

    `own` is the daemon's own vantage, `vantages` are the others of the configuration; any other one has a row
    where it measured something.
    """
    over = min(month.end, now) - month.begin
    ids = {service.id for service in services}
    empty = MonthReport(
        month=month,
        at=now,
        days=max(0, -(-over // timedelta(days=1))),
        days_measured=0,
        measured_since=record.measured_since,
        currency=currency,
        services=(),
        incidents=tuple(
            incident
            for incident in record.incidents
            if incident.service is None or incident.service in ids
        ),
        seen_until=min(now, record.seen_until or now),
        imported_until={},
    )
    counts = [some for some in record.counts if some.check.partition("/")[0] in ids]
    empty = replace(empty, imported_until=_imported_until(month, counts, record.imported_until))
    return replace(
        empty,
        days_measured=len(frozenset[date]().union(*(some.measured for some in counts))),
        services=tuple(
            _service(
                service,
                empty,
                record,
                checks,
                [own, *(vantage.id for vantage in vantages if vantage.probes(service.id))],
            )
            for service in services
        ),
    )


def services_of(record: MonthRecord, configured: Sequence[Service]) -> tuple[Service, ...]:
    """Return the configured services, and those that have left the configuration and have something in a month."""
    spent = {service for _, service in record.spent or {}}
    counted = {counts.check.partition("/")[0] for counts in record.counts}
    named = {incident.service for incident in record.incidents if incident.service}
    known = {service.id for service in configured}
    gone = sorted((spent | counted | named) - known)
    return (*configured, *(Service(id=name, name=name, endpoints=()) for name in gone))


def _imported_until(
    month: Month, counts: Iterable[MonthCounts], known: Mapping[str, datetime]
) -> dict[str, datetime]:
    """Return by base URL when what was imported of the month ends, where something of it was."""
    until: dict[str, datetime] = {}
    for some in counts:
        end = known.get(some.check)
        if end and some.measured and min(some.measured) <= end.astimezone(UTC).date():
            path = some.check.rpartition("/")[0]
            until[path] = max(min(end, month.end), until.get(path, month.begin))
    return until


def _service(
    service: Service,
    whole: MonthReport,
    record: MonthRecord,
    checks: Sequence[Check],
    vantages: Sequence[str],
) -> ServiceReport:
    by_path: dict[str, list[MonthCounts]] = {}
    for counts in record.counts:
        path = counts.check.rpartition("/")[0]
        if path.partition("/")[0] == service.id:
            by_path.setdefault(path, []).append(counts)
    asked = [check for check in checks if check.service == service.id]
    spent = record.spent
    return ServiceReport(
        id=service.id,
        name=service.name,
        endpoints=tuple(_endpoints(service, by_path, asked, whole, vantages)),
        spent=None
        if spent is None
        else {vantage: spend for (vantage, of), spend in sorted(spent.items()) if of == service.id},
    )


def _endpoints(
    service: Service,
    by_path: Mapping[str, Sequence[MonthCounts]],
    checks: Sequence[Check],
    whole: MonthReport,
    vantages: Sequence[str],
) -> Iterator[EndpointReport]:
    """Yield those of the configuration in its order, then those that it has no more."""
    configured = {endpoint.path: endpoint for endpoint in service.endpoints}
    for path in (*configured, *sorted(by_path.keys() - configured.keys())):
        endpoint, counts = configured.get(path), by_path.get(path, ())
        if counts or (endpoint and not endpoint.retired):
            own = [check for check in checks if check.endpoint.path == path]
            yield _endpoint(path, endpoint, counts, own, whole, vantages)


def _endpoint(
    path: str,
    endpoint: Endpoint | None,
    counts: Sequence[MonthCounts],
    checks: Sequence[Check],
    whole: MonthReport,
    vantages: Sequence[str],
) -> EndpointReport:
    main = main_check(checks).key if checks else None
    by_vantage: dict[str, list[MonthCounts]] = {vantage: [] for vantage in vantages}
    for some in counts:
        by_vantage.setdefault(some.vantage, []).append(some)
    places = tuple(_place(vantage, some, main) for vantage, some in by_vantage.items())
    incidents = [incident for incident in whole.incidents if path in incident.endpoints]
    month = whole.month.begin, whole.until
    down = length(overlaps(outages(path, incidents, whole.seen_until), [month]))
    imported_until = whole.imported_until.get(path)
    is_known = down or (imported_until is None and any(place.days for place in places))
    return EndpointReport(
        path=path,
        name=endpoint.name if endpoint else path.partition("/")[2],
        url=endpoint.url if endpoint else None,
        down=down if is_known else None,
        imported_until=imported_until,
        places=places,
    )


def _place(vantage: str, counts: Sequence[MonthCounts], main: str | None) -> PlaceReport:
    """Report by the check that speaks for the base URL now; where that has no run, by the one that counted most."""
    speaking = max(
        counts,
        key=lambda some: (some.check == main, some.rollup.counted, some.check),
        default=None,
    )
    return PlaceReport(
        vantage=vantage,
        check=speaking.check if speaking else main,
        rollup=speaking.rollup if speaking else NOTHING,
        days=len(speaking.measured) if speaking else 0,
    )
