"""Records a stream while it comes: what came when, counted in content.

The `StreamRecorder` that follows a stream live (the client calls it a watcher) is the one that the
stream is judged by, so that what ended a stream and what is said of it cannot differ.
"""

from monitor.probes.exchange import Chunk
from monitor.probes.readers import Piece, ProtocolReader
from monitor.probes.readers.base import is_invisible
from monitor.probes.readers.sse import Event, SseParser

FIRST_TOKEN_MS = 60_000.0
STALL_LIMIT_MS = 30_000.0
AFTER_DONE_MS = 2_000.0
"""How long we wait for the connection to end once the stream said that it is over."""
_KEPT_EVENTS = 200
_MOST_UNREAD = 8 * 1024
"""Bytes: reading them keeps the event loop for a millisecond at most."""


class StreamRecorder:
    """Counts progress in content, not in bytes: heartbeats keep a dead stream's socket warm.

    Blank content is a heartbeat too. Only a single blank piece right after words is content: the
    space between them.

    What comes is read when somebody asks for it or much is waiting: many pieces in a row cost half of
    what they cost one by one, and the time of each is that of its arrival.
    """

    def __init__(
        self,
        reader: ProtocolReader,
        first_token_ms: float = FIRST_TOKEN_MS,
        parser: SseParser | None = None,
    ) -> None:
        self.reader = reader
        self.parser = parser or SseParser()
        self.content_at: list[float] = []
        """When each piece of content came, in milliseconds since the request."""
        self.content_bytes = 0
        self.first_size = 0
        """Bytes of the first piece of content."""
        self.visible_at: float | None = None
        """When the first visible text came."""
        self.ended_at: float | None = None
        """When the stream said that it is over."""
        self._first_events: list[tuple[float, str, int]] = []
        """When each came, its data, and its letters of visible text."""
        self.tail: Event | None = None
        """The event that the end of the bytes cut short."""
        self.crash: Exception | None = None
        """What the reader raised, if it did; nothing is read after that."""
        self._unread: list[Chunk] = []
        self._unread_bytes = 0
        self._first_token_ms = first_token_ms
        self._last_ms = 0.0
        self._pings = 0
        self._after_blank = True

    def feed(self, chunk: Chunk) -> None:
        """Take one network read. Raises nothing: `close` raises what the reader raised."""
        self._unread.append(chunk)
        self._unread_bytes += len(chunk.data)
        if self._unread_bytes > _MOST_UNREAD:
            self._catch_up()

    def _catch_up(self) -> None:
        """Read what has come. What the reader raises must not end the client's read as if that had failed."""
        unread, self._unread, self._unread_bytes = self._unread, [], 0
        for chunk in unread:
            self._last_ms = chunk.at_ms
            if self.crash is not None:
                return
            try:
                for event in self.parser.feed(chunk.data):
                    self._record(event, chunk.at_ms)
            except Exception as error:  # noqa: BLE001  # see above
                self.crash = error

    def close(self) -> None:
        """End the record: an event cut short still speaks, for the diagnosis."""
        self._catch_up()
        if self.crash is not None:
            raise self.crash
        before = len(self.reader.unparsed)
        self.tail = self.parser.close()
        if self.tail is not None:
            self._record(self.tail, self._last_ms)
            is_cut_json = self.tail.data.lstrip().startswith(("{", "[{", '"'))
            if is_cut_json and "\n" not in self.tail.data:
                del self.reader.unparsed[before:]  # cut off, which is not the same as malformed

    def deadline_ms(self) -> float | None:
        """Return by when the next content must come, in milliseconds since the request."""
        self._catch_up()
        if self.parser.overflow is not None or self.crash is not None:
            return 0.0
        if self.reader.done or self.reader.ended or self.reader.error is not None:
            return (self.ended_at or 0.0) + AFTER_DONE_MS
        if not self.content_at:
            return self._first_token_ms
        return self.content_at[-1] + STALL_LIMIT_MS

    @property
    def heartbeats(self) -> int:
        """Count the comments, pings and blank pieces that came."""
        return self.parser.comments + self._pings

    @property
    def offsets(self) -> tuple[tuple[float, int, int], ...]:
        """Return of the first events when each came, its bytes, and its letters of visible text."""
        return tuple(
            (round(at_ms, 1), len(data.encode("utf-8", "replace")), letters)
            for at_ms, data, letters in self._first_events
        )

    def _record(self, event: Event, at_ms: float) -> None:
        reader = self.reader
        piece = reader.read(event)
        self._pings += event.name == "ping"
        if piece.is_content:
            self._record_content(piece, at_ms)
        if self.ended_at is None and (reader.done or reader.marked_end or reader.error is not None):
            self.ended_at = at_ms
        if reader.done or reader.ended:
            self.ended_at = max(self.ended_at or 0.0, at_ms)
        if len(self._first_events) < _KEPT_EVENTS:
            self._first_events.append((at_ms, event.data, len(piece.text)))

    def _record_content(self, piece: Piece, at_ms: float) -> None:
        is_blank, was_blank = piece.is_blank, self._after_blank
        self._after_blank = is_blank
        if is_blank and was_blank:
            self._pings += 1
            return
        size = piece.size
        if not self.content_at:
            self.first_size = size
        if self.visible_at is None and not is_invisible(piece.text):
            self.visible_at = at_ms
        self.content_at.append(at_ms)
        self.content_bytes += size
