"""Pictures of one colour: paints them, and recognises their colour. Pure."""

import base64
import binascii
import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
}


def painted(colour: tuple[int, int, int], side: int) -> bytes:
    """Return a square of `side` pixels as PNG, eight bits per channel."""
    row = b"\0" + bytes(colour) * side
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * side)),
        (b"IEND", b""),
    )
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def colour_of(url: str) -> str | None:
    """Return the name nearest to the first pixel of a `data:` URL, or None if it is no such picture."""
    try:
        data = base64.b64decode(url.partition(";base64,")[2], validate=True)
        rows = zlib.decompressobj().decompress(_compressed_rows(data), 64)
    except (binascii.Error, zlib.error, struct.error):
        return None
    pixel = rows[1:4]
    if not data.startswith(_SIGNATURE) or len(pixel) < len("rgb"):
        return None
    return min(
        _COLOURS,
        key=lambda name: sum((a - b) ** 2 for a, b in zip(_COLOURS[name], pixel, strict=True)),
    )


def _compressed_rows(data: bytes) -> bytes:
    at, rows = len(_SIGNATURE), b""
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IDAT":
            rows += data[at + 8 : at + 8 + size]
        at += 12 + size
    return rows
