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


def bad_for(incident: Incident) -> tuple[timedelta, timedelta]:
    """Return how long a closed incident was as bad as it says, and how long it was down from some vantages only.

    What was down counts as in `downtime`; any other trouble is one from its begin to its end.
    """
    assert incident.closed is not None
    whole = incident.closed - incident.opened
    if incident.severity is not Severity.DOWN:
        return whole, timedelta(0)
    down = length(down_spans(incident, incident.closed))
    return down, whole - down


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
