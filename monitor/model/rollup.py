"""Counts and mergeable latency histograms of one check over one hour or day: a monoid.

A histogram maps a bucket number to a count. Bucket b holds values in (G**b, G**(b+1)] ms, G = 1.02,
and is read back at its geometric middle, so a quantile is within 1 % of the exact one.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import TypeVar

from monitor.model.failure import Outcome
from monitor.model.result import TIMING_NAMES, Result

GROWTH = 1.02
_LOG = math.log(GROWTH)
_UP, _DEGRADED, _DOWN, _UNKNOWN = (
    outcome.value for outcome in (Outcome.UP, Outcome.DEGRADED, Outcome.DOWN, Outcome.UNKNOWN)
)
"""Asking a member for its value costs more than finding its count."""
COST_SCALE = 100_000_000
FIGURES = (*TIMING_NAMES, "tokens_per_s")
QUANTILES: Mapping[str, float] = MappingProxyType({"p50": 0.5, "p95": 0.95, "p99": 0.99})
"""Those that are told of a figure, by their names."""
WINDOW_FIGURES = frozenset({"ttfb", "ttft", "total", "tokens_per_s"})
"""The figures that a snapshot's windows of days carry: what a page shows of more than a day."""

Histogram = Mapping[int, int]
K = TypeVar("K", str, int)
_Answer = Callable[[str, float], float | None]
_EMPTY: Mapping[str, Histogram] = MappingProxyType({})
_NO_COUNTS: Mapping[str, int] = MappingProxyType({})
_NO_FIGURES: Mapping[str, float] = MappingProxyType({})


def bucket(value: float) -> int:
    """Return the bucket of a positive value; anything under a microsecond counts as one."""
    return math.ceil(math.log(max(value, 1e-3)) / _LOG) - 1


def middle(number: int) -> float:
    return float(GROWTH ** (number + 0.5))


def quantile(histogram: Histogram, q: float) -> float | None:
    """Return the value at rank ceil(q x n), so q = 0.5 of one value is that value; None when empty."""
    return next(iter(quantiles(histogram, (q,))), None)


def quantiles(histogram: Histogram, qs: Sequence[float]) -> list[float]:
    """Return several quantiles in one pass over the buckets; none when it is empty."""
    buckets = sorted(histogram)
    upto = [*accumulate(map(histogram.__getitem__, buckets))]
    ranks = (max(1, math.ceil(q * upto[-1])) for q in qs if upto)
    return [middle(buckets[bisect_left(upto, rank)]) for rank in ranks]


class Figures(Mapping[str, Histogram]):
    """Histograms by figure that answer for quantiles themselves, and may remember the answers."""

    def quantile(self, figure: str, q: float) -> float | None:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """`outcomes` and `kinds` are keyed by their wire names; results in maintenance count apart."""

    outcomes: Mapping[str, int] = field(default_factory=lambda: _NO_COUNTS)
    kinds: Mapping[str, int] = field(default_factory=lambda: _NO_COUNTS)
    maintenance: int = 0
    late: int = 0
    """Runs that began more than a second after their due time."""
    missed: int = 0
    figures: Mapping[str, Histogram] = field(default_factory=lambda: _EMPTY)
    tokens_in: int = 0
    tokens_out: int = 0
    cost_e8: int = 0
    """Cost in hundred-millionths, so that sums do not depend on their order."""

    @classmethod
    def of(cls, result: Result, *, in_maintenance: bool = False) -> "Rollup":
        return cls(
            outcomes=_NO_COUNTS if in_maintenance else {result.outcome.value: 1},
            kinds={result.failure.kind.value: 1}
            if result.failure and not in_maintenance
            else _NO_COUNTS,
            maintenance=int(in_maintenance),
            late=int(result.late_ms > 1000),
            figures=_figures(result),
            tokens_in=(result.usage and result.usage.tokens_in) or 0,
            tokens_out=(result.usage and result.usage.tokens_out) or 0,
            cost_e8=round(((result.usage and result.usage.cost_usd) or 0.0) * COST_SCALE),
        )

    def __or__(self, other: "Rollup") -> "Rollup":
        names = self.figures.keys() | other.figures.keys()
        return Rollup(
            outcomes=_sum(self.outcomes, other.outcomes),
            kinds=_sum(self.kinds, other.kinds),
            maintenance=self.maintenance + other.maintenance,
            late=self.late + other.late,
            missed=self.missed + other.missed,
            figures={
                name: _sum(self.figures.get(name, {}), other.figures.get(name, {}))
                for name in names
            },
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
            cost_e8=self.cost_e8 + other.cost_e8,
        )

    @property
    def cost(self) -> float:
        return self.cost_e8 / COST_SCALE

    @property
    def counted(self) -> int:
        count = self.outcomes.get
        return count(_UP, 0) + count(_DEGRADED, 0) + count(_DOWN, 0)

    @property
    def unknown(self) -> int:
        return self.outcomes.get(_UNKNOWN, 0)

    @property
    def availability(self) -> float | None:
        """Return (up + degraded) / (up + degraded + down), outside maintenance; None when nothing counts."""
        counted = self.counted
        return (counted - self.outcomes.get(_DOWN, 0)) / counted if counted else None

    @property
    def good(self) -> float | None:
        """Return up / (up + degraded + down), outside maintenance; None when nothing counts."""
        counted = self.counted
        return self.outcomes.get(_UP, 0) / counted if counted else None

    @property
    def excluded(self) -> float | None:
        """Return the share of results that availability leaves out because we could not see."""
        total = self.counted + self.unknown
        return self.unknown / total if total else None

    def quantile(self, figure: str, q: float) -> float | None:
        # to ask for its class costs as much as the answer of a `Figures`
        answer: _Answer | None = getattr(self.figures, "quantile", None)
        if answer is not None:
            return answer(figure, q)
        return quantile(self.figures.get(figure, {}), q)

    def quantiles(self, figure: str) -> dict[str, float | None]:
        """Return `QUANTILES` of a figure; None where it was never measured."""
        return {name: self.quantile(figure, q) for name, q in QUANTILES.items()}


NOTHING = Rollup()


def merge(rollups: Iterable[Rollup]) -> Rollup:
    total = NOTHING
    for rollup in rollups:
        total = total | rollup
    return total


def figures_of(result: Result) -> Mapping[str, float]:
    """Return the figures of a run that statistics count: milliseconds, and tokens per second.

    A run that failed on the way says nothing about latency, and one during which our own event loop lagged neither.
    """
    if result.outcome not in {Outcome.UP, Outcome.DEGRADED} or not result.trusted_timings:
        return _NO_FIGURES
    values = {name: getattr(result.timings, name) for name in TIMING_NAMES}
    values["tokens_per_s"] = result.stream.tokens_per_s if result.stream else None
    return {name: value for name, value in values.items() if value is not None}


def _figures(result: Result) -> Mapping[str, Histogram]:
    figures = figures_of(result)
    return {name: {bucket(value): 1} for name, value in figures.items()} if figures else _EMPTY


def _sum(left: Mapping[K, int], right: Mapping[K, int]) -> Mapping[K, int]:
    if not left or not right:
        return left or right
    return Counter(left) + Counter(right)
