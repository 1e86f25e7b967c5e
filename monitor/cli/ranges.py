"""A range of time as people write it: `--since 6h`, `--since 2026-11-23`, `--until 2026-11-23T12:00`."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from monitor.model import Resolution
from monitor.model.duration import parse_duration

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Nothing that is stored can lie outside: what people ask beyond means all there is."""


@dataclass(frozen=True, slots=True)
class When:
    """A moment, or how long ago it was."""

    text: str
    point: datetime | timedelta

    def __str__(self) -> str:
        return self.text

    def at(self, now: datetime) -> datetime:
        if isinstance(self.point, timedelta):
            return now - min(self.point, now - _FIRST)
        return max(_FIRST, min(self.point, _LAST))


class By(StrEnum):
    RUNS = "runs"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"

    @property
    def resolution(self) -> Resolution | None:
        """None where every run is wanted."""
        return None if self is By.RUNS else Resolution(self.value)


def parse_when(given: "str | When") -> When:
    """Without a zone it is UTC, as everything that is stored. A default has been read already."""
    if isinstance(given, When):
        return given
    try:
        found = datetime.fromisoformat(given)
        point = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return When(given, _ago(given))
    return When(given, point)


def _ago(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError(
            f'got "{text[:40]}", want how long ago ("6h", "30d") or a moment ("2026-11-23", "2026-11-23T12:00")'
        ) from None


def fitting(length: timedelta) -> By:
    """What a terminal can show of so long a time."""
    if length <= timedelta(hours=3):
        return By.RUNS
    return By.HOUR if length <= timedelta(days=3) else By.DAY
