"""Turns events into incidents: one per cause. Pure; a `Book` in, a `Book` out.

Which incident a check that has just been believed bad belongs to:
- account trouble: the service's open account incident, for a key is shared by all its endpoints;
- the monitor's own trouble: the one open incident of the monitor;
- down and degraded: the service's open incident of that severity that covers this endpoint already,
  else one that began within `TOGETHER` of it, for what breaks together has one cause;
- else a new one.

What nobody is told of never swallows what people should hear, so only what is muted alike mixes; but a check that is
bad from fewer vantages than people are told of belongs to what is told of its base URL, and to what broke together with
it from one of these vantages: in the first seconds of an outage each check is bad from one vantage only.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from monitor.model import (
    EntryKind,
    Failure,
    FailureKind,
    Fired,
    Incident,
    Mute,
    Rule,
    Severity,
    TimelineEntry,
)
from monitor.model.outages import TURNS, is_step, was_down

TOGETHER = timedelta(minutes=5)
_TIMELINE = 100
"""Entries kept: the first ones and the last ones say most."""


@dataclass(frozen=True, slots=True)
class Book:
    """Holds the open incidents, and the number of the next one."""

    open: Mapping[int, Incident] = field(default_factory=dict)
    next_id: int = 1

    def put(self, incident: Incident) -> "Book":
        others = {number: other for number, other in self.open.items() if number != incident.id}
        opened = others if incident.closed else {**others, incident.id: incident}
        return Book(opened, max(self.next_id, incident.id + 1))


def service_of(check: str) -> str:
    return check.partition("/")[0]


def endpoint_of(check: str) -> str:
    return check.rpartition("/")[0]


def home(book: Book, fired: Fired, rule: Rule, muted: Mute | None) -> Incident | None:
    """Return the open incident that a check which is newly believed bad belongs to, if there is one."""
    for alike in _alike(muted):
        for incident in book.open.values():
            is_of_one_place = not {*fired.bad_from}.isdisjoint(incident.places)
            mixes = rule.severity is Severity.DOWN and is_of_one_place
            if (
                incident.muted is alike
                and (incident.muted is muted or mixes)
                and is_of_rule(incident, rule)
                and _shares_cause(incident, fired)
            ):
                return incident
    return None


def same_url(book: Book, fired: Fired, rule: Rule, muted: Mute | None) -> Incident | None:
    """Return the open incident of the same base URL, muted alike or apart by the number of vantages alone."""
    for alike in _alike(muted):
        for incident in book.open.values():
            if (
                incident.muted is alike
                and is_of_rule(incident, rule)
                and endpoint_of(fired.check) in incident.endpoints
            ):
                return incident
    return None


def _alike(muted: Mute | None) -> tuple[Mute | None, ...]:
    """Return the mutes of which people may hear together: what few vantages see so far, and what is told."""
    mixes = {None: Mute.PARTIAL, Mute.PARTIAL: None}
    return tuple(dict.fromkeys((muted, mixes.get(muted, muted))))


def is_of_rule(incident: Incident, rule: Rule) -> bool:
    """Say whether it is of this rule's kind; what is down from some vantages may come to be down from all."""
    severity = Severity.DOWN if incident.severity is Severity.PARTIAL else incident.severity
    return severity is rule.severity and incident.cause == rule.cause


def _shares_cause(incident: Incident, fired: Fired) -> bool:
    if incident.service is None:
        return True
    if incident.service != service_of(fired.check):
        return False
    if incident.severity in {Severity.ACCOUNT, Severity.MONITOR}:
        return True
    together = abs(fired.at - incident.opened) <= TOGETHER
    return endpoint_of(fired.check) in incident.endpoints or together


def begin(book: Book, fired: Fired, rule: Rule, failure: Failure) -> Incident:
    """Return a new incident of one check. `announced` or `mute.muted` says whether people hear of it."""
    opening = TimelineEntry(
        at=fired.at,
        what=EntryKind.OPENED,
        check=fired.check,
        kind=failure.kind,
        text=failure.message,
    )
    ours = rule.severity is Severity.MONITOR and not rule.cause
    incident = Incident(
        id=book.next_id,
        service=None if ours else service_of(fired.check),
        severity=rule.severity,
        cause=rule.cause,
        opened=fired.at,
        failure=failure,
        checks=(fired.check,),
        active=frozenset({fired.check}),
        timeline=(opening,),
    )
    return placed(incident, fired)


def placed(incident: Incident, fired: Fired) -> Incident:
    """Note which vantages see a check of it bad, and whether they are enough."""
    if fired.bad_from:
        incident = replace(incident, bad_from={**incident.bad_from, fired.check: fired.bad_from})
    return _reaching(incident, fired.check, is_partial=fired.partial)


def _reaching(incident: Incident, check: str, *, is_partial: bool) -> Incident:
    partial = incident.partial | {check} if is_partial else incident.partial - {check}
    return _settled(replace(incident, partial=partial))


def _settled(incident: Incident) -> Incident:
    """Make it as bad as the worst of its checks that are bad now."""
    if incident.severity not in {Severity.DOWN, Severity.PARTIAL}:
        return incident
    is_partial = incident.active <= incident.partial
    return replace(incident, severity=Severity.PARTIAL if is_partial else Severity.DOWN)


def reach_changed(
    incident: Incident, check: str, at: datetime, votes: str, *, is_partial: bool
) -> Incident:
    """Note that a check of it is bad from more vantages than before, or from fewer; no turn lies before the last one.

    `votes` says from how many of those that measured it, as `2 of 5`.
    """
    turns = [
        entry.at for entry in incident.timeline if entry.check == check and entry.what in TURNS
    ]
    what = EntryKind.NARROWED if is_partial else EntryKind.WIDENED
    entry = TimelineEntry(at=max([at, *turns]), what=what, check=check, text=votes)
    return with_entry(_reaching(incident, check, is_partial=is_partial), entry)


def seen_from(
    incident: Incident,
    check: str,
    at: datetime,
    vantages: tuple[str, ...],
    kind: FailureKind | None,
) -> Incident:
    """Note the vantages that see a check of it bad now, with an entry for each that is new or gone."""
    before = incident.bad_from.get(check, ())
    if before == vantages:
        return incident
    changed = replace(incident, bad_from={**incident.bad_from, check: vantages})
    if before:
        for vantage in vantages:
            if vantage not in before:
                entry = TimelineEntry(
                    at=at, what=EntryKind.JOINED, check=check, kind=kind, vantage=vantage
                )
                changed = with_entry(changed, entry)
        for vantage in before:
            if vantage not in vantages:
                entry = TimelineEntry(at=at, what=EntryKind.LEFT, check=check, vantage=vantage)
                changed = with_entry(changed, entry)
    return changed


def heard_late(
    incident: Incident, check: str, at: datetime, vantage: str, kind: FailureKind
) -> Incident:
    """Note that a vantage saw a check of it bad as well, once; who is known to have seen it so is no news."""
    is_known = vantage in incident.bad_from.get(check, ()) or any(
        (entry.check, entry.vantage) == (check, vantage) for entry in incident.timeline
    )
    is_of_then = incident.opened <= at <= (incident.closed or at)
    if is_known or check not in incident.checks or not is_of_then:
        return incident
    entry = TimelineEntry(at=at, what=EntryKind.HEARD_LATE, check=check, kind=kind, vantage=vantage)
    kinds = [kept.what for kept in incident.timeline]
    end = kinds.index(EntryKind.RESOLVED) if EntryKind.RESOLVED in kinds else len(kinds)
    timeline = (*incident.timeline[:end], entry, *incident.timeline[end:])
    return replace(incident, timeline=timeline)


def seen_from_these(incident: Incident, vantages: Collection[str]) -> Incident:
    """Leave out the vantages that left the configuration: nobody knows what they would see."""
    bad_from = {
        check: tuple(place for place in places if place in vantages)
        for check, places in incident.bad_from.items()
    }
    return incident if bad_from == incident.bad_from else replace(incident, bad_from=bad_from)


def is_down(book: Book, endpoint: str) -> bool:
    return any(
        incident.severity is Severity.DOWN
        and endpoint in map(endpoint_of, incident.active - incident.partial)
        for incident in book.open.values()
    )


def announced(incident: Incident, now: datetime, remind: timedelta) -> Incident:
    """Return the incident as one that people hear of from `now` on; the reminders count from here."""
    again = None if incident.acked else now + remind
    return replace(
        incident,
        announced=True,
        muted=None,
        told_at=now,
        told_as=incident.severity,
        remind_at=again,
        update_at=None,
    )


def updated(incident: Incident) -> Incident:
    """Note that people hear how it is now."""
    return replace(incident, told_as=incident.severity, update_at=None)


def acked(incident: Incident, at: datetime, text: str) -> Incident:
    entry = TimelineEntry(at=at, what=EntryKind.ACKED, text=text)
    return with_entry(replace(incident, acked=at, remind_at=None), entry)


def annotated(incident: Incident, at: datetime, text: str) -> Incident:
    return with_entry(incident, TimelineEntry(at=at, what=EntryKind.NOTE, text=text))


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
    return with_entry(joined, entry)


def count(incident: Incident, kind: FailureKind, runs: int = 1) -> Incident:
    """Count one more failed run, or as many as it took to be believed."""
    before = incident.failed_runs.get(kind.value, 0)
    return replace(incident, failed_runs={**incident.failed_runs, kind.value: before + runs})


def change_cause(incident: Incident, check: str, at: datetime, failure: Failure) -> Incident:
    entry = TimelineEntry(
        at=at, what=EntryKind.CAUSE, check=check, kind=failure.kind, text=failure.message
    )
    return with_entry(replace(incident, failure=failure), entry)


def leave(incident: Incident, check: str, at: datetime, why: str = "") -> Incident:
    """Take out a check that is good again since `at`; with the last one the incident ends.

    `why` says another reason than that it is good: UNWATCHED.
    """
    active = incident.active - {check}
    if active:
        bad_from = {other: places for other, places in incident.bad_from.items() if other != check}
        incident = replace(incident, bad_from=bad_from)
        entry = TimelineEntry(at=at, what=EntryKind.LEFT, check=check, text=why)
        failure = _latest_failure(incident.timeline, active) or incident.failure
        return with_entry(_settled(replace(incident, active=active, failure=failure)), entry)
    left = [entry.at for entry in incident.timeline if entry.what is EntryKind.LEFT]
    closed = max([at, incident.opened, *left])
    last = check if why else None
    entry = TimelineEntry(at=closed, what=EntryKind.RESOLVED, check=last, text=why)
    over = replace(incident, active=active, closed=closed, remind_at=None, update_at=None)
    if incident.severity is Severity.PARTIAL and was_down(incident):
        over = replace(over, severity=Severity.DOWN)
    return with_entry(over, entry)


def _latest_failure(timeline: Sequence[TimelineEntry], checks: Collection[str]) -> Failure | None:
    """Return the latest failure of these checks that the timeline tells."""
    for entry in reversed(timeline):
        if entry.kind and entry.check in checks and not entry.vantage:
            return Failure(entry.kind, entry.text)
    return None


def dropped(incident: Incident, at: datetime, why: str) -> Incident:
    """End it, for a reason that does not say whether it is over."""
    for check in sorted(incident.active):
        incident = leave(incident, check, at, why)
    return incident


def reminded(incident: Incident, now: datetime, remind: timedelta) -> Incident:
    """Return the incident after a reminder; the next is due after as long again, twice as long, then daily."""
    gap = min(remind * 2 ** (incident.reminded + 1), max(remind, timedelta(days=1)))
    entry = TimelineEntry(at=now, what=EntryKind.REMINDED)
    changed = replace(updated(incident), reminded=incident.reminded + 1, remind_at=now + gap)
    return with_entry(changed, entry)


def shifted(incident: Incident, by: timedelta) -> Incident:
    """Return the same incident by a wall clock that was set forward by `by`: its length does not change."""
    series = incident.series
    return replace(
        incident,
        opened=incident.opened + by,
        closed=incident.closed and incident.closed + by,
        told_at=incident.told_at and incident.told_at + by,
        remind_at=incident.remind_at and incident.remind_at + by,
        update_at=incident.update_at and incident.update_at + by,
        acked=incident.acked and incident.acked + by,
        series=series and replace(series, since=series.since + by),
        timeline=tuple(replace(entry, at=entry.at + by) for entry in incident.timeline),
    )


def with_entry(incident: Incident, entry: TimelineEntry) -> Incident:
    """Add an entry to the timeline, and cut one out of the middle where there are too many.

    What downtime is reckoned from, and who knows of it, stays.
    """
    timeline = (*incident.timeline, entry)
    plain = [
        place
        for place, kept in enumerate(timeline)
        if not is_step(kept) and kept.what is not EntryKind.ACKED
    ]
    if len(plain) > _TIMELINE:
        cut = plain[_TIMELINE // 2]
        timeline = (*timeline[:cut], *timeline[cut + 1 :])
    return replace(incident, timeline=timeline)
