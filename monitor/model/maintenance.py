"""Maintenance windows, which are planned; silences and announcements, which somebody asks for at once."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

_DAY = timedelta(days=1)
ALL = "*"
"""The target of a silence that covers everything."""


@dataclass(frozen=True, slots=True, order=True)
class MaintenanceWindow:
    """A time from `start` until just before `end`, both aware UTC."""

    start: datetime
    end: datetime

    def holds(self, at: datetime) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrence:
    """Maintenance that comes again. It begins by the wall clock of `zone` and lasts so long by any clock.

    A start that a change of the clocks skips comes as much later as they were put forward; one that
    happens twice counts the first time (as in RFC 5545, 3.3.5).
    """

    at: time
    zone: tzinfo
    lasts: timedelta
    weekdays: frozenset[int] = frozenset(range(7))
    """Monday is 0."""
    day: int | None = None
    """The day of the month, 1 to 28; then the weekdays do not matter."""

    def between(self, now: datetime, until: datetime) -> tuple[MaintenanceWindow, ...]:
        """Return the windows that are not over at `now` and begin before `until`, in order."""
        windows = []
        day = (now - self.lasts).astimezone(self.zone).date() - _DAY
        last = until.astimezone(self.zone).date() + _DAY
        while day <= last:
            if day.day == self.day if self.day else day.weekday() in self.weekdays:
                start = datetime.combine(day, self.at, self.zone).astimezone(UTC)
                if start + self.lasts > now and start < until:
                    windows.append(MaintenanceWindow(start, start + self.lasts))
            day += _DAY
        return tuple(windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """One `[maintenance.ID]`: either `once` or `recurring`. Without targets it covers everything."""

    id: str
    title: str
    services: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()
    """`service/endpoint`."""
    once: MaintenanceWindow | None = None
    recurring: Recurrence | None = None

    def covers(self, path: str) -> bool:
        """Say whether it covers this check, endpoint or service, given as a path of ids."""
        if not self.services and not self.endpoints:
            return True
        parts = path.split("/")
        return parts[0] in self.services or "/".join(parts[:2]) in self.endpoints

    def windows(self, now: datetime, until: datetime) -> tuple[MaintenanceWindow, ...]:
        """Return the window that is open at `now`, if any, and all that begin before `until`, in order."""
        if self.recurring:
            return self.recurring.between(now, until)
        once = self.once
        return (once,) if once and once.end > now and once.start < until else ()

    def window_at(self, at: datetime) -> MaintenanceWindow | None:
        """Return the window that holds `at`; where two overlap, the one that ends last."""
        return max(self.windows(at, at + timedelta(microseconds=1)), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Holds what the operator tells the readers of the page. It is no incident: no state and no figure follows from it."""

    id: int
    at: datetime
    text: str
    service: str = ""
    """The id of the service that it is about; empty for all."""
    until: datetime | None = None
    """None where it stands until somebody ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A wish for no messages about `target` until then: a check, endpoint, service, or `ALL`."""

    target: str
    since: datetime
    until: datetime
    why: str = ""

    def covers(self, path: str) -> bool:
        return self.target == ALL or f"{path}/".startswith(f"{self.target}/")

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until
