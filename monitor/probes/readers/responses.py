"""OpenAI's Responses API, streamed or whole; xAI, Azure and OpenRouter speak it too."""

from monitor.model import Usage
from monitor.probes.readers.base import NO_PIECE, Piece, Reader, Table, count, string, table, tables

_TERMINAL = {"response.completed", "response.incomplete", "response.failed"}
_REASONING = {"response.reasoning_text.delta", "response.reasoning_summary_text.delta"}


class ResponsesReader(Reader):
    """Of the many event types only the deltas and the terminal events carry what we measure."""

    def _piece(self, value: Table) -> Piece:
        kind = value.get("type")
        response = table(value.get("response"))
        self._note_model(response.get("model"))
        if value.get("object") == "response":
            return self._whole(value)
        if kind in _TERMINAL:
            self.ended = kind != "response.failed"
            self._note_status(response)
        return self._delta(value, str(kind))

    def _delta(self, value: Table, kind: str) -> Piece:
        delta = string(value.get("delta"))
        if kind == "response.output_text.delta":
            return Piece(text=delta)
        if kind in _REASONING:
            return Piece(reasoning=delta)
        if kind == "response.refusal.delta":
            return Piece(refusal=delta)
        if kind == "response.function_call_arguments.delta":
            return Piece(tool=self._note_tool(value.get("output_index"), None, delta))
        if kind == "response.output_item.added":
            item = table(value.get("item"))
            if item.get("type") == "function_call":
                return Piece(
                    tool=self._note_tool(value.get("output_index"), item.get("name"), None)
                )
        return NO_PIECE

    def _note_status(self, response: Table) -> None:
        reason = table(response.get("incomplete_details")).get("reason")
        self._note_finish(reason or response.get("status"))
        usage = response.get("usage")
        if isinstance(usage, dict):
            self.usage_table = usage

    def _whole(self, response: Table) -> Piece:
        self._note_model(response.get("model"))
        self._note_status(response)
        parts = [
            part for item in tables(response.get("output")) for part in tables(item.get("content"))
        ]
        return Piece(
            text="".join(string(part.get("text")) for part in parts),
            refusal="".join(string(part.get("refusal")) for part in parts),
        )

    @property
    def usage(self) -> Usage | None:
        if self.usage_table is None:
            return None
        return Usage(
            tokens_in=count(self.usage_table.get("input_tokens")),
            tokens_out=count(self.usage_table.get("output_tokens")),
        )

    @property
    def reasoning_tokens(self) -> int:
        details = table(table(self.usage_table).get("output_tokens_details"))
        return count(details.get("reasoning_tokens")) or 0
