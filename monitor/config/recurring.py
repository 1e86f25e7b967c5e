"""When maintenance comes again: `sunday 03:00`, and by whose clock."""

import re
from dataclasses import dataclass
from datetime import time, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SETS = {"day": range(7), "weekday": range(5), "weekend": range(5, 7)}
_EVERY = re.compile(r"(?:month (\d{1,2})|([a-z, ]+?)) (\d{1,2}):(\d{2})")
_SHORTEST_MONTH = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Every:
    at: time
    weekdays: frozenset[int]
    day: int | None

    @property
    def shortest_gap(self) -> timedelta:
        """Between two starts, clock changes aside."""
        if self.day:
            return _SHORTEST_MONTH
        days = sorted(self.weekdays)
        return timedelta(
            days=min(
                (later - day - 1) % 7 + 1
                for day, later in zip(days, [*days[1:], days[0]], strict=True)
            )
        )


def parse_every(text: str) -> Every:
    """Raise ValueError for anything else than `sunday 03:00` and its like."""
    found = _EVERY.fullmatch(text.strip().lower())
    days = _weekdays(found[2]) if found and found[2] else frozenset(range(7))
    day = int(found[1]) if found and found[1] else None
    if found is None or not days or (day is not None and not 1 <= day <= 28):
        raise ValueError(_want(text))
    try:
        return Every(time(int(found[3]), int(found[4])), days, day)
    except ValueError:
        raise ValueError(_want(text)) from None


def _want(text: str) -> str:
    return (
        f'got "{text[:40]}", want "day 03:00", "weekday 03:00", "sunday 03:00", "mon,thu 03:00"'
        ' or "month 1 03:00" (1 to 28)'
    )


def _weekdays(text: str) -> frozenset[int]:
    """Empty where one of the words is no day."""
    found: set[int] = set()
    for word in re.split(r"[, ]+", text.strip(", ")):
        numbers = _SETS.get(word) or [
            number for number, name in enumerate(_DAYS) if len(word) >= 3 and name.startswith(word)
        ]
        if not numbers:
            return frozenset()
        found.update(numbers)
    return frozenset(found)


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # what is not found is a KeyError
        raise ValueError(
            f'got "{name[:40]}", want a time zone such as "UTC" or "Asia/Shanghai"'
        ) from None
