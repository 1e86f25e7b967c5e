"""Probes Anthropic's messages, at the source or through a relay."""

from collections.abc import Mapping
from typing import Any, ClassVar

from monitor.model import Endpoint, Habit
from monitor.probes.kinds.conversation import ConversationProtocol, CountingPrompt, ModelRequest
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import AnthropicReader, ProtocolReader

_VERSION = "2023-06-01"


class MessagesProtocol(ConversationProtocol):
    """Knows Anthropic's messages, whose key has a header of its own."""

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


MESSAGES = MessagesProtocol()


class MessagesProbe(CountingPrompt):
    kind: ClassVar[str] = "messages"
    title: ClassVar[str] = "Messages"
    main_rank: ClassVar[int] = 1
    controlled: ClassVar[Mapping[str, str]] = MessagesProtocol.controlled

    @property
    def protocol(self) -> ConversationProtocol:
        return MESSAGES
