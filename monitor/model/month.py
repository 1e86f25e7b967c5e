"""A calendar month in UTC, which is what reports are about: counts and spend are kept by UTC day. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_WRITTEN = re.compile(r"(?P<year>\d{4})-(?P<number>\d{2})", re.ASCII)
_FIRST, _LAST = 1970, 2199
_DAY = timedelta(days=1)
REPORTED_TIMINGS = ("ttft", "total")
"""The timings that a report of a month tells."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar, such as November 2026, from midnight to midnight in UTC."""

    year: int
    number: int
    """January is 1."""

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read a month as it is written, `2026-11`. Raises ValueError for anything else."""
        written = _WRITTEN.fullmatch(text)
        year, number = (int(part) for part in written.groups()) if written else (0, 0)
        if not (_FIRST <= year <= _LAST and 1 <= number <= 12):
            raise ValueError(f'got "{text[:40]}", want a month such as "2026-11"')
        return cls(year, number)

    @classmethod
    def of(cls, at: datetime) -> "Month":
        """Return the month in which a moment lies."""
        day = at.astimezone(UTC)
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def begin(self) -> datetime:
        """Return its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """Return the first moment of the next month."""
        return self.next.begin

    @property
    def next(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def previous(self) -> "Month":
        return Month(self.year - (self.number == 1), (self.number - 2) % 12 + 1)

    @property
    def days(self) -> tuple[date, date]:
        """Return its first and its last day."""
        following = date(self.next.year, self.next.number, 1)
        return date(self.year, self.number, 1), following - _DAY
