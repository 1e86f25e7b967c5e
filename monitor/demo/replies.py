"""The replies of the simulated model, before an API puts them into its own format. Pure.

It adds, subtracts, multiplies and counts however the question is worded, continues a sequence of
numbers, and names the colour of a picture; to anything else it answers with one fixed sentence.
"""

import base64
import binascii
import json
import re
import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import add, mul, sub
from random import Random
from typing import Any

from monitor.demo.api_common import CHAT_MODELS, Json, bad_request, event, known_model
from monitor.demo.faults import SimulatedFault
from monitor.demo.token_rules import ADDED_PROMPT, RULES, tokens_in
from monitor.demo.tool_calls import NO_TOOLS, ToolTurns
from monitor.demo.word_draws import draw

_MAX_COUNT = 2000
"""How many numbers one answer counts at most."""
_MAX_DIGITS = 12
_NUMBER = rf"(-?\d{{1,{_MAX_DIGITS}}})"
_COUNTING = re.compile(
    rf"\b(?:count|list|numbers?|integers?|write|say)\b.*?{_NUMBER}\s*(?:\bto\b|\bthrough\b|\buntil\b|[-\u2013\u2026]|\.\.+)\s*{_NUMBER}",
    re.IGNORECASE | re.DOTALL,
)
Operation = Callable[[int, int], int]


def _swapped(left: int, right: int) -> int:
    return right - left


_ARITHMETIC: Sequence[tuple[re.Pattern[str], Operation]] = tuple(
    (re.compile(pattern, re.IGNORECASE), operation)
    for pattern, operation in (
        (rf"subtract\w*\s+{_NUMBER}\s+from\s+{_NUMBER}", _swapped),
        (rf"(?:sum|total)\s+of\s+{_NUMBER}\s*(?:and|,|\+)\s*{_NUMBER}", add),
        (rf"add\w*\s+{_NUMBER}\s*(?:and|to|,|\+)\s*{_NUMBER}", add),
        (rf"difference\s+(?:of|between)\s+{_NUMBER}\s*(?:and|,)\s*{_NUMBER}", sub),
        (rf"product\s+of\s+{_NUMBER}\s*(?:and|,|by)\s*{_NUMBER}", mul),
        (rf"multipl\w+\s+{_NUMBER}\s*(?:and|by|with|,)\s*{_NUMBER}", mul),
        (rf"{_NUMBER}\s*(?:\+|\bplus\b)\s*{_NUMBER}", add),
        (rf"{_NUMBER}\s*(?:[-\u2212]|\bminus\b|\bless\b)\s*{_NUMBER}", sub),
        (rf"{_NUMBER}\s*(?:[*x\u00d7]|\btimes\b|\bmultiplied\s+by\b)\s*{_NUMBER}", mul),
    )
)
_SEQUENCE = re.compile(r"\s*\d{1,9}(?:[\s,]+\d{1,9}){2,}[\s,]*\Z")
_CONTINUED = 20
_PICTURE = re.compile(r"\[a picture, all (\w+)\]")
CACHED_TOKENS = 1024
"""How many tokens of a question the cache keeps, if there are as many."""
CACHED_LENGTH = 4 * CACHED_TOKENS
_DEFAULT_ANSWER = (
    "I am the simulated model of this demonstration: I can add, subtract, multiply and count, "
    "and to everything else I say this sentence."
)


def answer(question: str) -> str:
    """Return the right answer to a question that it understands, else a fixed sentence."""
    picture = _PICTURE.search(question)
    if picture:
        return picture[1]
    if _SEQUENCE.match(question):
        return _continue([int(number) for number in re.findall(r"\d+", question)])
    counted = _COUNTING.search(question)
    if counted:
        return _count(int(counted[1]), int(counted[2]))
    for pattern, operation in _ARITHMETIC:
        numbers = pattern.search(question)
        if numbers:
            return str(operation(int(numbers[1]), int(numbers[2])))
    return _DEFAULT_ANSWER


def _continue(numbers: list[int]) -> str:
    """Repeat the last step, as a base model would that follows no instructions."""
    step = numbers[-1] - numbers[-2]
    return "".join(f" {numbers[-1] + step * n}" for n in range(1, _CONTINUED + 1))


def _count(first: int, last: int) -> str:
    step = 1 if last >= first else -1
    return " ".join(str(number) for number in range(first, last + step, step)[:_MAX_COUNT])


def pieces(text: str) -> tuple[str, ...]:
    """Split a text into words with the space before them. A word is a token here."""
    return tuple(re.findall(r"\s*\S+", text))


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
    prefix: str = ""
    """The beginning of a long question, which a cache may keep."""
    cached: int | None = 0
    """How many tokens of the question came from the cache; None where that is not said."""
    tool: str = ""
    """The tool that it calls: its pieces are then those of the arguments."""
    heeds_tool: bool = False
    """Whether it answers with what a tool returned."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def tokens_out(self) -> int:
        return len(self.pieces) + self.reasoning

    @property
    def arguments(self) -> Json:
        """Return the arguments of the tool's call; none where they are damaged."""
        try:
            value = json.loads(self.text)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class ApiFormat(ABC):
    """Puts a reply into the format of one API: as one document, or as the bytes of a stream."""

    @abstractmethod
    def document(self, reply: Reply) -> Json: ...

    def opening(self, reply: Reply) -> bytes:  # noqa: ARG002  # for subclasses
        return b""

    @abstractmethod
    def chunk(self, reply: Reply, number: int) -> bytes: ...

    @abstractmethod
    def ending(self, reply: Reply) -> bytes: ...

    def error(self, reply: Reply) -> bytes:  # noqa: ARG002  # for subclasses
        """Return an error in the middle of a stream, as OpenAI words it."""
        error = {"message": "the model stopped", "type": "upstream", "code": None}
        return event({"error": error})


def make_reply(
    model: Any, question: str, limit: int | None, rng: Random, turns: ToolTurns = NO_TOOLS
) -> Reply:
    """Answer a question in at most `limit` tokens, or call a tool. Raises ApiError for an unknown model."""
    model = known_model(model, *CHAT_MODELS)
    tool = ""
    if turns.wants_call:
        tool, text = turns.call(question)
    elif turns.results:
        text = turns.answer()
    else:
        text = draw(question, model, rng) or answer(question)
    tokens = pieces(text)
    return Reply(
        id=f"{rng.getrandbits(96):024x}",
        model=model,
        pieces=tokens[:limit],
        end="stop" if limit is None or len(tokens) <= limit else "length",
        tokens_in=tokens_in(question, model),
        prefix=question[:CACHED_LENGTH] if len(question) >= CACHED_LENGTH else "",
        tool=tool,
        heeds_tool=bool(turns.results),
    )


def structured(reply: Reply) -> Reply:
    """Return the same as JSON: the only schema that is known here has a `sum`."""
    document = json.dumps({"sum": int(reply.text)}) if reply.text.isdecimal() else "{}"
    return replace(reply, pieces=pieces(document))


def with_fault(reply: Reply, fault: SimulatedFault | None) -> Reply:
    """Return the reply as `fault` changes its content."""
    reply = _with_count_fault(_with_tool_fault(reply, fault), fault)
    half = len(reply.pieces) // 2
    match fault:
        case SimulatedFault.EMPTY | SimulatedFault.NO_TOKEN:
            return replace(reply, pieces=())
        case SimulatedFault.POLITE_CUT:
            return replace(reply, pieces=reply.pieces[:half], end=None, has_usage=False)
        case SimulatedFault.WRONG_ANSWER:
            return replace(reply, pieces=tuple(" no" for _ in reply.pieces))
        case SimulatedFault.SCHEMALESS:
            return replace(reply, pieces=pieces("The answer is easy."))
        case SimulatedFault.OTHER_MODEL:
            return replace(reply, model="tiny-substitute")
        case SimulatedFault.FILTERED:
            return replace(reply, pieces=reply.pieces[:1], end="filter")
        case SimulatedFault.THINKS_TOO_LONG:
            return replace(reply, pieces=(), end="length", reasoning=200)
        case _:
            return reply


def _with_count_fault(reply: Reply, fault: SimulatedFault | None) -> Reply:
    match fault:
        case SimulatedFault.OVERBILLED:
            return replace(reply, tokens_in=reply.tokens_in * 50)
        case SimulatedFault.BILLED_MORE:
            return replace(reply, tokens_in=reply.tokens_in * 13 // 10)
        case SimulatedFault.PROMPT_ADDED:
            added = RULES[reply.model].count(ADDED_PROMPT)
            return replace(reply, tokens_in=reply.tokens_in + added)
        case SimulatedFault.UNCOUNTED:
            return replace(reply, has_usage=False)
        case _:
            return reply


def _with_tool_fault(reply: Reply, fault: SimulatedFault | None) -> Reply:
    match fault if reply.tool else None:
        case SimulatedFault.TOOLLESS:
            return replace(reply, pieces=pieces("I would look it up."), tool="")
        case SimulatedFault.TOOL_CALL_CUT:
            return replace(reply, pieces=reply.pieces[:-1])
        case SimulatedFault.TOOL_CALL_CHANGED:
            changed = json.dumps(dict.fromkeys(reply.arguments, "something"))
            return replace(reply, pieces=pieces(changed))
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
        colour = _colour_of(str(picture.get("url", "")))
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


_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
}


def _colour_of(url: str) -> str | None:
    """Return the name nearest to the first pixel of a `data:` URL, or None if it is no such picture."""
    try:
        data = base64.b64decode(url.partition(";base64,")[2], validate=True)
        rows = zlib.decompressobj().decompress(_compressed_rows(data), 64)
    except (binascii.Error, zlib.error, struct.error):
        return None
    pixel = rows[1:4]
    if not data.startswith(_SIGNATURE) or len(pixel) < len("rgb"):
        return None
    return min(
        _COLOURS,
        key=lambda name: sum((a - b) ** 2 for a, b in zip(_COLOURS[name], pixel, strict=True)),
    )


def _compressed_rows(data: bytes) -> bytes:
    at, rows = len(_SIGNATURE), b""
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IDAT":
            rows += data[at + 8 : at + 8 + size]
        at += 12 + size
    return rows
