"""Latency histograms that can be added, their encoding on disk, and the sums of runs that hold them.

The buckets are those of `model.rollup`: bucket b counts values in (1.02**b, 1.02**(b+1)] ms, so a
percentile is within 1 % of the exact one. In memory the counts of a histogram are lanes of 32 bits in
one whole number, because adding two such numbers takes one operation however many buckets they have.
"""

import json
import math
import struct
import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import accumulate
from sys import intern
from typing import Any, NamedTuple

from monitor.model import Rollup
from monitor.model.rollup import FIGURES, QUANTILES, Figures, bucket, middle
from monitor.model.rollup import Histogram as Counts

OUTCOMES = ("up", "degraded", "down", "unknown")
"""The code of an outcome in a row is its place here."""
COUNT_NAMES = (*OUTCOMES, "maintenance", "late", "missed", "tokens_in", "tokens_out", "cost_e8")
MAINTENANCE, LATE, MISSED, TOKENS_IN, TOKENS_OUT, COST = range(4, 10)
LATE_MS = 1000
"""A run that began later than this after its due time counts as late."""
CountedRow = Sequence[Any]
"""What is counted of a run: outcome, kind, in_maintenance, missed, late_ms, trusted, then `FIGURES` in
tenths (of a millisecond, or of tokens per second), then tokens_in, tokens_out, cost_e8."""

_BYTES = 4
_BITS = 8 * _BYTES
_HEAD = struct.Struct("<BhH")
SHOWN_QUANTILES = tuple(QUANTILES.values())
_TABLED = 1 << 16
value_of = lru_cache(1 << 12)(middle)
"""The value that a bucket is read back as: there are some two thousand, and many answers are alike."""


class Histogram:
    """Counts of the buckets from `first` on, the lowest 32 bits of `lanes` first. Immutable."""

    __slots__ = ("first", "lanes")

    def __init__(self, first: int, lanes: int) -> None:
        self.first, self.lanes = first, lanes

    @classmethod
    def of(cls, buckets: Sequence[int]) -> "Histogram":
        """Count each of these; there must be at least one."""
        first = min(buckets)
        counts = [0] * (max(buckets) - first + 1)
        for number in buckets:
            counts[number - first] += 1
        return cls(first, int.from_bytes(array("I", counts).tobytes(), "little"))

    def __add__(self, other: "Histogram") -> "Histogram":
        lift = (other.first - self.first) * _BITS
        if lift < 0:
            return Histogram(other.first, other.lanes + (self.lanes << -lift))
        return Histogram(self.first, self.lanes + (other.lanes << lift))

    @property
    def counts(self) -> "array[int]":
        size = -(-self.lanes.bit_length() // _BITS)
        return array("I", self.lanes.to_bytes(size * _BYTES, "little"))

    @property
    def by_bucket(self) -> Counts:
        return {number: count for number, count in enumerate(self.counts, self.first) if count}

    def packed(self) -> tuple[int, bytes]:
        """Return the bytes of a count (0 where nothing is counted), and the counts."""
        size = -(-self.lanes.bit_length() // _BITS)
        raw = self.lanes.to_bytes(size * _BYTES, "little")
        if not raw[2::_BYTES].strip(b"\0") and not raw[3::_BYTES].strip(b"\0"):
            if not raw[1::_BYTES].strip(b"\0"):
                return (1 if size else 0), raw[::_BYTES]
            return 2, array("H", self.counts).tobytes()
        return _BYTES, raw

    def quantiles(self, qs: Sequence[float]) -> Sequence[float]:
        """Return the values at rank ceil(q x n); the histogram must hold at least one value."""
        upto = [*accumulate(self.counts)]
        ranks = (max(1, math.ceil(q * upto[-1])) for q in qs)
        return [value_of(self.first + bisect_left(upto, rank)) for rank in ranks]


def encode(figures: Mapping[str, Histogram]) -> bytes:
    """Return all figures of a rollup as docs/history.md describes it; empty where there are none.

    Deflated, for each of `FIGURES`: bytes of a count (0 for no histogram, else 1, 2 or 4), the first
    bucket (int16), the number of buckets (uint16), then the counts, little-endian.
    """
    if not figures:
        return b""
    parts: list[bytes] = []
    for name in FIGURES:
        histogram = figures.get(name)
        width, counts = (0, b"") if histogram is None else histogram.packed()
        first = histogram.first if width and histogram else 0
        parts += (_HEAD.pack(width, first, len(counts) // (width or 1)), counts)
    return zlib.compress(b"".join(parts), 1)


def decode(body: bytes) -> dict[str, Histogram]:
    """Undo `encode`. Raises zlib.error, struct.error or ValueError for anything else."""
    return dict(_decoded(body, FIGURES))


def _decoded(body: bytes, wanted: Collection[str]) -> Iterator[tuple[str, Histogram]]:
    data, place, unpack = zlib.decompress(body) if body else b"", 0, _HEAD.unpack_from
    for name in FIGURES if data else ():
        width, first, size = unpack(data, place)
        place += _HEAD.size
        end = place + width * size
        if width and name in wanted:
            lanes = bytearray(size * _BYTES)
            for byte in range(width):
                lanes[byte::_BYTES] = data[place + byte : end : width]
            yield name, Histogram(first, int.from_bytes(lanes, "little"))
        place = end


EncodedOrNot = Mapping[str, Histogram] | bytes
"""Figures, or what `encode` makes of them."""


def add_figures(
    to: dict[str, Histogram], more: EncodedOrNot, wanted: Collection[str] = FIGURES
) -> None:
    """Add those `wanted`."""
    for name, histogram in _decoded(more, wanted) if isinstance(more, bytes) else more.items():
        if name in wanted:
            mine = to.get(name)
            to[name] = histogram if mine is None else mine + histogram


class HistogramFigures(Figures):
    """The figures of a rollup, each the sum of its `parts`, which are added when somebody asks.

    A part in bytes is as `encode` packs it. Of the quantiles those that a page shows are remembered.
    """

    __slots__ = ("_parts", "_shown")

    def __init__(self, parts: Sequence[EncodedOrNot]) -> None:
        self._parts = [part for part in parts if part]
        self._shown: Mapping[str, Sequence[float]] | None = None

    def _sums(self) -> Mapping[str, Histogram]:
        sums: dict[str, Histogram] = {}
        for part in self._parts:
            add_figures(sums, part)
        return sums

    def quantile(self, figure: str, q: float) -> float | None:
        if q not in SHOWN_QUANTILES:
            histogram = self._sums().get(figure)
            return None if histogram is None else histogram.quantiles((q,))[0]
        if self._shown is None:
            self._shown = {
                name: histogram.quantiles(SHOWN_QUANTILES)
                for name, histogram in self._sums().items()
            }
        values = self._shown.get(figure)
        return None if values is None else values[SHOWN_QUANTILES.index(q)]

    def __getitem__(self, name: str) -> Counts:
        return self._sums()[name].by_bucket

    def __iter__(self) -> Iterator[str]:
        return iter(self._sums())

    def __len__(self) -> int:
        return len(self._sums())


class Sum:
    """The sum of many runs: `COUNT_NAMES`, failure kinds and a histogram for each figure."""

    __slots__ = ("counts", "figures", "kinds")

    def __init__(
        self,
        counts: Sequence[int] = (0,) * len(COUNT_NAMES),
        kinds: Mapping[str, int] | None = None,
        figures: Mapping[str, Histogram] | None = None,
    ) -> None:
        self.counts = [*counts]
        self.kinds = Counter(kinds)
        self.figures = dict(figures or {})

    @classmethod
    def of_rows(cls, rows: Sequence[CountedRow]) -> "Sum":
        """Count these, column by column, which costs a third of counting row by row."""
        total = cls()
        if not rows:
            return total
        columns = [*zip(*rows, strict=True)]
        outcomes, kinds, muted, missed, late, trusted = columns[:6]
        for outcome, kind, in_maintenance in zip(outcomes, kinds, muted, strict=True):
            total.counts[MAINTENANCE if in_maintenance else outcome] += 1
            if kind is not None and not in_maintenance:
                total.kinds[kind] += 1
        total.counts[LATE] = sum(late_ms > LATE_MS for late_ms in late)
        total.counts[MISSED] = sum(missed)
        total.counts[TOKENS_IN:] = [sum(filter(None, column)) for column in columns[14:17]]
        speaking = [ok and outcome < 2 for ok, outcome in zip(trusted, outcomes, strict=True)]
        for name, column in zip(FIGURES, columns[6:14], strict=True):
            values = [
                value
                for value, speaks in zip(column, speaking, strict=True)
                if speaks and value is not None
            ]
            if values:
                total.figures[name] = Histogram.of(buckets_of_tenths(values))
        return total

    def add(self, other: "Sum | PackedSum", wanted: Collection[str] = FIGURES) -> None:
        """Add the counts, and of the figures those `wanted`."""
        self.counts = [*map(int.__add__, self.counts, other.counts)]
        if other.kinds:
            self.kinds.update(other.kinds)
        add_figures(self.figures, other.figures, wanted)

    def unpacked(self) -> "Sum":
        return self

    @property
    def counted(self) -> int:
        """Return how many runs were up, degraded or down."""
        return sum(self.counts[:3])

    @property
    def rollup(self) -> Rollup:
        return rollup_of([self])


class PackedSum(NamedTuple):
    """A sum as a row of the rollups holds it, its figures encoded: an hour that is over is seldom looked into."""

    counts: Sequence[int]
    kinds: Mapping[str, int]
    figures: bytes

    @classmethod
    def of(cls, total: "Sum | PackedSum") -> "PackedSum":
        """Make it of a sum, which may be packed already."""
        if isinstance(total, PackedSum):
            return total
        return cls(tuple(total.counts), dict(total.kinds), encode(total.figures))

    def unpacked(self) -> Sum:
        return Sum(self.counts, self.kinds, decode(self.figures))


def rollup_of(sums: Sequence[Sum | PackedSum]) -> Rollup:
    """Return the sum of these as a value that does not change with them."""
    kinds = Counter[str]()
    for one_sum in sums:
        kinds.update(one_sum.kinds)
    counts = [*map(sum, zip(*(one_sum.counts for one_sum in sums), strict=True))]
    return Rollup(
        outcomes=outcomes_of(*counts[:MAINTENANCE]),
        kinds=dict(kinds),
        maintenance=counts[MAINTENANCE],
        late=counts[LATE],
        missed=counts[MISSED],
        tokens_in=counts[TOKENS_IN],
        tokens_out=counts[TOKENS_OUT],
        cost_e8=counts[COST],
        figures=HistogramFigures(
            [
                one_sum.figures if isinstance(one_sum, PackedSum) else dict(one_sum.figures)
                for one_sum in sums
            ]
        ),
    )


@lru_cache(4096)
def outcomes_of(*counts: int) -> Mapping[str, int]:
    """Return outcomes as one object for all days that are alike: most are, and many are kept in memory."""
    return {name: count for name, count in zip(OUTCOMES, counts, strict=True) if count}


def counts_of_day(bar: Rollup) -> tuple[int, ...]:
    """Undo `day_counts`."""
    return (*(bar.outcomes.get(name, 0) for name in OUTCOMES), bar.maintenance)


@lru_cache(1 << 14)
def day_counts(*counts: int) -> Rollup:
    """Return the counts behind the bar of a day: its outcomes, and what was in maintenance."""
    return Rollup(outcomes=outcomes_of(*counts[:MAINTENANCE]), maintenance=counts[MAINTENANCE])


def buckets_of_tenths(tenths: Sequence[int]) -> Sequence[int]:
    """Return the bucket of each `number / 10`; there must be one."""
    table = _buckets()
    if max(tenths) < _TABLED:
        return [*map(table.__getitem__, tenths)]
    return [table[tenth] if tenth < _TABLED else bucket(tenth / 10) for tenth in tenths]


@cache
def _buckets() -> "array[int]":
    return array("h", (bucket(number / 10) for number in range(_TABLED)))


@lru_cache(4096)
def kinds_from(text: str | None) -> Mapping[str, int]:
    """Return failure kinds as a rollup's row holds them: JSON, `{"bad_gateway": 3}`."""
    kinds = json.loads(text) if text else {}
    return {intern(name): int(count) for name, count in kinds.items()}


def kinds_text(kinds: Mapping[str, int]) -> str | None:
    counted = {name: count for name, count in sorted(kinds.items()) if count}
    return json.dumps(counted) if counted else None
