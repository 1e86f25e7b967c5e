"""Says who is not told, and why not. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.alerts import flapping, incidents
from monitor.alerts.incidents import Book, endpoint_of
from monitor.model import (
    EntryKind,
    Fired,
    Incident,
    Maintenance,
    Mute,
    Rule,
    Severity,
    Silence,
    TimelineEntry,
)


@dataclass(frozen=True, slots=True)
class Muted:
    """Says by what an incident is muted, and why, as its timeline has it."""

    by: Mute
    why: str


ITS_URL_IS_DOWN = Muted(Mute.DOWN, "its base URL is down")
COMES_AND_GOES = Muted(Mute.FLAPPING, "it comes and goes")
SEEN_BY_FEW = Muted(Mute.PARTIAL, "only some vantages see it")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Holds what people asked for: windows known before, silences, and what few vantages must see."""

    maintenance: tuple[Maintenance, ...] = ()
    silences: tuple[Silence, ...] = ()
    partial: timedelta = timedelta(0)
    """How long it must last before people hear of what only some vantages see."""
    main: frozenset[str] = frozenset()
    """What these vantages see is told at once."""

    def in_maintenance(self, check: str, at: datetime) -> Maintenance | None:
        for maintenance in self.maintenance:
            if maintenance.covers(check) and maintenance.window_at(at):
                return maintenance
        return None

    def reason(self, check: str, at: datetime) -> Muted | None:
        """Return why a check is not told of: a maintenance or silence that covers it; else None."""
        if maintenance := self.in_maintenance(check, at):
            return Muted(Mute.MAINTENANCE, f"maintenance: {maintenance.title}")
        for silence in self.silences:
            if silence.covers(check) and silence.holds(at):
                until = f"silenced until {silence.until:%Y-%m-%d %H:%M} UTC"
                return Muted(Mute.SILENCE, f"{until}: {silence.why}" if silence.why else until)
        return None

    def reason_for_all(self, incident: Incident, at: datetime) -> Muted | None:
        """Return the first check's reason, where each check that is still bad has one; else None."""
        reasons = [self.reason(check, at) for check in sorted(incident.active)]
        return reasons[0] if reasons and all(reasons) else None

    def is_seen_by_few(self, incident: Incident, now: datetime) -> bool:
        """Say whether too few vantages see it, or for too short a time, to tell people."""
        lasted = now - incident.opened
        return incident.is_partial and self.are_too_few(incident.places, incident.severity, lasted)

    def are_too_few(self, places: Iterable[str], severity: Severity, lasted: timedelta) -> bool:
        """Say whether what only these vantages see is not told yet; that it is slow for them never is."""
        if self.main.intersection(places):
            return False
        return severity is Severity.DEGRADED or lasted < self.partial

    def silenced(self, silence: Silence, now: datetime) -> "Quiet":
        """Return it with a new silence, which takes the place of an older one of the same target."""
        others = (other for other in self.silences if other.target != silence.target)
        kept = tuple(other for other in (*others, silence) if other.until > now)
        return replace(self, silences=kept)


def why_muted(
    rule: Rule, event: Fired, now: datetime, *, quiet: Quiet, book: Book, past: Iterable[Incident]
) -> Muted | None:
    """Return why nobody is told of a check that is newly believed bad, or None."""
    if asked := quiet.reason(event.check, now):
        return asked
    is_slow = rule.severity is Severity.DEGRADED and not rule.cause
    if is_slow and incidents.is_down(book, endpoint_of(event.check)):
        return ITS_URL_IS_DOWN
    if flapping.going_on(past, event, rule):
        return COMES_AND_GOES
    if event.partial and quiet.are_too_few(event.bad_from, rule.severity, now - event.at):
        return SEEN_BY_FEW
    return None


def still_muted(incident: Incident, now: datetime, quiet: Quiet, book: Book) -> Muted | None:
    """Return why nobody is told of an open incident now, or None."""
    if asked := quiet.reason_for_all(incident, now):
        return asked
    if incident.announced:
        return None
    if flapping.is_on(incident) and not flapping.is_calm(incident, now):
        return COMES_AND_GOES
    if quiet.is_seen_by_few(incident, now):
        return SEEN_BY_FEW
    is_slow = incident.severity is Severity.DEGRADED and not incident.cause
    if is_slow and all(incidents.is_down(book, endpoint_of(check)) for check in incident.active):
        return ITS_URL_IS_DOWN
    return None


def muted(incident: Incident, why: Muted, now: datetime) -> Incident:
    """Return the incident muted from now on; who was told that it began is not asked to forget it."""
    entry = TimelineEntry(at=now, what=EntryKind.MUTED, text=why.why)
    return incidents.with_entry(replace(incident, muted=why.by), entry)
