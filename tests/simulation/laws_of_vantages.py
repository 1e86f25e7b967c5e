"""What must hold of every history that several vantages see, by the truth that they cannot know."""

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise

from vantage_truth import AGENTS, HUB, PLACES, Span, VantageTruth, overlaps
from vantage_world import FULLY, LIFE_S, NEVER, PARTILY, START, VantageWorld

from monitor.model import NotificationType, Severity

CONFIRMED_S = 60.0
"""A vantage asks three times within so long, and pushes at once."""
HEARD_S = 240.0
"""A vantage whose way was free for so long counts."""


def _interval(world: VantageWorld, check: str) -> float:
    """How often all vantages together look."""
    return world.checks[check].probe.every.total_seconds()


def _own_interval(world: VantageWorld, check: str) -> float:
    return world.checks[check].every.total_seconds()


def _endpoint(check: str) -> str:
    return check.rpartition("/")[0]


def _could_speak(truth: VantageTruth, place: str, start: float, end: float) -> bool:
    """Whether a vantage saw and was heard all the time."""
    return not overlaps(truth.silent_spans(place), start, end)


def _was_bad(world: VantageWorld, check: str, place: str, start: float, end: float) -> bool:
    return overlaps(world.truth.bad[_endpoint(check), place], start, end)


def _stayed(spans: list[Span], start: float, end: float) -> bool:
    return any(one <= start and other >= end for one, other in spans)


def nothing_is_down_that_two_did_not_see_bad(world: VantageWorld) -> Iterator[str]:
    """One alone is enough only where nobody else can speak."""
    for move in world.moves:
        if move.after != FULLY:
            continue
        lasts = 2 * _own_interval(world, move.check) + CONFIRMED_S
        saw = {
            place
            for place in PLACES
            if _was_bad(world, move.check, place, move.at - lasts, move.at)
        }
        others = {
            place
            for place in PLACES
            if place not in saw
            and _could_speak(world.truth, place, move.at - HEARD_S - lasts, move.at)
        }
        if not saw or (len(saw) < 2 and (others or move.before == PARTILY)):
            yield f"{move} was seen bad from {sorted(saw)} alone; {sorted(others)} could speak"


def what_is_bad_from_two_of_three_is_down(world: VantageWorld) -> Iterator[str]:
    """Where all can speak, two are a majority; where one cannot, the two that can must both see it bad.

    Of what they run in turn, those may have the first turns that begin no doubt: who sees it well, who is cut off by
    then, and who has seen it bad for long.
    """
    for check, of in world.checks.items():
        every = _interval(world, check)
        for pair in combinations(PLACES, 2):
            for start, end in _common(world, check, pair):
                [third] = {*PLACES} - {*pair}
                third_spans = world.truth.bad[_endpoint(check), third]
                idle = [
                    not _stayed(third_spans, start, start + every)
                    or not _could_speak(world.truth, third, start, start + every),
                    any(_was_bad(world, check, one, start - every, start - 1) for one in pair),
                ]
                bound = every * (1 + bool(of.turns) * sum(idle)) + 2 * CONFIRMED_S + LIFE_S
                speaking = {
                    place
                    for place in {HUB, *pair}
                    if _could_speak(world.truth, place, start - HEARD_S, end + bound)
                }
                if end - start < bound or speaking != {HUB, *pair}:
                    continue
                reaches = _reaches(world, check, start, min(end, start + bound))
                if FULLY not in reaches:
                    yield f"{check} was bad from {pair} from {start:.0f} to {end:.0f} s: {reaches}"


def what_is_bad_from_one_is_told_of_it(world: VantageWorld) -> Iterator[str]:
    for check in world.checks:
        bound = _own_interval(world, check) + 2 * CONFIRMED_S + LIFE_S
        for place in PLACES:
            for start, end in world.truth.bad[_endpoint(check), place]:
                speaks = all(
                    _could_speak(world.truth, each, start - HEARD_S, end + bound)
                    for each in {HUB, place}
                )
                if end - start < bound or not speaks:
                    continue
                reaches = _reaches(world, check, start, min(end, start + bound))
                if reaches == {NEVER}:
                    yield f"{check} was bad from {place} from {start:.0f} to {end:.0f} s, unnoticed"


def _common(world: VantageWorld, check: str, places: tuple[str, ...]) -> list[Span]:
    """When it is bad from all of them."""
    common = [(0.0, world.truth.end)]
    for place in places:
        common = [
            (max(one, start), min(other, end))
            for one, other in common
            for start, end in world.truth.bad[_endpoint(check), place]
            if max(one, start) < min(other, end)
        ]
    return common


def _reaches(world: VantageWorld, check: str, start: float, end: float) -> set[str]:
    """How it stood at some time between."""
    moves = [move for move in world.moves if move.check == check]
    before = [move.after for move in moves if move.at <= start][-1:] or [NEVER]
    return {*before, *(move.after for move in moves if start < move.at <= end)}


def silence_and_late_results_move_nothing(world: VantageWorld) -> Iterator[str]:
    """What is bad begins with a bad result that is fresh; what ends without one is not known to work."""
    rank = {NEVER: 0, PARTILY: 1, FULLY: 2}
    for move in world.moves:
        if move.cause in {"late", "hearing", "starting"}:
            yield f"{move} came of no fresh result"
        if rank[move.after] > rank[move.before] and move.before == NEVER and not move.is_bad:
            yield f"{move} began without a bad result"
        if move.cause == "reminding" and (move.known or not move.unheard or move.after != NEVER):
            yield f"{move} came of time alone"


def an_end_is_true(world: VantageWorld) -> Iterator[str]:
    """Whoever can speak and still sees it bad keeps it open; and as many as the quorum asks for see it well."""
    for move in world.moves:
        if move.after != NEVER or not move.known:
            continue
        since = move.at - _own_interval(world, move.check) - 2 * CONFIRMED_S - HEARD_S
        bad = world.truth.bad
        still = [
            place for place in PLACES if _stayed(bad[_endpoint(move.check), place], since, move.at)
        ]
        speaking = [p for p in still if _could_speak(world.truth, p, since, move.at)]
        well = [place for place in PLACES if place not in still]
        if speaking or (still and len(well) < 2):
            yield f"{move} ended while it was bad from {still}, of whom {speaking} could speak"


def each_check_and_base_url_is_in_one_incident(world: VantageWorld) -> Iterator[str]:
    yield from world.doubled[:3]


_SAY_HOW_BAD = {NotificationType.OPENED, NotificationType.UPDATE, NotificationType.REMINDER}


def each_crossing_is_told_once(world: VantageWorld) -> Iterator[str]:
    """A begin, an update at each crossing that people do not know of, and an end: each once."""
    for incident in world.incidents.values():
        rows = [row for _, row in world.rows if row.incident == incident.id]
        told = [row for row in rows if row.what in _SAY_HOW_BAD]
        opened = sum(row.what is NotificationType.OPENED for row in rows)
        ended = sum(row.what is NotificationType.RESOLVED for row in rows)
        if (opened, ended) != (
            int(incident.announced),
            int(incident.announced and incident.closed is not None),
        ) and not incident.series:
            yield f"#{incident.id} was told to begin {opened} and to end {ended} times"
        for one, other in pairwise(told if len(incident.endpoints) == 1 else []):
            if one.severity is other.severity and other.what is NotificationType.UPDATE:
                yield f"#{incident.id} was told twice to be {other.severity.value}"


def what_is_down_is_told_as_down(world: VantageWorld) -> Iterator[str]:
    """Not later than the check became so, where people know of it."""
    for move in world.moves:
        if (move.before, move.after) != (PARTILY, FULLY):
            continue
        incident = next(
            (
                each
                for each in reversed(world.incidents.values())
                if move.check in each.checks and (each.opened - START).total_seconds() <= move.at
            ),
            None,
        )
        if incident is None or not incident.announced or len(incident.endpoints) > 1:
            continue
        rows = [(at, row) for at, row in world.rows if row.incident == incident.id]
        known = [row.severity for at, row in rows if at <= move.at + 20]
        if known and known[-1] is not Severity.DOWN:
            yield f"#{incident.id} widened at {move.at:.0f} s, and people know it as {known[-1]}"


def nobody_is_reminded_by_silence(world: VantageWorld) -> Iterator[str]:
    """A reminder comes while somebody who is heard sees it bad."""
    for told in world.reminders:
        silent = {
            place
            for place in AGENTS
            if overlaps(
                [(cut.start + HEARD_S, cut.end) for cut in world.truth.cuts[place]],
                told.at - 1,
                told.at,
            )
        }
        if told.accusers and told.accusers <= silent:
            who = sorted(told.accusers)
            yield f"#{told.incident} was reminded of at {told.at:.0f} s while {who} were silent"


def all_is_over_in_the_end(world: VantageWorld) -> Iterator[str]:
    for incident in world.incidents.values():
        if not incident.closed:
            yield f"#{incident.id} of {incident.checks} is open in the end, by {incident.places}"


def in_quiet_times_one_place_pays(world: VantageWorld) -> Iterator[str]:
    """Each point of the schedule is run once, while all can speak and nothing is in doubt."""
    for check in (each for each in world.checks.values() if each.turns):
        every, calm = check.probe.every.total_seconds(), 3 * check.every.total_seconds()
        runs = [run for run in world.runs if run.check == check.key]
        for place in range(int(calm / every) + 1, int(world.truth.end / every) - 1):
            start = place * every
            trouble = any(
                not _could_speak(world.truth, each, start - calm, start + every)
                or _was_bad(world, check.key, each, start - calm, start + every)
                for each in PLACES
            )
            count = sum(start <= run.at < start + every for run in runs)
            if not trouble and count != 1:
                yield f"{check.key} ran {count} times from {start:.0f} to {start + every:.0f} s"


VantageLaw = Callable[[VantageWorld], Iterator[str]]
VANTAGE_LAWS: tuple[VantageLaw, ...] = (
    nothing_is_down_that_two_did_not_see_bad,
    what_is_bad_from_two_of_three_is_down,
    what_is_bad_from_one_is_told_of_it,
    silence_and_late_results_move_nothing,
    an_end_is_true,
    each_check_and_base_url_is_in_one_incident,
    each_crossing_is_told_once,
    what_is_down_is_told_as_down,
    nobody_is_reminded_by_silence,
    all_is_over_in_the_end,
    in_quiet_times_one_place_pays,
)


def broken_laws(world: VantageWorld) -> Iterator[str]:
    for law in VANTAGE_LAWS:
        for complaint in law(world):
            yield f"{law.__name__}: {complaint}"
