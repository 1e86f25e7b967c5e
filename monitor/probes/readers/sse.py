"""Parses server-sent events by the rules of the WHATWG HTML standard, section 9.2.6.

It does no input or output: bytes go in, events come out, the same however the bytes are cut. Beyond
the standard it counts comments (heartbeats), and keeps the last lines with unknown field names, where
failing servers write their errors.
"""

import codecs
import re
from typing import NamedTuple

MAX_LINE = 1 << 20
MAX_EVENT = 4 << 20
MAX_EVENTS = 100_000
MAX_LINES = 4 * MAX_EVENTS
"""A cap of its own, because lines without an event cost time too."""
KEPT_UNKNOWN = 4096

_LINE_END = re.compile("\r\n|\r|\n")


class Event(NamedTuple):
    data: str
    name: str = "message"


class SseParser:
    """Splits a stream. `overflow` says which cap was exceeded, if one was; nothing is read after that."""

    def __init__(self, max_line: int = MAX_LINE, max_event: int = MAX_EVENT) -> None:
        self._max_line, self._max_event = max_line, max_event
        self.comments = 0
        self.events = 0
        self.unknown = ""
        self.overflow: str | None = None
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._started = False
        self._after_cr = False
        self._line: list[str] = []
        self._line_size = 0
        self._lines = 0
        self._data: list[str] = []
        self._data_size = 0
        self._name = ""

    def feed(self, data: bytes) -> list[Event]:
        return self._take(self._decode(data))

    def close(self) -> Event | None:
        """Return the event that the end cut off: the standard drops it, a diagnosis needs it."""
        self._take(self._decode(b"", final=True))
        if self._line and self.overflow is None:
            self._field("".join(self._line))
            self._line = []
        if not self._data:
            return None
        return Event("\n".join(self._data), self._name or "message")

    def _take(self, text: str) -> list[Event]:
        if text and not self._started:
            self._started = True
            text = text.removeprefix("\ufeff")
        if self._after_cr and text:
            self._after_cr = False
            text = text.removeprefix("\n")
        events: list[Event] = []
        if self.overflow is not None:
            return events
        *lines, rest = _LINE_END.split(text) if "\r" in text else text.split("\n")
        for line in lines:
            self._end_line(line, events)
            if self.overflow is not None:
                return events
        # A lone CR ends its line at once, else a stream framed by CR would hang one line behind.
        self._after_cr = self._after_cr or text.endswith("\r")
        if rest:
            self._keep(rest)
        return events

    def _keep(self, part: str) -> None:
        self._line_size += len(part)
        if self._line_size > self._max_line:
            self._overflow("a line", self._max_line)
        else:
            self._line.append(part)

    def _end_line(self, line: str, events: list[Event]) -> None:
        if self._line_size + len(line) > self._max_line:
            self._overflow("a line", self._max_line)
            return
        if self._line_size:
            line = "".join((*self._line, line))
            self._line, self._line_size = [], 0
        self._lines += 1
        if self._lines > MAX_LINES:
            self._overflow("the number of lines", MAX_LINES)
        elif line:
            self._field(line)
        else:
            self._dispatch(events)

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            self.events += 1
            events.append(Event("\n".join(self._data), self._name or "message"))
            if self.events >= MAX_EVENTS:
                self._overflow("the number of events", MAX_EVENTS)
        self._data, self._data_size, self._name = [], 0, ""

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments += 1
            case "data":
                self._data_size += len(value) + 1
                self._data.append(value)
                if self._data_size > self._max_event:
                    self._overflow("an event", self._max_event)
            case "event":
                self._name = value
            case "id" | "retry":
                pass  # for those who reconnect
            case _:
                self.unknown = f"{self.unknown}{line}\n"[-KEPT_UNKNOWN:]

    def _overflow(self, what: str, limit: int) -> None:
        self.overflow = f"{what} exceeds {limit}"
        self._line, self._data = [], []
