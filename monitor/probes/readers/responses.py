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
    as_usage,
    objects_in,
)

_TERMINAL = frozenset(
    {"response.completed", "response.done", "response.incomplete", "response.failed"}
)
_TEXT, _REFUSAL = "response.output_text", "response.refusal"
_REASONING = frozenset({"response.reasoning_text", "response.reasoning_summary_text"})
_ARGUMENTS = "response.function_call_arguments"
_WHOLE = ("text", "refusal", "arguments")
"""Under which name a `….done` event repeats what its deltas said."""
_MOST_PARTS = 1000
_NOWHERE = "None/None"


class ResponsesReader(ProtocolReader):
    """Reads the deltas, and from `….done` and the last event only what no delta has said."""

    def __init__(self) -> None:
        super().__init__()
        self._received: dict[str, dict[str, int]] = {}
        """How many letters came so far, by the kind of a part and its place in the output."""

    def _piece(self, value: JsonObject) -> Piece:
        kind = as_text(value.get("type"))
        response = as_object(value.get("response"))
        self._note_model(response.get("model"))
        if value.get("object") == "response":
            return self._whole(value)
        if kind in _TERMINAL:
            self.ended = kind != "response.failed"
            self._note_status(response)
            is_answered = self._received.keys() & {_TEXT, _REFUSAL} or self.tools
            return NO_PIECE if is_answered else self._output(response)
        return self._event(value, kind)

    def _event(self, value: JsonObject, kind: str) -> Piece:
        part, _, what = kind.rpartition(".")
        inner = "summary_index" if part in _REASONING else "content_index"
        place = f"{as_count(value.get('output_index'))}/{as_count(value.get(inner))}"
        if kind == "response.output_item.added":
            item = as_object(value.get("item"))
            if item.get("type") == "function_call":
                return Piece(tool=self._begun_call(value.get("output_index"), item))
        elif kind == "response.content_part.done":
            return self._done_part(as_object(value.get("part")), place)
        elif kind == "response.output_item.done":
            item = as_object(value.get("item"))
            if item.get("type") == "function_call":
                return Piece(tool=self._done_call(value.get("output_index"), item))
            contents = objects_in(item.get("content"))
            pieces = [
                self._done_part(content, f"{as_count(value.get('output_index'))}/{index}")
                for index, content in enumerate(contents)
            ]
            return Piece(
                text="".join(piece.text for piece in pieces),
                refusal="".join(piece.refusal for piece in pieces),
            )
        elif part in {_TEXT, _REFUSAL, _ARGUMENTS, *_REASONING}:
            if what == "delta":
                news = self._receive(part, place, as_text(value.get("delta")))
                return self._as_piece(part, news, value.get("output_index"))
            if what == "done":
                whole = next((as_text(value[name]) for name in _WHOLE if name in value), "")
                news = self._receive(part, place, self._missing(part, place, whole))
                return self._as_piece(part, news, value.get("output_index"))
        return NO_PIECE

    def _done_part(self, content: JsonObject, place: str) -> Piece:
        """Return what a finished part of the output holds that has not come before."""
        text, refusal = as_text(content.get("text")), as_text(content.get("refusal"))
        if content.get("type") not in ("output_text", "refusal", None):
            return NO_PIECE
        return Piece(
            text=self._receive(_TEXT, place, self._missing(_TEXT, place, text)),
            refusal=self._receive(_REFUSAL, place, self._missing(_REFUSAL, place, refusal)),
        )

    def _begun_call(self, index: Any, item: JsonObject) -> str:
        return self._note_tool(index, item.get("name"), None, item.get("call_id"))

    def _done_call(self, index: Any, item: JsonObject) -> str:
        """Note what a finished call holds that has not come before."""
        call, place = self._tool(index), f"{as_count(index)}/None"
        name = "" if call.name else item.get("name")
        whole = as_text(item.get("arguments"))
        news = self._receive(_ARGUMENTS, place, self._missing(_ARGUMENTS, place, whole))
        return self._note_tool(index, name, news, item.get("call_id"))

    def _missing(self, part: str, place: str, whole: str) -> str:
        """Return the rest of a whole part of which the beginning has come already."""
        received = self._received.get(part, {})
        # Some servers leave the place out of their deltas.
        return whole[max(received.get(place, 0), received.get(_NOWHERE, 0)) :]

    def _receive(self, part: str, place: str, news: str) -> str:
        if news:
            places = self._received.setdefault(part, {})
            if place in places or len(places) < _MOST_PARTS:
                places[place] = places.get(place, 0) + len(news)
        return news

    def _as_piece(self, part: str, news: str, index: Any) -> Piece:
        if part == _TEXT:
            return Piece(text=news)
        if part == _REFUSAL:
            return Piece(refusal=news)
        if part == _ARGUMENTS:
            place = index if isinstance(index, int) else next(reversed(self.tools), 0)
            return Piece(tool=self._note_tool(place, None, news))
        return Piece(reasoning=news)

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
        items = objects_in(response.get("output"))
        calls = [
            self._done_call(index, item)
            for index, item in enumerate(items)
            if item.get("type") == "function_call"
        ]
        parts = [
            part
            for item in items
            for part in objects_in(item.get("content"))
            if item.get("type") != "reasoning"
        ]
        return Piece(
            text="".join(as_text(part.get("text")) for part in parts)
            or as_text(response.get("output_text")),
            refusal="".join(as_text(part.get("refusal")) for part in parts),
            tool="".join(calls),
        )

    @property
    def usage(self) -> Usage | None:
        return as_usage(self.usage_table)

    @property
    def reasoning_tokens(self) -> int:
        details = as_object(as_object(self.usage_table).get("output_tokens_details"))
        return as_count(details.get("reasoning_tokens")) or 0

    @property
    def cached_tokens(self) -> int | None:
        details = as_object(as_object(self.usage_table).get("input_tokens_details"))
        return as_count(details.get("cached_tokens"))
