"""OpenAI-shaped chat: the smallest question whose answer proves that a model is behind the URL."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Habit
from monitor.probes.answer.challenges import Challenge
from monitor.probes.kinds.conversation import Conversation, CountingPrompt
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import ChatReader, ProtocolReader

CAPS = frozenset({"max_tokens", "max_completion_tokens"})
DROPPABLE = MappingProxyType(
    {
        name: name
        for name in (
            "max_tokens", "max_completion_tokens", "stream_options", "temperature",
            "reasoning_effort",
        )
    }
)  # fmt: skip


class ChatShape(Conversation):
    """The route and the reader of chat completions, whatever is asked."""

    reader: ClassVar[type[ProtocolReader]] = ChatReader
    signs: ClassVar[tuple[str, ...]] = ("choices",)
    droppable: ClassVar[Mapping[str, str]] = DROPPABLE
    caps: ClassVar[frozenset[str]] = CAPS

    effort: str | None = Field(
        default=None, description="reasoning effort to ask for, where the model reasons"
    )

    def path(self, model: str) -> str:  # noqa: ARG002
        return "/v1/chat/completions"

    def content(self, challenge: Challenge) -> Any:
        return challenge.prompt

    def body(self, model: str, challenge: Challenge, habit: Habit) -> Body:
        refused = habit.refused
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": self.content(challenge)}],
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
