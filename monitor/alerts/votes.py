"""Says what follows from the votes of several vantages on one check. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.alerts import incidents
from monitor.alerts.lifecycle import UPDATE_AFTER, TimedChange
from monitor.alerts.quorum import Reach, Standing
from monitor.alerts.voters import Voters
from monitor.model import (
    AlertState,
    Event,
    Failure,
    FailureKind,
    Fired,
    Incident,
    NotificationType,
    Resolved,
    Result,
    Rule,
    StateKey,
)


@dataclass(frozen=True, slots=True)
class Recount:
    """Says which vantages see a check bad, while its incident goes on."""

    check: str
    at: datetime
    standing: Standing
    kind: FailureKind | None
    """What the vantage that judged just now failed with."""


def decide(
    rule: Rule,
    result: Result,
    event: Event | None,
    failure: Failure | None,
    incident: Incident | None,
    states: Mapping[StateKey, AlertState],
    voters: Voters,
) -> Fired | Resolved | Recount | None:
    """Return what all vantages together make of a check after one of them has judged its result.

    `event` is what that one came to believe, and `failure` what it sees bad; `incident` is the open one
    that holds the check.
    """
    if incident is None and failure is None:  # nothing can end, and nothing begins
        return None
    check, now = result.check, result.at
    before = Reach.NONE
    if incident:
        before = Reach.PARTIAL if check in incident.partial else Reach.FULL
    after = voters.standing(check, rule, states, now, before)
    if incident:
        if after.reach is Reach.NONE:
            return Resolved(check, rule.name, event.at if isinstance(event, Resolved) else now)
        at = (
            max(event.at, incident.opened) if event else now
        )  # since it is so, and not since we know
        return Recount(check, at, after, failure.kind if failure else None)
    if after.reach is Reach.NONE or failure is None:
        return None
    begins = [
        state.bad_since
        for place in after.accusers
        if (state := states.get((check, place, rule.name))) and state.bad_since
    ]
    is_partial = after.reach is Reach.PARTIAL
    return Fired(check, rule.name, min(begins, default=now), after.accusers, is_partial)


def recounted(incident: Incident, recount: Recount, now: datetime) -> TimedChange:
    """Return an incident with the vantages that see its check bad now, and what people hear of it."""
    check, accusers = recount.check, recount.standing.accusers
    is_partial = recount.standing.reach is Reach.PARTIAL
    changed = incidents.seen_from(incident, check, recount.at, accusers, recount.kind)
    if is_partial is (check in incident.partial):
        return TimedChange(changed)
    standing = recount.standing
    votes = f"{len(standing.bad)} of {len(standing.bad) + len(standing.good)}"
    changed = incidents.reach_changed(changed, check, recount.at, votes, is_partial=is_partial)
    if changed.severity is incident.severity or changed.muted or not changed.announced:
        return TimedChange(changed)
    if changed.severity is changed.told_as:
        return TimedChange(replace(changed, update_at=None))
    if is_partial:  # all may be well in a moment
        return TimedChange(replace(changed, update_at=now + UPDATE_AFTER))
    return TimedChange(incidents.updated(changed), NotificationType.UPDATE)


def seen_well_from(
    incident: Incident,
    rule: Rule,
    states: Mapping[StateKey, AlertState],
    voters: Voters,
    now: datetime,
) -> tuple[str, ...]:
    """Return the vantages that see every check of a partial incident well."""
    good = [
        {*voters.standing(check, rule, states, now, Reach.PARTIAL).good}
        for check in incident.active
    ]
    return tuple(sorted(set.intersection(*good))) if good else ()
