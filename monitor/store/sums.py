"""Sums of stored rollups, from which a rollup can be taken away again."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import add, sub
from types import MappingProxyType
from typing import NamedTuple

from monitor.model import Rollup
from monitor.model.rollup import FIGURES, Histogram
from monitor.store import rolled
from monitor.store.answers import SummedFigures, summed_figures
from monitor.store.lanes import Lanes, sum_of
from monitor.store.rolled import COUNTS, Parts, counts_from, rollup_of

_NO_COUNTS = (0,) * COUNTS
_NO_KINDS: Mapping[str, int] = MappingProxyType({})


class Summed(NamedTuple):
    """A sum that grows no more; its histograms are those of all `parts`."""

    counts: Sequence[int]
    kinds: Mapping[str, int]
    parts: Sequence[Mapping[str, Lanes]]


class Sum:
    """Counts and histograms; `counts` are in the order of `rolled.COUNTS`."""

    __slots__ = ("counts", "figures", "kinds")

    def __init__(self) -> None:
        self.counts: Sequence[int] = [0] * COUNTS
        self.kinds: Counter[str] = Counter()
        self.figures: dict[str, Lanes] = {}

    @property
    def parts(self) -> Sequence[Mapping[str, Lanes]]:
        """As they are now."""
        return (dict(self.figures),)

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


def summed(sums: Sequence[Sum | Summed]) -> Summed:
    """What they say now, whatever those that grow grow to; histograms are added when asked for."""
    return Summed(*counted(sums), [part for each in sums for part in each.parts])


def counted(sums: Iterable[Sum | Summed]) -> tuple[Sequence[int], Mapping[str, int]]:
    """Their counts and kinds."""
    counts: Sequence[int] | None = None
    kinds: Mapping[str, int] = _NO_KINDS
    for each in sums:
        counts = each.counts if counts is None else [*map(add, counts, each.counts)]
        if each.kinds:
            kinds = _merged(kinds, each.kinds) if kinds else {**each.kinds}
    return _NO_COUNTS if counts is None else counts, kinds


def summed_kinds(rows: Iterable[Parts]) -> Counter[str]:
    found = Counter[str]()
    for parts in rows:
        if parts.kinds:
            found.update(parts.kinds)
    return found


def added_up(rows: Collection[Parts], points: bytes = b"") -> bytes:
    """Stored rollups as one."""
    counts = [*map(sum, zip(*(parts.counts for parts in rows), strict=True))]
    figures = sum_of(parts.figures for parts in rows)
    return rolled.to_bytes(counts, summed_kinds(rows), points, figures)


def _merged(kinds: Mapping[str, int], more: Mapping[str, int]) -> Mapping[str, int]:
    return {**kinds, **{kind: kinds.get(kind, 0) + count for kind, count in more.items()}}


def total(sums: Sequence[Sum | Summed], wanted: Collection[str] = FIGURES) -> Rollup:
    counts, kinds, parts = summed(sums)
    return rollup_of(counts, kinds, summed_figures(parts, wanted))
