"""What people are told of an incident, and how often."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from asking import EVERY
from records import Told
from seen import Law, Seen
from simulate import HOUSEKEEPING
from stage import CHANNELS, ON_CALL
from truth import HOUR, Spell, overlap

from monitor.model import Incident, Mute, Severity


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
            wanted = channel != "pager" or incident.severity is Severity.DOWN
            said = rows[incident.id, channel]
            begun = int(wanted and incident.announced)
            want = {"opened": begun, "resolved": int(begun and incident.closed is not None)}
            if (
                channel == ON_CALL and incident.series
            ):  # its event ends, also where nobody hears of it
                del want["resolved"]
            if {name: said[name] for name in want} != want:
                yield f"#{incident.id} for {channel}: {dict(said)} was decided, want {want}"
            if not wanted and any(said.values()):
                yield f"#{incident.id} was told to {channel}, who should not hear of it"
            if not begun and said["reminder"] + said["update"]:
                yield f"#{incident.id} was told on to {channel}, who had not heard of it"


def what_comes_and_goes_is_told_once_and_to_its_end(seen: Seen) -> Iterator[str]:
    """That single messages stop is told; so is the calm, or what lasts after all."""
    dates = {incident.id: incident for incident in seen.incidents}
    told = sorted(seen.history.told.values(), key=lambda each: each.row.id)
    told = [each for each in told if each.row.channel == "phone" and each.row.incident in dates]
    for incident in seen.incidents:
        if incident.muted is Mute.FLAPPING and not (
            incident.announced or seen.is_silenced(incident)
        ):
            said = [each for each in told if _is_kin(dates[each.row.incident or 0], incident)]
            since = seen.history.decided[incident.id][0]
            before = [message for message in said if message.decided <= since + 1.0]
            if not any(each.row.what.value == "flapping" for each in before):
                yield f"#{incident.id} was not told, nor that it comes and goes"
            after = [message for message in said if message.decided >= since]
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
        until = min(until, seen.acked.get(incident.id, until))
        for channel in CHANNELS if not seen.is_silenced(incident) else ():
            moments = [message.decided for message in told[incident.id, channel]]
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
                alone = [check for check in incident.checks if _broke_alone(seen, check, storm)]
                begun[incident.service] += not (alone or seen.is_silenced(incident))
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


LAWS: tuple[Law, ...] = (
    what_was_decided_is_told,
    what_comes_and_goes_is_told_once_and_to_its_end,
    reminders_come_when_due,
    a_storm_is_one_message_a_service,
)
