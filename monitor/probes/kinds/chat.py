"""Probes OpenAI's chat completions with the smallest question whose answer proves that a model is there."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from monitor.model import Habit
from monitor.probes.kinds.conversation import CountingPrompt, ReasoningConversation
from monitor.probes.kinds.conversation_protocol import (
    ConversationProtocol,
    ModelRequest,
    Tool,
    ToolProtocol,
)
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import ChatReader, ProtocolReader
from monitor.probes.readers.base import JsonObject, ToolCall

_DROPPABLE = (
    "max_tokens",
    "max_completion_tokens",
    "stream_options",
    "temperature",
    "reasoning_effort",
    "tool_choice",
)
_SENT_BACK = frozenset({"reasoning_content", "reasoning"})
"""Thoughts under these names belong to a turn that called a tool: models that think refuse its result without them."""


class ChatProtocol(ToolProtocol):
    """Knows OpenAI's chat completions and its many clones."""

    api: ClassVar[str] = "chat"
    route: ClassVar[str] = "/v1/chat/completions"
    reader: ClassVar[type[ProtocolReader]] = ChatReader
    signs: ClassVar[tuple[str, ...]] = ("choices",)
    droppable: ClassVar[Mapping[str, str]] = {name: name for name in _DROPPABLE}
    caps: ClassVar[frozenset[str]] = frozenset({"max_tokens", "max_completion_tokens"})
    tool_choice: ClassVar[str] = "tool_choice"

    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "messages": "text",
        "stream": "stream",
        "max_tokens": "max_tokens",
        "max_completion_tokens": "max_tokens",
        "n": "",
    }

    def body(self, request: ModelRequest, habit: Habit) -> Body:
        refused = habit.refused
        system = [{"role": "system", "content": request.system}] if request.system else []
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [*system, {"role": "user", "content": request.content}],
            "temperature": 0,
            "stream": request.stream,
        }
        if request.stream:
            body["stream_options"] = {"include_usage": True}
        body["max_completion_tokens" if "max_tokens" in refused else "max_tokens"] = request.cap
        # Only models that reason refuse `max_tokens`: those think least when asked to.
        reasons = habit.reasons or "max_tokens" in refused
        effort = request.effort or ("low" if reasons else None)
        if effort is not None:
            body["reasoning_effort"] = effort
        return without(body, refused)

    def with_tool(self, body: Body, tool: Tool) -> dict[str, Any]:
        function = {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        }
        choice = {"type": "function", "function": {"name": tool.name}}
        return {
            **body,
            "tools": [{"type": "function", "function": function}],
            "tool_choice": choice,
        }

    def with_result(self, body: Body, turn: ProtocolReader, result: JsonObject) -> dict[str, Any]:
        call = turn.call or ToolCall()
        function = {"name": call.name, "arguments": call.arguments}
        message = {
            "role": "assistant",
            "content": turn.text or None,
            "tool_calls": [
                {"id": call.id, "type": "function", "function": function, **call.beside}
            ],
        }
        if isinstance(turn, ChatReader) and turn.reasoning_field in _SENT_BACK:
            message[turn.reasoning_field] = turn.reasoning
        answer = {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)}
        return {**body, "messages": [*body["messages"], message, answer]}


CHAT = ChatProtocol()


class ChatShape(ReasoningConversation):
    """A conversation in chat completions, whatever is asked."""

    controlled: ClassVar[Mapping[str, str]] = ChatProtocol.controlled

    @property
    def protocol(self) -> ConversationProtocol:
        return CHAT


class ChatProbe(ChatShape, CountingPrompt):
    kind: ClassVar[str] = "chat"
    title: ClassVar[str] = "Chat"
    main_rank: ClassVar[int] = 0
