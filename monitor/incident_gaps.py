"""Says which open incidents are not measured any more: nothing is known now of what they take for bad. Pure."""

from collections.abc import Iterable, Sequence
from functools import reduce

from monitor.model import (
    Check,
    CheckHistory,
    Gap,
    Incident,
    LastRuns,
    Severity,
    Snapshot,
    Unmeasured,
    Vantage,
    all_of,
)


def last_runs(history: CheckHistory | None) -> LastRuns | None:
    """Return what of the runs of a check decides whether anything is known of now; None where there was none."""
    if history is None or history.latest is None:
        return None
    runs = [run for run in history.recent if run.at < history.latest.at]
    if history.before and (not runs or history.before.at < runs[0].at):
        runs.insert(0, history.before)
    first: LastRuns | None = None
    return reduce(LastRuns.after, (*runs, history.latest), first)


def gaps(
    incidents: Iterable[Incident],
    snapshot: Snapshot,
    checks: Sequence[Check],
    own: str,
    vantages: Sequence[Vantage] = (),
    only_from: str | None = None,
) -> dict[int, Gap]:
    """Return by number, of the incidents of which nothing is measured now, since when and why.

    What counts is what those places measure that saw them bad; `own` is the monitor's own place. With
    `only_from` one place is asked alone, where it saw them so.
    """
    known = {check.key: check for check in checks}
    others = {vantage.id: vantage for vantage in vantages}
    found = {}
    for incident in incidents:
        if incident.closed or incident.severity is Severity.MONITOR:
            continue
        of_account = incident.severity is Severity.ACCOUNT
        each: list[Unmeasured | None] = []
        for key in sorted(incident.active & known.keys()):
            places = incident.bad_from.get(key) or (own, *others)
            if only_from in places:
                places = (only_from,)
            for place in places:
                histories = snapshot.checks if place == own else snapshot.elsewhere.get(place, {})
                if place in others and not _sees(others[place], snapshot, checks):
                    agent = snapshot.agents.get(place)
                    each.append(Unmeasured(agent.heard if agent else None, None))
                elif runs := last_runs(histories.get(key)):
                    each.append(runs.gap(snapshot.at, known[key].every, of_account=of_account))
                elif (
                    key in incident.bad_from
                ):  # the snapshot does not hold what that place measures
                    each.append(None)
        if each and all(each):
            found[incident.id] = all_of(filter(None, each))
    return found


def is_heard(vantage: Vantage, snapshot: Snapshot, checks: Sequence[Check]) -> bool:
    """Say whether the agent of a place pushed lately."""
    agent = snapshot.agents.get(vantage.id)
    return agent is not None and snapshot.at - agent.heard <= vantage.silent_after(checks)


def _sees(vantage: Vantage, snapshot: Snapshot, checks: Sequence[Check]) -> bool:
    return is_heard(vantage, snapshot, checks) and not snapshot.agents[vantage.id].blind
