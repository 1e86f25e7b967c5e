"""From events to incidents: one per cause. Pure; a `Book` in, a `Book` out.

Which incident a check that has just been believed bad belongs to:
- account trouble: the service's open account incident, for a key is shared by all its endpoints;
- the monitor's own trouble: the one open incident of the monitor;
- down and degraded: the service's open incident of that severity, if it covers this endpoint
  already, or if both began within `TOGETHER` of each other, for what breaks together has one cause;
- else a new one.

While an endpoint has an open `down` incident, a new `degraded` one on it is kept but not announced:
nobody wants to hear that a dead server is also slow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.model import EntryKind, Failure, Fired, Incident, Severity, TimelineEntry

TOGETHER = timedelta(minutes=5)
_TIMELINE = 100
"""Entries kept: the first ones and the last ones say most."""


@dataclass(frozen=True, slots=True)
class Book:
    """The open incidents, and the number of the next one."""

    open: Mapping[int, Incident] = field(default_factory=dict)
    next_id: int = 1

    def put(self, incident: Incident) -> "Book":
        others = {number: each for number, each in self.open.items() if number != incident.id}
        opened = others if incident.closed else {**others, incident.id: incident}
        return Book(opened, max(self.next_id, incident.id + 1))


def service_of(check: str) -> str:
    return check.split("/", 1)[0]


def endpoint_of(check: str) -> str:
    return check.rsplit("/", 1)[0]


def home(book: Book, check: str, severity: Severity, since: datetime) -> Incident | None:
    """The open incident that a newly believed check belongs to."""
    for incident in book.open.values():
        if incident.severity is severity and _shares_cause(incident, check, since):
            silent = not incident.announced and not _is_down(book, endpoint_of(check))
            if not silent:  # what nobody was told of must not swallow what they should hear
                return incident
    return None


def _shares_cause(incident: Incident, check: str, since: datetime) -> bool:
    if incident.severity is Severity.MONITOR:
        return True
    if incident.service != service_of(check):
        return False
    if incident.severity is Severity.ACCOUNT:
        return True
    return endpoint_of(check) in incident.endpoints or abs(since - incident.opened) <= TOGETHER


def begin(book: Book, fired: Fired, severity: Severity, failure: Failure) -> Incident:
    opening = TimelineEntry(
        at=fired.at,
        what=EntryKind.OPENED,
        check=fired.check,
        kind=failure.kind,
        text=failure.message,
    )
    return Incident(
        id=book.next_id,
        service=None if severity is Severity.MONITOR else service_of(fired.check),
        severity=severity,
        opened=fired.at,
        failure=failure,
        checks=(fired.check,),
        active=frozenset({fired.check}),
        timeline=(opening,),
        announced=not (severity is Severity.DEGRADED and _is_down(book, endpoint_of(fired.check))),
    )


def _is_down(book: Book, endpoint: str) -> bool:
    return any(
        incident.severity is Severity.DOWN and endpoint in map(endpoint_of, incident.active)
        for incident in book.open.values()
    )


def is_due_at_last(book: Book, incident: Incident) -> bool:
    """Kept silent while its endpoint was down, and it outlasts that."""
    return not incident.announced and not any(
        _is_down(book, endpoint_of(check)) for check in incident.active
    )


def join(incident: Incident, check: str, since: datetime, failure: Failure) -> Incident:
    entry = TimelineEntry(
        at=since, what=EntryKind.JOINED, check=check, kind=failure.kind, text=failure.message
    )
    checks = incident.checks if check in incident.checks else (*incident.checks, check)
    joined = replace(
        incident,
        checks=checks,
        active=incident.active | {check},
        opened=min(incident.opened, since),
    )
    return _noted(joined, entry)


def count(incident: Incident, failure: Failure, runs: int = 1) -> Incident:
    """One more failed run, or as many as it took to be believed."""
    name = failure.kind.value
    runs_by_kind = {**incident.failed_runs, name: incident.failed_runs.get(name, 0) + runs}
    return replace(incident, failed_runs=runs_by_kind)


def change_cause(incident: Incident, check: str, at: datetime, failure: Failure) -> Incident:
    entry = TimelineEntry(
        at=at, what=EntryKind.CAUSE, check=check, kind=failure.kind, text=failure.message
    )
    return _noted(replace(incident, failure=failure), entry)


def leave(incident: Incident, check: str, at: datetime) -> Incident:
    """One check is good again, since `at`; with the last one the incident ends."""
    active = incident.active - {check}
    if active:
        entry = TimelineEntry(at=at, what=EntryKind.LEFT, check=check)
        return _noted(replace(incident, active=active), entry)
    left = [entry.at for entry in incident.timeline if entry.what is EntryKind.LEFT]
    closed = max([at, incident.opened, *left])
    entry = TimelineEntry(at=closed, what=EntryKind.RESOLVED)
    return _noted(replace(incident, active=active, closed=closed, remind_at=None), entry)


def reminded(incident: Incident, now: datetime, remind: timedelta) -> Incident:
    """The next reminder: after as long again, twice as long, then daily."""
    gap = min(remind * 2 ** (incident.reminded + 1), max(remind, timedelta(days=1)))
    entry = TimelineEntry(at=now, what=EntryKind.REMINDED)
    changed = replace(incident, reminded=incident.reminded + 1, remind_at=now + gap)
    return _noted(changed, entry)


def _noted(incident: Incident, entry: TimelineEntry) -> Incident:
    timeline = (*incident.timeline, entry)
    if len(timeline) > _TIMELINE:
        half = _TIMELINE // 2
        timeline = timeline[:half] + timeline[-half:]
    return replace(incident, timeline=timeline)
