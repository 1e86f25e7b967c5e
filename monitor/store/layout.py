"""The numbers that a rollup needs of rows which are alike, by columns.

Reading these few at their places costs a tenth of decoding the whole result, and there is a rollup
to be made of every result there is.
"""

import struct
from array import array
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from monitor.model import TIMING_NAMES
from monitor.model.rollup import bucket
from monitor.store import shape as bits
from monitor.store.numbers import WIDTHS, filled, head, numbers_in
from monitor.store.shape import Shape

Column = Sequence[int]
FIGURE_OF = {**dict(enumerate(TIMING_NAMES)), bits.SPEED: "tokens_per_s"}
"""By slot."""
_WANTED = {*FIGURE_OF, bits.COST, bits.LATE, bits.USED_IN, bits.USED_OUT, bits.MISSED}
_TABLED = 1 << 16
"""Tenths whose bucket is looked up: 6.5 seconds."""


class Kin(NamedTuple):
    """Rows with these have the same columns, and count alike."""

    flags: int
    outcome: str
    kind: str | None
    head: int
    """Bytes before the numbers."""


def kin_of(shape: Shape, body: bytes) -> Kin:
    return Kin(shape.flags, shape.outcome, shape.kind, len(head(body)))


def columns(kin: Kin, bodies: Sequence[bytes]) -> dict[int, Column]:
    """By slot."""
    flags, slots = kin.flags, _slots(kin.flags)
    if flags & bits.FIXED:
        rows = _fixed(flags, kin.head).iter_unpack(b"".join(bodies))
    else:
        places = [*map(filled(flags).index, slots)]
        each = (numbers_in(flags, body) for body in bodies)
        rows = iter([tuple(map(numbers.__getitem__, places)) for numbers in each])
    found: dict[int, Column] = dict(zip(slots, zip(*rows, strict=True), strict=bool(slots)))
    for twin, other, fact in bits.TWINS:
        if flags & fact:
            found[twin] = found[other]
    return found


@lru_cache(4096)
def _slots(flags: int) -> Sequence[int]:
    wanted = _WANTED | {bits.TOKENS_OUT} if flags & bits.SAME_OUT else _WANTED
    return [slot for slot in filled(flags) if slot in wanted]


@lru_cache(4096)
def _fixed(flags: int, skip: int) -> struct.Struct:
    codes = {slot: f"{struct.calcsize(WIDTHS[slot])}x" for slot in filled(flags)}
    codes |= {slot: WIDTHS[slot] for slot in _slots(flags)}
    return struct.Struct(f"<{skip}x" + "".join(codes.values()))


def buckets_of_tenths(numbers: Sequence[int]) -> Sequence[int]:
    """The bucket of each `number / 10`."""
    table = _table()
    if max(numbers) < _TABLED:
        return [*map(table.__getitem__, numbers)]
    return [table[number] if number < _TABLED else bucket(number / 10) for number in numbers]


@cache
def _table() -> "array[int]":
    return array("h", (bucket(number / 10) for number in range(_TABLED)))
