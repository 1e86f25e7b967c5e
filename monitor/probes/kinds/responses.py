"""Probes OpenAI's Responses API."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Habit
from monitor.probes.kinds.conversation import CountingPrompt, ReasoningConversation
from monitor.probes.kinds.conversation_protocol import (
    ConversationProtocol,
    ModelRequest,
    Tool,
    ToolProtocol,
)
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import ProtocolReader, ResponsesReader
from monitor.probes.readers.base import JsonObject, ToolCall


class ResponsesProtocol(ToolProtocol):
    """Knows the Responses API; nothing of what is asked is stored."""

    api: ClassVar[str] = "responses"
    route: ClassVar[str] = "/v1/responses"
    reader: ClassVar[type[ProtocolReader]] = ResponsesReader
    signs: ClassVar[tuple[str, ...]] = ("output",)
    droppable: ClassVar[Mapping[str, str]] = {
        "max_output_tokens": "max_output_tokens",
        "temperature": "temperature",
        "store": "store",
        "reasoning.effort": "reasoning",
        "reasoning": "reasoning",
        "tool_choice": "tool_choice",
    }
    least_cap: ClassVar[int] = 16
    caps: ClassVar[frozenset[str]] = frozenset({"max_output_tokens"})
    tool_choice: ClassVar[str] = "tool_choice"
    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "input": "text",
        "stream": "stream",
        "max_output_tokens": "max_tokens",
    }

    def body(self, request: ModelRequest, habit: Habit) -> Body:
        body: dict[str, Any] = {
            "model": request.model,
            "input": request.content,
            "max_output_tokens": request.cap,
            "temperature": 0,
            "store": False,
            "stream": request.stream,
        }
        if request.system is not None:
            body["instructions"] = request.system
        # Only models that reason refuse a temperature: those think least when asked to.
        reasons = habit.reasons or "temperature" in habit.refused
        effort = request.effort or ("low" if reasons else None)
        if effort is not None:
            body["reasoning"] = {"effort": effort}
        return without(body, habit.refused)

    def with_tool(self, body: Body, tool: Tool) -> dict[str, Any]:
        function = {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": False,
        }
        return {
            **body,
            "tools": [function],
            "tool_choice": {"type": "function", "name": tool.name},
        }

    def with_result(self, body: Body, turn: ProtocolReader, result: JsonObject) -> dict[str, Any]:
        """Leave out the call's item id: with it the API wants the thoughts before it, which are not stored."""
        call = turn.call or ToolCall()
        question = {"role": "user", "content": body["input"]}
        called = {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
        }
        output = {
            "type": "function_call_output",
            "call_id": call.id,
            "output": json.dumps(result),
        }
        return {**body, "input": [question, called, output]}


RESPONSES = ResponsesProtocol()


class ResponsesProbe(ReasoningConversation, CountingPrompt):
    kind: ClassVar[str] = "responses"
    title: ClassVar[str] = "Responses"
    main_rank: ClassVar[int] = 2
    controlled: ClassVar[Mapping[str, str]] = ResponsesProtocol.controlled

    max_tokens: int | None = Field(default=None, ge=16, description="cap of the answer")

    @property
    def protocol(self) -> ConversationProtocol:
        return RESPONSES
