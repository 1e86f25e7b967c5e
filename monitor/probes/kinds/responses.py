"""Probes OpenAI's Responses API."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Habit
from monitor.probes.answer.challenges import Challenge
from monitor.probes.kinds.conversation import CountingPrompt
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import ProtocolReader, ResponsesReader


class ResponsesProbe(CountingPrompt):
    kind: ClassVar[str] = "responses"
    title: ClassVar[str] = "Responses"
    main_rank: ClassVar[int] = 2
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

    max_tokens: int | None = Field(default=None, ge=16, description="cap of the answer")
    effort: str | None = Field(
        default=None, description="reasoning effort to ask for, where the model reasons"
    )

    def body(self, model: str, challenge: Challenge, habit: Habit) -> Body:
        body: dict[str, Any] = {
            "model": model,
            "input": challenge.prompt,
            "max_output_tokens": self.cap(habit),
            "temperature": 0,
            "store": False,
            "stream": self.stream,
        }
        if self.system is not None:
            body["instructions"] = self.system
        # Only models that reason refuse a temperature: those think least when asked to.
        reasons = habit.reasons or "temperature" in habit.refused
        effort = self.effort or ("low" if reasons else None)
        if effort is not None:
            body["reasoning"] = {"effort": effort}
        return without(body, habit.refused)
