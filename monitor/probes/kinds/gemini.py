"""Probes Google's Gemini in its own protocol."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from monitor.model import Endpoint, Habit
from monitor.probes.kinds.conversation import ConversationProtocol, CountingPrompt, ModelRequest
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.readers import GeminiReader, ProtocolReader


class GeminiProtocol(ConversationProtocol):
    """Knows Google's `generateContent`, whose path names the model."""

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
    }
    caps: ClassVar[frozenset[str]] = frozenset({"maxOutputTokens"})

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


GEMINI = GeminiProtocol()


class GeminiProbe(CountingPrompt):
    kind: ClassVar[str] = "gemini"
    title: ClassVar[str] = "Gemini"
    main_rank: ClassVar[int] = 3
    controlled: ClassVar[Mapping[str, str]] = GeminiProtocol.controlled

    @property
    def protocol(self) -> ConversationProtocol:
        return GEMINI
