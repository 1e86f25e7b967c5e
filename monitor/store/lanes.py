"""Histograms as bytes, and the sum of many at once.

All histograms of a rollup are kept as one row of counts, each from a bucket that is a multiple of 64
to another, low bytes first, then the higher ones where there are any, deflated. The head says which
figures there are and where they begin; it is nearly always the same from day to day. Rows with equal
heads are added as whole numbers whose lanes are the counts, all at once: ninety days of a thousand
checks would otherwise take minutes.
"""

import zlib
from collections.abc import ItemsView, Iterator, Mapping
from functools import lru_cache

from monitor.model.rollup import FIGURES, Histogram
from monitor.store.varint import pack, take, unpack, unzigzag, zigzag

_BLOCK = 64
_WIDTH = 4
"""Bytes of a lane when adding: four thousand million runs."""


def to_bytes(figures: Mapping[str, Histogram]) -> bytes:
    """Empty where there are none."""
    head: list[int] = []
    lanes: list[tuple[int, Histogram]] = []
    total = widest = 0
    for place, name in enumerate(FIGURES):
        histogram = figures.get(name)
        if histogram:
            first, last = min(histogram) // _BLOCK, max(histogram) // _BLOCK
            head += (place, zigzag(first), last - first + 1)
            lanes.append((total - first * _BLOCK, histogram))
            total += (last - first + 1) * _BLOCK
            widest = max(widest, *histogram.values())
    if not head:
        return b""
    width = (widest.bit_length() + 7) // 8
    planes = bytearray(total * width)
    for offset, histogram in lanes:
        for bucket, count in histogram.items():
            place = offset + bucket
            planes[place] = count & 255
            if count > 255:
                for byte in range(1, width):
                    planes[place + byte * total] = count >> 8 * byte & 255
    return zlib.compress(pack((len(head), *head)) + planes, 6, wbits=-15)


def _opened(body: bytes) -> tuple[bytes, bytes]:
    """Head, and counts as lanes of `_WIDTH`."""
    data = zlib.decompress(body, wbits=-15)
    length, start = take(data, 0)
    end, total = _head_end(data, start, length)
    planes = data[end:]
    lanes = bytearray(total * _WIDTH)
    for byte in range(len(planes) // total):
        lanes[byte::_WIDTH] = planes[byte * total : (byte + 1) * total]
    return data[start:end], bytes(lanes)


def _head_end(data: bytes, start: int, length: int) -> tuple[int, int]:
    """Where the counts begin, and how many there are."""
    end = start + length
    if max(data[start:end]) > 127:  # then some number takes more than a byte
        end = start
        for _ in range(length):
            end = take(data, end)[1]
    return end, _spans(data[start:end])[-1][3]


@lru_cache(4096)
def _spans(head: bytes) -> tuple[tuple[str, int, int, int], ...]:
    """Figure, first bucket, begin and end of its lanes."""
    numbers, found, begin = unpack(head), [], 0
    for at in range(0, len(numbers), 3):
        end = begin + numbers[at + 2] * _BLOCK
        found.append((FIGURES[numbers[at]], unzigzag(numbers[at + 1]) * _BLOCK, begin, end))
        begin = end
    return tuple(found)


class Figures(Mapping[str, Histogram]):
    """Histograms that stay bytes until they are asked for: of one rollup, or of a sum."""

    __slots__ = ("_rows",)

    def __init__(self, rows: tuple[tuple[bytes, bytes], ...]) -> None:
        self._rows = rows

    @classmethod
    def of(cls, body: bytes) -> "Figures":
        return cls((_opened(body),) if body else ())

    def __getitem__(self, name: str) -> Histogram:
        total: dict[int, int] = {}
        for head, lanes in self._rows:
            for figure, first, begin, end in _spans(head):
                if figure == name:
                    counts = memoryview(lanes)[begin * _WIDTH : end * _WIDTH].cast("I")
                    for bucket, count in enumerate(counts, first):
                        if count:
                            total[bucket] = total.get(bucket, 0) + count
        if not total:
            raise KeyError(name)
        return total

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(span[0] for head, _ in self._rows for span in _spans(head)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Stored(Mapping[str, Histogram]):
    """As `Figures`, but still deflated: a tenth of the memory, for what is asked rarely."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __getitem__(self, name: str) -> Histogram:
        return Figures.of(self._body)[name]

    def items(self) -> ItemsView[str, Histogram]:
        return Figures.of(self._body).items()

    def __iter__(self) -> Iterator[str]:
        return iter(Figures.of(self._body))

    def __len__(self) -> int:
        return len(Figures.of(self._body))


class Sum:
    """Adds up the histograms of stored rollups."""

    __slots__ = ("_totals",)

    def __init__(self) -> None:
        self._totals: dict[bytes, int] = {}

    def add(self, body: bytes) -> None:
        if body:
            head, lanes = _opened(body)
            self._totals[head] = self._totals.get(head, 0) + int.from_bytes(lanes, "little")

    def so_far(self) -> Figures:
        return Figures(
            tuple(
                (head, total.to_bytes(_spans(head)[-1][3] * _WIDTH, "little"))
                for head, total in self._totals.items()
            )
        )
