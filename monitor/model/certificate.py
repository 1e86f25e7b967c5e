"""The rule by which a certificate ends soon, for results and alerts alike."""

from datetime import datetime, timedelta

from monitor.model.duration import format_duration

DAYS = 14
_HOUR = timedelta(hours=1)


def soon(days: int, lifetime: timedelta | None) -> timedelta:
    """Return how long before its end a certificate counts as one that ends soon.

    `days` before it; a third of the lifetime of a short-lived one, which lives less than twice as long:
    one of six days is renewed after four. None is a lifetime that is not known.
    """
    limit = timedelta(days=days)
    return limit if lifetime is None or lifetime >= 2 * limit else lifetime / 3


def ends_soon(
    ends: datetime, lifetime: timedelta | None, now: datetime, days: int = DAYS
) -> str | None:
    """Return got and want where a certificate ends soon, else None."""
    limit, left = soon(days, lifetime), max(ends - now, timedelta(0))
    if ends - now >= limit:
        return None
    if limit >= timedelta(days=days):
        return f"got a certificate that ends in {left.days} days ({ends:%Y-%m-%d}), want {days} or more"
    shown, want = (format_duration(timedelta(hours=each // _HOUR)) for each in (left, limit))
    return f"got a certificate that ends in {shown} ({ends:%Y-%m-%d %H:%M}), want {want} or more"
