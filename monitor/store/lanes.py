"""Histograms as whole numbers, with a lane of 32 bits for the count of each bucket.

Two are added, and one is taken from another, by one operation however many buckets they have. On
disk the counts of all figures of a rollup stand in one row, low bytes first, then the higher ones
where there are any, deflated by Huffman's code alone: looking for what repeats costs four times as
much, and makes an hour longer. Before it stand the first bucket and the length of each of `FIGURES`; a
length of `_SAME` where a figure is the one before it once more, as the first visible token is the first
of most models.
"""

import math
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

from monitor.model.rollup import FIGURES, Histogram, middle
from monitor.store.errors import UNREADABLE

_BYTES = 4
"""Of a lane: four thousand million runs."""
_BITS = 8 * _BYTES
_WINDOW = -12
"""Of the compression: 4 KB are more than a row has."""
_HEAD = struct.Struct(f"<{'hH' * len(FIGURES)}")
_SAME = 0xFFFF
_value = lru_cache(1 << 12)(middle)
"""Of a bucket: there are some two thousand, and many answers are alike."""


class Lanes:
    """Counts from bucket `first` on; the lowest lane of `total` is the first."""

    __slots__ = ("first", "total")

    def __init__(self, first: int, total: int) -> None:
        self.first, self.total = first, total

    @classmethod
    def of(cls, buckets: Sequence[int]) -> "Lanes":
        """Counting each of them; there must be one."""
        if len(buckets) == 1:
            return cls(buckets[0], 1)
        first = min(buckets)
        row = [0] * (max(buckets) - first + 1)
        for bucket in buckets:
            row[bucket - first] += 1
        return cls._of_row(first, row)

    @classmethod
    def of_histogram(cls, histogram: Histogram) -> "Lanes":
        first = min(histogram)
        row = [0] * (max(histogram) - first + 1)
        for bucket, count in histogram.items():
            row[bucket - first] = count
        return cls._of_row(first, row)

    @classmethod
    def _of_row(cls, first: int, row: Sequence[int]) -> "Lanes":
        return cls(first, int.from_bytes(struct.pack(f"<{len(row)}I", *row), "little"))

    def __add__(self, other: "Lanes") -> "Lanes":
        lift = (other.first - self.first) * _BITS
        if lift < 0:
            return Lanes(other.first, other.total + (self.total << -lift))
        return Lanes(self.first, self.total + (other.total << lift))

    def __sub__(self, other: "Lanes") -> "Lanes":
        """`other` must be a part of this one."""
        return Lanes(self.first, self.total - (other.total << (other.first - self.first) * _BITS))

    @property
    def trimmed(self) -> "Lanes":
        """From the first bucket that counts anything; others may be left where some was taken away."""
        empty = ((self.total & -self.total).bit_length() - 1) // _BITS
        return Lanes(self.first + empty, self.total >> empty * _BITS) if empty else self

    @property
    def size(self) -> int:
        """Up to the last bucket that counts anything."""
        return -(-self.total.bit_length() // _BITS)

    @property
    def row(self) -> bytes:
        return self.total.to_bytes(self.size * _BYTES, "little")

    @property
    def counts(self) -> Sequence[int]:
        row = self.row
        return struct.unpack(f"<{len(row) // _BYTES}I", row)

    @property
    def histogram(self) -> Histogram:
        return {bucket: count for bucket, count in enumerate(self.counts, self.first) if count}

    def quantiles(self, qs: Sequence[float]) -> Sequence[float]:
        """There must be a value. Sums from the last bucket on, by doubling: some eight steps for them all."""
        total, size, step = self.total, self.size, _BITS
        while step < size * _BITS:
            total += total >> step
            step += step
        above = array("I", total.to_bytes(size * _BYTES, "big"))
        if sys.byteorder == "little":
            above.byteswap()
        last, count = self.first + size - 1, above[-1]
        return [
            _value(last - bisect_left(above, count + 1 - max(1, math.ceil(q * count)))) for q in qs
        ]


def to_bytes(figures: Mapping[str, Lanes]) -> bytes:
    """Empty where there are none."""
    head: list[int] = []
    rows, before = bytearray(), (0, 0)
    for name in FIGURES:
        lanes = figures.get(name)
        if lanes is None or not lanes.total:
            head += (0, 0)
            continue
        lanes = lanes.trimmed
        found = lanes.first, lanes.total
        row = b"" if found == before else lanes.row
        head += (lanes.first, len(row) // _BYTES or _SAME)
        rows += row
        before = found
    if not rows:
        return b""
    planes = [rows[byte::_BYTES] for byte in range(_BYTES)]
    while not any(planes[-1]):
        planes.pop()
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW, 6, zlib.Z_HUFFMAN_ONLY)
    return b"".join((_HEAD.pack(*head), packer.compress(b"".join(planes)), packer.flush()))


def opened(body: bytes, wanted: Collection[str] = FIGURES) -> Iterator[tuple[str, Lanes]]:
    for name, first, total in _numbers(body):
        if name in wanted:
            yield name, Lanes(first, total)


def _numbers(body: bytes) -> Iterator[tuple[str, int, int]]:
    """Name, first bucket and lanes of each figure."""
    if not body:
        return
    head, data = _HEAD.unpack_from(body), zlib.decompress(body[_HEAD.size :], wbits=_WINDOW)
    lengths = head[1::2]
    length = sum(lengths) - _SAME * lengths.count(_SAME)
    rows = bytearray(length * _BYTES)
    for byte in range(len(data) // length):
        rows[byte::_BYTES] = data[byte * length : (byte + 1) * length]
    end = total = 0
    for name, first, buckets in zip(FIGURES, head[::2], lengths, strict=True):
        if buckets:
            if buckets != _SAME:
                begin, end = end, end + buckets * _BYTES
                total = int.from_bytes(rows[begin:end], "little")
            yield name, first, total


def _left(body: bytes) -> Iterator[tuple[str, int, int]]:
    """For who only looks: nothing where it cannot be read. Whoever rolls up next has that mended."""
    with suppress(*UNREADABLE):
        yield from _numbers(body)


class Stored(Mapping[str, Lanes]):
    """Histograms that stay deflated, but while somebody asks."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __getitem__(self, name: str) -> Lanes:
        return _opened(self._body)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_opened(self._body))

    def __len__(self) -> int:
        return len(_opened(self._body))


@lru_cache(64)
def _opened(body: bytes) -> Mapping[str, Lanes]:
    """Whoever asks for one figure of a check asks for the others next."""
    return {name: Lanes(first, total) for name, first, total in _left(body)}


class SummedBodies(Mapping[str, Lanes]):
    """The sum of stored histograms, and of `more`, which is made when somebody asks, and kept."""

    __slots__ = ("_bodies", "_more", "_sum")

    def __init__(self, bodies: Sequence[bytes], more: Sequence[Mapping[str, Lanes]] = ()) -> None:
        self._bodies, self._more = bodies, more
        self._sum: Mapping[str, Lanes] | None = None

    def _summed(self) -> Mapping[str, Lanes]:
        bodies, more = self._bodies, self._more  # first: another thread may be done with them
        if self._sum is None:
            self._sum = sum_of(bodies, more)
            self._bodies = self._more = ()
        return self._sum

    def get(self, name: str, default: Any = None) -> Any:
        """As it is inherited, at a third of the cost."""
        return (self._sum or self._summed()).get(name, default)

    def __getitem__(self, name: str) -> Lanes:
        return self._summed()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._summed())

    def __len__(self) -> int:
        return len(self._summed())


def sum_of(
    bodies: Iterable[bytes], more: Sequence[Mapping[str, Lanes]] = ()
) -> Mapping[str, Lanes]:
    firsts: dict[str, int] = {}
    sums: dict[str, int] = {}
    for body in bodies:
        for name, first, total in _left(body):
            lift = (first - firsts.setdefault(name, first)) * _BITS
            if lift >= 0:
                sums[name] = sums.get(name, 0) + (total << lift)
            else:
                firsts[name], sums[name] = first, total + (sums[name] << -lift)
    found = {name: Lanes(firsts[name], total) for name, total in sums.items()}
    for each in more:
        for name, lanes in each.items():
            found[name] = lanes + found[name] if name in found else lanes
    return found
