"""Incidents are what really happened, and what the results say."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from asking import EVERY
from seen import AFTER, CLASSES, Belief, Law, Seen
from truth import HOUR, LATE_ANSWERS, Spell, overlap

from monitor.model import Incident, Severity

SUSPECT_SLACK = 5.0


def no_outage_is_missed(seen: Seen) -> Iterator[str]:
    """The truth, seen often enough, has an incident that says since when and until when."""
    by_check = _by_check(seen.incidents)
    for endpoint, spells in seen.truth.spells.items():
        check = f"{endpoint}/http"
        for severity, kinds in CLASSES.items():
            for outage in _joined(spells, kinds):
                blind = overlap([*seen.dark, *seen.truth.offline], outage.start, outage.end)
                blind += sum(map(abs, (by for at, by in seen.stepped if at in outage)))
                bound = (AFTER[severity] + 1) * EVERY + blind + LATE_ANSWERS["stalled"]
                if outage.end - outage.start <= bound or outage.end > seen.end - HOUR:
                    continue
                if not any(
                    seen.history.decided[each.id][0] <= outage.start + bound + SUSPECT_SLACK
                    and (seen.history.decided[each.id][1] or seen.end) >= outage.end
                    for each in by_check[check, severity]
                    if _touches(seen, each, outage)
                ):
                    yield f"no {severity.value} incident of {check} in time for {outage}"


def _touches(seen: Seen, incident: Incident, outage: Spell) -> bool:
    """In true time."""
    since, until = seen.history.decided[incident.id]
    return since <= outage.end + 3 * EVERY and (until is None or until >= outage.start)


def _joined(spells: list[Spell], kinds: tuple[str, ...]) -> Iterator[Spell]:
    """One outage, whatever its causes."""
    current: Spell | None = None
    for spell in spells:
        if spell.kind not in kinds:
            continue
        if current and spell.start <= current.end + 1e-6:
            current = replace(current, end=spell.end)
        else:
            if current:
                yield current
            current = spell
    if current:
        yield current


def _by_check(incidents: tuple[Incident, ...]) -> dict[tuple[str, Severity], list[Incident]]:
    found: dict[tuple[str, Severity], list[Incident]] = defaultdict(list)
    for incident in incidents:
        for check in incident.checks:
            found[check, incident.severity].append(incident)
    return found


def no_incident_is_made_up(seen: Seen) -> Iterator[str]:
    """Every member of every incident was really bad then, by the truth."""
    for incident in seen.incidents:
        since, until = seen.history.decided[incident.id]
        for check in incident.checks:
            endpoint = check.rsplit("/", 1)[0]
            real = seen.truth.spells[endpoint]
            if incident.severity is Severity.MONITOR:
                real = seen.truth.offline
            kinds = CLASSES[incident.severity]
            ours = [spell for spell in real if spell.kind in kinds]
            begun = (
                since
                - 8 * EVERY
                - seen.step_between(since - 8 * EVERY, since)
                - overlap([*seen.dark, *seen.truth.offline], since - HOUR, since)
            )
            if not overlap(ours, begun, until or seen.end):
                yield f"#{incident.id} speaks of {check}, which was well"


def incidents_are_what_the_results_say(seen: Seen) -> Iterator[str]:
    """Each belief of the oracle lies in one incident, and each incident is made of such beliefs."""
    by_check = _by_check(seen.incidents)
    parts: dict[int, list[Belief]] = defaultdict(list)
    for belief in seen.beliefs:
        homes = [
            incident
            for incident in by_check[belief.check, belief.severity]
            if _covers(seen, incident, belief)
        ]
        if not homes:
            yield f"no incident holds {belief}"
        for home in homes:
            parts[home.id].append(belief)
    for incident in seen.incidents:
        if not parts[incident.id]:
            yield f"#{incident.id} holds nothing that the results say"
            continue
        starts = {belief.start for belief in parts[incident.id]}
        if not _is_moved(seen, incident.opened, starts if seen.stepped else {min(starts)}):
            yield f"#{incident.id} opened at {incident.opened}, want its first bad run"
        ends = [belief.end for belief in parts[incident.id]]
        if (incident.closed is None) != (None in ends):
            yield f"#{incident.id} closed at {incident.closed}, its checks at {ends}"
        elif incident.closed and not seen.stepped:
            last = max(end for end in ends if end)
            if incident.closed != last:
                yield f"#{incident.id} closed at {incident.closed}, want its last first good run {last}"


def an_incident_is_as_long_as_it_was(seen: Seen) -> Iterator[str]:
    """In true time, whatever was done to the wall clock: but for a step just before a process died."""
    by_check = _by_check(seen.incidents)
    parts: dict[int, list[Belief]] = defaultdict(list)
    for belief in seen.beliefs:
        for home in by_check[belief.check, belief.severity]:
            if _covers(seen, home, belief):
                parts[home.id].append(belief)
    unnoticed = [
        at for at, _ in seen.stepped for died, *_ in seen.history.deaths if 0 <= died - at <= 60
    ]
    for incident in seen.incidents:
        _, until = seen.history.decided[incident.id]
        ends = [belief.ended for belief in parts[incident.id]]
        if incident.closed is None or until is None or not ends or None in ends:
            continue
        begin = min(belief.asked for belief in parts[incident.id])
        length, want = (
            (incident.closed - incident.opened).total_seconds(),
            max(filter(None, ends)) - begin,
        )
        if abs(length - want) > 2 and not any(begin - 60 <= at <= until for at in unnoticed):
            yield f"#{incident.id} is {length:.0f} s long, want {want:.0f}"


def _is_moved(seen: Seen, moment: datetime, starts: set[datetime]) -> bool:
    """Whether it is one of these moments, by the wall clock as it was then or was set since."""
    steps = [by for _, by in seen.stepped]
    sums = {0.0} | {
        sum(steps[i:j]) for i in range(len(steps)) for j in range(i + 1, len(steps) + 1)
    }
    return any(
        abs((moment - start).total_seconds() - by) < 0.001 for start in starts for by in sums
    )


def _covers(seen: Seen, incident: Incident, belief: Belief) -> bool:
    """It was decided in the incident's life: the run that made it certain was asked then."""
    since, until = seen.history.decided[incident.id]
    late = max(LATE_ANSWERS.values()) + 1.0
    return since - late <= belief.believed <= (until if until is not None else seen.end)


def an_incident_keeps_to_its_service(seen: Seen) -> Iterator[str]:
    for incident in seen.incidents:
        services = {check.split("/")[0] for check in incident.checks}
        if incident.severity is not Severity.MONITOR and services != {incident.service}:
            yield f"#{incident.id} of {incident.service} speaks of {', '.join(sorted(services))}"


def dates_are_in_order(seen: Seen) -> Iterator[str]:
    for incident in seen.incidents:
        if incident.closed and incident.closed < incident.opened:
            yield f"#{incident.id} closed before it opened"
        if (incident.closed is None) == (not incident.active):
            yield f"#{incident.id} is open without a bad check, or closed with one"
        early = [entry for entry in incident.timeline if entry.at < incident.opened]
        if early and not seen.stepped:
            yield f"#{incident.id} has an entry from before it opened: {early[0]}"


LAWS: tuple[Law, ...] = (
    no_outage_is_missed,
    no_incident_is_made_up,
    incidents_are_what_the_results_say,
    an_incident_is_as_long_as_it_was,
    an_incident_keeps_to_its_service,
    dates_are_in_order,
)
