"""Probes OpenAI's legacy completions with a text to continue, as base models understand nothing else."""

from collections.abc import Mapping
from random import Random
from typing import Any, ClassVar

from monitor.model import Habit
from monitor.probes.answer.challenges import Challenge, continuing
from monitor.probes.kinds.conversation import TextPrompt
from monitor.probes.kinds.conversation_protocol import ConversationProtocol, ModelRequest
from monitor.probes.parameter_fallback import Body, without
from monitor.probes.probe import RunCost
from monitor.probes.readers import ChatReader, ProtocolReader


class CompletionsProtocol(ConversationProtocol):
    """Knows the older API of completions, which continues a prompt."""

    route: ClassVar[str] = "/v1/completions"
    reader: ClassVar[type[ProtocolReader]] = ChatReader
    signs: ClassVar[tuple[str, ...]] = ("choices",)
    droppable: ClassVar[Mapping[str, str]] = {
        name: name for name in ("max_tokens", "stream_options", "temperature")
    }
    caps: ClassVar[frozenset[str]] = frozenset({"max_tokens"})

    controlled: ClassVar[Mapping[str, str]] = {
        "model": "model",
        "prompt": "text",
        "stream": "stream",
        "max_tokens": "max_tokens",
        "n": "",
        "best_of": "",
    }

    def body(self, request: ModelRequest, habit: Habit) -> Body:
        body: dict[str, Any] = {
            "model": request.model,
            "prompt": "\n\n".join(filter(None, (request.system, request.content))),
            "max_tokens": request.cap,
            "temperature": 0,
            "stream": request.stream,
        }
        if request.stream:
            body["stream_options"] = {"include_usage": True}
        return without(body, habit.refused)


COMPLETIONS = CompletionsProtocol()


class CompletionsProbe(TextPrompt):
    kind: ClassVar[str] = "completions"
    title: ClassVar[str] = "Completions"
    main_rank: ClassVar[int] = 4
    audited: ClassVar[bool] = False
    controlled: ClassVar[Mapping[str, str]] = CompletionsProtocol.controlled

    @property
    def protocol(self) -> ConversationProtocol:
        return COMPLETIONS

    def asked_cost(self) -> RunCost:
        if self.text is not None:
            return super().asked_cost()
        return RunCost(tokens_in=30, tokens_out=self.cap(Habit()))

    def usual_cap(self) -> int:
        """Leave room for four numbers of five digits, with a token for each digit and each space."""
        return max(32, super().usual_cap())

    def usual_challenge(self, rng: Random) -> Challenge:
        return continuing(rng)
