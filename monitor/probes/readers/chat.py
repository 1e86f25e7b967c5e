"""Reads OpenAI's chat completions and their many clones, and legacy completions, streamed or whole."""

from collections.abc import Sequence

from monitor.model import Usage
from monitor.probes.readers.base import (
    NO_PIECE,
    JsonObject,
    Piece,
    ProtocolReader,
    as_count,
    as_object,
    as_text,
    objects_in,
)
from monitor.probes.verdict.classify import is_error_object

_REASONING = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "thinking_content")
_THOUGHTS = ("thinking", "reasoning", "reasoning_text", "thought")
"""Types of parts that are no part of the visible answer."""
_ERROR_ENDS = frozenset(
    {"error", "network_error", "model_error", "upstream_error", "insufficient_system_resource"}
)
"""Finish reasons by which providers say that the answer broke off."""


class ChatReader(ProtocolReader):
    """Reads `choices[]` with a delta, a message, or the `text` of legacy completions."""

    def __init__(self) -> None:
        super().__init__()
        self.reasoning_field = ""
        """Under which name the thoughts came."""

    def _piece(self, value: JsonObject) -> Piece:
        self._note_model(value.get("model"))
        choices = objects_in(value.get("choices"))
        self._note_usage(value, choices)
        pieces = [self._choice(choice) for choice in choices]
        return pieces[0] if len(pieces) == 1 else _joined(pieces)

    def _choice(self, choice: JsonObject) -> Piece:
        finish = as_text(choice.get("finish_reason"))
        self._note_finish(finish)
        delta = choice.get("delta") or choice.get("message")
        error = choice.get("error") or as_object(delta).get("error")
        if finish in _ERROR_ENDS or (error and is_error_object({"error": error})):
            said = {"code": finish, "message": f"finish_reason is {finish}"}
            self._note_error({"error": error or said})
        if not isinstance(delta, dict):
            return Piece(text=as_text(choice.get("text")))
        text, thought = _content(delta.get("content"))
        if text and finish and len(self.finish_reasons) == 1 and not choice.get("delta"):
            text = text.removeprefix("".join(self._text))  # the last chunk may repeat all of it
        if not thought:
            name, thought = _reasoning(delta)
            self.reasoning_field = self.reasoning_field or name
        return Piece(
            text=text,
            reasoning=thought,
            tool=self._tool_calls(delta),
            refusal=as_text(delta.get("refusal")),
        )

    def _tool_calls(self, delta: JsonObject) -> str:
        calls, news = delta.get("tool_calls"), ""
        if not calls:  # nearly always, and this is asked of every piece of every stream
            return news
        for position, call in enumerate(objects_in(calls)):
            function = as_object(call.get("function"))
            index = call.get("index", position)
            name, arguments = function.get("name"), function.get("arguments")
            news += self._note_tool(index, name, arguments, call.get("id"))
            if isinstance(call.get("extra_content"), dict):  # Google's signature of a thought
                self._tool(index).beside = {"extra_content": call["extra_content"]}
        return news

    def _note_usage(self, value: JsonObject, choices: Sequence[JsonObject]) -> None:
        usage = value.get("usage")
        if isinstance(usage, dict):
            self.usage_table = usage  # on every chunk at some providers: the last one counts
            return
        if self.usage_table is not None:
            return
        for holder in (value.get("x_groq"), *choices[:1]):  # Groq of old, Moonshot
            usage = as_object(holder).get("usage")
            if isinstance(usage, dict):
                self.usage_table = usage

    @property
    def usage(self) -> Usage | None:
        if self.usage_table is None:
            return None
        tokens_in = as_count(self.usage_table.get("prompt_tokens"))
        tokens_out = as_count(self.usage_table.get("completion_tokens"))
        total = as_count(self.usage_table.get("total_tokens"))
        if tokens_in is not None and tokens_out is not None:
            outside = tokens_in + tokens_out + self.reasoning_tokens == total
            # xAI counts reasoning outside the answer's tokens, everybody else inside.
            tokens_out += self.reasoning_tokens if outside else 0
        return Usage(tokens_in=tokens_in, tokens_out=tokens_out)

    @property
    def reasoning_tokens(self) -> int:
        details = as_object(as_object(self.usage_table).get("completion_tokens_details"))
        return as_count(details.get("reasoning_tokens")) or 0

    @property
    def cached_tokens(self) -> int | None:
        usage = as_object(self.usage_table)
        details = as_object(usage.get("prompt_tokens_details"))
        # DeepSeek's and Moonshot's names stand in the usage itself.
        places = (
            (details, "cached_tokens"),
            (usage, "prompt_cache_hit_tokens"),
            (usage, "cached_tokens"),
        )
        counts = (as_count(place.get(name)) for place, name in places)
        return next((count for count in counts if count is not None), None)


def _joined(pieces: list[Piece]) -> Piece:
    if not pieces:
        return NO_PIECE
    return Piece(
        text="".join(piece.text for piece in pieces),
        reasoning="".join(piece.reasoning for piece in pieces),
        tool="".join(piece.tool for piece in pieces),
        refusal="".join(piece.refusal for piece in pieces),
    )


def _content(content: object) -> tuple[str, str]:
    """Return visible text and thinking. Mistral sends a list of typed parts while it thinks."""
    if not isinstance(content, list):
        return as_text(content), ""
    text = thought = ""
    for part in objects_in(content):
        thinking = part.get("thinking")
        if isinstance(thinking, list):
            thought += "".join(as_text(inner.get("text")) for inner in objects_in(thinking))
        elif isinstance(thinking, str):
            thought += thinking
        elif part.get("type") in _THOUGHTS:
            thought += as_text(part.get("text"))
        else:
            text += as_text(part.get("text"))
    return text, thought


def _reasoning(delta: JsonObject) -> tuple[str, str]:
    """Return the name of the field and the thoughts in it; some servers send two fields with the same words."""
    for name in _REASONING:
        if name in delta and (text := as_text(delta[name])):
            return name, text
    details = delta.get("reasoning_details")
    if not details:
        return "", ""
    return "", "".join(
        as_text(part.get("text")) or as_text(part.get("summary")) for part in objects_in(details)
    )
