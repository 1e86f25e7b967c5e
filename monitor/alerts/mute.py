"""Says who is not told, and why not. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

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
    by: Mute
    why: str


ITS_URL_IS_DOWN = Muted(Mute.DOWN, "its base URL is down")
COMES_AND_GOES = Muted(Mute.FLAPPING, "it comes and goes")


@dataclass(frozen=True, slots=True)
class Quiet:
    """Holds what people asked for: windows known before, and silences."""

    maintenance: tuple[Maintenance, ...] = ()
    silences: tuple[Silence, ...] = ()

    def in_maintenance(self, check: str, at: datetime) -> Maintenance | None:
        for maintenance in self.maintenance:
            if maintenance.covers(check) and maintenance.window_at(at):
                return maintenance
        return None

    def over(self, check: str, at: datetime) -> Muted | None:
        if maintenance := self.in_maintenance(check, at):
            return Muted(Mute.MAINTENANCE, f"maintenance: {maintenance.title}")
        for silence in self.silences:
            if silence.covers(check) and silence.holds(at):
                until = f"silenced until {silence.until:%Y-%m-%d %H:%M} UTC"
                return Muted(Mute.SILENCE, f"{until}: {silence.why}" if silence.why else until)
        return None

    def over_all(self, incident: Incident, at: datetime) -> Muted | None:
        """The first check's reason, where each check that is still bad is covered; else None."""
        reasons = [self.over(check, at) for check in sorted(incident.active)]
        return reasons[0] if reasons and all(reasons) else None

    def silenced(self, silence: Silence, now: datetime) -> "Quiet":
        """A new silence takes the place of an older one of the same target."""
        others = (other for other in self.silences if other.target != silence.target)
        kept = tuple(other for other in (*others, silence) if other.until > now)
        return replace(self, silences=kept)


def why_muted(
    rule: Rule, event: Fired, now: datetime, *, quiet: Quiet, book: Book, past: Iterable[Incident]
) -> Muted | None:
    """Return why nobody is told of a check that is newly believed bad, or None."""
    if asked := quiet.over(event.check, now):
        return asked
    is_slow = rule.severity is Severity.DEGRADED and not rule.cause
    if is_slow and incidents.is_down(book, endpoint_of(event.check)):
        return ITS_URL_IS_DOWN
    if flapping.going_on(past, event, rule):
        return COMES_AND_GOES
    return None


def still_muted(incident: Incident, now: datetime, quiet: Quiet, book: Book) -> Muted | None:
    """Return why nobody is told of an open incident now, or None."""
    if asked := quiet.over_all(incident, now):
        return asked
    if incident.announced:
        return None
    if flapping.is_on(incident) and not flapping.is_calm(incident, now):
        return COMES_AND_GOES
    is_slow = incident.severity is Severity.DEGRADED and not incident.cause
    if is_slow and all(incidents.is_down(book, endpoint_of(check)) for check in incident.active):
        return ITS_URL_IS_DOWN
    return None


def muted(incident: Incident, why: Muted, now: datetime) -> Incident:
    """Muted from now on; who was told that it began is not asked to forget it."""
    entry = TimelineEntry(at=now, what=EntryKind.MUTED, text=why.why)
    return incidents.with_entry(replace(incident, muted=why.by), entry)
