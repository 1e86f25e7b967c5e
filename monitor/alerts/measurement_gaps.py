"""Says which checks are measured now, and which are not: since when, and why. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from monitor.alerts.voters import Voters
from monitor.model import Fault, Incident, LastRuns, Outcome, Result, Severity, Unmeasured


class MeasurementGaps:
    """Holds of each check and vantage whether its newest runs measured something."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], LastRuns] = {}
        """By check and vantage."""
        self.sees = False
        """Whether the daemon's own vantage measured something when it looked last."""

    @property
    def checks(self) -> set[str]:
        """Return the checks that have run."""
        return {check for check, _ in self._runs}

    def note(self, result: Result, *, is_own: bool) -> None:
        """Take in a run; `is_own` where the daemon's own vantage made it."""
        if is_own:
            fault = result.failure.kind.row.fault if result.failure else None
            measured = result.outcome is not Outcome.UNKNOWN
            self.sees = fault is not Fault.MONITOR and (self.sees or measured)
        key = result.check, result.vantage
        self._runs[key] = LastRuns.after(self._runs.get(key), result)

    def gap(
        self, incident: Incident, check: str, voters: Voters, now: datetime
    ) -> Unmeasured | None:
        """Return why no vantage that saw a check bad measures it, as the first of them has it; None where one does."""
        places = incident.bad_from.get(check) or voters.vantages
        of_account = incident.severity is Severity.ACCOUNT
        every = voters.settings.intervals.get(check)
        gaps: list[Unmeasured | None] = []
        for vantage in (vantage for vantage in voters.vantages if vantage in places):
            runs = self._runs.get((check, vantage))
            if not voters.is_heard(vantage, now):
                gaps.append(Unmeasured(runs.at if runs else None, None))
            elif runs:
                gaps.append(runs.gap(now, every, of_account=of_account))
        return gaps[0] if gaps and all(gaps) else None

    def shift(self, by: timedelta) -> None:
        """Move all times where the wall clock was set."""
        self._runs = {key: runs.shifted(by) for key, runs in self._runs.items()}

    def forget(self, known: Iterable[str]) -> None:
        """Let go of all checks but the known."""
        kept = {*known}
        self._runs = {key: runs for key, runs in self._runs.items() if key[0] in kept}
