"""One answer of the simulated model, before any API puts it into its own shape. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from monitor.demo.answers import answer, pieces, tokens_in
from monitor.demo.faults import Act
from monitor.demo.models import CHAT_MODELS, known_model
from monitor.demo.pictures import colour_of
from monitor.demo.refusals import Json, bad_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`end` is "stop", "length" or "filter"; None is an answer that was cut off."""

    id: str
    model: str
    pieces: tuple[str, ...]
    end: str | None
    tokens_in: int
    reasoning: int = 0
    """Tokens thought and not shown."""
    counted: bool = True
    """Whether the answer says what it used."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def tokens_out(self) -> int:
        return len(self.pieces) + self.reasoning


class Voice(Protocol):
    """How one API says a reply. Events are ready to send."""

    def whole(self, reply: Reply) -> Json: ...

    def opening(self, reply: Reply) -> bytes: ...

    def piece(self, reply: Reply, number: int) -> bytes: ...

    def ending(self, reply: Reply) -> bytes: ...

    def broken(self, reply: Reply) -> bytes:
        """An error in the middle of the stream."""
        ...


def make(model: Any, question: str, cap: int | None, rng: Random) -> Reply:
    """Raises RefusedError for what an honest server would refuse."""
    said = pieces(answer(question))
    return Reply(
        id=f"{rng.getrandbits(96):024x}",
        model=known_model(model, *CHAT_MODELS),
        pieces=said[:cap],
        end="stop" if cap is None or len(said) <= cap else "length",
        tokens_in=tokens_in(question),
    )


def spoilt(reply: Reply, act: Act | None) -> Reply:
    """The same reply with what `act` does to its content."""
    half = len(reply.pieces) // 2
    match act:
        case Act.EMPTY | Act.NO_TOKEN:
            return replace(reply, pieces=())
        case Act.POLITE_CUT:
            return replace(reply, pieces=reply.pieces[:half], end=None, counted=False)
        case Act.WRONG_ANSWER:
            return replace(reply, pieces=tuple(" no" for _ in reply.pieces))
        case Act.OTHER_MODEL:
            return replace(reply, model="tiny-substitute")
        case Act.FILTERED:
            return replace(reply, pieces=reply.pieces[:1], end="filter")
        case Act.OVERBILLED:
            return replace(reply, tokens_in=reply.tokens_in * 50)
        case Act.UNCOUNTED:
            return replace(reply, counted=False)
        case Act.THINKS_TOO_LONG:
            return replace(reply, pieces=(), end="length", reasoning=200)
        case _:
            return reply


def question_in(messages: Any, name: str = "messages") -> str:
    """The last thing that the user said; a picture is put into words."""
    if not isinstance(messages, list) or not messages:
        raise bad_request(f"{name} must be a list that is not empty", name)
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role", "user") == "user":
            return text_in(message.get("content", message.get("parts")))
    raise bad_request("no message has the role user", name)


def text_in(content: Any) -> str:
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


def cap_in(body: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        cap = body.get(name)
        if cap is None:
            continue
        if not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
            raise bad_request(f"{name} must be a whole number of at least 1", name)
        return cap
    return None
