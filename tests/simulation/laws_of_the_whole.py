"""Of a history as a whole: every check runs on, availability is true, a replay says the same."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from asking import EVERY
from double import MemoryStore
from records import KINDS, START, result_of
from seen import Law, Seen
from truth import ACCOUNT, DEGRADED, DOWN, LATE_ANSWERS, overlap

from monitor.alerts import AlertChanges, AlertEngine
from monitor.model import Incident, OperatorRequest, RequestKind
from monitor.model.rollup import Rollup

MOST_REPLAYED = 500_000


def nothing_was_said_on_the_way(seen: Seen) -> Iterator[str]:
    yield from seen.history.complaints


def every_check_runs_on(seen: Seen) -> Iterator[str]:
    """No check is forgotten: two runs lie no further apart than the dark between them."""
    for check, runs in seen.runs.items():
        asked = [0.0, *(run[1] for run in runs), seen.end]
        for one, other in pairwise(asked):
            if other - one <= EVERY + 12.0:
                continue
            known = overlap(seen.dark, one, other) + seen.step_between(one, other, EVERY)
            if other == seen.end:  # it may be under way
                known += max(LATE_ANSWERS.values())
            if other - one > EVERY + 12.0 + known:
                yield f"{check} was not asked between {one:.0f} s and {other:.0f} s"


def availability_is_true(seen: Seen) -> Iterator[str]:
    """The share of good answers is the share of good time, as exactly as a run a minute can tell."""
    for check, runs in seen.runs.items():
        counts: Counter[str] = Counter()
        for _, _, _, code in runs:
            kind = KINDS[code]
            counts[_outcome(kind)] += 1
        if counts != Counter(seen.counts[check]):
            yield f"{check}: the store counts {dict(seen.counts[check])}, its results are {dict(counts)}"
        spells = seen.truth.spells[check.rsplit("/", 1)[0]]
        blind = [
            *seen.dark,
            *seen.truth.offline,
            *(spell for spell in spells if spell.kind in ACCOUNT),
        ]
        down = [spell for spell in spells if spell.kind in DOWN]
        off = overlap(down, 0.0, seen.end) - sum(
            overlap(blind, spell.start, min(spell.end, seen.end)) for spell in down
        )
        on = seen.end - overlap(blind, 0.0, seen.end)
        found = Rollup(outcomes=counts).availability
        edges = 6 * len(down) + 4 * len(blind) + 2
        if found is None or abs(found - (1 - off / on)) > edges * EVERY / on:
            yield f"{check}: availability {found}, in truth {1 - off / on}"


def _outcome(kind: str | None) -> str:
    if kind is None:
        return "up"
    return "down" if kind in DOWN else "degraded" if kind in DEGRADED else "unknown"


def a_replay_of_the_results_says_the_same(seen: Seen) -> Iterator[str]:
    """One process that never died, given what was committed, comes to the same incidents."""
    if len(seen.history.runs) > MOST_REPLAYED:
        return
    config = seen.sim.config
    shift = timedelta(0)
    alerts = AlertEngine(
        config.alerts, config.channels, MemoryStore().recall(), clock_set_by=lambda: shift
    )
    again: dict[int, Incident] = {}
    reminds = iter([*seen.history.reminds, (-1, START, 0.0, None)])
    count, at, set_by, asked = next(reminds)
    for place, run in enumerate(seen.history.runs):
        while place == count:
            shift = timedelta(seconds=set_by)
            changes = _asked(alerts, asked, at) if asked else alerts.remind(at)
            again |= {incident.id: incident for incident in changes.incidents}
            count, at, set_by, asked = next(reminds)
        shift = timedelta(seconds=run[2])
        result = result_of(seen.sim.checks, run)
        again |= {incident.id: incident for incident in alerts.judge(result).incidents}
    for incident in seen.incidents:
        other = again.get(incident.id)
        dated = not seen.stepped  # a step just before a death is followed by the replay alone
        one, two = _essence(incident, dated=dated), other and _essence(other, dated=dated)
        if one != two:
            yield f"#{incident.id} is {one}, replayed {two}"
    if len(again) != len(seen.incidents):
        yield f"{len(seen.incidents)} incidents, replayed {len(again)}"


def _asked(alerts: AlertEngine, request: OperatorRequest, at: datetime) -> AlertChanges:
    if request.what is RequestKind.SILENCE:
        return alerts.silence(request.silence, at)
    return alerts.ack(request.incident, request.at, request.text)


def _essence(incident: Incident, *, dated: bool) -> tuple[object, ...]:
    return (
        incident.severity,
        incident.service,
        incident.opened if dated else None,
        incident.closed if dated else incident.closed is None,
        incident.checks,
        incident.active,
        incident.announced,
        incident.failure.kind,
    )


LAWS: tuple[Law, ...] = (
    nothing_was_said_on_the_way,
    every_check_runs_on,
    availability_is_true,
    a_replay_of_the_results_says_the_same,
)
