"""Sums of stored rollups, from which a rollup can be taken away again."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import add, sub
from typing import NamedTuple

from monitor.model import Rollup
from monitor.model.rollup import FIGURES, Histogram
from monitor.store.lanes import Lanes, SummedFigures
from monitor.store.rolled import COUNTS, Parts, counts_from, rollup_of


class Summed(NamedTuple):
    """A sum that grows no more; see `Sum`."""

    counts: Sequence[int]
    kinds: Mapping[str, int]
    figures: Mapping[str, Lanes]


class Sum:
    """Counts and histograms; `counts` are in the order of `rolled.COUNTS`."""

    __slots__ = ("counts", "figures", "kinds")

    def __init__(self) -> None:
        self.counts: Sequence[int] = [0] * COUNTS
        self.kinds: Counter[str] = Counter()
        self.figures: dict[str, Lanes] = {}

    def add(self, parts: Parts, figures: Iterable[tuple[str, Lanes]]) -> None:
        self.counts = [*map(add, self.counts, parts.counts)]
        if parts.kinds:
            self.kinds.update(parts.kinds)
        for name, lanes in figures:
            self.add_lanes(name, lanes)

    def add_rollup(self, rollup: Rollup) -> None:
        self.counts = [*map(add, self.counts, counts_from(rollup))]
        self.kinds.update(rollup.kinds)
        for name in rollup.figures:
            self.add_lanes(name, _lanes(rollup.figures, name))

    def add_lanes(self, name: str, lanes: Lanes) -> None:
        mine = self.figures.get(name)
        self.figures[name] = lanes if mine is None else mine + lanes

    def take(self, parts: Parts, figures: Iterable[tuple[str, Lanes]]) -> None:
        """What was added once."""
        self.counts = [*map(sub, self.counts, parts.counts)]
        self.kinds -= Counter(parts.kinds)
        for name, lanes in figures:
            self.figures[name] -= lanes


def _lanes(figures: Mapping[str, Histogram], name: str) -> Lanes:
    if isinstance(figures, SummedFigures) and (found := figures.sum(name)) is not None:
        return found
    return Lanes.of_histogram(figures[name])


def total(sums: Sequence[Sum | Summed], wanted: Collection[str] = FIGURES) -> Rollup:
    """What they say now, whatever those that grow grow to."""
    kinds: Counter[str] = Counter()
    for each in sums:
        if each.kinds:
            kinds.update(each.kinds)
    figures = [dict(each.figures) if isinstance(each, Sum) else each.figures for each in sums]
    counts = [*map(sum, zip(*(each.counts for each in sums), strict=True))] or [0] * COUNTS
    return rollup_of(counts, dict(kinds), SummedFigures(figures, wanted))
