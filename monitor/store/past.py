"""What a page needs of the days of one check that are over, in one row beside them: the sums of its
windows, and the counts behind the bar of each day.

The three spans are what lies between the begins of two windows, so that each day is in one sum only.
All of it follows from the days, and is the same to the byte however it came about (see `upkeep`).
"""

import struct
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from monitor.model import WINDOWS
from monitor.model.rollup import WINDOW_FIGURES
from monitor.store import rolled
from monitor.store.lanes import Stored, opened
from monitor.store.rolled import BARS, Parts, split
from monitor.store.sums import Sum, Summed, summed
from monitor.store.varint import pack, take_many

_BACK = max(WINDOWS) - 1
"""So many days besides today."""
_ROW = struct.Struct(f"<{_BACK * BARS}I")
_NONE = (0,) * BARS
Span = tuple[int, int]
"""The first unix day, and the one after the last; nothing where that is no later."""
Bars = Mapping[int, tuple[int, ...]]
"""Counts by unix day; days without a run are absent."""


def spans_of(today: int, end: int) -> tuple[Span, ...]:
    """Of the days before `end` that the windows of `today` have, one span for each of `WINDOWS`."""
    begins = [today - length + 1 for length in WINDOWS]
    ends = [end, *(min(begin, end) for begin in begins)]
    return tuple(zip(begins, ends, strict=False))


def holding(spans: Sequence[Span], day: int) -> set[int]:
    return {at for at, (begin, end) in enumerate(spans) if begin <= day < end}


class Past:
    """Of one check, while it changes."""

    __slots__ = ("bars", "sums")

    def __init__(self) -> None:
        self.sums = tuple(Sum() for _ in WINDOWS)
        self.bars: dict[int, tuple[int, ...]] = {}

    def shift(self, day: int, body: bytes, was: Collection[int], now: Collection[int]) -> None:
        """A day leaves the spans `was` for those of `now`."""
        parts = split(body)
        figures = [*opened(parts.figures, WINDOW_FIGURES)]
        for at in was:
            self.sums[at].take(parts, figures)
        for at in now:
            self.sums[at].add(parts, figures)
        self.bars.pop(day, None)
        if now:
            self.bars[day] = tuple(parts.counts[:BARS])

    def seen(self) -> "Seen":
        return Seen([summed((each,)) for each in self.sums], self.bars, object())

    def to_bytes(self, until: int) -> bytes:
        """`until`: the day after the last one that is over."""
        sums = [rolled.to_bytes(each.counts, each.kinds, b"", each.figures) for each in self.sums]
        rows = (self.bars.get(day, _NONE) for day in range(until - _BACK, until))
        bars = _ROW.pack(*(count for column in zip(*rows, strict=True) for count in column))
        return b"".join((pack([until, *map(len, sums)]), *sums, zlib.compress(bars, 9)))


class Seen(NamedTuple):
    """Of one check, to be read: a sum for each span. `version` is another where the row is another."""

    sums: Sequence[Summed]
    bars: Bars
    version: object


def seen(body: bytes) -> Seen:
    """Histograms stay deflated until somebody asks."""
    (until, *_), _ = head = take_many(body, 1 + len(WINDOWS))
    *sums, packed = _cut(body, head)
    return Seen([*map(_packed, map(split, sums))], _bars(packed, until), hash(body))


def opened_past(body: bytes) -> Past:
    (until, *_), _ = head = take_many(body, 1 + len(WINDOWS))
    *sums, packed = _cut(body, head)
    past = Past()
    for mine, parts in zip(past.sums, map(split, sums), strict=True):
        mine.add(parts, opened(parts.figures))
    past.bars.update(_bars(packed, until))
    return past


def _packed(parts: Parts) -> Summed:
    return Summed(parts.counts, parts.kinds, (Stored(parts.figures),))


def _cut(body: bytes, head: tuple[Sequence[int], int]) -> Iterator[bytes]:
    (_, *lengths), start = head
    for length in lengths:
        yield body[start : start + length]
        start += length
    yield body[start:]


def _bars(packed: bytes, until: int) -> Bars:
    numbers = _ROW.unpack(zlib.decompress(packed))
    columns = (numbers[at : at + _BACK] for at in range(0, len(numbers), _BACK))
    found = zip(range(until - _BACK, until), zip(*columns, strict=True), strict=True)
    return {day: counts for day, counts in found if counts != _NONE}
