"""OpenAI's Responses API, streamed or whole; xAI, Azure and OpenRouter speak it too."""

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

_TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
_REASONING = {"response.reasoning_text.delta", "response.reasoning_summary_text.delta"}


class ResponsesReader(ProtocolReader):
    """Of the many event types only the deltas and the terminal events carry what we measure."""

    def _piece(self, value: JsonObject) -> Piece:
        kind = value.get("type")
        response = as_object(value.get("response"))
        self._note_model(response.get("model"))
        if value.get("object") == "response":
            return self._whole(value)
        if kind in _TERMINAL:
            self.ended = kind != "response.failed"
            self._note_status(response)
        return self._delta(value, str(kind))

    def _delta(self, value: JsonObject, kind: str) -> Piece:
        delta = as_text(value.get("delta"))
        if kind == "response.output_text.delta":
            return Piece(text=delta)
        if kind in _REASONING:
            return Piece(reasoning=delta)
        if kind == "response.refusal.delta":
            return Piece(refusal=delta)
        if kind == "response.function_call_arguments.delta":
            return Piece(tool=self._note_tool(value.get("output_index"), None, delta))
        if kind == "response.output_item.added":
            item = as_object(value.get("item"))
            if item.get("type") == "function_call":
                return Piece(
                    tool=self._note_tool(value.get("output_index"), item.get("name"), None)
                )
        return NO_PIECE

    def _note_status(self, response: JsonObject) -> None:
        reason = as_object(response.get("incomplete_details")).get("reason")
        self._note_finish(reason or response.get("status"))
        usage = response.get("usage")
        if isinstance(usage, dict):
            self.usage_table = usage

    def _whole(self, response: JsonObject) -> Piece:
        self._note_model(response.get("model"))
        self._note_status(response)
        parts = [
            part
            for item in objects_in(response.get("output"))
            for part in objects_in(item.get("content"))
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
