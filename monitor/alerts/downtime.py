"""Says how long base URLs were down this month, and which closed incidents are needed to know it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from monitor.alerts.flapping import is_on
from monitor.model import Incident, Maintenance, Severity
from monitor.model.outages import down_spans, length, overlaps, united

_KEPT = timedelta(hours=3)
"""At least; flapping looks back so far."""


def downtime(
    incident: Incident,
    known: Iterable[Incident],
    maintenance: Iterable[Maintenance],
    now: datetime,
) -> timedelta:
    """Return how long the base URLs of `incident` were down this month (UTC), maintenance aside.

    It is zero for trouble of the account, which names a service and not its base URLs.
    """
    if incident.severity is Severity.ACCOUNT:
        return timedelta(0)
    month, paths = _month(now), set(incident.endpoints)
    outages = [
        (max(begin, month), min(end, now))
        for other in known
        if paths & set(other.endpoints)
        for begin, end in down_spans(other, now)
    ]
    planned = [
        (window.start, window.end)
        for plan in maintenance
        if all(plan.covers(path) for path in paths)
        for window in plan.windows(month, now)
    ]
    return length(outages) - length(overlaps(united(outages), united(planned)))


def partial_for(incident: Incident) -> timedelta:
    """Return how long a closed incident was down from some vantages only, of one that was down at all."""
    assert incident.closed is not None
    return incident.closed - incident.opened - length(down_spans(incident, incident.closed))


def still_needed(closed: Mapping[int, Incident], now: datetime) -> dict[int, Incident]:
    """Return the closed incidents of this month, for downtime, and those that flapping looks at."""
    since = min(_month(now), now - _KEPT)
    return {
        number: incident
        for number, incident in closed.items()
        if is_on(incident) or (incident.closed and incident.closed >= since)
    }


def _month(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
