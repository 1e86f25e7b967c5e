"""Probes Anthropic's messages, at the source or through a relay."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from monitor.model import Endpoint, Habit
from monitor.probes.kinds.conversation import CountingPrompt
from monitor.probes.kinds.conversation_protocol import (
    ConversationProtocol,
    ModelRequest,
    Tool,
    ToolProtocol,
)
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import AnthropicReader, ProtocolReader
from monitor.probes.readers.base import JsonObject, ToolCall, json_object

_VERSION = "2023-06-01"


class MessagesProtocol(ToolProtocol):
    """Knows Anthropic's messages, whose key has a header of its own."""

    api: ClassVar[str] = "messages"
    route: ClassVar[str] = "/v1/messages"
    reader: ClassVar[type[ProtocolReader]] = AnthropicReader
    signs: ClassVar[tuple[str, ...]] = ("content",)
    droppable: ClassVar[Mapping[str, str]] = {
        "temperature": "temperature",
        "tool_choice": "tool_choice",
    }
    caps: ClassVar[frozenset[str]] = frozenset({"max_tokens"})
    tool_choice: ClassVar[str] = "tool_choice"
    tool_prompt_tokens: ClassVar[int] = 346  # docs.anthropic.com, "Tool use", the pricing of it

    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "messages": "text",
        "stream": "stream",
        "max_tokens": "max_tokens",
    }

    def auth(self, endpoint: Endpoint) -> Mapping[str, str]:
        key = {} if endpoint.key is None else {"x-api-key": endpoint.key.reveal()}
        return {"anthropic-version": _VERSION, **key}

    def behind(self, prefix: str, question: str) -> Any:
        """Mark the text for the cache: this API keeps nothing that is not marked."""
        marked = {"type": "text", "text": prefix, "cache_control": {"type": "ephemeral"}}
        return [marked, {"type": "text", "text": question}]

    def body(self, request: ModelRequest, habit: Habit) -> Body:
        body: dict[str, Any] = {
            "model": request.model,
            "max_tokens": request.cap,
            "messages": [{"role": "user", "content": request.content}],
            "temperature": 0,
            "stream": request.stream,
        }
        if request.system is not None:
            body["system"] = request.system
        return without(body, habit.refused)

    def with_tool(self, body: Body, tool: Tool) -> dict[str, Any]:
        described = {
            "name": tool.name,
            "description": tool.description,
            "input_schema": tool.parameters,
        }
        return {**body, "tools": [described], "tool_choice": {"type": "tool", "name": tool.name}}

    def with_result(self, body: Body, turn: ProtocolReader, result: JsonObject) -> dict[str, Any]:
        call = turn.call or ToolCall()
        use = {
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": json_object(call.arguments),
        }
        given = {"type": "tool_result", "tool_use_id": call.id, "content": json.dumps(result)}
        thoughts = turn.signed_thoughts if isinstance(turn, AnthropicReader) else []
        turns = [
            {"role": "assistant", "content": [*thoughts, use]},
            {"role": "user", "content": [given]},
        ]
        return {**body, "messages": [*body["messages"], *turns]}


MESSAGES = MessagesProtocol()


class MessagesProbe(CountingPrompt):
    kind: ClassVar[str] = "messages"
    title: ClassVar[str] = "Messages"
    main_rank: ClassVar[int] = 1
    controlled: ClassVar[Mapping[str, str]] = MessagesProtocol.controlled

    @property
    def protocol(self) -> ConversationProtocol:
        return MESSAGES
