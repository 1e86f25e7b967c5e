"""Anthropic's messages, streamed or whole; through Vertex and relays too."""

from collections.abc import Mapping
from typing import Any

from monitor.model import Usage
from monitor.probes.readers.base import NO_PIECE, Piece, Reader, Table, count, string, table, tables

_PROMPT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""The three are apart: what went through a cache is not among the `input_tokens`."""


class AnthropicReader(Reader):
    """Usage comes in two parts, and the second is cumulative: the last count of each kind holds."""

    def _piece(self, value: Table) -> Piece:
        match value.get("type"):
            case "message_start":
                self._note_message(table(value.get("message")))
            case "content_block_start":
                return self._block(value.get("index"), table(value.get("content_block")))
            case "content_block_delta":
                return self._delta(value.get("index"), table(value.get("delta")))
            case "message_delta":
                self._note_stop(table(value.get("delta")).get("stop_reason"))
                self._note_usage(value.get("usage"))
            case "message_stop":
                self.ended = True
            case "message":
                return self._whole(value)
            case _:
                pass  # pings, block ends, and what may come
        return NO_PIECE

    def _note_message(self, message: Table) -> None:
        self._note_model(message.get("model"))
        self._note_usage(message.get("usage"))

    def _note_stop(self, reason: Any) -> None:
        self._note_finish(reason)
        self.refused = self.refused or reason == "refusal"

    def _note_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            news = {name: number for name, number in usage.items() if number is not None}
            self.usage_table = {**(self.usage_table or {}), **news}

    def _block(self, index: Any, block: Table) -> Piece:
        if block.get("type") == "tool_use":
            return Piece(tool=self._note_tool(index, block.get("name"), None))
        return Piece(text=string(block.get("text")), reasoning=string(block.get("thinking")))

    def _delta(self, index: Any, delta: Table) -> Piece:
        return Piece(
            text=string(delta.get("text")),
            reasoning=string(delta.get("thinking")),
            tool=self._note_tool(index, None, delta.get("partial_json"))
            if "partial_json" in delta
            else "",
        )

    def _whole(self, message: Table) -> Piece:
        self._note_message(message)
        self._note_stop(message.get("stop_reason"))
        blocks = list(tables(message.get("content")))
        for index, block in enumerate(blocks):
            if block.get("type") == "tool_use":
                self._note_tool(index, block.get("name"), str(block.get("input")))
        return Piece(
            text="".join(string(block.get("text")) for block in blocks),
            reasoning="".join(string(block.get("thinking")) for block in blocks),
        )

    @property
    def usage(self) -> Usage | None:
        return _usage(self.usage_table)


def _usage(usage: Mapping[str, Any] | None) -> Usage | None:
    if usage is None:
        return None
    parts = [count(usage.get(name)) for name in _PROMPT]
    return Usage(
        tokens_in=None if parts[0] is None else sum(part or 0 for part in parts),
        tokens_out=count(usage.get("output_tokens")),
    )
