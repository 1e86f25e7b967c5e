"""A calendar month in a time zone, which is what reports are about. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from monitor.model.outages import Span

_WRITTEN = re.compile(r"(?P<year>\d{4})-(?P<number>\d{2})", re.ASCII)
_FIRST, _LAST = 1970, 2199
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar, such as November 2026, from midnight to midnight in `zone`."""

    year: int
    number: int
    """January is 1."""
    zone: tzinfo = UTC

    @classmethod
    def parse(cls, text: str, zone: tzinfo = UTC) -> "Month":
        """Read a month as it is written, `2026-11`. Raises ValueError for anything else."""
        written = _WRITTEN.fullmatch(text)
        year, number = (int(part) for part in written.groups()) if written else (0, 0)
        if not (_FIRST <= year <= _LAST and 1 <= number <= 12):
            raise ValueError(f'got "{text[:40]}", want a month such as "2026-11"')
        return cls(year, number, zone)

    @classmethod
    def of(cls, at: datetime, zone: tzinfo = UTC) -> "Month":
        """Return the month in which a moment lies."""
        local = at.astimezone(zone)
        return cls(local.year, local.month, zone)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def begin(self) -> datetime:
        """Return its first moment, in UTC. A midnight that a change of the clocks repeats is the first one."""
        return datetime(self.year, self.number, 1, tzinfo=self.zone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """Return the first moment of the next month, in UTC."""
        return self.next.begin

    @property
    def next(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1, self.zone)

    @property
    def previous(self) -> "Month":
        return Month(self.year - (self.number == 1), (self.number - 2) % 12 + 1, self.zone)

    @property
    def days(self) -> tuple[date, date]:
        """Return its first and its last day."""
        following = date(self.next.year, self.next.number, 1)
        return date(self.year, self.number, 1), following - _DAY

    @property
    def in_utc(self) -> "Month":
        """Return the same month of the calendar in UTC."""
        return Month(self.year, self.number)

    def counted(self, hours_since: datetime) -> Span:
        """Return the time over which it can be counted, where single hours are known from `hours_since` on.

        Older counts are by UTC day, and none is finer than an hour: a month that begins or ends otherwise is
        counted as the same month in UTC.
        """
        edges = self.begin, self.end
        if edges[0] >= hours_since and all(edge.minute == edge.second == 0 for edge in edges):
            return edges
        return self.in_utc.begin, self.in_utc.end
