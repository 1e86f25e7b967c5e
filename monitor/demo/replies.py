"""One reply of the simulated model, before an API puts it into its own format. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from monitor.demo.answers import answer, pieces, tokens_in
from monitor.demo.api_errors import Json, bad_request
from monitor.demo.faults import SimulatedFault
from monitor.demo.models import CHAT_MODELS, known_model
from monitor.demo.pictures import colour_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The text of a reply in pieces. `end` is "stop", "length" or "filter", or None where it was cut off."""

    id: str
    model: str
    pieces: tuple[str, ...]
    end: str | None
    tokens_in: int
    reasoning: int = 0
    """Tokens that were spent on hidden reasoning."""
    has_usage: bool = True
    """Whether the reply says how many tokens it used."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def tokens_out(self) -> int:
        return len(self.pieces) + self.reasoning


class ApiFormat(Protocol):
    """Puts a reply into the format of one API: as one document, or as the bytes of a stream."""

    def document(self, reply: Reply) -> Json: ...

    def opening(self, reply: Reply) -> bytes: ...

    def chunk(self, reply: Reply, number: int) -> bytes: ...

    def ending(self, reply: Reply) -> bytes: ...

    def error(self, reply: Reply) -> bytes:
        """Return an error in the middle of a stream."""
        ...


def make_reply(model: Any, question: str, limit: int | None, rng: Random) -> Reply:
    """Answer a question in at most `limit` tokens. Raises ApiError for an unknown model."""
    tokens = pieces(answer(question))
    return Reply(
        id=f"{rng.getrandbits(96):024x}",
        model=known_model(model, *CHAT_MODELS),
        pieces=tokens[:limit],
        end="stop" if limit is None or len(tokens) <= limit else "length",
        tokens_in=tokens_in(question),
    )


def with_fault(reply: Reply, fault: SimulatedFault | None) -> Reply:
    """Return the reply as `fault` changes its content."""
    half = len(reply.pieces) // 2
    match fault:
        case SimulatedFault.EMPTY | SimulatedFault.NO_TOKEN:
            return replace(reply, pieces=())
        case SimulatedFault.POLITE_CUT:
            return replace(reply, pieces=reply.pieces[:half], end=None, has_usage=False)
        case SimulatedFault.WRONG_ANSWER:
            return replace(reply, pieces=tuple(" no" for _ in reply.pieces))
        case SimulatedFault.OTHER_MODEL:
            return replace(reply, model="tiny-substitute")
        case SimulatedFault.FILTERED:
            return replace(reply, pieces=reply.pieces[:1], end="filter")
        case SimulatedFault.OVERBILLED:
            return replace(reply, tokens_in=reply.tokens_in * 50)
        case SimulatedFault.UNCOUNTED:
            return replace(reply, has_usage=False)
        case SimulatedFault.THINKS_TOO_LONG:
            return replace(reply, pieces=(), end="length", reasoning=200)
        case _:
            return reply


def question_in(messages: Any, name: str = "messages") -> str:
    """Return the last text of the user; a picture in it is put into words."""
    if not isinstance(messages, list) or not messages:
        raise bad_request(f"{name} must be a list that is not empty", name)
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role", "user") == "user":
            return _text(message.get("content", message.get("parts")))
    raise bad_request("no message has the role user", name)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts: Sequence[Any] = content if isinstance(content, list) else []
    return " ".join(_part(part) for part in parts if isinstance(part, dict))


def _part(part: Mapping[str, Any]) -> str:
    picture = part.get("image_url")
    if isinstance(picture, dict):
        colour = colour_of(str(picture.get("url", "")))
        if colour is None:
            raise bad_request("the picture cannot be read", "image_url")
        return f"[a picture, all {colour}]"
    text = part.get("text")
    return text if isinstance(text, str) else ""


def token_limit(body: Mapping[str, Any], *names: str) -> int | None:
    """Return the first of these fields that is set. Raises ApiError where it is no positive number."""
    for name in names:
        limit = body.get(name)
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise bad_request(f"{name} must be a whole number of at least 1", name)
        return limit
    return None
