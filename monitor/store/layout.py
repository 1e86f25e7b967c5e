"""Where a stored row keeps the numbers that its rollup needs: the same for all rows of a shape.

Reading these few at their places costs a tenth of decoding the whole result, and there is a rollup
to be made of every result there is.
"""

from array import array
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from monitor.model import TIMING_NAMES
from monitor.model.rollup import bucket
from monitor.store import shape as bits

_TABLED = 1 << 16
"""Tenths whose bucket is looked up: 6.5 seconds."""


class Layout(NamedTuple):
    """Places in the list of a row's numbers; 0, which is the shape's own, where there is none."""

    durations: tuple[tuple[str, int], ...]
    """Figures of their phase."""
    moments: tuple[tuple[str, int], ...]
    """Figures from the start, in order."""
    speed: int
    tokens_in: int
    tokens_out: int
    cost: int
    late: int
    missed: int
    steps: bool
    """Each moment is told from the one before."""


@lru_cache(4096)
def layout(flags: int) -> Layout:
    filled = [slot for slot in range(bits.SLOTS) if flags >> slot & 1]
    places = {slot: 1 + at for at, slot in enumerate(filled)}
    timings = [(slot, name) for slot, name in enumerate(TIMING_NAMES) if slot in places]
    billed = bits.TOKENS_OUT if flags & bits.SAME_OUT else bits.USED_OUT
    return Layout(
        durations=tuple((name, places[slot]) for slot, name in timings if slot < 3),
        moments=tuple((name, places[slot]) for slot, name in timings if slot >= 3),
        speed=places.get(bits.SPEED, 0),
        tokens_in=places.get(bits.USED_IN, 0),
        tokens_out=places.get(billed, 0),
        cost=places.get(bits.COST, 0),
        late=places.get(bits.LATE, 0),
        missed=places.get(bits.MISSED, 0),
        steps=bool(flags & bits.STEPS),
    )


def buckets_of_tenths(numbers: Sequence[int]) -> Iterable[int]:
    """The bucket of each `number / 10`."""
    table = _table()
    if max(numbers) < _TABLED:
        return map(table.__getitem__, numbers)
    return [table[number] if number < _TABLED else bucket(number / 10) for number in numbers]


@cache
def _table() -> "array[int]":
    return array("h", (bucket(number / 10) for number in range(_TABLED)))
