"""What people at Telegram did counts, what strangers did does not; readers and whoever hears late hear what is theirs."""

import re
from collections.abc import Iterator

from people import OPERATOR, READERS
from records import Deed, Heard
from seen import Law, Seen
from simulate import HOUSEKEEPING
from stage import BOSS, ESCALATES_AFTER, SUBSCRIBERS
from truth import HOUR, LATE_ANSWERS, overlap

from monitor.model import EntryKind, Incident, Severity

NEWS = re.compile(r"/incidents/(\d+)/")
_LOUD = {"opened", "reminder", "update", "flapping"}


def only_those_who_may_change_anything(seen: Seen) -> Iterator[str]:
    """Whatever was carried out, somebody who may had just asked for, and no one else."""
    for at, request in seen.history.carried:
        if not request.text.startswith(OPERATOR):
            yield f"{request.what.value} of {request.target} was carried out for {request.text!r} at {at:.0f} s"


def what_is_asked_in_time_is_done(seen: Seen) -> Iterator[str]:
    incidents = {incident.id: incident for incident in seen.incidents}
    for deed in seen.history.deeds:
        if deed.who != OPERATOR or not deed.sure or deed.done is None or seen.stepped:
            continue
        verb, target, *_ = re.split(r"[ :]", deed.words.lstrip("/"))
        incident = incidents.get(int(target)) if target.isdigit() else None
        is_open = incident and _is_open(seen, incident, deed.at, deed.done)
        if verb == "ack" and incident and is_open and incident.acked is None:
            yield f"#{target} is not acknowledged, though {deed} said so"
        if verb == "silence" and (deed.is_text or (is_open and incident and incident.service)):
            target = "*" if target == "all" else target
            times = [at for at, each in seen.history.carried if each.target == target]
            if not deed.is_text and incident:
                is_held = any(
                    hold.start < deed.at < hold.end + 2 * HOUSEKEEPING
                    and any(map(hold.covers, incident.checks))
                    for hold in seen.holds
                )
                times = [deed.at] if is_held else [at for at, _ in seen.history.carried]
            if not any(deed.at <= at <= deed.done for at in times):
                yield f"{target} is not silenced, though {deed} said so"


def _is_open(seen: Seen, incident: Incident, start: float, end: float) -> bool:
    since, until = seen.history.decided[incident.id]
    return since < start and (until is None or until > end)


def what_is_acknowledged_has_no_reminder(seen: Seen) -> Iterator[str]:
    """That its end is told, `what_was_decided_is_told` says."""
    for number, at in seen.acked.items():
        for told in seen.history.told.values():
            is_late = told.row.incident == number and told.decided > at
            if is_late and told.row.what.value == "reminder":
                yield f"#{number} was acknowledged at {at:.0f} s, and {told} is a reminder"
    for incident in seen.incidents:
        times = sum(entry.what is EntryKind.ACKED for entry in incident.timeline)
        if times > 1 or (times and incident.id not in seen.acked):
            yield f"#{incident.id} was acknowledged {times} times, by {seen.acked.get(incident.id)}"


def what_is_silenced_tells_nobody(seen: Seen) -> Iterator[str]:
    for hold in seen.holds:
        for told in seen.history.told.values():
            number, what = told.row.incident, told.row.what.value
            if (
                number is None
                or what not in _LOUD
                or not hold.start < told.decided < hold.end - 1.0
            ):
                continue
            if all(map(hold.covers, seen.incident(number).checks)):
                yield f"{what} of #{number} at {told.decided:.0f} s to {told.row.channel}, despite {hold}"


def what_outlasts_its_silence_is_told(seen: Seen) -> Iterator[str]:
    for hold in seen.holds:
        slack = HOUSEKEEPING + 1.0 + overlap(seen.dark, hold.end, hold.end + HOUR)
        for incident in seen.incidents:
            is_open = _is_open(seen, incident, hold.end, hold.end + slack)
            if not is_open or incident.series or incident.severity is Severity.DEGRADED:
                continue
            if seen.acked.get(incident.id, seen.end) < hold.end + slack:
                continue
            others = [each for each in seen.holds if each is not hold and each.end > hold.end]
            if not all(map(hold.covers, incident.checks)) or any(
                other.start < hold.end + slack and any(map(other.covers, incident.checks))
                for other in others
            ):
                continue
            if not any(
                told.row.incident == incident.id
                and told.row.channel == "phone"
                and hold.end - 1.0 <= told.decided <= hold.end + slack
                for told in seen.history.told.values()
            ):
                yield f"#{incident.id} outlasted {hold}, and nobody was told"


def who_hears_late_hears_what_lasts_to_its_end(seen: Seen) -> Iterator[str]:
    """A channel that waits hears of what nobody acknowledged in time, and then hears its end."""
    for incident in seen.incidents if BOSS in seen.channels else ():
        said = seen.told_of(incident, BOSS)
        begins = [told.decided for told in said if told.row.what.value == "opened"]
        ends = sum(told.row.what.value == "resolved" for told in said)
        if len(begins) > 1 or ends != (len(begins) if incident.closed else 0):
            yield f"{BOSS} heard {len(begins)} begins and {ends} ends of #{incident.id}"
        if said and not begins:
            yield f"{BOSS} heard {said[0]}, and no begin"
        first = [t.decided for t in seen.told_of(incident, "phone") if t.row.what.value == "opened"]
        if not first or seen.step_between(first[0], first[0] + 2 * ESCALATES_AFTER):
            continue
        due, acked = first[0] + ESCALATES_AFTER, seen.acked.get(incident.id, seen.end)
        slack = HOUSEKEEPING + 1.0 + overlap(seen.dark, due, due + HOUR)
        early = max(LATE_ANSWERS.values()) + 1.0
        if begins and (acked < due - early or begins[0] < due - early):
            yield f"{BOSS} heard of #{incident.id} at {begins[0]:.0f} s, acknowledged at {acked:.0f} s"
        lasts = _is_open(seen, incident, first[0] + 1.0, due + slack) and acked > due + slack
        if lasts and not begins and not seen.is_silenced(incident):
            yield f"{BOSS} did not hear of #{incident.id}, which lasted"


def readers_hear_public_facts_alone(seen: Seen) -> Iterator[str]:
    public = {service.id for service in seen.sim.config.services if service.public}
    for heard in seen.history.heard:
        if heard.chat not in READERS:
            continue
        numbers = _numbers(heard)
        asked = any(
            deed.chat == heard.chat and _spans(deed, heard.at) for deed in seen.history.deeds
        )
        if not numbers and not asked:
            yield f"a reader heard {heard.text!r}, which is no news and no answer"
        for incident in map(seen.incident, numbers):
            if not incident.severity.is_of_base_urls or incident.service not in public:
                yield f"a reader heard of #{incident.id}: {incident.severity.value} of {incident.service}"


def readers_hear_each_begin_and_its_end(seen: Seen) -> Iterator[str]:
    """While they subscribe for sure; who was told of both at once heard the end."""
    for reader in READERS:
        news = [each for each in seen.history.heard if each.chat == reader and each.taken]
        for start, end, service in _subscribed(seen, reader):
            for told in seen.history.told.values():
                number, what, at = told.row.incident, told.row.what.value, told.accepted
                if told.row.channel != SUBSCRIBERS or number is None or at is None:
                    continue
                if not start < told.decided <= at < end or what not in {"opened", "resolved"}:
                    continue
                incident = seen.incident(number)
                about = [
                    each
                    for each in news
                    if told.decided <= each.at <= at and number in _numbers(each)
                ]
                if service in {"", incident.service} and not about:
                    yield f"reader {reader} did not hear {what} of #{number} by {at:.0f} s"
                if what == "resolved" and about and "✅" not in about[-1].text:
                    yield f"reader {reader} heard {about[-1].text!r} when #{number} was over"


def who_left_hears_no_more(seen: Seen) -> Iterator[str]:
    for reader in READERS:
        deeds = [deed for deed in seen.history.deeds if deed.chat == reader]
        for place, deed in enumerate(deeds):
            gone = deed.words.startswith("block") or (deed.words == "/unsubscribe" and deed.sure)
            if not gone or deed.done is None:
                continue
            back = [each.fetched or seen.end for each in deeds[place + 1 :] if each.is_text]
            until = min(back, default=seen.end)
            heard = [
                each
                for each in seen.history.heard
                if each.chat == reader and deed.done < each.at < until and NEWS.search(each.text)
            ]
            crashes = sum(deed.done < at <= until for at, *_ in seen.history.deaths)
            if len(heard) > (1 + crashes if deed.words == "blocks silently" else 0):
                yield f"reader {reader} {deed.words} at {deed.at:.0f} s, and was written to: {heard[-1]}"


def _subscribed(seen: Seen, reader: int) -> Iterator[tuple[float, float, str]]:
    """Spans for which the reader subscribes for sure, to a service or all."""
    deeds = [deed for deed in seen.history.deeds if deed.chat == reader]
    for place, deed in enumerate(deeds):
        if deed.words.startswith("/subscribe") and deed.sure and deed.done is not None:
            leaves = [
                each.at for each in deeds[place + 1 :] if not each.words.startswith("/subscribe")
            ]
            yield deed.done, min(leaves, default=seen.end), deed.words[11:]


def _spans(deed: Deed, at: float) -> bool:
    return deed.fetched is not None and deed.fetched <= at <= (deed.done or at)


def _numbers(heard: Heard) -> list[int]:
    return [int(number) for number in NEWS.findall(heard.text)]


LAWS: tuple[Law, ...] = (
    only_those_who_may_change_anything,
    what_is_asked_in_time_is_done,
    what_is_acknowledged_has_no_reminder,
    what_is_silenced_tells_nobody,
    what_outlasts_its_silence_is_told,
    who_hears_late_hears_what_lasts_to_its_end,
    readers_hear_public_facts_alone,
    readers_hear_each_begin_and_its_end,
    who_left_hears_no_more,
)
