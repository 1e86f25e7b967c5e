"""A rollup as bytes: counts first, then the points of an hour's chart, then histograms (see `lanes`)."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from sys import intern
from types import MappingProxyType
from typing import NamedTuple

from monitor.model import Rollup
from monitor.model.rollup import Histogram
from monitor.store import lanes
from monitor.store.answers import summed_figures
from monitor.store.lanes import Lanes, Stored
from monitor.store.varint import pack, take_many

OUTCOMES = ("up", "degraded", "down", "unknown")
MAINTENANCE, LATE, MISSED, TOKENS_IN, TOKENS_OUT, COST = range(4, 10)
COUNTS = 10
"""Of the outcomes, then these six."""
BARS = 5
"""The first of them are behind the bar of a day: its outcomes, and what was in maintenance."""
_NONE: Mapping[str, int] = MappingProxyType({})


class Parts(NamedTuple):
    """A stored row, taken apart."""

    counts: Sequence[int]
    kinds: Mapping[str, int]
    points: bytes
    figures: bytes


def to_bytes(
    counts: Sequence[int], kinds: Mapping[str, int], points: bytes, figures: Mapping[str, Lanes]
) -> bytes:
    named = ",".join(f"{name}={count}" for name, count in sorted(kinds.items())).encode()
    head = pack([*(max(count, 0) for count in counts), len(named), len(points)])
    return head + named + points + lanes.to_bytes(figures)


def split(data: bytes) -> Parts:
    head, start = take_many(data, COUNTS + 2)
    kinds = start + head[COUNTS]
    points = kinds + head[COUNTS + 1]
    return Parts(
        counts=head[:COUNTS],
        kinds=_kinds(data[start:kinds]) if head[COUNTS] else _NONE,
        points=data[kinds:points],
        figures=data[points:],
    )


def from_bytes(data: bytes) -> Rollup:
    found = split(data)
    return rollup_of(found.counts, found.kinds, summed_figures([Stored(found.figures)]))


@lru_cache(1 << 14)
def bar_of(counts: tuple[int, ...]) -> Rollup:
    """Of a day, its outcomes and what was in maintenance. Most days of most checks are alike."""
    return Rollup(outcomes=_outcomes(*counts[:MAINTENANCE]), maintenance=counts[MAINTENANCE])


def rollup_of(
    counts: Sequence[int], kinds: Mapping[str, int], figures: Mapping[str, Histogram]
) -> Rollup:
    return Rollup(
        outcomes=_outcomes(*counts[:4]),
        kinds=kinds,
        maintenance=counts[MAINTENANCE],
        late=counts[LATE],
        missed=counts[MISSED],
        tokens_in=counts[TOKENS_IN],
        tokens_out=counts[TOKENS_OUT],
        cost_e8=counts[COST],
        figures=figures,
    )


def counts_from(rollup: Rollup) -> Sequence[int]:
    """As `Parts` has them."""
    return (
        *(rollup.outcomes.get(name, 0) for name in OUTCOMES),
        rollup.maintenance, rollup.late, rollup.missed,
        rollup.tokens_in, rollup.tokens_out, rollup.cost_e8,
    )  # fmt: skip


@lru_cache(4096)
def _outcomes(*counts: int) -> Mapping[str, int]:
    """Most days of most checks are alike, and many of them are kept in memory."""
    found = zip(OUTCOMES, counts, strict=True)
    return {name: count for name, count in found if count}


@lru_cache(4096)
def _kinds(text: bytes) -> Mapping[str, int]:
    pairs = (pair.split("=") for pair in text.decode().split(","))
    return {intern(name): int(count) for name, count in pairs}
