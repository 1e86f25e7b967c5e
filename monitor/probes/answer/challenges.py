"""Makes questions whose answer is not in the question, so that no cache, echo or canned text passes.

Randomness is an argument: any object with `randint`.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from monitor.probes.readers import ProtocolReader
from monitor.probes.readers.base import JsonObject, ToolCall, json_object

COUNT = 64
"""Numbers to count: at least 64 tokens with every known tokenizer, enough to tell a burst."""
_NEEDED_SHARE = 0.9
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[a-z]+")
_PREFACE = 4
"""Numbers that may stand in a sentence before the answer."""
_CONSONANTS = "bcdfghjklmnpqrstvwxz"
_COMMON = tuple(
    "time year people way day man thing life child world school state family group country problem hand part place case".split()  # noqa: SIM905  # as prose
)
"""Words that the usual tokenizers know as a token each."""
_GIVEN = 8
_NEXT = 4
"""How many numbers a base model is given to continue, and how many must come back."""


class Dice(Protocol):
    def randint(self, a: int, b: int, /) -> int: ...


class Question:
    """The base of all questions; the answers to most of them prove no more than that they are right."""

    __slots__ = ()

    def is_whole(self, answer: str) -> bool:  # noqa: ARG002  # for subclasses
        """Say whether the answer itself proves that nothing of it was cut off."""
        return False

    def is_begun(self, answer: str) -> bool:  # noqa: ARG002  # for subclasses
        """Say whether the answer is right as far as it goes."""
        return False


@dataclass(frozen=True, slots=True)
class Counting(Question):
    """Many tokens, exactly checkable. `first` is part of the question, the rest is not."""

    first: int
    count: int = COUNT
    tag: str = ""

    @property
    def prompt(self) -> str:
        last = self.first + self.count - 1
        return f"{self.tag}Write the whole numbers {self.first} to {last} in order, separated by spaces, and nothing else."

    def check(self, answer: str) -> bool:
        """Require the first nine tenths of the usual count, in order, without a gap: a long one may tire."""
        needed = int(min(self.count, COUNT) * _NEEDED_SHARE)
        return self._numbers(answer)[:needed] == self._wanted()[:needed]

    def is_begun(self, answer: str) -> bool:
        """Leave out the last number, which may be cut in two."""
        numbers = self._numbers(answer)[:-1]
        return bool(numbers) and numbers == self._wanted()[: len(numbers)]

    def is_whole(self, answer: str) -> bool:
        return self._numbers(answer) == self._wanted()

    def want(self) -> str:
        return f"the numbers {self.first} to {self.first + self.count - 1}"

    def _wanted(self) -> list[int]:
        return list(range(self.first, self.first + self.count))

    def _numbers(self, answer: str) -> list[int]:
        return _counted(answer, self.first, self.count)


@lru_cache(maxsize=1)
def _counted(answer: str, first: int, count: int) -> list[int]:
    """Return the numbers of an answer, without the few of a sentence before it.

    The last result is kept, because the same answer is asked several times in a row.
    """
    numbers = _NUMBER.findall(answer)[: count + 2 * _PREFACE]
    values = [int(digits[:9]) for digits in numbers]
    begin = [first, first + 1][:count]
    starts = (at for at in range(_PREFACE + 1) if values[at : at + 2] == begin)
    return values[next(starts, 0) :]


@dataclass(frozen=True, slots=True)
class Addition(Question):
    """The cheapest question: its answer has one to three tokens."""

    left: int
    right: int
    tag: str = ""

    @property
    def prompt(self) -> str:
        return f"{self.tag}What is {self.left} plus {self.right}? Answer with the number alone."

    def check(self, answer: str) -> bool:
        return str(self.left + self.right) in _NUMBER.findall(answer.replace(",", ""))

    def is_whole(self, answer: str) -> bool:
        return answer.strip().rstrip(".") == str(self.left + self.right)

    def want(self) -> str:
        return str(self.left + self.right)


@dataclass(frozen=True, slots=True)
class OwnQuestion(Question):
    """The operator's own question; without an expected answer any text will do."""

    prompt: str
    answer: str | None = None

    def check(self, answer: str) -> bool:
        return self.answer is None or self.answer.lower() in answer.lower()

    def want(self) -> str:
        return f'a text with "{self.answer}"'


@dataclass(frozen=True, slots=True)
class Continuation(Question):
    """Numbers to continue: base models follow no orders, but they do follow a pattern."""

    first: int

    @property
    def prompt(self) -> str:
        return " ".join(map(str, self._from(self.first)))

    def check(self, answer: str) -> bool:
        """Require the next few: such a model stops anywhere, and a cap may cut a number."""
        return [int(digits[:9]) for digits in _NUMBER.findall(answer)[:_NEXT]] == self._wanted()

    def want(self) -> str:
        return "the numbers " + ", ".join(map(str, self._wanted()))

    def _wanted(self) -> list[int]:
        return list(self._from(self.first + _GIVEN))[:_NEXT]

    def _from(self, number: int) -> range:
        return range(number, number + _GIVEN)


@dataclass(frozen=True, slots=True)
class ColourQuestion(Question):
    """Asks which colour a picture has. The picture holds the answer, the question does not."""

    name: str
    picture: bytes
    """PNG."""

    @property
    def prompt(self) -> str:
        return "What colour is this picture? Answer with one word."

    def check(self, answer: str) -> bool:
        """Require that colour and no other: a list of all of them is no answer."""
        return {word for word in _WORD.findall(answer.lower()) if word in COLOURS} == {self.name}

    def is_whole(self, answer: str) -> bool:
        return answer.strip().rstrip(".").lower() == self.name

    def want(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class OneWord(Question):
    """Asks for one word of the model's own choice: nothing is right or wrong, but some words come more often."""

    cell: str
    """What it asks for; words of one cell are compared."""
    system: str
    prompt: str

    def check(self, answer: str) -> bool:  # noqa: ARG002  # any answer will do
        return True

    def want(self) -> str:
        return "one word"


@dataclass(frozen=True, slots=True)
class StructuredSum(Question):
    """A sum whose answer is to come as JSON: the question does not speak of it, only the schema does."""

    left: int
    right: int
    tag: str

    @property
    def prompt(self) -> str:
        return f"{self.tag}What is {self.left} plus {self.right}?"

    def check(self, answer: str) -> bool:  # noqa: ARG002  # the probe reads it itself
        return True

    def want(self) -> str:
        return f'{{"sum": {self.left + self.right}}}'


@dataclass(frozen=True, slots=True)
class ToolQuestion(Question):
    """Asks for a number that only a tool knows; the call of the tool is read apart from the words."""

    word: str
    number: int

    @property
    def prompt(self) -> str:
        return f'Look up the word "{self.word}" with the tool, and answer with the number that it returns.'

    def check(self, answer: str) -> bool:  # noqa: ARG002  # the probe reads the call itself
        return True

    def is_asked_by(self, call: ToolCall | None) -> bool:
        """Say whether a call asks the tool for the word."""
        return call is not None and json_object(call.arguments).get("word") == self.word

    def want(self) -> str:
        return f'"{self.word}"'


@dataclass(frozen=True, slots=True)
class ToolResult(Question):
    """Goes on from a call of the tool: with what the tool says the question can be answered."""

    question: ToolQuestion
    turn: ProtocolReader
    """What the model said first: the call."""

    @property
    def prompt(self) -> str:
        return self.question.prompt

    @property
    def result(self) -> JsonObject:
        return {"number": self.question.number}

    def check(self, answer: str) -> bool:
        return str(self.question.number) in _NUMBER.findall(answer.replace(",", ""))

    def want(self) -> str:
        return str(self.question.number)


@dataclass(frozen=True, slots=True)
class PrefixedQuestion(OwnQuestion):
    """A question behind a long text that nobody has seen before; any answer will do."""

    prefix: str = ""


COLOURS = {
    "red": (225, 20, 20),
    "green": (20, 150, 20),
    "blue": (20, 20, 225),
    "yellow": (245, 230, 20),
    "black": (10, 10, 10),
    "white": (245, 245, 245),
}
"""Colours that nobody disputes; each channel has room for a random shade of 10."""
_SIDE = 64
"""Pixels; some models refuse pictures under 28."""

Challenge = (
    Counting
    | Addition
    | OwnQuestion
    | Continuation
    | ColourQuestion
    | OneWord
    | StructuredSum
    | ToolQuestion
    | ToolResult
    | PrefixedQuestion
)


def counting(dice: Dice, count: int = COUNT) -> Counting:
    return Counting(dice.randint(200, 900), count, _tag(dice))


def addition(dice: Dice) -> Addition:
    """Return a sum of two-digit numbers that has three digits, so that it is neither of them."""
    return Addition(dice.randint(51, 99), dice.randint(51, 99), _tag(dice))


def structured_sum(dice: Dice) -> StructuredSum:
    return StructuredSum(dice.randint(51, 99), dice.randint(51, 99), _tag(dice))


def continuing(dice: Dice) -> Continuation:
    """Return numbers of five digits: base models have no use for a tag, so they must be new themselves."""
    return Continuation(dice.randint(10_000, 90_000))


def tool_question(dice: Dice) -> ToolQuestion:
    return ToolQuestion(_word(dice), dice.randint(1000, 9999))


def long_prefix(dice: Dice, tokens: int) -> str:
    """Return a text of so many tokens or more. It begins with random words, so that no cache has seen any of it."""
    words = (_COMMON[dice.randint(0, len(_COMMON) - 1)] for _ in range(tokens))
    return f"Notes {_word(dice)} {_word(dice)}, not needed for the question: {' '.join(words)}."


def behind(prefix: str, dice: Dice) -> PrefixedQuestion:
    """Return a sum to be asked behind a text: another one each time, so that nobody can keep the answer."""
    return PrefixedQuestion(prompt=addition(dice).prompt, prefix=prefix)


def _tag(dice: Dice) -> str:
    """Return a random word: with it there are so many questions that no cache has seen this one."""
    return f"Task {_word(dice)}: "


def _word(dice: Dice) -> str:
    return "".join(_CONSONANTS[dice.randint(0, len(_CONSONANTS) - 1)] for _ in range(5))


def colour(dice: Dice) -> ColourQuestion:
    """Return a picture in a shade that is new each time, so that no cache knows it."""
    name, channels = list(COLOURS.items())[dice.randint(0, len(COLOURS) - 1)]
    shade = bytes(channel + dice.randint(-10, 10) for channel in channels)
    return ColourQuestion(name, _png(shade))


def _png(pixel: bytes) -> bytes:
    """Encode a square of one colour, eight bits for each channel."""
    head = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + pixel * _SIDE) * _SIDE, 9)
    parts = (_part(b"IHDR", head), _part(b"IDAT", rows), _part(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
