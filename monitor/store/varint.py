"""Whole numbers, not negative, seven bits a byte, small ones short."""

from collections.abc import Iterable


def pack(numbers: Iterable[int]) -> bytes:
    out = bytearray()
    for given in numbers:
        number = given
        while number > 127:
            out.append(number & 127 | 128)
            number >>= 7
        out.append(number)
    return bytes(out)


def unpack(data: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in data:
        if byte > 127:
            number |= (byte & 127) << shift
            shift += 7
        else:
            numbers.append(number | byte << shift)
            number = shift = 0
    return numbers


def take(data: bytes, start: int) -> tuple[int, int]:
    """One number from `start`, and where the next one begins."""
    number = shift = 0
    while data[start] > 127:
        number |= (data[start] & 127) << shift
        shift += 7
        start += 1
    return number | data[start] << shift, start + 1


def zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    return -((number + 1) >> 1) if number & 1 else number >> 1
