"""Whole numbers for times, and back: exact, because floats of today's seconds are not."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from monitor.store.tables import NUMBER_BITS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()
_MICROSECOND = timedelta(microseconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_HOUR = timedelta(hours=1)
HALF_HOUR_MS, DAY_MS = 1_800_000, 86_400_000


def micros(at: datetime) -> int:
    return (at - EPOCH) // _MICROSECOND


def millis(at: datetime) -> int:
    return (at - EPOCH) // _MILLISECOND


def hours(at: datetime) -> int:
    return (at - EPOCH) // _HOUR


def from_micros(number: int) -> datetime:
    return EPOCH + timedelta(microseconds=number)


def from_millis(number: int) -> datetime:
    return EPOCH + timedelta(milliseconds=number)


@lru_cache(1024)
def day_date(number: int) -> date:
    """The date of a number of unix days."""
    return date.fromordinal(EPOCH_DAY + number)


def maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def maybe_from_micros(number: int | None) -> datetime | None:
    return None if number is None else from_micros(number)


def key_from(at: datetime) -> int:
    """The smallest result key at or after `at`."""
    return millis(at) << NUMBER_BITS


def hour_of_key(key: int) -> int:
    """Unix hours of a result key."""
    return (key >> NUMBER_BITS) // 3_600_000


def half_of_key(key: int) -> int:
    """Unix half hours of a result key."""
    return (key >> NUMBER_BITS) // HALF_HOUR_MS


def key_of_half(half: int) -> int:
    """The smallest result key of a unix half hour."""
    return half * HALF_HOUR_MS << NUMBER_BITS


def key_of_hour(hour: int) -> int:
    """The smallest result key of a unix hour."""
    return hour * 3_600_000 << NUMBER_BITS
