"""What every protocol's reader shares: the sum of the pieces, errors, usage, the end."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from monitor.model import Usage
from monitor.probes.readers.sse import Event
from monitor.probes.readers.think_tags import ThinkTagSplitter, split_unopened
from monitor.probes.verdict.classify import is_error_object
from monitor.probes.verdict.error_body import parse_json

JsonObject = Mapping[str, Any]
_NOTHING: JsonObject = {}
_MOST_TOKENS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """What one event added. `tool` is a tool's name or a fragment of its arguments."""

    text: str = ""
    reasoning: str = ""
    tool: str = ""
    refusal: str = ""
    media: str = ""
    """Of a sound or a picture, as base64."""

    @property
    def is_content(self) -> bool:
        return bool(self.text or self.reasoning or self.tool or self.refusal or self.media)

    @property
    def size(self) -> int:
        """UTF-8 bytes of words: sounds and pictures have no letters to count tokens by."""
        whole = self.text + self.reasoning + self.tool + self.refusal
        return len(whole.encode("utf-8", "replace"))


NO_PIECE = Piece()


class ProtocolReader(ABC):
    """Tolerant of every field: healthy servers leave out, add and repeat what their types forbid."""

    def __init__(self) -> None:
        self.finish_reasons: list[str] = []
        self.models: list[str] = []
        self.tools: dict[int, list[str]] = {}
        """[name, arguments] by index."""
        self.usage_table: JsonObject | None = None
        self.error: Any = None
        """The first error object that came, as it came."""
        self.done = False
        """The literal `[DONE]` came."""
        self.ended = False
        """The protocol's own terminal event came."""
        self.refused = False
        """The model said, in the field for it, that it will not answer."""
        self._thoughts = ThinkTagSplitter()
        self._text: list[str] = []
        self._reasoning: list[str] = []

    def read(self, event: Event) -> Piece:
        if event.data.strip() == "[DONE]":
            self.done = True
            return NO_PIECE
        try:
            value = parse_json(event.data)
        except ValueError:
            if event.name == "error":
                self._note_error(event.data)
            return NO_PIECE
        if event.name == "error" or is_error_object(value):
            self._note_error(value)
        return self.take(value) if isinstance(value, dict) else NO_PIECE

    def take(self, value: JsonObject) -> Piece:
        """One JSON object: a chunk of the stream, or the whole answer of a plain call."""
        piece = self._piece(value)
        if piece.text:
            said, thought = self._thoughts.part(piece.text)
            if thought or said != piece.text:
                piece = replace(piece, text=said, reasoning=piece.reasoning + thought)
        self.refused = self.refused or bool(piece.refusal)
        self._text.append(piece.text)
        self._reasoning.append(piece.reasoning)
        return piece

    @abstractmethod
    def _piece(self, value: JsonObject) -> Piece: ...

    @property
    @abstractmethod
    def usage(self) -> Usage | None: ...

    @property
    def reasoning_tokens(self) -> int:
        """Those that the usage reports, visible or not."""
        return 0

    @property
    def marked_end(self) -> bool:
        """The sender said that this is the end; `[DONE]` alone proves less, see `stream`."""
        return self.ended or bool(self.finish_reasons)

    @property
    def text(self) -> str:
        """Without the thoughts in it."""
        return self._said[0]

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning) + self._said[1]

    @property
    def _said(self) -> tuple[str, str]:
        held, inside = self._thoughts.held, self._thoughts.inside
        said, thought = split_unopened("".join(self._text) + ("" if inside else held))
        return said, thought + (held if inside else "")

    @property
    def spoke(self) -> bool:
        """Whether anything came that one would call an answer."""
        return bool(self.text or self.tools)

    @property
    def finish_reason(self) -> str | None:
        return self.finish_reasons[-1] if self.finish_reasons else None

    @property
    def model(self) -> str | None:
        return self.models[0] if self.models else None

    def _note_error(self, value: Any) -> None:
        if self.error is None:
            self.error = value

    def _note_model(self, name: Any) -> None:
        if isinstance(name, str) and name and name not in self.models and len(self.models) < 5:
            self.models.append(name)

    def _note_finish(self, reason: Any) -> None:
        if isinstance(reason, str) and reason and len(self.finish_reasons) < 10:
            self.finish_reasons.append(reason)

    def _note_tool(self, index: Any, name: Any, arguments: Any) -> str:
        if not isinstance(index, int) or len(self.tools) > 100:
            index = 0
        tool = self.tools.setdefault(index, ["", ""])
        tool[0] += as_text(name)
        tool[1] += as_text(arguments)
        return as_text(name) + as_text(arguments)


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def as_object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else _NOTHING


def objects_in(value: Any) -> Iterator[JsonObject]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def as_count(value: Any) -> int | None:
    """A token count, or None: negative, fractional and astronomic ones mean nothing."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value <= _MOST_TOKENS else None
