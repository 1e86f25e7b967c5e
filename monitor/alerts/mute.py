"""Who is not told, and why not. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from monitor.model import Incident, Maintenance, Mute, Silence

REASONS = {
    Mute.DOWN: "its base URL is down",
    Mute.FLAPPING: "it comes and goes",
}


@dataclass(frozen=True, slots=True)
class Muted:
    by: Mute
    why: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """What people asked for: windows known before, and silences."""

    maintenance: tuple[Maintenance, ...] = ()
    silences: tuple[Silence, ...] = ()

    def in_maintenance(self, check: str, at: datetime) -> Maintenance | None:
        for each in self.maintenance:
            if each.covers(check) and each.window_at(at):
                return each
        return None

    def over(self, check: str, at: datetime) -> Muted | None:
        if found := self.in_maintenance(check, at):
            return Muted(Mute.MAINTENANCE, f"maintenance: {found.title}")
        for silence in self.silences:
            if silence.covers(check) and silence.holds(at):
                until = f"silenced until {silence.until:%Y-%m-%d %H:%M} UTC"
                return Muted(Mute.SILENCE, f"{until}: {silence.why}" if silence.why else until)
        return None

    def over_all(self, incident: Incident, at: datetime) -> Muted | None:
        """Only where each check that is still bad is covered; the first one's reason."""
        found = [self.over(check, at) for check in sorted(incident.active)]
        return found[0] if found and all(found) else None

    def silenced(self, silence: Silence, now: datetime) -> "Quiet":
        """A new silence takes the place of an older one of the same target."""
        others = (each for each in self.silences if each.target != silence.target)
        kept = tuple(each for each in (*others, silence) if each.until > now)
        return replace(self, silences=kept)
