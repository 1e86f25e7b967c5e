"""Reads Anthropic's messages, streamed or whole, also through Vertex and relays."""

from collections.abc import Mapping
from typing import Any

from monitor.model import Usage
from monitor.probes.readers.base import (
    NO_PIECE,
    JsonObject,
    Piece,
    ProtocolReader,
    as_count,
    as_json,
    as_object,
    as_text,
    objects_in,
)

_PROMPT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
"""Three separate counts: what went through a cache is not among the `input_tokens`."""

_MOST_THOUGHTS = 100


class AnthropicReader(ProtocolReader):
    """Reads streams of `/v1/messages`.

    Usage comes in two parts, and the second is cumulative: the last count of each kind holds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._begun_whole: set[int] = set()
        """Which calls held all arguments in their beginning: pieces replace those, if any come after all."""
        self._thinking: dict[int, dict[str, str]] = {}
        """Blocks of thoughts by their index, as they came."""

    @property
    def signed_thoughts(self) -> list[Mapping[str, str]]:
        """Return blocks of thoughts that may be sent back: the API takes none that it has not signed."""
        return [
            block for block in self._thinking.values() if block.get("signature") or "data" in block
        ]

    def _piece(self, value: JsonObject) -> Piece:
        match value.get("type"):
            case "message_start":
                self._note_message(as_object(value.get("message")))
            case "content_block_start":
                return self._block(value.get("index"), as_object(value.get("content_block")))
            case "content_block_delta":
                return self._delta(value.get("index"), as_object(value.get("delta")))
            case "message_delta":
                self._note_stop(as_object(value.get("delta")).get("stop_reason"))
                self._note_usage(value.get("usage"))
            case "message_stop":
                self.ended = True
            case "message":
                return self._whole(value)
            case _:
                pass  # pings, block ends, and what may come
        return NO_PIECE

    def _note_message(self, message: JsonObject) -> None:
        self._note_model(message.get("model"))
        self._note_usage(message.get("usage"))

    def _note_stop(self, reason: Any) -> None:
        self._note_finish(reason)
        self.refused = self.refused or reason == "refusal"

    def _note_usage(self, usage: Any) -> None:
        if isinstance(usage, dict):
            counted = {name: number for name, number in usage.items() if number is not None}
            self.usage_table = {**(self.usage_table or {}), **counted}

    def _block(self, index: Any, block: JsonObject) -> Piece:
        if block.get("type") == "tool_use":
            given = as_json(block["input"]) if block.get("input") else ""
            if given:
                self._begun_whole.add(self._tool_index(index))
            return Piece(tool=self._note_tool(index, block.get("name"), given, block.get("id")))
        self._note_thinking(index, block)
        return Piece(text=as_text(block.get("text")), reasoning=as_text(block.get("thinking")))

    def _note_thinking(self, index: Any, block: JsonObject) -> None:
        if not isinstance(index, int) or len(self._thinking) > _MOST_THOUGHTS:
            return
        if block.get("type") == "thinking":
            words, signature = as_text(block.get("thinking")), as_text(block.get("signature"))
            self._thinking[index] = {"type": "thinking", "thinking": words, "signature": signature}
        elif block.get("type") == "redacted_thinking":
            self._thinking[index] = {
                "type": "redacted_thinking",
                "data": as_text(block.get("data")),
            }

    def _add_thinking(self, index: Any, delta: JsonObject) -> None:
        block = self._thinking.get(index) if isinstance(index, int) else None
        for name in ("thinking", "signature"):
            if block is not None and name in block:
                block[name] += as_text(delta.get(name))

    def _delta(self, index: Any, delta: JsonObject) -> Piece:
        if self._thinking:
            self._add_thinking(index, delta)
        return Piece(
            text=as_text(delta.get("text")),
            reasoning=as_text(delta.get("thinking")),
            tool=self._arguments(index, delta["partial_json"]) if "partial_json" in delta else "",
        )

    def _arguments(self, index: Any, news: Any) -> str:
        place = self._tool_index(index)
        if news and place in self._begun_whole:
            self._begun_whole.remove(place)
            self._tool(place).arguments = ""
        return self._note_tool(index, None, news)

    def _whole(self, message: JsonObject) -> Piece:
        self._note_message(message)
        self._note_stop(message.get("stop_reason"))
        blocks = objects_in(message.get("content"))
        for index, block in enumerate(blocks):
            self._note_thinking(index, block)
            if block.get("type") == "tool_use":
                self._note_tool(
                    index, block.get("name"), as_json(block.get("input")), block.get("id")
                )
        return Piece(
            text="".join(as_text(block.get("text")) for block in blocks),
            reasoning="".join(as_text(block.get("thinking")) for block in blocks),
        )

    @property
    def usage(self) -> Usage | None:
        return _usage(self.usage_table)

    @property
    def cached_tokens(self) -> int | None:
        return as_count((self.usage_table or {}).get("cache_read_input_tokens"))


def _usage(usage: Mapping[str, Any] | None) -> Usage | None:
    if usage is None:
        return None
    parts = [as_count(usage.get(name)) for name in _PROMPT]
    return Usage(
        tokens_in=None if parts[0] is None else sum(part or 0 for part in parts),
        tokens_out=as_count(usage.get("output_tokens")),
    )
