"""Probes OpenAI's chat completions with the smallest question whose answer proves that a model is there."""

from collections.abc import Mapping
from typing import Any, ClassVar

from monitor.model import Habit
from monitor.probes.kinds.conversation import (
    ConversationProtocol,
    CountingPrompt,
    ModelRequest,
    ReasoningConversation,
)
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import ChatReader, ProtocolReader

_DROPPABLE = (
    "max_tokens",
    "max_completion_tokens",
    "stream_options",
    "temperature",
    "reasoning_effort",
)


class ChatProtocol(ConversationProtocol):
    """Knows OpenAI's chat completions and its many clones."""

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
