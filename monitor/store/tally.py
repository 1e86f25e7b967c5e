"""A rollup while it grows: columns of rows at once, which costs a third of adding them one by one."""

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from monitor.model import Outcome
from monitor.store import shape as bits
from monitor.store.lanes import Lanes, opened
from monitor.store.layout import FIGURE_OF, Column, Kin, buckets_of_tenths, columns, kin_of
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
_NOTHING = (0,) * POINT
_DRAWN = (bits.TTFB, bits.TTFT, bits.SPEED)
_SUMMED = (
    (MISSED, bits.MISSED), (TOKENS_IN, bits.USED_IN), (TOKENS_OUT, bits.USED_OUT), (COST, bits.COST),
)  # fmt: skip

Row = tuple[Shape, int, bytes]
"""Its shape, the half of the hour that it began in, and its body."""
Group = tuple[Kin, int, Sequence[bytes]]
"""Bodies of rows that are kin and began in the same half of the hour."""
Values = tuple["array[int]", "array[int]", "array[int]"]
"""Of `_DRAWN`, in tenths."""


class Tally(Sum):
    __slots__ = ("_halves",)

    def __init__(self) -> None:
        super().__init__()
        self._halves: dict[int, Values] = {}

    def add_rows(self, rows: Iterable[Row]) -> None:
        """All that there are at once: each of them alone costs many times as much."""
        alike: dict[tuple[Kin, int], list[bytes]] = defaultdict(list)
        for shape, half, body in rows:
            alike[kin_of(shape, body), half].append(body)
        self.add_alike((kin, half, bodies) for (kin, half), bodies in alike.items())

    def add_alike(self, groups: Iterable[Group]) -> None:
        figures: dict[int, list[int]] = defaultdict(list)
        for kin, half, bodies in groups:
            found = columns(kin, bodies)
            self._count(kin, len(bodies), found)
            if not kin.flags & UNTRUSTED and kin.outcome in _SPEAKING:
                for slot in FIGURE_OF:
                    figures[slot] += found.get(slot, ())
                self._draw(half, found)
        self._add_figures(figures)

    def _add_figures(self, figures: Mapping[int, Column]) -> None:
        """In tenths."""
        before: Column = ()
        for slot, tenths in figures.items():
            if tenths and tenths != before:  # as the first visible token is often the first
                before, lanes = tenths, Lanes.of(buckets_of_tenths(tenths))
            if tenths:
                self.add_lanes(FIGURE_OF[slot], lanes)

    def _count(self, kin: Kin, rows: int, found: Mapping[int, Column]) -> None:
        counts = [*self.counts]
        if kin.flags & IN_MAINTENANCE:
            counts[MAINTENANCE] += rows
        else:
            counts[OUTCOMES.index(kin.outcome)] += rows
            if kin.kind is not None:
                self.kinds[kin.kind] += rows
        counts[LATE] += sum(late > _LATE_MS for late in found.get(bits.LATE, ()))
        for count, slot in _SUMMED:
            counts[count] += sum(found.get(slot, ()))
        self.counts = counts

    def _draw(self, half: int, found: Mapping[int, Column]) -> None:
        kept = self._halves.get(half) or self._halves.setdefault(half, no_values())
        for values, slot in zip(kept, _DRAWN, strict=True):
            values.extend(found.get(slot, ()))

    def add_body(self, body: bytes) -> None:
        """A stored rollup."""
        parts = split(body)
        self.add(parts, opened(parts.figures))

    def points(self) -> Sequence[int]:
        """`POINT` numbers for each half of the hour; none where nothing was measured."""
        if not self._halves:
            return ()
        found: list[int] = []
        for half in range(HALVES):
            values = self._halves.get(half)
            found += _NOTHING if values is None else point_of(values)
        return found

    def to_bytes(self) -> bytes:
        return to_bytes(self.counts, self.kinds, pack(self.points()), self.figures)


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
