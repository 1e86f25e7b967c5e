"""What must hold of every history, whatever happened. Each gives its complaints, as sentences.

They know the truth, what the channels took and what the store holds in the end; of the code under
test they know the settings and nothing else. Durations are bounds of the documentation.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

from double import MemoryStore
from simulate import (
    CHANNELS,
    EVERY,
    HOUSEKEEPING,
    KINDS,
    START,
    History,
    Run,
    Simulation,
    Told,
    result_of,
)
from truth import ACCOUNT, DEGRADED, DOWN, HOUR, LATE_ANSWERS, OFFLINE, Spell, Truth, overlap

from monitor.alerts import Alerts
from monitor.model import Incident, Mute, Outgoing, Severity
from monitor.model.rollup import Rollup

BEAT = 3.0
"""Seconds within which the courier must do what it can do."""
BACKOFF = (5.0, 15.0, 60.0, 300.0, 900.0)
SPREAD = 0.2
SUSPECT_SLACK = 5.0
CLASSES: Mapping[Severity, tuple[str, ...]] = {
    Severity.DOWN: DOWN,
    Severity.DEGRADED: DEGRADED,
    Severity.ACCOUNT: ACCOUNT,
    Severity.MONITOR: (OFFLINE,),
}
AFTER = {Severity.DOWN: 3, Severity.DEGRADED: 5, Severity.ACCOUNT: 2, Severity.MONITOR: 3}
RECOVER = 2


@dataclass(frozen=True, slots=True)
class Belief:
    """A check is bad from its first bad run to its first good one, in wall time."""

    check: str
    severity: Severity
    start: datetime
    end: datetime | None
    believed: float
    """When the run that made it certain was asked."""


@dataclass
class Seen:
    sim: Simulation
    incidents: tuple[Incident, ...]
    """All that the store holds in the end."""
    rows: Mapping[int, tuple[Outgoing, str]]
    """The outbox in the end, with the state of each row: pending, sent, dead."""
    counts: Mapping[str, Mapping[str, int]]
    """Outcomes by check, as the store counts them."""

    @property
    def truth(self) -> Truth:
        return self.sim.truth

    @property
    def history(self) -> History:
        return self.sim.history

    @property
    def end(self) -> float:
        return self.sim.sizes.end

    @cached_property
    def dark(self) -> list[Spell]:
        """While no process lived; runs that were under way are lost too."""
        lost = max(LATE_ANSWERS.values()) + 1.0
        return [Spell(at - lost, until + EVERY, "dark") for at, until, _ in self.history.deaths]

    @cached_property
    def stepped(self) -> list[tuple[float, float]]:
        """Only what somebody did to a living process: the next one starts with the new time."""
        return self.truth.steps

    def step_between(self, start: float, end: float, each: float = 0.0) -> float:
        """By how much the clock was set in all, and `each` for every time."""
        return sum(abs(by) + each for at, by in self.stepped if start - 2 <= at <= end + 2)

    @cached_property
    def runs(self) -> dict[str, list[Run]]:
        found: dict[str, list[Run]] = {check.key: [] for check in self.sim.checks}
        keys = list(found)
        for run in self.history.runs:
            found[keys[run[0]]].append(run)
        return found

    @cached_property
    def beliefs(self) -> list[Belief]:
        """By an oracle that knows no machine: each rule's verdicts as letters, searched as text."""
        return [
            belief
            for check, runs in self.runs.items()
            for severity in CLASSES
            for belief in believe(check, runs, severity)
        ]


def believe(check: str, runs: list[Run], severity: Severity) -> Iterator[Belief]:
    letters = _letters(severity)
    said = bytes(run[3] for run in runs).translate(letters)
    if b"b" not in said:
        return
    kept = [place for place, letter in enumerate(said) if letter != ord("-")]
    said = said.replace(b"-", b"")
    after = AFTER[severity]
    for match in re.finditer(rb"(b{%d}.*?)(?:(g){%d}|$)" % (after, RECOVER), said):
        first, sure = runs[kept[match.start()]], runs[kept[match.start() + after - 1]]
        last = runs[kept[match.end(1)]] if match[2] else None
        yield Belief(check, severity, _wall(first), last and _wall(last), sure[1])


def _letters(severity: Severity) -> bytes:
    """b for bad, g for good, - for ignorance, by the place in KINDS."""
    bad = CLASSES[severity]
    served: tuple[str | None, ...] = (None, *DEGRADED)
    good: Mapping[Severity, tuple[str | None, ...]] = {
        Severity.DOWN: served,
        Severity.DEGRADED: (None,),
        Severity.ACCOUNT: served,
        Severity.MONITOR: (None, *DOWN, *DEGRADED, *ACCOUNT),
    }
    table = ["b" if kind in bad else "g" if kind in good[severity] else "-" for kind in KINDS]
    return "".join(table).encode().ljust(256, b"-")


def _wall(run: Run) -> datetime:
    return START + timedelta(seconds=run[1] + run[2])


Law = Callable[[Seen], Iterator[str]]


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
        if incident.opened != min(belief.start for belief in parts[incident.id]):
            yield f"#{incident.id} opened at {incident.opened}, want its first bad run"
        ends = [belief.end for belief in parts[incident.id]]
        if (incident.closed is None) != (None in ends):
            yield f"#{incident.id} closed at {incident.closed}, its checks at {ends}"
        elif incident.closed and not seen.stepped:
            last = max(end for end in ends if end)
            if incident.closed != last:
                yield f"#{incident.id} closed at {incident.closed}, want its last first good run {last}"


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


def what_was_decided_is_told(seen: Seen) -> Iterator[str]:
    """One beginning and one end for each channel that wants it; who is not told has a reason."""
    rows: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for row, _ in seen.rows.values():
        if row.incident is not None:
            rows[row.incident, row.channel][row.what.value] += 1
    for incident in seen.incidents:
        if not incident.announced and incident.muted is None:
            yield f"#{incident.id} was told to nobody, for no reason"
        for channel in CHANNELS:
            wanted = channel == "phone" or incident.severity is Severity.DOWN
            said = rows[incident.id, channel]
            begun = int(wanted and incident.announced)
            want = {"opened": begun, "resolved": int(begun and incident.closed is not None)}
            if {name: said[name] for name in want} != want:
                yield f"#{incident.id} for {channel}: {dict(said)} was decided, want {want}"
            if not wanted and sum(said.values()):
                yield f"#{incident.id} was told to {channel}, who should not hear of it"
            if not begun and said["reminder"] + said["update"]:
                yield f"#{incident.id} was told on to {channel}, who had not heard of it"


def what_comes_and_goes_is_told_once_and_to_its_end(seen: Seen) -> Iterator[str]:
    """That single messages stop is told; so is the calm, or what lasts after all."""
    dates = {incident.id: incident for incident in seen.incidents}
    told = sorted(seen.history.told.values(), key=lambda each: each.row.id)
    told = [each for each in told if each.row.channel == "phone" and each.row.incident in dates]
    for incident in seen.incidents:
        if incident.muted is Mute.FLAPPING and not incident.announced:
            said = [each for each in told if _is_kin(dates[each.row.incident or 0], incident)]
            since = seen.history.decided[incident.id][0]
            before = [each for each in said if each.decided <= since + 1.0]
            if not any(each.row.what.value == "flapping" for each in before):
                yield f"#{incident.id} was not told, nor that it comes and goes"
            after = [each for each in said if each.decided >= since]
            ended = any(each.row.what.value in {"calm", "opened"} for each in after)
            if not ended and _last_end_of_kin(seen, incident) < seen.end - HOUR:
                yield f"#{incident.id} came and went, and nobody heard how that ended"


def _last_end_of_kin(seen: Seen, incident: Incident) -> float:
    """Until then it still came and went."""
    newest = max((each for each in seen.incidents if _is_kin(each, incident)), key=_number)
    return seen.history.decided[newest.id][1] or seen.history.decided[newest.id][0]


def _number(incident: Incident) -> int:
    return incident.id


def _is_kin(one: Incident, other: Incident) -> bool:
    if one.severity is not other.severity or one.service != other.service:
        return False
    everywhere = one.severity in {Severity.ACCOUNT, Severity.MONITOR}
    return everywhere or bool(set(one.endpoints) & set(other.endpoints))


def nothing_decided_is_lost(seen: Seen) -> Iterator[str]:
    """At the end of a quiet time the outbox is empty, and each row was taken by its channel."""
    for number, (row, state) in seen.rows.items():
        told = seen.history.told.get(number)
        if state == "pending" and told and told.decided < seen.end - 10.0:
            yield f"row {number} ({row.what.value} of #{row.incident} to {row.channel}) never went out"
        if state == "sent" and (told is None or told.accepted is None):
            yield f"row {number} is ticked off, and {row.channel} never took it"
        if state == "dead":
            yield f"row {number} was given up"


def nothing_waits_without_need(seen: Seen) -> Iterator[str]:
    """A row goes out as soon as its process lives and its channel's wait is over."""
    waits = {channel: _waits(seen, channel) for channel in CHANNELS}
    for told in seen.history.told.values():
        if told.accepted is None:
            continue
        gathers = 2 * seen.sim.config.alerts.wait.total_seconds()
        due = _after(told.decided + gathers, waits[told.row.channel])
        if told.accepted > due + BEAT:
            yield (
                f"row {told.row.id} to {told.row.channel} could go out at {due:.0f} s"
                f" and did at {told.accepted:.0f} s"
            )


def _waits(seen: Seen, channel: str) -> list[Spell]:
    """While this channel must be left alone, or nobody lives to speak."""
    waits = [Spell(at - 1.0, until, "dead") for at, until, _ in seen.history.deaths]
    tries = 0
    for send in seen.history.sends:
        if send.channel != channel:
            continue
        if send.reported:
            tries = 0 if send.safe else tries
            continue
        backoff = BACKOFF[min(tries, len(BACKOFF) - 1)] * (1 + SPREAD)
        tries += 1
        waits.append(Spell(send.at - BEAT, send.at + (send.wait or backoff), "waits"))
    return sorted(waits, key=lambda wait: wait.start)


def _after(at: float, waits: list[Spell]) -> float:
    for wait in waits:
        if wait.start <= at + BEAT:
            at = max(at, wait.end)
    return at


def duplicates_have_a_reason(seen: Seen) -> Iterator[str]:
    """Nobody hears more often of an incident than was decided, but for sends that nobody can be sure of."""
    decided: Counter[tuple[str, int | None]] = Counter(
        (row.channel, row.incident) for row, _ in seen.rows.values()
    )
    heard: Counter[tuple[str, int]] = Counter()
    unsure: Counter[tuple[str, int]] = Counter()
    for send in seen.history.sends:
        for number in send.numbers if send.accepted else ():
            heard[send.channel, number] += 1
            unsure[send.channel, number] += not (send.reported and send.safe)
    for key, times in heard.items():
        if times > decided[key] + unsure[key]:
            yield f"{key[0]} heard {times} times of #{key[1]}: {decided[key]} decided, {unsure[key]} unsure"


def what_was_taken_is_ticked_off(seen: Seen) -> Iterator[str]:
    """A send that was taken and confirmed ends its rows, unless the process died over it."""
    deaths = [at for at, _, _ in seen.history.deaths]
    for send in seen.history.sends:
        if send.reported and not send.safe:
            place = bisect_left(deaths, send.at - 1e-6)
            if place == len(deaths) or deaths[place] > send.at + 1.0:
                yield f"{send.channel} took {send.title!r} at {send.at:.0f} s, and it was not ticked off"


def a_channel_hears_in_order(seen: Seen) -> Iterator[str]:
    for channel in CHANNELS:
        last = 0
        for send in seen.history.sends:
            if send.channel == channel and send.ticked and send.safe:
                if min(send.ticked) < last:
                    yield f"{channel} heard row {min(send.ticked)} after row {last}"
                last = min(send.ticked)


def retry_after_is_honoured(seen: Seen) -> Iterator[str]:
    """Nobody is asked again before the time that it asked for, unless somebody set the clock."""
    until: dict[str, float] = {}
    for send in seen.history.sends:
        if send.at < until.get(send.channel, 0.0) - 0.1 and not seen.step_between(
            until[send.channel] - 100, send.at
        ):
            yield f"{send.channel} was asked at {send.at:.1f} s, and had asked for quiet until {until[send.channel]:.1f} s"
        if send.wait:
            forgotten = any(send.at <= at < send.at + 1.0 for at, _, _ in seen.history.deaths)
            until[send.channel] = 0.0 if forgotten else send.at + send.wait


def reminders_come_when_due(seen: Seen) -> Iterator[str]:
    """After as long as was set, then twice as long, then four times, and daily in the end."""
    first = seen.sim.config.alerts.remind.total_seconds()
    told: dict[tuple[int, str], list[Told]] = defaultdict(list)
    for number in sorted(seen.history.told):
        each = seen.history.told[number]
        if each.row.incident is not None and each.row.what.value in {"opened", "reminder"}:
            told[each.row.incident, each.row.channel].append(each)
    for incident in seen.incidents:
        until = seen.history.decided[incident.id][1] or seen.end
        for channel in CHANNELS:
            moments = [each.decided for each in told[incident.id, channel]]
            yield from _reminded(seen, incident, moments, until, first)


def _reminded(
    seen: Seen, incident: Incident, moments: list[float], until: float, first: float
) -> Iterator[str]:
    gap = first
    for one, other in zip(moments, [*moments[1:], None], strict=False):
        slack = (
            HOUSEKEEPING
            + 1.0
            + overlap(seen.dark, one, one + gap + HOUR)
            + seen.step_between(one, one + gap + HOUR)
        )
        if other is None and until > one + gap + slack:
            yield f"#{incident.id}: no reminder after {one:.0f} s, want one {gap:.0f} s later"
        if other is not None and abs(other - one - gap) > slack:
            yield f"#{incident.id}: reminded {other - one:.0f} s after the last word, want {gap:.0f} s"
        gap = min(gap * 2, max(first, 24 * HOUR))


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


def a_storm_is_one_message_a_service(seen: Seen) -> Iterator[str]:
    rows = [
        row
        for row, _ in seen.rows.values()
        if row.what.value == "opened" and row.channel == "phone"
    ]
    dates = {incident.id: incident for incident in seen.incidents}
    for storm, services in seen.truth.storms:
        if seen.step_between(storm.start, storm.start + 5 * EVERY):
            continue
        begun: Counter[str | None] = Counter()
        for row in rows:
            incident = dates[row.incident or 0]
            since = seen.history.decided[incident.id][0]
            if (
                incident.severity is Severity.DOWN
                and storm.start <= since <= storm.start + 4 * EVERY
            ):
                alone = [each for each in incident.checks if _broke_alone(seen, each, storm)]
                begun[incident.service] += not alone
        for service, times in begun.items():
            if service in services and times > 1:
                yield f"the storm at {storm.start:.0f} s made {times} messages of {service}"


def _broke_alone(seen: Seen, check: str, storm: Spell) -> bool:
    """It had gone bad by itself just before, which is an outage of its own."""
    spells = seen.truth.spells[check.rsplit("/", 1)[0]]
    return any(
        storm.start - 20 * EVERY <= spell.start < storm.start
        or storm.start < spell.start <= storm.start + 4 * EVERY
        for spell in spells
    )


MOST_REPLAYED = 500_000


def a_replay_of_the_results_says_the_same(seen: Seen) -> Iterator[str]:
    """One process that never died, given what was committed, comes to the same incidents."""
    if len(seen.history.runs) > MOST_REPLAYED:
        return
    config = seen.sim.config
    alerts = Alerts(config.alerts, config.channels, MemoryStore().recall())
    again: dict[int, Incident] = {}
    reminds = iter([*seen.history.reminds, (-1, START)])
    count, at = next(reminds)
    for place, run in enumerate(seen.history.runs):
        while place == count:
            again |= {incident.id: incident for incident in alerts.remind(at).incidents}
            count, at = next(reminds)
        result = result_of(seen.sim.checks, run)
        again |= {incident.id: incident for incident in alerts.judge(result).incidents}
    for incident in seen.incidents:
        other = again.get(incident.id)
        if other is None or _essence(other) != _essence(incident):
            yield f"#{incident.id} is {_essence(incident)}, replayed {other and _essence(other)}"
    if len(again) != len(seen.incidents):
        yield f"{len(seen.incidents)} incidents, replayed {len(again)}"


def _essence(incident: Incident) -> tuple[object, ...]:
    return (
        incident.severity, incident.service, incident.opened, incident.closed, incident.checks,
        incident.active, incident.announced, incident.failure.kind,
    )  # fmt: skip


LAWS: tuple[Law, ...] = (
    nothing_was_said_on_the_way,
    every_check_runs_on,
    no_outage_is_missed,
    no_incident_is_made_up,
    incidents_are_what_the_results_say,
    an_incident_keeps_to_its_service,
    dates_are_in_order,
    what_was_decided_is_told,
    what_comes_and_goes_is_told_once_and_to_its_end,
    nothing_decided_is_lost,
    nothing_waits_without_need,
    duplicates_have_a_reason,
    what_was_taken_is_ticked_off,
    a_channel_hears_in_order,
    retry_after_is_honoured,
    reminders_come_when_due,
    availability_is_true,
    a_storm_is_one_message_a_service,
    a_replay_of_the_results_says_the_same,
)


def look(sim: Simulation) -> Seen:
    """At the end, through the store."""
    incidents, rows, counts = sim.store.finals()
    return Seen(sim, incidents, rows, counts)


def broken(seen: Seen) -> list[str]:
    """Every complaint, with the law that it breaks."""
    return [f"{law.__name__}: {text}" for law in LAWS for text in law(seen)]
