"""Histograms as whole numbers, with a lane of 32 bits for the count of each bucket.

Two are added, and one is taken from another, by one operation however many buckets they have. On
disk the counts of all figures of a rollup stand in one row, low bytes first, then the higher ones
where there are any, deflated; before it each figure's place in `FIGURES`, first bucket and length.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from itertools import accumulate
from operator import add

from monitor.model.rollup import FIGURES, Figures, Histogram, Ranks

_BYTES = 4
"""Of a lane: four thousand million runs."""
_BITS = 8 * _BYTES
_HEAD = struct.Struct("<BhH")


class Lanes:
    """Counts from bucket `first` on; the lowest lane of `total` is the first."""

    __slots__ = ("first", "total")

    def __init__(self, first: int, total: int) -> None:
        self.first, self.total = first, total

    @classmethod
    def of(cls, buckets: Iterable[int]) -> "Lanes":
        """Counting each of them; there must be one."""
        return cls.of_histogram(Counter(buckets))

    @classmethod
    def of_histogram(cls, histogram: Histogram) -> "Lanes":
        first = min(histogram)
        row = [0] * (max(histogram) - first + 1)
        for bucket, count in histogram.items():
            row[bucket - first] = count
        return cls(first, int.from_bytes(struct.pack(f"<{len(row)}I", *row), "little"))

    def __add__(self, other: "Lanes") -> "Lanes":
        if self.first > other.first:
            return other + self
        shifted = other.total << (other.first - self.first) * _BITS
        return Lanes(self.first, self.total + shifted)

    def __sub__(self, other: "Lanes") -> "Lanes":
        """`other` must be a part of this one."""
        return Lanes(self.first, self.total - (other.total << (other.first - self.first) * _BITS))

    @property
    def row(self) -> bytes:
        return self.total.to_bytes(-(-self.total.bit_length() // _BITS) * _BYTES, "little")

    @property
    def counts(self) -> Sequence[int]:
        row = self.row
        return struct.unpack(f"<{len(row) // _BYTES}I", row)

    @property
    def histogram(self) -> Histogram:
        return {bucket: count for bucket, count in enumerate(self.counts, self.first) if count}

    @property
    def ranks(self) -> Ranks:
        return Ranks(range(self.first, 1 << 20), [*accumulate(self.counts)])


def to_bytes(figures: Mapping[str, Lanes]) -> bytes:
    """Empty where there are none."""
    head, rows = bytearray(), bytearray()
    for place, name in enumerate(FIGURES):
        lanes = figures.get(name)
        if lanes is not None and lanes.total:
            row = lanes.row
            head += _HEAD.pack(place, lanes.first, len(row) // _BYTES)
            rows += row
    if not head:
        return b""
    planes = [rows[byte::_BYTES] for byte in range(_BYTES)]
    while not any(planes[-1]):
        planes.pop()
    packer = zlib.compressobj(9, zlib.DEFLATED, -12, 5, zlib.Z_FILTERED)
    data = b"".join((bytes((len(head),)), head, *planes))
    return packer.compress(data) + packer.flush()


def opened(body: bytes, wanted: Collection[str] = FIGURES) -> Iterator[tuple[str, Lanes]]:
    if not body:
        return
    data = zlib.decompress(body, wbits=-12)
    begin = 1 + data[0]
    head = [*_HEAD.iter_unpack(data[1:begin])]
    total = sum(count for _, _, count in head)
    for place, first, count in head:
        name = FIGURES[place]
        if name in wanted:
            row = bytearray(count * _BYTES)
            for byte, at in enumerate(range(begin, len(data), total)):
                row[byte::_BYTES] = data[at : at + count]
            yield name, Lanes(first, int.from_bytes(row, "little"))
        begin += count


class Stored(Mapping[str, Lanes]):
    """Histograms that stay deflated until somebody asks."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    @cached_property
    def _opened(self) -> Mapping[str, Lanes]:
        return dict(opened(self._body))

    def __getitem__(self, name: str) -> Lanes:
        return self._opened[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._opened)

    def __len__(self) -> int:
        return len(self._opened)


class SummedFigures(Figures):
    """The sum of some rollups' histograms: made when asked for, answers remembered.

    A page asks each check for a dozen percentiles in four windows, over and over.
    """

    __slots__ = ("_answers", "_parts", "_ranks", "_wanted")

    def __init__(
        self, parts: Sequence[Mapping[str, Lanes]], wanted: Collection[str] = FIGURES
    ) -> None:
        self._parts, self._wanted = parts, wanted
        self._answers: dict[tuple[str, float], float | None] = {}
        self._ranks: tuple[str, Ranks | None] = ("", None)
        """Of the figure that was asked for last: its other quantiles are asked for next."""

    def quantile(self, figure: str, q: float) -> float | None:
        key = figure, q
        if key not in self._answers:
            ranks = self._ranked(figure)
            self._answers[key] = None if ranks is None else ranks.value(q)
        return self._answers[key]

    def _ranked(self, figure: str) -> Ranks | None:
        if self._ranks[0] != figure:
            found = self.sum(figure)
            self._ranks = figure, found.ranks if found else None
        return self._ranks[1]

    def sum(self, name: str) -> Lanes | None:
        found = [part[name] for part in self._parts if name in part and name in self._wanted]
        total = reduce(add, found) if found else None
        return total if total is not None and total.total else None

    def __getitem__(self, name: str) -> Histogram:
        found = self.sum(name)
        if found is None:
            raise KeyError(name)
        return found.histogram

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(name for part in self._parts for name in part)
        return (name for name in names if self.sum(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
