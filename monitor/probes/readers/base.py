"""Holds what every protocol's reader shares: the sum of the pieces, errors, usage, the end.

The functions at the end make of a JSON value only the types that the readers expect.
"""

import json
import math
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from monitor.model import Usage
from monitor.probes.readers.sse import Event
from monitor.probes.readers.think_tags import ThinkTagSplitter, split_unopened
from monitor.probes.verdict.classify import is_bare_message, is_error_object
from monitor.probes.verdict.error_body import parse_json

JsonObject = Mapping[str, Any]
_NOTHING: JsonObject = {}
_MOST_TOKENS = 1_000_000_000
_MOST_TOOLS = 100
_KEPT_UNPARSED, _UNPARSED_LENGTH = 20, 500
_PINGS = frozenset({"error", "ping", "keepalive", "keep-alive", "heartbeat"})
"""Events whose data no client reads as an answer."""
_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing."""


class Piece(NamedTuple):
    """Holds what one event added to the answer."""

    text: str = ""
    reasoning: str = ""
    tool: str = ""
    """A tool's name, or a fragment of its arguments."""
    refusal: str = ""
    media: str = ""
    """A part of a sound or a picture, as base64."""

    @property
    def is_content(self) -> bool:
        return bool(self.text or self.reasoning or self.tool or self.refusal or self.media)

    @property
    def is_blank(self) -> bool:
        """Say that it is content which nobody can see: spaces, zero-width characters."""
        if self.tool or self.media:
            return False
        whole = self.text + self.reasoning + self.refusal
        return bool(whole) and is_invisible(whole)

    @property
    def size(self) -> int:
        """Count the UTF-8 bytes of words: sounds and pictures have no letters to count tokens by."""
        whole = self.text + self.reasoning + self.tool + self.refusal
        return len(whole.encode("utf-8", "replace"))


NO_PIECE = Piece()


@dataclass(slots=True)
class ToolCall:
    """Holds a call of a tool, joined from its pieces as they come."""

    id: str = ""
    """What an answer to it names; empty where the server gave none."""
    name: str = ""
    arguments: str = ""
    """JSON, or whatever came in its place."""
    beside: JsonObject = field(default_factory=dict)
    """What came with it and must be sent back with it, such as the signature of a thought."""


class ProtocolReader(ABC):
    """Reads one protocol's answer, streamed or whole, and sums it up.

    It is tolerant of every field: healthy servers leave out, add and repeat what their types forbid,
    and a hostile one may send any JSON type anywhere.
    """

    def __init__(self) -> None:
        self.finish_reasons: list[str] = []
        self.models: list[str] = []
        self.tools: dict[int, ToolCall] = {}
        """Calls of tools by their index."""
        self.usage_table: JsonObject | None = None
        self.error: Any = None
        """The first error object that came, as it came."""
        self.message: JsonObject | None = None
        """The first object of words alone, which counts where no answer comes."""
        self.unparsed: list[str] = []
        """The first events that were no JSON object, cut to a few hundred characters."""
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
        """Read one event of a stream, and return what it added."""
        if event.data.lstrip().startswith("[DONE]"):
            self.done = True
            return NO_PIECE
        try:
            value = parse_json(event.data)
        except ValueError:
            value = event.data
        if event.name == "error" or is_error_object(value):
            self._note_error(value)
        elif isinstance(value, list) and any(map(is_error_object, value)):
            self._note_error(next(filter(is_error_object, value)))
        if isinstance(value, dict):
            if self.message is None and is_bare_message(value):
                self.message = value
            return self.take(value)
        if event.data.strip() and event.name not in _PINGS and len(self.unparsed) < _KEPT_UNPARSED:
            self.unparsed.append(event.data[:_UNPARSED_LENGTH])
        return NO_PIECE

    def take(self, value: JsonObject) -> Piece:
        """Read one JSON object: a chunk of the stream, or the whole answer of a plain call."""
        piece = self._piece(value)
        if piece.text:
            visible, thought = self._thoughts.part(piece.text)
            if thought or visible != piece.text:
                piece = piece._replace(text=visible, reasoning=piece.reasoning + thought)
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
        """Count the tokens of thoughts that the usage reports, visible or not."""
        return 0

    @property
    def cached_tokens(self) -> int | None:
        """Count the tokens of the prompt that came from a cache; None where the usage does not say so."""
        return None

    @property
    def marked_end(self) -> bool:
        """Say whether the sender said that this is the end; `[DONE]` alone proves less."""
        return self.ended or bool(self.finish_reasons)

    @property
    def text(self) -> str:
        """Return the answer without the thoughts in it."""
        return self._parted[0]

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning) + self._parted[1]

    @property
    def _parted(self) -> tuple[str, str]:
        held, inside = self._thoughts.held, self._thoughts.inside
        visible, thought = split_unopened("".join(self._text) + ("" if inside else held))
        if self._thoughts.has_ended:
            visible = visible.lstrip()
        return visible, thought + (held if inside else "")

    @property
    def spoke(self) -> bool:
        """Say whether anything came that one would call an answer."""
        return bool(self.tools) or not is_invisible(self.text)

    @property
    def call(self) -> ToolCall | None:
        """Return the first call of a tool that came."""
        return next(iter(self.tools.values()), None)

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

    def _note_tool(self, index: Any, name: Any, arguments: Any, call_id: Any = None) -> str:
        """Add a piece to the call of this index, and return its words. The first id that comes is the call's."""
        call = self._tool(index)
        call.id = call.id or as_text(call_id)
        call.name += as_text(name)
        call.arguments += as_text(arguments)
        return as_text(name) + as_text(arguments)

    def _tool(self, index: Any) -> ToolCall:
        return self.tools.setdefault(self._tool_index(index), ToolCall())

    def _tool_index(self, index: Any) -> int:
        return index if isinstance(index, int) and len(self.tools) <= _MOST_TOOLS else 0


def is_invisible(text: str) -> bool:
    """Say whether a text shows nothing: spaces, controls, zero-width and filler characters."""
    if text.isascii():
        return not text.strip()
    return all(
        letter.isspace() or letter in _INVISIBLE or unicodedata.category(letter) in {"Cf", "Cc"}
        for letter in text
    )


def as_text(value: Any) -> str:
    """Return a string as it is, anything else as none."""
    return value if isinstance(value, str) else ""


def as_object(value: Any) -> JsonObject:
    """Return a JSON object as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else _NOTHING


def json_object(text: str) -> JsonObject:
    """Return the JSON object in a text; an empty one where there is none."""
    try:
        return as_object(parse_json(text))
    except ValueError:
        return _NOTHING


def objects_in(value: Any) -> list[JsonObject]:
    """List the objects in a JSON list; nothing where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_json(value: Any) -> str:
    """Return a JSON value as its text; nothing for one that is nested too deeply to be written."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):
        return ""


def as_usage(value: Any) -> Usage | None:
    """Return a table of counts, named as in OpenAI's newer APIs; None for anything else."""
    if not isinstance(value, dict):
        return None
    return Usage(
        tokens_in=as_count(value.get("input_tokens")),
        tokens_out=as_count(value.get("output_tokens")),
    )


def as_number(value: Any) -> float | None:
    """Return a JSON number as a float; None for anything else, and for what is not finite or too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_written_number(value: Any) -> float | None:
    """Return a number that JSON has as a number or as a text, as is usual of money; None for anything else."""
    if not isinstance(value, str):
        return as_number(value)
    try:
        return as_number(float(value))
    except ValueError:
        return None


def as_count(value: Any) -> int | None:
    """Return a token count; None for negative, fractional and astronomic ones, which mean nothing."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return value if is_count and 0 <= value <= _MOST_TOKENS else None
