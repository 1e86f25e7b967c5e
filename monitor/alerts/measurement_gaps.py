"""Says which checks are measured now, and which are not: since when, and why. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.model import FailureKind, Fault, Outcome, Result


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Says that nothing is known of a check now, since when and why."""

    since: datetime | None
    """The first run that could not tell; None where it is not known which one was the first."""
    kind: FailureKind | None
    """Why the latest one could not."""


class MeasurementGaps:
    """Holds of each check and vantage whether its newest run measured something."""

    def __init__(self) -> None:
        self._latest: dict[tuple[str, str], Outcome] = {}
        """By check and vantage, as the next."""
        self._gaps: dict[tuple[str, str], Unmeasured] = {}
        self.sees = False
        """Whether the daemon's own vantage measured something when it looked last."""

    @property
    def checks(self) -> set[str]:
        """Return the checks that have run."""
        return {check for check, _ in self._latest}

    def note(self, result: Result, *, is_own: bool) -> None:
        """Take in a run; `is_own` where the daemon's own vantage made it."""
        if is_own:
            fault = result.failure.kind.row.fault if result.failure else None
            measured = result.outcome is not Outcome.UNKNOWN
            self.sees = fault is not Fault.MONITOR and (self.sees or measured)
        key = result.check, result.vantage
        if result.outcome is Outcome.UNKNOWN:
            self._gaps[key] = self._gap_with(result)
        else:
            self._gaps.pop(key, None)
        self._latest[key] = result.outcome

    def _gap_with(self, result: Result) -> Unmeasured:
        key = result.check, result.vantage
        before = self._gaps.get(key)
        is_first = self._latest.get(key) not in {None, Outcome.UNKNOWN}
        since = before.since if before else result.at if is_first else None
        return Unmeasured(since, result.failure.kind if result.failure else None)

    def gap(self, check: str, vantages: Iterable[str]) -> Unmeasured | None:
        """Return why no vantage measures a check, as the first that has run it has it; None where one does."""
        keys = [key for vantage in vantages if (key := (check, vantage)) in self._latest]
        gaps = [self._gaps.get(key) for key in keys]
        return gaps[0] if gaps and all(gaps) else None

    def shift(self, by: timedelta) -> None:
        """Move all times where the wall clock was set."""
        self._gaps = {
            key: replace(gap, since=gap.since and gap.since + by) for key, gap in self._gaps.items()
        }

    def forget(self, known: set[str]) -> None:
        """Let go of all checks but the known."""
        self._latest = {key: seen for key, seen in self._latest.items() if key[0] in known}
        self._gaps = {key: gap for key, gap in self._gaps.items() if key[0] in known}
