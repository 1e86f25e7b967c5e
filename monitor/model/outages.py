"""Says when base URLs were down, as incidents tell it, and adds up spans of time. Pure.

This is the one place that reckons downtime: alerts, reports and pages ask it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from monitor.model.alert import EntryKind, Incident, Severity, TimelineEntry

Span = tuple[datetime, datetime]
"""A time from its begin until just before its end."""
TURNS = {EntryKind.WIDENED, EntryKind.NARROWED}
"""The turns between down from some vantages and down."""


def down_spans(incident: Incident, now: datetime) -> list[Span]:
    """Return when an incident was down, and not only from some vantages."""
    if incident.severity not in {Severity.DOWN, Severity.PARTIAL}:
        return []
    if not incident.partial and not was_down(incident):
        return [(incident.opened, incident.closed or now)]
    return _down_spans_of(incident, incident.checks, now)


def outages(path: str, incidents: Iterable[Incident], now: datetime) -> list[Span]:
    """Return when a base URL, `service/endpoint`, was down: times that do not overlap, in order.

    A base URL is down while any of its checks is believed down, from as many places as the quorum asks for where several probe.
    """
    spans: list[Span] = []
    for incident in incidents:
        if incident.severity in {Severity.DOWN, Severity.PARTIAL}:
            checks = [check for check in incident.checks if check.rpartition("/")[0] == path]
            spans += _down_spans_of(incident, checks, now)
    return united(spans)


def _down_spans_of(incident: Incident, checks: Iterable[str], now: datetime) -> list[Span]:
    end = incident.closed or now
    return [span for check in checks for span in _spans_of_check(incident, check, end)]


def _spans_of_check(incident: Incident, check: str, end: datetime) -> Iterator[Span]:
    """Walk back from how it is at the end: each entry says how it was before."""
    steps = [entry for entry in incident.timeline if entry.check == check and is_step(entry)]
    is_full = check not in incident.partial
    is_in = not steps or steps[-1].what is not EntryKind.LEFT
    for entry in reversed(steps):
        if is_in and is_full:
            yield entry.at, end
        end = entry.at
        if entry.what in TURNS:
            is_full = entry.what is EntryKind.NARROWED
        else:
            is_in = entry.what is EntryKind.LEFT
    if is_in and is_full:
        yield incident.opened, end


def was_down(incident: Incident) -> bool:
    return any(entry.what in TURNS for entry in incident.timeline)


def is_step(entry: TimelineEntry) -> bool:
    """Say whether a check came in, left, or was down from more vantages, or fewer, from then on."""
    comes_or_goes = entry.what in {EntryKind.JOINED, EntryKind.LEFT} and not entry.vantage
    return comes_or_goes or entry.what in TURNS


def united(spans: Iterable[Span]) -> list[Span]:
    """Return the same time as spans that neither overlap nor touch, in order."""
    whole: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if whole and start <= whole[-1][1]:
            whole[-1] = (whole[-1][0], max(end, whole[-1][1]))
        else:
            whole.append((start, end))
    return whole


def overlaps(left: Sequence[Span], right: Sequence[Span]) -> list[Span]:
    """Return the time that lies in both."""
    return [(max(a, c), min(b, d)) for a, b in left for c, d in right if max(a, c) < min(b, d)]


def length(spans: Iterable[Span]) -> timedelta:
    """Return how long they last in all; time that several share counts once."""
    return sum((end - start for start, end in united(spans)), timedelta(0))
