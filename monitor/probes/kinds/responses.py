"""Probes OpenAI's Responses API."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Habit
from monitor.probes.kinds.conversation import (
    ConversationProtocol,
    CountingPrompt,
    ModelRequest,
    ReasoningConversation,
)
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import ProtocolReader, ResponsesReader


class ResponsesProtocol(ConversationProtocol):
    """Knows the Responses API; nothing of what is asked is stored."""

    route: ClassVar[str] = "/v1/responses"
    reader: ClassVar[type[ProtocolReader]] = ResponsesReader
    signs: ClassVar[tuple[str, ...]] = ("output",)
    droppable: ClassVar[Mapping[str, str]] = {
        "max_output_tokens": "max_output_tokens",
        "temperature": "temperature",
        "store": "store",
        "reasoning.effort": "reasoning",
        "reasoning": "reasoning",
    }
    caps: ClassVar[frozenset[str]] = frozenset({"max_output_tokens"})
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
