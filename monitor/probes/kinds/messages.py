"""Probes Anthropic's messages, at the source or through a relay."""

from collections.abc import Mapping
from typing import Any, ClassVar

from monitor.model import Endpoint, Habit
from monitor.probes.answer.challenges import Challenge
from monitor.probes.kinds.conversation import CountingPrompt
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import AnthropicReader, ProtocolReader

_VERSION = "2023-06-01"


class MessagesProbe(CountingPrompt):
    kind: ClassVar[str] = "messages"
    title: ClassVar[str] = "Messages"
    main_rank: ClassVar[int] = 1
    route: ClassVar[str] = "/v1/messages"
    reader: ClassVar[type[ProtocolReader]] = AnthropicReader
    signs: ClassVar[tuple[str, ...]] = ("content",)
    droppable: ClassVar[Mapping[str, str]] = {"temperature": "temperature"}
    caps: ClassVar[frozenset[str]] = frozenset({"max_tokens"})
    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "messages": "text",
        "stream": "stream",
        "max_tokens": "max_tokens",
    }

    def auth(self, endpoint: Endpoint) -> Mapping[str, str]:
        key = {} if endpoint.key is None else {"x-api-key": endpoint.key.reveal()}
        return {"anthropic-version": _VERSION, **key}

    def body(self, model: str, challenge: Challenge, habit: Habit) -> Body:
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": self.cap(habit),
            "messages": [{"role": "user", "content": challenge.prompt}],
            "temperature": 0,
            "stream": self.stream,
        }
        if self.system is not None:
            body["system"] = self.system
        return without(body, habit.refused)
