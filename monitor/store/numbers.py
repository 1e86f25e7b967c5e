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
_LONG = 0x80
"""Of the first byte: the id takes four bytes, not two."""


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
    if shape_id < _LONG << 8:
        return shape_id.to_bytes(2, "big")
    return (shape_id | _LONG << 24).to_bytes(4, "big")


def head(body: bytes) -> bytes:
    return body[:2] if body[0] < _LONG else body[:4]


def id_in(head: bytes) -> int:
    return int.from_bytes(head, "big") & (_LONG << 8 * len(head) - 8) - 1


def numbers_in(flags: int, body: bytes) -> Sequence[int]:
    """Of the slots that are filled, in their order."""
    skip = len(head(body))
    if flags & FIXED:
        return fixed(flags & ~FIXED, skip).unpack(body)
    return varint.unpack(body[skip:])
