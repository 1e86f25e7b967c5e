"""`every` of `[maintenance.ID]`: `sunday 03:00`, `month 1 03:00`, and the clock that it goes by."""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SETS = {"day": range(7), "weekday": range(5), "weekend": range(5, 7)}
_EVERY = re.compile(r"(?:month (\d{1,2})|([a-z, ]+?)) (\d{1,2}):(\d{2})")
_SHORTEST_MONTH = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Repetition:
    at: time
    weekdays: frozenset[int]
    """Monday is 0."""
    day: int | None
    """Of the month; then the weekdays do not matter."""

    @property
    def shortest_gap(self) -> timedelta:
        """The shortest time between two starts, clock changes aside."""
        if self.day:
            return _SHORTEST_MONTH
        days = sorted(self.weekdays)
        return timedelta(
            days=min(
                (later - day - 1) % 7 + 1
                for day, later in zip(days, [*days[1:], days[0]], strict=True)
            )
        )


def parse_repetition(value: Any) -> Repetition:
    """Read `sunday 03:00` and its like. Raises ValueError for anything else."""
    text = str(value)[:80]
    parts = _EVERY.fullmatch(text.strip().lower())
    weekdays = _weekdays(parts[2]) if parts and parts[2] else frozenset(range(7))
    day = int(parts[1]) if parts and parts[1] else None
    if parts is None or not weekdays or (day is not None and not 1 <= day <= 28):
        raise ValueError(_want(text))
    try:
        return Repetition(time(int(parts[3]), int(parts[4])), weekdays, day)
    except ValueError:
        raise ValueError(_want(text)) from None


def _want(text: str) -> str:
    return (
        f'got "{text[:40]}", want "day 03:00", "weekday 03:00", "sunday 03:00", "mon,thu 03:00"'
        ' or "month 1 03:00" (1 to 28)'
    )


def _weekdays(text: str) -> frozenset[int]:
    """Return the numbers of the days; none of them where a word is no day."""
    weekdays: set[int] = set()
    for word in re.split(r"[, ]+", text.strip(", ")):
        numbers = _SETS.get(word) or [
            number for number, name in enumerate(_DAYS) if len(word) >= 3 and name.startswith(word)
        ]
        if not numbers:
            return frozenset()
        weekdays.update(numbers)
    return frozenset(weekdays)


def zone_of(value: Any) -> ZoneInfo:
    """Return the time zone of this name. Raises ValueError."""
    try:
        return ZoneInfo(str(value))
    except (OSError, ValueError, KeyError):  # what is not found is a KeyError
        raise ValueError(
            f'got "{str(value)[:40]}", want a time zone such as "UTC" or "Asia/Shanghai"'
        ) from None
