"""Defines what an API knows of asking a model: where, with which headers and body, and who reads the answer."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from monitor.model import Endpoint, Habit
from monitor.probes.kinds.api_call import bearer
from monitor.probes.parameter_fallback import Body
from monitor.probes.readers import ProtocolReader
from monitor.probes.readers.base import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """Holds what one call asks of a model, whichever protocol carries it."""

    model: str
    content: Any
    """The question: a text, or a list of parts in the words of its protocol."""
    cap: int
    """The most tokens that the answer may have."""
    stream: bool
    system: str | None = None
    """What stands before the question, where the protocol has it."""
    effort: str | None = None
    """The reasoning effort that the operator wants."""


class ConversationProtocol(ABC):
    """Knows how one API asks a model: where, with which headers and body, and who reads the answer."""

    route: ClassVar[str]
    """The usual path, from the API's version on."""
    reader: ClassVar[type[ProtocolReader]]
    signs: ClassVar[tuple[str, ...]]
    """Lists or tables of which every whole answer has one."""
    droppable: ClassVar[Mapping[str, str]]
    """What a server may call a parameter that it refuses -> its name in our body."""
    least_cap: ClassVar[int] = 1
    """The smallest cap of an answer that the API takes."""
    caps: ClassVar[frozenset[str]]
    """The parameters that carry the cap: a server that refuses them all knows none."""
    controlled: ClassVar[Mapping[str, str]]
    """The parameters that a probe itself must set, as dotted paths -> the probe's key for it; "" for none."""

    def route_to(self, model: str, *, stream: bool) -> str:  # noqa: ARG002  # Gemini's route names both
        """Return the usual path for a model, from the API's version on."""
        return self.route

    def auth(self, endpoint: Endpoint) -> Mapping[str, str]:
        """Return the headers that carry the key."""
        return bearer(endpoint)

    def behind(self, prefix: str, question: str) -> Any:
        """Return a question behind a long text that a cache may keep, where the protocol can say so."""
        return f"{prefix}\n\n{question}"

    @abstractmethod
    def body(self, request: ModelRequest, habit: Habit) -> Body:
        """Return the parameters of a request, without those that this server refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Describes a tool that a model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: JsonObject


class ToolProtocol(ConversationProtocol):
    """Knows also how its API has a model call tools."""

    api: ClassVar[str]
    """Its name where the operator chooses among such protocols."""
    tool_choice: ClassVar[str]
    """The parameter that forces a call; it is left out where it is refused."""
    tool_prompt_tokens: ClassVar[int] = 0
    """What the API adds unseen to a request with tools."""
    needs_call_id: ClassVar[bool] = True
    """Whether a tool's result must name the id of the call."""

    @abstractmethod
    def with_tool(self, body: Body, tool: Tool) -> dict[str, Any]:
        """Return a request with a tool that the model must call."""

    @abstractmethod
    def with_result(self, body: Body, turn: ProtocolReader, result: JsonObject) -> dict[str, Any]:
        """Return a request in which the call of a turn and the tool's result follow the question."""
