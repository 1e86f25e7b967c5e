"""A screenshot with a palette: a third of its bytes, and the eye sees the same."""

import struct
import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

SIGN = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
_KEPT = 32
"""Of the most frequent colours, which stay as they are: grounds, ink and marks."""
Colour = tuple[int, int, int]


def small(png: bytes) -> bytes:
    """The same picture in 256 colours at most; colours that are alike become one."""
    width, height, data = pixels(png)
    places = places_of(Counter(data))
    palette = list(dict.fromkeys(places.values()))
    number = {colour: palette.index(place) for colour, place in places.items()}
    rows = b"".join(
        b"\0" + bytes(number[pixel] for pixel in data[start : start + width])
        for start in range(0, width * height, width)
    )
    return SIGN + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(part for colour in palette for part in colour)),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        )
    )


def pixels(png: bytes) -> tuple[int, int, list[Colour]]:
    """Width, height, and the colours row by row, of 8 bits each without transparency, as the browser writes them."""
    chunks = dict.fromkeys((b"IHDR", b"IDAT", b"PLTE"), b"")
    for name, content in _chunks(png):
        if name in chunks:
            chunks[name] += content
    width, height, bits, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (bits, kind in {2, 3}, interlaced) == (8, True, 0), (
        "a kind of PNG that no browser writes"
    )
    size = 3 if kind == 2 else 1
    raw = _unfiltered(zlib.decompress(chunks[b"IDAT"]), width * size, size)
    if kind == 2:
        return width, height, list(struct.iter_unpack("BBB", raw))
    palette: list[Colour] = list(struct.iter_unpack("BBB", chunks[b"PLTE"]))
    return width, height, [palette[index] for index in raw]


def places_of(counts: Counter[Colour]) -> dict[Colour, Colour]:
    """What becomes of each colour: the most frequent ones stay, the rest is parted where it differs most."""
    kept = [colour for colour, _ in counts.most_common(_KEPT)]
    rest = [colour for colour in counts if colour not in set(kept)]
    boxes = [rest] if rest else []
    while 0 < len(boxes) < COLOURS - len(kept):
        widest = max(boxes, key=lambda box: _spread(box)[0] * sum(counts[in_box] for in_box in box))
        reach, channel = _spread(widest)
        if not reach:
            break
        boxes.remove(widest)
        boxes += _parted(widest, channel, counts)
    return {colour: colour for colour in kept} | {
        colour: middle for box in boxes for middle in [_middle(box, counts)] for colour in box
    }


def _parted(box: list[Colour], channel: int, counts: Counter[Colour]) -> tuple[list[Colour], ...]:
    """Where half of the pixels are on either side, and at least one colour."""
    ordered = sorted(box, key=lambda colour: (colour[channel], colour))
    sums = list(accumulate(counts[in_box] for in_box in ordered))
    cut = min(bisect_left(sums, sums[-1] / 2) + 1, len(ordered) - 1)
    return ordered[:cut], ordered[cut:]


def _spread(box: Sequence[Colour]) -> tuple[int, int]:
    """How far apart they lie in the channel where they differ most, and which that is."""
    return max((max(part) - min(part), n) for n, part in enumerate(zip(*box, strict=True)))


def _middle(box: Sequence[Colour], counts: Counter[Colour]) -> Colour:
    total = sum(counts[colour] for colour in box)
    red, green, blue = (
        round(sum(colour[n] * counts[colour] for colour in box) / total) for n in range(3)
    )
    return red, green, blue


def _unfiltered(data: bytes, stride: int, size: int) -> bytes:
    """PNG's five filters, taken back."""
    above, rows = bytearray(stride), bytearray()
    for start in range(0, len(data), stride + 1):
        row, kind = bytearray(data[start + 1 : start + 1 + stride]), data[start]
        if kind == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, above, strict=True))
        elif kind:
            for n, value in enumerate(row):
                left, corner = (row[n - size], above[n - size]) if n >= size else (0, 0)
                row[n] = (value + _guess(kind, left, above[n], corner)) & 255
        rows += row
        above = row
    return bytes(rows)


def _guess(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 3:
        return (left + above) // 2
    return min((left, above, corner), key=lambda neighbour: abs(left + above - corner - neighbour))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGN)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )
