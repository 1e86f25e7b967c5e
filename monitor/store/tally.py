"""A rollup while it grows: columns of rows at once, which costs a third of adding them one by one."""

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import add

from monitor.model import Outcome
from monitor.store.lanes import Lanes, opened
from monitor.store.layout import Layout, buckets_of_tenths, layout
from monitor.store.rolled import (
    COST,
    LATE,
    MAINTENANCE,
    MISSED,
    OUTCOMES,
    TOKENS_IN,
    TOKENS_OUT,
    split,
    to_bytes,
)
from monitor.store.shape import MAINTENANCE as IN_MAINTENANCE
from monitor.store.shape import UNTRUSTED, Shape
from monitor.store.sums import Sum
from monitor.store.varint import pack

_SPEAKING = frozenset({Outcome.UP.value, Outcome.DEGRADED.value})
_LATE_MS = 1000
HALVES = 2
POINT = 5
"""Numbers of a point: p50 and p95 of `ttfb`, the same of `ttft`, p50 of the speed. In tenths and
one more, so that 0 is none."""
_DRAWN = ("ttfb", "ttft", "tokens_per_s")

Column = Sequence[int]
Row = tuple[Shape, int, Sequence[int]]
"""Its shape, the half of the hour that it began in, and its numbers."""
Values = tuple["array[int]", "array[int]", "array[int]"]
"""Of `_DRAWN`, in tenths."""


class Tally(Sum):
    __slots__ = ("_halves",)

    def __init__(self) -> None:
        super().__init__()
        self._halves: dict[int, Values] = {}

    def add_rows(self, rows: Iterable[Row]) -> None:
        """All that there are at once: each of them alone costs four times as much."""
        alike: dict[tuple[int, str, str | None, int], list[Column]] = defaultdict(list)
        for shape, half, numbers in rows:
            alike[shape.flags, shape.outcome, shape.kind, half].append(numbers)
        figures: dict[str, list[int]] = defaultdict(list)
        for (flags, outcome, kind, half), found in alike.items():
            columns = [*zip(*found, strict=True)]
            self._count(flags, outcome, kind, columns)
            if not flags & UNTRUSTED and outcome in _SPEAKING:
                drawn = _figures(layout(flags), columns)
                for name, tenths in drawn.items():
                    figures[name] += tenths
                self._draw(half, drawn)
        for name, values in figures.items():
            self.add_lanes(name, Lanes.of(buckets_of_tenths(values)))

    def _count(self, flags: int, outcome: str, kind: str | None, columns: Sequence[Column]) -> None:
        at, counts, rows = layout(flags), [*self.counts], len(columns[0])
        if flags & IN_MAINTENANCE:
            counts[MAINTENANCE] += rows
        else:
            counts[OUTCOMES.index(outcome)] += rows
            if kind is not None:
                self.kinds[kind] += rows
        if at.late:
            counts[LATE] += sum(late > _LATE_MS for late in columns[at.late])
        for count, place in (
            (MISSED, at.missed), (TOKENS_IN, at.tokens_in),
            (TOKENS_OUT, at.tokens_out), (COST, at.cost),
        ):  # fmt: skip
            counts[count] += sum(columns[place]) if place else 0
        self.counts = counts

    def _draw(self, half: int, figures: Mapping[str, Column]) -> None:
        kept = self._halves.get(half) or self._halves.setdefault(half, no_values())
        for values, name in zip(kept, _DRAWN, strict=True):
            values.extend(figures.get(name, ()))

    def add_body(self, body: bytes) -> None:
        """A stored rollup."""
        parts = split(body)
        self.add(parts, opened(parts.figures))

    def points(self) -> Sequence[int]:
        """`POINT` numbers for each half of the hour; none where nothing was measured."""
        if not self._halves:
            return ()
        halves = map(self._halves.get, range(HALVES))
        return [number for values in halves for number in point_of(values or no_values())]

    def to_bytes(self) -> bytes:
        return to_bytes(self.counts, self.kinds, pack(self.points()), self.figures)


def _figures(at: Layout, columns: Sequence[Column]) -> dict[str, Column]:
    """In tenths."""
    found: dict[str, Column] = {name: columns[place] for name, place in at.durations}
    before: Column = (0,) * len(columns[0])
    if at.steps:
        for column in found.values():
            before = [*map(add, before, column)]
    for name, place in at.moments:
        found[name] = column = [*map(add, before, columns[place])]
        before = column if at.steps else before
    if at.speed:
        found["tokens_per_s"] = columns[at.speed]
    return found


def no_values() -> Values:
    return array("Q"), array("Q"), array("Q")


def point_of(values: Values) -> Sequence[int]:
    """`POINT` numbers."""
    ttfb, ttft, speed = map(sorted, values)
    return (*_median_and_95(ttfb), *_median_and_95(ttft), _rank(speed, 0.5))


def _median_and_95(rising: Sequence[int]) -> tuple[int, int]:
    return _rank(rising, 0.5), _rank(rising, 0.95)


def _rank(rising: Sequence[int], q: float) -> int:
    return 1 + rising[max(1, math.ceil(q * len(rising))) - 1] if rising else 0
