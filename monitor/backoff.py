"""Pauses of checks whose server is busy or turns our key away.

A check waits as long as the server asked for; where it asked for nothing, ever longer. Seconds are
those of the monotonic clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.model import Check, FailureKind, Result

ACCOUNT_PAUSE = timedelta(minutes=15)
_MOST_DOUBLINGS = 2


def pause(check: Check, result: Result, streak: int) -> timedelta:
    """Return how long after `result` the next run waits at least; `streak` such results came in a row."""
    if result.failure is None:
        return timedelta(0)
    row, every = result.failure.kind.row, check.probe.every
    if row.is_busy:
        own = every * 2 ** min(streak, _MOST_DOUBLINGS) if result.retry_after is None else every
        return max(own, result.retry_after or timedelta(0))
    if row.needs_person:
        asked = result.retry_after or timedelta(0)
        return max(asked, ACCOUNT_PAUSE if streak > 1 and check.probe.paid else timedelta(0))
    return timedelta(0)


@dataclass
class Backoff:
    """The checks that pause, and until when. A restart forgets them."""

    _until: dict[str, float] = field(default_factory=dict)
    _streaks: dict[str, tuple[FailureKind | None, int]] = field(default_factory=dict)

    def holds(self, check: str, now: float) -> bool:
        return now < self._until.get(check, now)

    def forget(self, checks: Iterable[str]) -> None:
        """End the pauses of these checks: whoever changed one wants to know now whether that helped."""
        for key in checks:
            self._until.pop(key, None)
            self._streaks.pop(key, None)

    def note(self, check: Check, result: Result, now: float) -> timedelta:
        """Return the pause that follows; nothing where the next run is no later than it would be."""
        kind = result.failure.kind if result.failure else None
        if kind is None or not (kind.row.is_busy or kind.row.needs_person):
            before, _ = self._streaks.pop(check.key, (None, 0))
            self._until.pop(check.key, None)
            if kind is None and before is FailureKind.AUTH_INVALID:
                self._key_works(check)
            return timedelta(0)
        before, streak = self._streaks.get(check.key, (kind, 0))
        streak = streak + 1 if before is kind else 1
        self._streaks[check.key] = (kind, streak)
        held = pause(check, result, streak)
        self._until[check.key] = now + held.total_seconds()
        return held if held > check.probe.every else timedelta(0)

    def _key_works(self, check: Check) -> None:
        """The key was refused to this check and is not any more: its endpoint's others need not wait."""
        begin = check.key.rpartition("/")[0] + "/"
        for key, (kind, _) in self._streaks.items():
            if kind is FailureKind.AUTH_INVALID and key.startswith(begin):
                self._until.pop(key, None)
