"""Whole numbers, not negative, seven bits a byte, small ones short."""

from collections.abc import Sequence
from functools import cache

_TABLED = 1 << 14
"""Numbers whose bytes are looked up: those of two bytes, as nearly all of them are."""


def pack(numbers: Sequence[int]) -> bytes:
    table = _table()
    try:
        return b"".join(map(table.__getitem__, numbers))
    except IndexError:
        return b"".join([table[n] if n < _TABLED else _bytes(n) for n in numbers])


def _bytes(given: int) -> bytes:
    out, number = bytearray(), given
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


@cache
def _table() -> list[bytes]:
    return [*map(_bytes, range(_TABLED))]


def unpack(data: bytes) -> list[int]:
    numbers: list[int] = []
    append, rest = numbers.append, iter(data)
    for byte in rest:
        if byte < 128:
            append(byte)
            continue
        number, shift = byte & 127, 7
        for more in rest:
            number |= (more & 127) << shift
            if more < 128:
                break
            shift += 7
        append(number)
    return numbers


def take_many(data: bytes, count: int) -> tuple[list[int], int]:
    """The first `count` numbers, and where the next one begins."""
    numbers: list[int] = []
    number = shift = 0
    for place, byte in enumerate(data):
        if byte > 127:
            number |= (byte & 127) << shift
            shift += 7
            continue
        numbers.append(number | byte << shift)
        if len(numbers) == count:
            return numbers, place + 1
        number = shift = 0
    raise ValueError("too few numbers")
