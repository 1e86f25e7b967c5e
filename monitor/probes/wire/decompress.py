"""Unpacks a body that came encoded although it was asked for plain, within bounds."""

import zlib

_GZIP, _ZLIB, _RAW = 31, 15, -15
_WINDOW_BITS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}
_PLAIN = frozenset({"", "identity", "none"})
_MOST_MEMBERS = 10_000
"""Members of gzip in one body: a server that compresses each event has one for each."""


class Decoder:
    """Unpacks a body chunk by chunk; it never gives more than `limit` bytes in all.

    gzip may come in several members (RFC 1952, 2.2), deflate with or without zlib's wrapper, as every
    browser reads them. `error` says what cannot be unpacked; what comes from then on is left out.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        name = encoding.strip().lower()
        self._bits = _WINDOW_BITS.get(name)
        self._inflate = None if self._bits is None else zlib.decompressobj(self._bits)
        self.limit = limit
        self._taken = self._given = self._members = 0
        self._first = b""
        """The first bytes of a deflate body, for a second try without the wrapper."""
        self._is_fresh = False
        """A member has ended, and nothing of the next one has come yet."""
        self._ended = False
        self.error: str | None = None
        if self._bits is None and name not in _PLAIN:
            self.error = f"the encoding {name[:40]}, which was not asked for"

    @property
    def full(self) -> bool:
        """Say whether more came, or came out, than `limit`."""
        return max(self._taken, self._given) > self.limit

    @property
    def is_cut(self) -> bool:
        """Say whether the packed data has begun and not ended."""
        inflate = self._inflate
        begun = self._taken > 0 and not self._is_fresh and not self._ended
        return begun and inflate is not None and not inflate.eof and self.error is None

    def feed(self, data: bytes) -> bytes:
        """Return what a chunk holds; nothing after an error."""
        room = max(0, self.limit - self._given)
        self._taken += len(data)
        if self.error is not None:
            return b""
        plain = self._unpack(data, room + 1)
        self._given += len(plain)
        return plain[:room]

    def _unpack(self, data: bytes, at_most: int) -> bytes:
        if self._inflate is None:
            return data
        parts: list[bytes] = []
        size = 0
        while data and size < at_most and not self._ended:
            if self._is_fresh:
                data = data.lstrip(b"\0")  # some writers fill up their last block
                self._is_fresh = not data
                if not data.startswith(b"\x1f"):
                    self._ended = bool(data)  # browsers ignore what follows a whole body
                    break
            try:
                plain = self._inflate.decompress(data, at_most - size)
            except zlib.error:
                if not self._retry_without_wrapper():
                    self.error = "a damaged encoding"
                    break
                data = self._first + data
                continue
            if not self._given and not size and self._bits == _ZLIB:
                self._first = (self._first + data)[:2] if not plain else b""
            parts.append(plain)
            size += len(plain)
            data = self._next_member()
        return b"".join(parts)

    def _retry_without_wrapper(self) -> bool:
        """Start anew as raw deflate where not a byte of a zlib stream was right."""
        if self._bits != _ZLIB or self._given:
            return False
        self._bits, self._inflate = _RAW, zlib.decompressobj(_RAW)
        return True

    def _next_member(self) -> bytes:
        """Return what follows a member that has ended; its decompressor is set up."""
        assert self._inflate is not None
        if not self._inflate.eof:
            return self._inflate.unconsumed_tail
        rest = self._inflate.unused_data
        self._members += 1
        if self._bits != _GZIP or self._members >= _MOST_MEMBERS:
            self._ended = True
            return b""
        self._inflate, self._is_fresh = zlib.decompressobj(_GZIP), True
        return rest
