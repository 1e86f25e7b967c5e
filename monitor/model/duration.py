"""Durations as people write them, `90s`, `5m`, `1h30m`, `30d`, `1y`, and as servers ask for them."""

import re
from datetime import timedelta
from email.utils import parsedate_to_datetime

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")
_LONGEST = timedelta(days=36_500)
"""A moment so far from now is still a date; much farther there is none."""
LONGEST_PAUSE = timedelta(days=1)
_SHOWN = (("y", 31_536_000), ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))


def parse_duration(text: str) -> timedelta:
    """Read `1h30m` and its like. Raises ValueError, with the remedy in its text, for anything else."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        raise ValueError(f'got "{text[:40]}", want a duration such as "90s", "5m" or "1h30m"')
    try:
        duration = timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        duration = timedelta.max
    if duration > _LONGEST:
        raise ValueError(f'got "{text[:40]}", want a shorter duration')
    return duration


def format_duration(duration: timedelta) -> str:
    """Write a duration as the config does; `parse_duration` reads it back to the second."""
    left = round(duration.total_seconds())
    shown = ""
    for unit, seconds in _SHOWN:
        count, left = divmod(left, seconds)
        shown += f"{count}{unit}" if count else ""
    return shown or "0s"


def read_pause(asked: object, date: str | None = None) -> timedelta | None:
    """Read how long a receiver of messages wants to be left alone; a day at most, None for no positive time.

    `asked` is a number of seconds or an HTTP date (`Retry-After`, RFC 9110 10.2.3). A date is compared with
    `date`, when its server says that it answered: whose clock is right does not matter.
    """
    text = str(asked).strip()
    if re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})?", text):
        pause = timedelta(seconds=min(float(text), 1e6))
    else:
        try:
            pause = parsedate_to_datetime(text) - parsedate_to_datetime(date or "")
        except (ValueError, TypeError, OverflowError):
            return None
    return min(pause, LONGEST_PAUSE) if pause > timedelta(0) else None
