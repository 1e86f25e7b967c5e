"""What really happens where several vantages look, drawn from a seed: it knows nothing of the code under test.

Times are seconds since the beginning. A check is bad from a vantage, a vantage loses its way to the hub or its
whole network, and the hub dies.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

MINUTE, HOUR = 60.0, 3600.0
HUB = "fra"
AGENTS = ("cn", "hk")
PLACES = (HUB, *AGENTS)
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Cut:
    """A vantage cannot reach the hub; what it measures meanwhile comes late, or never where `loses`."""

    start: float
    end: float
    loses: bool


@dataclass(frozen=True, slots=True)
class Death:
    """The hub's process dies, or is killed between the next commit of a batch and what is believed of it."""

    at: float
    gap: float
    between: bool


@dataclass(slots=True)
class VantageTruth:
    end: float
    endpoints: tuple[str, ...]
    bad: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    """By endpoint and vantage, in order, none touches another."""
    cuts: dict[str, list[Cut]] = field(default_factory=dict)
    offline: dict[str, list[Span]] = field(default_factory=dict)
    """By vantage, the hub's own included: it reaches nothing at all."""
    deaths: list[Death] = field(default_factory=list)

    def is_bad(self, endpoint: str, place: str, at: float) -> bool:
        return holds(self.bad[endpoint, place], at)

    def is_offline(self, place: str, at: float) -> bool:
        return holds(self.offline[place], at)

    def cut(self, place: str, at: float) -> Cut | None:
        return next((cut for cut in self.cuts[place] if cut.start <= at < cut.end), None)

    def silent_spans(self, place: str) -> list[Span]:
        """When the hub cannot hear it, or it cannot see."""
        spans = [*self.offline[place], *((cut.start, cut.end) for cut in self.cuts.get(place, []))]
        if place != HUB:
            spans += self.offline[HUB]
        return spans + [(death.at, death.at + death.gap) for death in self.deaths]


def holds(spans: list[Span], at: float) -> bool:
    return any(start <= at < end for start, end in spans)


def overlaps(spans: list[Span], start: float, end: float) -> bool:
    return any(one < end and other > start for one, other in spans)


def draw_vantages(seed: int, hours: float = 8, calm: float = 3 * HOUR) -> VantageTruth:
    """Nothing breaks in the last `calm` seconds, so that all must have ended by then."""
    rng, last = Random(f"vantages {seed}"), hours * HOUR
    truth = VantageTruth(last + calm, ("s/a", "s/b"))
    for endpoint in truth.endpoints:
        found: dict[str, list[Span]] = {place: [] for place in PLACES}
        for start in _moments(rng, 2.5 * HOUR, last):
            for place, span in _trouble(rng, start, last):
                found[place].append(span)
        for place in PLACES:
            truth.bad[endpoint, place] = _joined(found[place])
    for place in AGENTS:
        lost = _joined([_span(rng, at, last, 6.7) for at in _moments(rng, 4 * HOUR, last)])
        truth.cuts[place] = [Cut(*span, loses=rng.random() < 0.5) for span in lost]
    for place in PLACES:
        spans = [_span(rng, at, last, 5.5) for at in _moments(rng, 12 * HOUR, last)]
        truth.offline[place] = _joined(spans)
    deaths = [
        Death(at, rng.choice((5.0, 20.0, 120.0, 600.0)), rng.random() < 0.5)
        for at in _moments(rng, 3 * HOUR, last)
    ]
    truth.deaths = [
        death
        for death, after in pairwise([*deaths, Death(2 * last, 0, between=False)])
        if death.at + death.gap + MINUTE < after.at
    ]
    return truth


def _trouble(rng: Random, start: float, last: float) -> Iterator[tuple[str, Span]]:
    """Bad from everywhere, from one or two vantages, or from one first and then from all."""
    end = _span(rng, start, last, 6.5)[1]
    what = rng.random()
    if what < 0.3:
        yield from ((place, (start, end)) for place in PLACES)
    elif what < 0.8:
        for place in rng.sample(PLACES, rng.choice((1, 1, 2))):
            yield place, (start, min(end + rng.uniform(-20, 20), last))
    else:
        first = rng.choice(PLACES)
        inner = sorted((rng.uniform(start, end), rng.uniform(start, end)))
        for place in PLACES:
            yield place, (start, end) if place == first else (inner[0], inner[1])


def _moments(rng: Random, mean: float, last: float) -> Iterator[float]:
    at = 0.0
    while (at := at + rng.expovariate(1 / mean)) < last:
        yield at


def _span(rng: Random, at: float, last: float, size: float) -> Span:
    return at, min(at + rng.lognormvariate(size, 1.2), last)


def _joined(spans: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined
