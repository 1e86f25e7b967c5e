"""Says how long base URLs were down this month, and which closed incidents are needed to know it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from monitor.alerts.flapping import is_on
from monitor.alerts.incidents import down_spans
from monitor.model import Incident, Maintenance, Severity

_KEPT = timedelta(hours=3)
"""At least; flapping looks back so far."""
Span = tuple[datetime, datetime]


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
    return _length(outages) - _length(_overlaps(_united(outages), _united(planned)))


def partial_for(incident: Incident) -> timedelta:
    """Return how long a closed incident was down from some vantages only, of one that was down at all."""
    assert incident.closed is not None
    return incident.closed - incident.opened - _length(down_spans(incident, incident.closed))


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


def _united(spans: Iterable[Span]) -> list[Span]:
    united: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((start, end))
    return united


def _overlaps(left: list[Span], right: list[Span]) -> list[Span]:
    return [(max(a, c), min(b, d)) for a, b in left for c, d in right if max(a, c) < min(b, d)]


def _length(spans: Iterable[Span]) -> timedelta:
    return sum((end - start for start, end in _united(spans)), timedelta(0))
