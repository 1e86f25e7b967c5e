"""What really happens, drawn from a seed before anything runs: it knows nothing of the code under test.

Times are seconds of true time since the beginning. The monitor never sees them: it sees answers,
and a wall clock that somebody may set.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0

DOWN = ("bad_gateway", "connect_timeout", "server_error", "html_answer", "dns_servfail")
DEGRADED = ("slow", "stalled", "wrong_content_type")
ACCOUNT = ("auth_invalid", "quota_exhausted")
OFFLINE = "offline"
LATE_ANSWERS = {"connect_timeout": 10.0, "stalled": 20.0}
"""Seconds that such a run takes; others answer at once."""


@dataclass(frozen=True, slots=True)
class Sizes:
    days: float
    services: int
    endpoints: int
    """Of each service."""
    crashes: float = 9.0
    """A day."""
    outages: float = 0.6
    """A day and endpoint."""
    people: float = 0.0
    """What people do at Telegram, a day; without any there is no bot."""
    calm: float = 3 * HOUR
    """At the end nothing more breaks, so that all must have been told."""

    @property
    def end(self) -> float:
        return self.days * DAY


@dataclass(frozen=True, slots=True)
class Spell:
    """From `start` up to `end` something is wrong."""

    start: float
    end: float
    kind: str

    def __contains__(self, at: float) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Crash:
    """The process dies at the first `where` after `at`, and comes back `gap` seconds later."""

    at: float
    where: str
    gap: float


MOMENTS = (
    "idle",
    "before the record",
    "after the record",
    "before the send",
    "after the send",
    "after the tick",
)


@dataclass(slots=True)
class Truth:
    sizes: Sizes
    endpoints: tuple[str, ...] = ()
    """`service/endpoint`"""
    spells: dict[str, list[Spell]] = field(default_factory=dict)
    """By endpoint, in order, never two at once."""
    storms: list[tuple[Spell, tuple[str, ...]]] = field(default_factory=list)
    """Whole services that break at one moment."""
    offline: list[Spell] = field(default_factory=list)
    mute: dict[str, list[Spell]] = field(default_factory=dict)
    """By channel: nothing gets through."""
    crashes: list[Crash] = field(default_factory=list)
    steps: list[tuple[float, float]] = field(default_factory=list)
    """When somebody sets the wall clock, and by how many seconds."""

    def kind(self, endpoint: str, at: float) -> str | None:
        """What a run that asks at this moment gets."""
        if any(at in spell for spell in self.offline):
            return OFFLINE
        found = self.spells[endpoint]
        place = bisect_right(found, at, key=lambda spell: spell.start) - 1
        return found[place].kind if place >= 0 and at in found[place] else None


def draw(seed: int, sizes: Sizes, channels: tuple[str, ...]) -> Truth:
    rng = Random(seed)
    last = sizes.end - sizes.calm
    truth = Truth(sizes)
    truth.endpoints = tuple(
        f"s{service}/e{endpoint}"
        for service in range(sizes.services)
        for endpoint in range(sizes.endpoints)
    )
    truth.storms = list(_storms(rng, sizes, last))
    for endpoint in truth.endpoints:
        service = endpoint.split("/")[0]
        spells = [spell for spell, services in truth.storms if service in services]
        spells += _spells(rng, sizes.outages, last)
        truth.spells[endpoint] = _side_by_side(spells)
    _share_accounts(rng, truth, last)
    truth.offline = _side_by_side(
        [Spell(at, at + rng.lognormvariate(5.5, 1.0), OFFLINE) for at in _moments(rng, 0.7, last)]
    )
    for place, channel in enumerate(channels):
        own = rng if place < 2 else Random(f"{seed} {channel}")
        truth.mute[channel] = _side_by_side(
            [
                Spell(at, at + own.lognormvariate(6.5, 1.5), "mute")
                for at in _moments(own, 1.0, last)
            ]
        )
    truth.crashes = [
        Crash(at, rng.choice(MOMENTS), rng.choice((5.0, 12.0, 45.0, 400.0)))
        for at in _moments(rng, sizes.crashes, last)
    ]
    truth.steps = [
        (at, rng.choice((-1, 1)) * rng.choice((3.0, 40.0, 900.0, 3600.0)))
        for at in _moments(rng, 0.3, last)
    ]
    _add_what_is_rare(Random(f"{seed} rare"), truth, by_clock=seed % 4 == 0)
    return truth


def _add_what_is_rare(rng: Random, truth: Truth, *, by_clock: bool) -> None:
    """Our own network flickers while an outage is only suspected; the clock is set while a channel is mute."""
    begun = [spell.start for spells in truth.spells.values() for spell in spells]
    flickers = [at + rng.uniform(0, 70) for at in begun if rng.random() < 0.1]
    offline = [Spell(at, at + rng.uniform(5, 40), OFFLINE) for at in flickers]
    truth.offline = _side_by_side([*truth.offline, *offline])
    if by_clock:
        mute = [spell for spells in truth.mute.values() for spell in spells]
        steps = [
            (rng.uniform(spell.start, spell.end), rng.choice((-3600.0, -900.0, 900.0)))
            for spell in mute
            if rng.random() < 0.4
        ]
        last = truth.sizes.end - truth.sizes.calm
        truth.steps = sorted([*truth.steps, *(step for step in steps if step[0] < last)])


def _moments(rng: Random, a_day: float, last: float) -> Iterator[float]:
    at = 0.0
    while a_day and (at := at + rng.expovariate(a_day / DAY)) < last:
        yield at


def _storms(rng: Random, sizes: Sizes, last: float) -> Iterator[tuple[Spell, tuple[str, ...]]]:
    names = [f"s{number}" for number in range(sizes.services)]
    for at in _moments(rng, 0.25, last):
        hit = tuple(rng.sample(names, rng.randint(1, len(names))))
        yield Spell(at, at + rng.uniform(10 * MINUTE, 3 * HOUR), rng.choice(DOWN)), hit


def _spells(rng: Random, a_day: float, last: float) -> Iterator[Spell]:
    for at in _moments(rng, a_day, last):
        kinds = DOWN if rng.random() < 0.75 else DEGRADED
        what = rng.random()
        if what < 0.12:
            yield from _flapping(rng, at, rng.choice(kinds))
        elif what < 0.2:
            yield from _changing(rng, at, kinds)
        elif what < 0.25:
            yield Spell(at, at + rng.uniform(9 * HOUR, 60 * HOUR), rng.choice(kinds))
        else:
            yield Spell(at, at + min(rng.lognormvariate(6.3, 1.4), 8 * HOUR), rng.choice(kinds))


def _flapping(rng: Random, at: float, kind: str) -> Iterator[Spell]:
    for _ in range(rng.randint(4, 20)):
        end = at + rng.uniform(0.5, 9) * MINUTE
        yield Spell(at, end, kind)
        at = end + rng.uniform(0.5, 9) * MINUTE


def _changing(rng: Random, at: float, kinds: tuple[str, ...]) -> Iterator[Spell]:
    for _ in range(rng.randint(2, 4)):
        end = at + rng.uniform(3, 60) * MINUTE
        yield Spell(at, end, rng.choice(kinds))
        at = end


def _share_accounts(rng: Random, truth: Truth, last: float) -> None:
    """A key is shared by all endpoints of its service."""
    for number in range(truth.sizes.services):
        for at in _moments(rng, 0.15, last):
            spell = Spell(at, at + rng.lognormvariate(7.5, 1.0), rng.choice(ACCOUNT))
            for endpoint in truth.endpoints:
                if endpoint.startswith(f"s{number}/"):
                    truth.spells[endpoint] = _side_by_side([*truth.spells[endpoint], spell])


def _side_by_side(spells: list[Spell]) -> list[Spell]:
    """The earlier one ends where the later one begins."""
    spells = sorted(spells, key=lambda spell: spell.start)
    cut = [Spell(one.start, min(one.end, other.start), one.kind) for one, other in pairwise(spells)]
    return [spell for spell in [*cut, *spells[-1:]] if spell.end > spell.start]


def overlap(spells: list[Spell], start: float, end: float) -> float:
    """How many seconds of `start` to `end` lie in them."""
    return sum(
        max(0.0, min(end, spell.end) - max(start, spell.start))
        for spell in spells
        if spell.start < end and spell.end > start
    )
