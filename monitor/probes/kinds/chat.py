"""Probes OpenAI's chat completions with the smallest question whose answer proves that a model is there."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Habit
from monitor.probes.answer.challenges import Challenge
from monitor.probes.kinds.conversation import Conversation, CountingPrompt
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import ChatReader, ProtocolReader

_DROPPABLE = (
    "max_tokens",
    "max_completion_tokens",
    "stream_options",
    "temperature",
    "reasoning_effort",
)


class ChatShape(Conversation):
    """The protocol of chat completions, whatever is asked."""

    route: ClassVar[str] = "/v1/chat/completions"
    reader: ClassVar[type[ProtocolReader]] = ChatReader
    signs: ClassVar[tuple[str, ...]] = ("choices",)
    droppable: ClassVar[Mapping[str, str]] = {name: name for name in _DROPPABLE}
    caps: ClassVar[frozenset[str]] = frozenset({"max_tokens", "max_completion_tokens"})
    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "messages": "text",
        "stream": "stream",
        "max_tokens": "max_tokens",
        "max_completion_tokens": "max_tokens",
        "n": "",
    }

    effort: str | None = Field(
        default=None, description="reasoning effort to ask for, where the model reasons"
    )

    def content(self, challenge: Challenge) -> Any:
        return challenge.prompt

    def system_text(self, challenge: Challenge) -> str | None:  # noqa: ARG002  # for subclasses
        return self.system

    def body(self, model: str, challenge: Challenge, habit: Habit) -> Body:
        refused = habit.refused
        system = self.system_text(challenge)
        body: dict[str, Any] = {
            "model": model,
            "messages": [
                *([{"role": "system", "content": system}] if system else []),
                {"role": "user", "content": self.content(challenge)},
            ],
            "temperature": 0,
            "stream": self.stream,
        }
        if self.stream:
            body["stream_options"] = {"include_usage": True}
        body["max_completion_tokens" if "max_tokens" in refused else "max_tokens"] = self.cap(habit)
        # Only models that reason refuse `max_tokens`: those think least when asked to.
        reasons = habit.reasons or "max_tokens" in refused
        effort = self.effort or ("low" if reasons else None)
        if effort is not None:
            body["reasoning_effort"] = effort
        return without(body, refused)


class ChatProbe(ChatShape, CountingPrompt):
    kind: ClassVar[str] = "chat"
    title: ClassVar[str] = "Chat"
    main_rank: ClassVar[int] = 0
