"""Holds what kinds share that ask the same of whichever API the operator names."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, WithJsonSchema

from monitor.probes.kinds.chat import CHAT
from monitor.probes.kinds.conversation import Conversation
from monitor.probes.kinds.conversation_protocol import ToolProtocol
from monitor.probes.kinds.gemini import GEMINI
from monitor.probes.kinds.messages import MESSAGES
from monitor.probes.kinds.responses import RESPONSES

PROTOCOLS: Mapping[str, ToolProtocol] = {
    protocol.api: protocol for protocol in (CHAT, RESPONSES, MESSAGES, GEMINI)
}


def _known(api: str) -> str:
    if api not in PROTOCOLS:
        names = ", ".join(f'"{name}"' for name in PROTOCOLS)
        raise ValueError(f'got "{api}", want one of {names}')
    return api


ApiName = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": [*PROTOCOLS]})
]


class ChosenApi(Conversation):
    """A conversation in the API that the operator names."""

    controlled: ClassVar[Mapping[str, str]] = {
        path: key for protocol in PROTOCOLS.values() for path, key in protocol.controlled.items()
    }

    audited_through_each: ClassVar[bool] = False
    """Whether an audit asks through each API that works, since each may lose what it tests."""

    api: ApiName = Field(default=CHAT.api, description="the API that is asked")
    max_tokens: int | None = Field(default=None, ge=16, description="cap of the answer")

    @property
    def protocol(self) -> ToolProtocol:
        return PROTOCOLS[self.api]
