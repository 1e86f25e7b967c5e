"""Probes Google's Gemini in its own protocol."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from monitor.model import Endpoint, Habit
from monitor.probes.kinds.conversation import CountingPrompt
from monitor.probes.kinds.conversation_protocol import (
    ConversationProtocol,
    ModelRequest,
    Tool,
    ToolProtocol,
)
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import GeminiReader, ProtocolReader
from monitor.probes.readers.base import JsonObject, ToolCall, json_object


class GeminiProtocol(ToolProtocol):
    """Knows Google's `generateContent`, whose path names the model."""

    api: ClassVar[str] = "gemini"
    reader: ClassVar[type[ProtocolReader]] = GeminiReader
    signs: ClassVar[tuple[str, ...]] = ("candidates", "promptFeedback")
    droppable: ClassVar[Mapping[str, str]] = {
        "thinkingConfig": "thinkingConfig",
        "thinking_config": "thinkingConfig",
        "thinkingBudget": "thinkingConfig",
        "thinking_budget": "thinkingConfig",
        "thinking": "thinkingConfig",  # "This model only works in thinking mode."
        "temperature": "temperature",
        "maxOutputTokens": "maxOutputTokens",
        "max_output_tokens": "maxOutputTokens",
        "toolConfig": "toolConfig",
        "tool_config": "toolConfig",
        "functionCallingConfig": "toolConfig",
        "function_calling_config": "toolConfig",
    }
    caps: ClassVar[frozenset[str]] = frozenset({"maxOutputTokens"})
    tool_choice: ClassVar[str] = "toolConfig"
    needs_call_id: ClassVar[bool] = False

    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "contents": "text",
        "generationConfig.maxOutputTokens": "max_tokens",
        "generationConfig.candidateCount": "",
    }

    def route_to(self, model: str, *, stream: bool) -> str:
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"/v1beta/models/{quote(model.removeprefix('models/'), safe='')}:{method}"

    def auth(self, endpoint: Endpoint) -> Mapping[str, str]:
        """Return the key as a header: as `?key=` it would end up in everybody's logs."""
        return {} if endpoint.key is None else {"x-goog-api-key": endpoint.key.reveal()}

    def body(self, request: ModelRequest, habit: Habit) -> Body:
        config: dict[str, Any] = {
            "maxOutputTokens": request.cap,
            "temperature": 0,
            "thinkingConfig": {"thinkingBudget": 0},
        }
        body: dict[str, Any] = {
            "contents": [{"role": "user", "parts": [{"text": request.content}]}],
            "generationConfig": without(config, habit.refused),
        }
        if request.system is not None:
            body["systemInstruction"] = {"parts": [{"text": request.system}]}
        return body

    def with_tool(self, body: Body, tool: Tool) -> dict[str, Any]:
        function = {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
        }
        forced = {"mode": "ANY", "allowedFunctionNames": [tool.name]}
        return {
            **body,
            "tools": [{"functionDeclarations": [function]}],
            "toolConfig": {"functionCallingConfig": forced},
        }

    def with_result(self, body: Body, turn: ProtocolReader, result: JsonObject) -> dict[str, Any]:
        call = turn.call or ToolCall()
        named = {"name": call.name, **({"id": call.id} if call.id else {})}
        called = {"functionCall": {**named, "args": json_object(call.arguments)}, **call.beside}
        given = {"functionResponse": {**named, "response": result}}
        turns = [{"role": "model", "parts": [called]}, {"role": "user", "parts": [given]}]
        return {**body, "contents": [*body["contents"], *turns]}


GEMINI = GeminiProtocol()


class GeminiProbe(CountingPrompt):
    kind: ClassVar[str] = "gemini"
    title: ClassVar[str] = "Gemini"
    main_rank: ClassVar[int] = 3
    controlled: ClassVar[Mapping[str, str]] = GeminiProtocol.controlled

    @property
    def protocol(self) -> ConversationProtocol:
        return GEMINI
