"""Reads OpenAI's Responses API, streamed or whole; xAI, Azure and OpenRouter speak it too."""

from typing import Any

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

_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
_TEXT, _REFUSAL = "response.output_text", "response.refusal"
_REASONING = frozenset({"response.reasoning_text", "response.reasoning_summary_text"})
_ARGUMENTS = "response.function_call_arguments"
_WHOLE = ("text", "refusal", "arguments")
"""Under which name a `….done` event repeats what its deltas said."""
_MOST_PARTS = 1000


class ResponsesReader(ProtocolReader):
    """Reads the deltas, and from `….done` and the last event only what no delta has said."""

    def __init__(self) -> None:
        super().__init__()
        self._received: dict[tuple[str, str], str] = {}
        """What came so far of each part, by its kind and its place in the output."""

    def _piece(self, value: JsonObject) -> Piece:
        kind = as_text(value.get("type"))
        response = as_object(value.get("response"))
        self._note_model(response.get("model"))
        if value.get("object") == "response":
            return self._whole(value)
        if kind in _TERMINAL:
            self.ended = kind != "response.failed"
            self._note_status(response)
            return self._missing(response)
        return self._part(value, kind)

    def _part(self, value: JsonObject, kind: str) -> Piece:
        part, _, what = kind.rpartition(".")
        if kind == "response.output_item.added":
            item = as_object(value.get("item"))
            if item.get("type") == "function_call":
                name = self._note_tool(value.get("output_index"), item.get("name"), None)
                return Piece(tool=name)
        if what not in {"delta", "done"} or part not in {_TEXT, _REFUSAL, _ARGUMENTS, *_REASONING}:
            return NO_PIECE
        place = (
            f"{value.get('output_index')}/{value.get('content_index')}/{value.get('summary_index')}"
        )
        before = self._received.get((part, place), "")
        if what == "delta":
            news = as_text(value.get("delta"))
        else:
            whole = next((as_text(value[name]) for name in _WHOLE if name in value), "")
            news = whole.removeprefix(before) if whole.startswith(before) else ""
        if len(self._received) < _MOST_PARTS:
            self._received[part, place] = before + news
        return self._as_piece(part, news, value.get("output_index"))

    def _as_piece(self, part: str, news: str, index: Any) -> Piece:
        if part == _TEXT:
            return Piece(text=news)
        if part == _REFUSAL:
            return Piece(refusal=news)
        if part == _ARGUMENTS:
            return Piece(tool=self._note_tool(index, None, news))
        return Piece(reasoning=news)

    def _missing(self, response: JsonObject) -> Piece:
        """Return the answer that the last event holds, where nothing before it held any."""
        kinds = {part for (part, _), text in self._received.items() if text}
        if kinds & {_TEXT, _REFUSAL} or self.tools:
            return NO_PIECE
        return self._output(response)

    def _note_status(self, response: JsonObject) -> None:
        reason = as_object(response.get("incomplete_details")).get("reason")
        self._note_finish(as_text(reason) or response.get("status"))
        usage = response.get("usage")
        if isinstance(usage, dict):
            self.usage_table = usage

    def _whole(self, response: JsonObject) -> Piece:
        self._note_model(response.get("model"))
        self._note_status(response)
        return self._output(response)

    def _output(self, response: JsonObject) -> Piece:
        parts = [
            part
            for item in objects_in(response.get("output"))
            for part in objects_in(item.get("content"))
            if item.get("type") != "reasoning"
        ]
        return Piece(
            text="".join(as_text(part.get("text")) for part in parts),
            refusal="".join(as_text(part.get("refusal")) for part in parts),
        )

    @property
    def usage(self) -> Usage | None:
        if self.usage_table is None:
            return None
        return Usage(
            tokens_in=as_count(self.usage_table.get("input_tokens")),
            tokens_out=as_count(self.usage_table.get("output_tokens")),
        )

    @property
    def reasoning_tokens(self) -> int:
        details = as_object(as_object(self.usage_table).get("output_tokens_details"))
        return as_count(details.get("reasoning_tokens")) or 0
