"""Follows a stream: what came when, counted in content.

The `StreamRecorder` that follows a stream live (it is the client's watch) is the one it is judged by, so
that what ended a stream and what is said of it cannot differ.
"""

from monitor.probes.exchange import Chunk
from monitor.probes.readers import Piece, ProtocolReader
from monitor.probes.readers.sse import Event, SseParser

FIRST_TOKEN_MS = 60_000.0
STALL_LIMIT_MS = 30_000.0
AFTER_DONE_MS = 2_000.0
"""How long we wait for the connection to end once the stream said that it is over."""
_KEPT_OFFSETS = 200


class StreamRecorder:
    """Counts progress in content, not in bytes: heartbeats keep a dead stream's socket warm."""

    def __init__(
        self,
        reader: ProtocolReader,
        first_token_ms: float = FIRST_TOKEN_MS,
        parser: SseParser | None = None,
    ) -> None:
        self.reader = reader
        self.parser = parser or SseParser()
        self.content_at: list[float] = []
        self.first_size = 0
        self.visible_at: float | None = None
        self.ended_at: float | None = None
        self.pings = 0
        self.content_bytes = 0
        self.offsets: list[tuple[float, int, int]] = []
        self.tail: Event | None = None
        self._first_token_ms = first_token_ms
        self._last_ms = 0.0

    def feed(self, chunk: Chunk) -> None:
        self._last_ms = chunk.at_ms
        for event in self.parser.feed(chunk.data):
            self._hear(event, chunk.at_ms)

    def close(self) -> None:
        """At the end of the bytes: an event cut short still speaks, for the diagnosis."""
        self.tail = self.parser.close()
        if self.tail is not None:
            self._hear(self.tail, self._last_ms)

    def deadline_ms(self) -> float | None:
        if self.parser.overflow is not None:
            return 0.0
        if self.reader.done or self.reader.ended or self.reader.error is not None:
            return (self.ended_at or 0.0) + AFTER_DONE_MS
        if not self.content_at:
            return self._first_token_ms
        return self.content_at[-1] + STALL_LIMIT_MS

    @property
    def heartbeats(self) -> int:
        return self.parser.comments + self.pings

    def _hear(self, event: Event, at_ms: float) -> None:
        piece = self.reader.read(event)
        self.pings += event.name == "ping"
        if piece.is_content:
            self._note_content(piece, at_ms)
        failed = self.reader.error is not None
        if self.ended_at is None and (self.reader.done or self.reader.marked_end or failed):
            self.ended_at = at_ms
        if self.reader.done or self.reader.ended:
            self.ended_at = max(self.ended_at or 0.0, at_ms)
        if len(self.offsets) < _KEPT_OFFSETS:
            self.offsets.append((round(at_ms, 1), _size(event.data), len(piece.text)))

    def _note_content(self, piece: Piece, at_ms: float) -> None:
        if not self.content_at:
            self.first_size = piece.size
        if piece.text and self.visible_at is None:
            self.visible_at = at_ms
        self.content_at.append(at_ms)
        self.content_bytes += piece.size


def _size(text: str) -> int:
    """In UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
