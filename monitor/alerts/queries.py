"""What the desk is asked about what it holds. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from monitor.alerts.flapping import is_on
from monitor.alerts.incidents import Book, endpoint_of, service_of
from monitor.model import (
    AlertState,
    FailureKind,
    Incident,
    Maintenance,
    Outcome,
    Phase,
    Severity,
)

_BELIEVED = {Phase.BAD, Phase.RECOVERING}
_STORM_SERVICES = 3
_STORM_WITHIN = timedelta(minutes=2)
_KEPT = timedelta(hours=3)
"""At least; flapping looks back so far."""
Span = tuple[datetime, datetime]


def causes(states: Iterable[AlertState], book: Book) -> dict[tuple[str, str], FailureKind]:
    """What each check that is believed bad was last known to fail with, from the timelines."""
    found = {}
    for state in states:
        incident = book.open.get(state.incident or 0)
        said = [
            entry.kind
            for entry in (incident.timeline if incident else ())
            if entry.check == state.check and entry.kind
        ]
        if said:
            found[state.check, state.rule] = said[-1]
    return found


def working(
    service: str, latest: Mapping[str, Outcome], states: Iterable[AlertState]
) -> tuple[str, ...]:
    outcomes: dict[str, list[Outcome]] = {}
    for check, outcome in latest.items():
        if service_of(check) == service:
            outcomes.setdefault(endpoint_of(check), []).append(outcome)
    bad = {
        endpoint_of(state.check)
        for state in states
        if state.rule == "down" and state.phase in _BELIEVED
    }
    good = [path for path, seen in outcomes.items() if path not in bad and _serves(seen)]
    return tuple(sorted(good, key=lambda path: set(outcomes[path]) != {Outcome.UP}))


def _serves(outcomes: list[Outcome]) -> bool:
    return Outcome.DOWN not in outcomes and bool({Outcome.UP, Outcome.DEGRADED} & set(outcomes))


def is_storm(states: Iterable[AlertState], latest: Mapping[str, Outcome], now: datetime) -> bool:
    """Most base URLs of three services or more began to fail just now: that has one cause."""
    hit: dict[str, set[str]] = {}
    for state in states:
        fresh = state.since and now - state.since <= _STORM_WITHIN
        if state.rule == "down" and fresh and state.phase in {Phase.SUSPECT, Phase.BAD}:
            hit.setdefault(service_of(state.check), set()).add(endpoint_of(state.check))
    if len(hit) < _STORM_SERVICES:
        return False
    watched: dict[str, set[str]] = {}
    for check in latest:
        watched.setdefault(service_of(check), set()).add(endpoint_of(check))
    most = [each for each, bad in hit.items() if 2 * len(bad) > len(watched.get(each, bad))]
    return len(most) >= _STORM_SERVICES


def still_needed(past: Mapping[int, Incident], now: datetime) -> dict[int, Incident]:
    """Of those that are over: this month's, for downtime, and those that flapping looks at."""
    since = min(_month(now), now - _KEPT)
    return {
        number: each
        for number, each in past.items()
        if is_on(each) or (each.closed and each.closed >= since)
    }


def _month(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def downtime(
    incident: Incident,
    all_of_them: Iterable[Incident],
    maintenance: Iterable[Maintenance],
    now: datetime,
) -> timedelta:
    since, paths = _month(now), set(incident.endpoints)
    bad = [
        (max(each.opened, since), min(each.closed or now, now))
        for each in all_of_them
        if each.severity is Severity.DOWN and paths & set(each.endpoints)
    ]
    planned = [
        (window.start, window.end)
        for each in maintenance
        if all(each.covers(path) for path in paths)
        for window in each.windows(since, now)
    ]
    return _length(bad) - _length(_both(_united(bad), _united(planned)))


def _united(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _both(one: list[Span], other: list[Span]) -> list[Span]:
    return [(max(a, c), min(b, d)) for a, b in one for c, d in other if max(a, c) < min(b, d)]


def _length(spans: Iterable[Span]) -> timedelta:
    return sum((end - start for start, end in _united(spans)), timedelta(0))
