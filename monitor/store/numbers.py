"""The body of a row: the id of its shape, then its numbers.

Where each number is as small as is usual it takes the width of its slot, so that rows of a shape
are equally long and many of them are taken apart at once. A row with a larger one has all of its numbers in
seven bits a byte: no longer than it must be, but each number costs what a whole row does otherwise.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

from monitor.store import varint
from monitor.store.shape import FIXED, SLOTS

WIDTHS = "HHHHHHHHHHHHBBBBBBBIHI"
"""Of the slots, as `struct` spells them. Timings up to 6.5 s, costs to 0.00065 USD, 255 tokens."""
_SHORT, _MIDDLE = 0x80, 0xC0
"""First bytes of an id: of those below the one it is all, below the other it has a second, else three more."""


@lru_cache(4096)
def fixed(flags: int, skip: int = 0) -> struct.Struct:
    """`skip`: bytes before the numbers."""
    return struct.Struct(f"<{skip}x" + "".join(WIDTHS[slot] for slot in filled(flags)))


@lru_cache(4096)
def filled(flags: int) -> tuple[int, ...]:
    return tuple(slot for slot in range(SLOTS) if flags >> slot & 1)


def to_bytes(flags: int, numbers: Sequence[int]) -> tuple[int, bytes]:
    """And the flags, which tell how they were written."""
    try:
        return flags | FIXED, fixed(flags).pack(*numbers)
    except struct.error:
        return flags, varint.pack(numbers)


def head_of(shape_id: int) -> bytes:
    if shape_id < _SHORT:
        return shape_id.to_bytes(1, "big")
    if shape_id < (_MIDDLE - _SHORT) << 8:
        return (shape_id | _SHORT << 8).to_bytes(2, "big")
    return (shape_id | _MIDDLE << 24).to_bytes(4, "big")


def head(body: bytes) -> bytes:
    first = body[0]
    return body[:1] if first < _SHORT else body[:2] if first < _MIDDLE else body[:4]


def id_in(head: bytes) -> int:
    return int.from_bytes(head, "big") & (0x7F, 0x3FFF, 0, 0x3FFF_FFFF)[len(head) - 1]


def numbers_in(flags: int, body: bytes) -> Sequence[int]:
    """Of the slots that are filled, in their order."""
    skip = len(head(body))
    if flags & FIXED:
        return fixed(flags & ~FIXED, skip).unpack(body)
    return varint.unpack(body[skip:])
