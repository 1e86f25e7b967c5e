"""What was decided goes out: all of it, soon, in order, and twice only with a reason."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from records import Send
from seen import Law, Seen
from truth import Spell

BEAT = 3.0
"""Seconds within which the courier must do what it can do."""
BACKOFF = (5.0, 15.0, 60.0, 300.0, 900.0)
SPREAD = 0.2
PART = re.compile(r"\((\d+)/(\d+)\)$")


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
    waits = {channel: _waits(seen, channel) for channel in seen.channels}
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
        if send.reported and not send.safe and not _is_followed(send):
            place = bisect_left(deaths, send.at - 1e-6)
            if place == len(deaths) or deaths[place] > send.at + 1.0:
                yield f"{send.channel} took {send.title!r} at {send.at:.0f} s, and it was not ticked off"


def _is_followed(send: Send) -> bool:
    """By the other parts of a long message: the last one ends its rows."""
    part = PART.search(send.title)
    return part is not None and part[1] != part[2]


def a_channel_hears_in_order(seen: Seen) -> Iterator[str]:
    for channel in seen.channels:
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


LAWS: tuple[Law, ...] = (
    nothing_decided_is_lost,
    nothing_waits_without_need,
    duplicates_have_a_reason,
    what_was_taken_is_ticked_off,
    a_channel_hears_in_order,
    retry_after_is_honoured,
)
