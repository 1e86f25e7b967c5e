"""A body that came encoded although we asked for it plain, unpacked within bounds."""

import zlib

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class Decoder:
    """Gives at most `limit` bytes in all. What it cannot unpack stays as it came."""

    def __init__(self, encoding: str, limit: int) -> None:
        bits = _WINDOW_BITS.get(encoding.strip().lower())
        self._inflate = None if bits is None else zlib.decompressobj(bits)
        self._limit = limit
        self._taken = self._given = 0

    @property
    def full(self) -> bool:
        """More came, or came out, than `limit`."""
        return max(self._taken, self._given) > self._limit

    def feed(self, data: bytes) -> bytes:
        room = max(0, self._limit - self._given)
        self._taken += len(data)
        data = self._unpack(data, room + 1)
        self._given += len(data)
        return data[:room]

    def _unpack(self, data: bytes, at_most: int) -> bytes:
        if self._inflate is None:
            return data
        try:
            return self._inflate.decompress(data, at_most)
        except zlib.error:
            self._inflate = None
            return data
