"""The answers of the simulated model, which reads a question as text. Pure.

It adds, subtracts, multiplies and counts however the question is worded, continues a sequence of
numbers, and names the colour of a picture; to anything else it answers with one fixed sentence.
"""

import re
from collections.abc import Callable, Sequence
from operator import add, mul, sub

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


def tokens_in(text: str) -> int:
    """Estimate the tokens of a question: four characters a token, and eight for the chat message around it."""
    return len(text) // 4 + 8
