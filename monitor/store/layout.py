"""Where a stored row keeps the numbers that its rollup needs: the same for all rows of a shape.

Reading these few at their places costs a tenth of decoding the whole result, and there is a rollup
to be made of every result there is.
"""

from array import array
from functools import cache, lru_cache
from typing import NamedTuple

from monitor.model import TIMING_NAMES
from monitor.model.rollup import bucket
from monitor.store import codec

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
    places = _places(flags)
    timings = [
        (place, name, at)
        for place, name in enumerate(TIMING_NAMES)
        if (at := places.get(1 << place)) is not None
    ]
    return Layout(
        durations=tuple((name, at) for place, name, at in timings if place < 3),
        moments=tuple((name, at) for place, name, at in timings if place >= 3),
        speed=places.get(codec.SPEED, 0),
        tokens_in=places.get(codec.USED_IN, 0),
        tokens_out=places.get(codec.TOKENS_OUT if flags & codec.SAME_OUT else codec.USED_OUT, 0),
        cost=places.get(codec.COST, 0),
        late=places.get(codec.LATE, 0),
        missed=places.get(codec.MISSED, 0),
        steps=bool(flags & codec.STEPS),
    )


def _places(flags: int) -> dict[int, int]:
    """By flag, in the order in which `codec` writes them."""
    order = [1 << place for place in range(7)]
    order += [codec.STREAM, codec.CHUNKS] if flags & codec.STREAM else []
    order += [codec.TOKENS_OUT, codec.SPEED, codec.STALL, codec.P50, codec.P95, codec.HEARTBEATS]
    order += [codec.USED_IN, codec.USED_OUT, codec.COST]
    order += [codec.RETRY, codec.LATE, codec.MISSED, codec.MESSAGE]
    present = flags | codec.CHUNKS
    return {flag: 1 + at for at, flag in enumerate(flag for flag in order if present & flag)}


def bucket_of_tenths(number: int) -> int:
    """The bucket of `number / 10`."""
    return _table()[number] if number < _TABLED else bucket(number / 10)


@cache
def _table() -> "array[int]":
    return array("h", (bucket(number / 10) for number in range(_TABLED)))
