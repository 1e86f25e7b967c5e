"""Says when a check is not measured any more, so that what was believed of it says nothing of now. Pure.

Page and messages ask here, so that neither says of a check that it is "still down" while the other does not know.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.model.failure import FailureKind, Fault, Outcome
from monitor.model.result import Result

UNSEEN = 2
"""So many runs in a row that could not see, and nothing is known of now, whatever was believed."""
_COUNTS_AT_LEAST = timedelta(minutes=10)
_INTERVALS = 5


def counts_for(every: timedelta) -> timedelta:
    """Return how long a result of a check that runs so often says how things are."""
    return max(every * _INTERVALS, _COUNTS_AT_LEAST)


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Says that nothing is known of a check now, since when and why."""

    since: datetime | None
    """The first run that could not tell, or the last one that could where none came since; None where that is not known."""
    kind: FailureKind | None
    """Why the latest run could not tell; None where there was none lately."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Says that nothing is known now of several checks at once, since when and why."""

    since: datetime | None
    kinds: tuple[FailureKind, ...]


def all_of(gaps: Iterable[Unmeasured]) -> Gap:
    """Return since when none of them is measured, where that is known of each, and why each is not."""
    gaps = sorted(gaps, key=lambda gap: gap.kind or "")
    starts = [gap.since for gap in gaps if gap.since]
    since = max(starts) if starts and len(starts) == len(gaps) else None
    return Gap(since, tuple(dict.fromkeys(gap.kind for gap in gaps if gap.kind)))


@dataclass(frozen=True, slots=True)
class _Streak:
    """Counts runs in a row that say nothing, and when they began."""

    runs: int = 0
    since: datetime | None = None
    """None where it is not known which one was the first."""

    def after(self, at: datetime, *, is_silent: bool, is_first: bool) -> "_Streak":
        if not is_silent:
            return _Streak()
        since = self.since if self.runs else None if is_first else at
        return _Streak(self.runs + 1, since)


@dataclass(frozen=True, slots=True)
class LastRuns:
    """Holds what of the runs of one check at one place decides whether anything is known of now."""

    at: datetime
    """The newest one."""
    kind: FailureKind | None
    """How it failed."""
    unknown: _Streak
    ours: _Streak
    """Those that failed at the monitor: only they say nothing of a key or an account."""

    @classmethod
    def after(cls, before: "LastRuns | None", result: Result) -> "LastRuns":
        """Return what they are with one run more."""
        kind = result.failure.kind if result.failure else None
        is_unknown = result.outcome is Outcome.UNKNOWN
        is_ours = is_unknown and kind is not None and kind.fault is Fault.MONITOR
        none = _Streak()
        unknown, ours = (before.unknown, before.ours) if before else (none, none)
        is_first = before is None
        return cls(
            result.at,
            kind,
            unknown.after(result.at, is_silent=is_unknown, is_first=is_first),
            ours.after(result.at, is_silent=is_ours, is_first=is_first),
        )

    def gap(
        self, now: datetime, every: timedelta | None, *, of_account: bool = False
    ) -> Unmeasured | None:
        """Return why nothing is known of now, or None where something is.

        `every` is how often it runs, None where that is not known. `of_account`: what is asked for is the
        key or the account, which a refused run does tell of, and which stays as it was while nobody asks.
        """
        streak = self.ours if of_account else self.unknown
        if streak.runs >= UNSEEN:
            return Unmeasured(streak.since, self.kind)
        if not of_account and every is not None and now - self.at > counts_for(every):
            since = self.unknown.since if self.unknown.runs else self.at
            return Unmeasured(since, self.kind if self.unknown.runs else None)
        return None

    def shifted(self, by: timedelta) -> "LastRuns":
        """Return the same by a wall clock that was set forward by `by`."""
        unknown, ours = (
            _Streak(each.runs, each.since and each.since + by) for each in (self.unknown, self.ours)
        )
        return LastRuns(self.at + by, self.kind, unknown, ours)
