"""Ranges of time as people write them: `--since 6h`, `--since 2026-11-23`, `--until 2026-11-23T12:00`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from monitor.model import Resolution
from monitor.model.duration import parse_duration

_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Nothing that is stored can lie outside, so a range beyond them means all there is."""


@dataclass(frozen=True, slots=True)
class TimeArgument:
    """A moment, or how long ago it was, with the text that a person wrote."""

    text: str
    point: datetime | timedelta

    def __str__(self) -> str:
        return self.text

    def at(self, now: datetime) -> datetime:
        if isinstance(self.point, timedelta):
            return now - min(self.point, now - _EARLIEST)
        return max(_EARLIEST, min(self.point, _LATEST))


class Granularity(StrEnum):
    """Says what one row of a history stands for: a run, or a period."""

    RUNS = "runs"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    @property
    def resolution(self) -> Resolution | None:
        """Return the length of a period; None where every run is wanted."""
        return None if self is Granularity.RUNS else Resolution(self.value)


def parse_time(given: str | TimeArgument) -> TimeArgument:
    """Read a moment or a duration. Without a zone it is UTC; a default has been read already."""
    if isinstance(given, TimeArgument):
        return given
    try:
        moment = datetime.fromisoformat(given)
        point = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return TimeArgument(given, _ago(given))
    return TimeArgument(given, point)


def _ago(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError(
            f'got "{text[:40]}", want how long ago ("6h", "30d") or a moment ("2026-11-23", "2026-11-23T12:00")'
        ) from None


def granularity_for(length: timedelta) -> Granularity:
    """Return the finest rows that a terminal can show for so long a time."""
    if length <= timedelta(hours=3):
        return Granularity.RUNS
    return Granularity.HOUR if length <= timedelta(days=3) else Granularity.DAY
