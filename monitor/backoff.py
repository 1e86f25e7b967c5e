"""Pauses of checks whose server is busy or turns our key away.

A check waits as long as the server asked for; where it asked for nothing, ever longer. Seconds are
those of the monotonic clock.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.model import Check, FailureKind, Result

ACCOUNT_PAUSE_FIRST = timedelta(minutes=1)
ACCOUNT_PAUSE = timedelta(minutes=15)
"""The longest: a person who tops up an account wants to see soon that it helped."""
_MOST_DOUBLINGS = 2
_AT_ONCE = timedelta(seconds=1)
"""The shortest wait that is read of an answer: `Retry-After: 0` and moments that are over say nothing."""


def pause(check: Check, result: Result, streak: int) -> timedelta:
    """Return how long after `result` the next run waits at least; `streak` such results came in a row."""
    if result.failure is None:
        return timedelta(0)
    row, every = result.failure.kind.row, check.probe.every
    asked = result.retry_after or timedelta(0)
    if row.is_busy:
        doublings = min(streak - 1 if asked > _AT_ONCE else streak, _MOST_DOUBLINGS)
        return max(every * float(2**doublings), asked)
    if row.needs_person and check.probe.paid and streak > 1:
        doubled = ACCOUNT_PAUSE_FIRST * float(2 ** min(streak - 2, 10))
        return max(asked, min(doubled, ACCOUNT_PAUSE))
    if row.needs_person:
        return asked
    return timedelta(0)


@dataclass
class _Streak:
    """Results of one kind in a row, and the monotonic second until which its check pauses."""

    check: Check
    kind: FailureKind
    count: int
    until: float


@dataclass
class Backoff:
    """The checks that pause, and until when. A restart forgets them."""

    _streaks: dict[str, _Streak] = field(default_factory=dict)
    _turned_away: set[str] = field(default_factory=set)
    """Checks whose account was refused when it was last heard of."""

    def holds(self, check: str, now: float) -> bool:
        streak = self._streaks.get(check)
        return streak is not None and now < streak.until

    def forget(self, checks: Iterable[str]) -> None:
        """End the pauses of these checks: whoever changed one wants to know now whether that helped."""
        for key in checks:
            self._streaks.pop(key, None)
            self._turned_away.discard(key)

    def note(self, check: Check, result: Result, now: float) -> timedelta:
        """Return the pause that follows; nothing where the next run is no later than it would be."""
        kind = result.failure.kind if result.failure else None
        if kind is None or not (kind.row.is_busy or kind.row.needs_person):
            self._streaks.pop(check.key, None)
            if kind is None and check.key in self._turned_away:
                self._turned_away.discard(check.key)
                self._end_pauses_of_account(check)
            return timedelta(0)
        if kind.row.needs_person:
            self._turned_away.add(check.key)
        streak = self._streaks.get(check.key)
        count = streak.count + 1 if streak and streak.kind is kind else 1
        length = pause(check, result, count)
        self._streaks[check.key] = _Streak(check, kind, count, now + length.total_seconds())
        return length if length > check.probe.every else timedelta(0)

    def _end_pauses_of_account(self, check: Check) -> None:
        """Let the other checks with this key go: it was refused to this one, and is not any more."""
        for streak in self._streaks.values():
            if streak.kind.row.needs_person and _share_account(streak.check, check):
                streak.until = -math.inf


def _share_account(one: Check, other: Check) -> bool:
    """Say whether two checks use one key; without a key, whether they ask one endpoint."""
    key = one.endpoint.key
    return one.endpoint.path == other.endpoint.path or (
        key is not None and key == other.endpoint.key
    )
