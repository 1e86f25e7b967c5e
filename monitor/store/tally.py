"""Rollups while they grow, and as bytes.

A `Tally` adds in place what `Rollup` would copy each time. The bytes hold counts first, then the
histograms, which are read only when somebody asks: see `lanes`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from monitor.model import Outcome, Rollup
from monitor.store import lanes
from monitor.store.decoding import Run
from monitor.store.layout import Layout, bucket_of_tenths, layout
from monitor.store.shape import MAINTENANCE, UNTRUSTED, Shape
from monitor.store.varint import pack, take_many

_SPEAKING = frozenset({Outcome.UP.value, Outcome.DEGRADED.value})
_NONE: Mapping[str, int] = MappingProxyType({})
_OUTCOMES = ("up", "degraded", "down", "unknown")


class Tally:
    __slots__ = ("_cost", "_counts", "_figures", "_kinds", "_outcomes")

    def __init__(self) -> None:
        self._outcomes: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._counts = [0, 0, 0, 0, 0]  # maintenance, late, missed, tokens in, tokens out
        self._cost = 0
        self._figures: dict[str, dict[int, int]] = {}

    def add_run(self, run: Run) -> None:
        self.add(Rollup.of(run.result, in_maintenance=run.in_maintenance))
        self._counts[2] += run.missed

    def add_row(self, shape: Shape, numbers: list[int]) -> None:
        """As `add_run` of the row that these are the shape and the numbers of."""
        at, flags, counts = layout(shape.flags), shape.flags, self._counts
        if flags & MAINTENANCE:
            counts[0] += 1
        else:
            self._outcomes[shape.outcome] += 1
            if shape.kind is not None:
                self._kinds[shape.kind] += 1
        if at.late and numbers[at.late] > 1000:
            counts[1] += 1
        counts[2] += numbers[at.missed] if at.missed else 0
        counts[3] += numbers[at.tokens_in] if at.tokens_in else 0
        counts[4] += numbers[at.tokens_out] if at.tokens_out else 0
        self._cost += numbers[at.cost] if at.cost else 0
        if not flags & UNTRUSTED and shape.outcome in _SPEAKING:
            self._add_figures(at, numbers)

    def _add_figures(self, at: Layout, numbers: list[int]) -> None:
        figures, before = self._figures, 0
        for name, place in at.durations:
            _count(figures, name, numbers[place])
            before += numbers[place]
        for name, place in at.moments:
            before = numbers[place] + (before if at.steps else 0)
            _count(figures, name, before)
        if at.speed:
            _count(figures, "tokens_per_s", numbers[at.speed])

    def add(self, rollup: Rollup) -> None:
        for name, count in rollup.outcomes.items():
            self._outcomes[name] += count
        for name, count in rollup.kinds.items():
            self._kinds[name] += count
        counts = self._counts
        counts[0] += rollup.maintenance
        counts[1] += rollup.late
        counts[2] += rollup.missed
        counts[3] += rollup.tokens_in
        counts[4] += rollup.tokens_out
        self._cost += rollup.cost_e8
        for name, histogram in rollup.figures.items():
            mine = self._figures.setdefault(name, {})
            for bucket, count in histogram.items():
                mine[bucket] = mine.get(bucket, 0) + count

    def rollup(self) -> Rollup:
        maintenance, late, missed, tokens_in, tokens_out = self._counts
        return Rollup(
            outcomes=dict(self._outcomes),
            kinds=dict(self._kinds),
            maintenance=maintenance,
            late=late,
            missed=missed,
            figures={name: dict(histogram) for name, histogram in self._figures.items()},
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            cost_e8=self._cost,
        )


def _count(figures: dict[str, dict[int, int]], name: str, tenths: int) -> None:
    histogram = figures.get(name)
    if histogram is None:
        histogram = figures[name] = {}
    number = bucket_of_tenths(tenths)
    histogram[number] = histogram.get(number, 0) + 1


def to_bytes(rollup: Rollup) -> bytes:
    kinds = ",".join(f"{name}={count}" for name, count in sorted(rollup.kinds.items())).encode()
    head = pack(
        (
            *(rollup.outcomes.get(name, 0) for name in _OUTCOMES),
            rollup.maintenance, rollup.late, rollup.missed,
            max(rollup.tokens_in, 0), max(rollup.tokens_out, 0), max(rollup.cost_e8, 0),
            len(kinds),
        )
    )  # fmt: skip
    return head + kinds + lanes.to_bytes(rollup.figures)


def from_bytes(data: bytes) -> Rollup:
    counts, body = split(data)
    return replace(counts, figures=lanes.Stored(body))


def split(data: bytes) -> tuple[Rollup, bytes]:
    """The counts, and the bytes of the histograms."""
    head, start = take_many(data, 11)
    end = start + head[10]
    found = Rollup(
        outcomes={name: count for name, count in zip(_OUTCOMES, head, strict=False) if count},
        kinds=_kinds(data[start:end].decode()) if head[10] else _NONE,
        maintenance=head[4],
        late=head[5],
        missed=head[6],
        tokens_in=head[7],
        tokens_out=head[8],
        cost_e8=head[9],
    )
    return found, data[end:]


def _kinds(text: str) -> dict[str, int]:
    return {name: int(count) for name, count in (pair.split("=") for pair in text.split(","))}
