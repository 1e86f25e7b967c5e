"""What the simulated model answers: it reads the question as text, as a model would. Pure.

Sums, differences, products and counting are understood however they are worded, numbers alone are
gone on with, and a picture is named by its colour; anything else gets a friendly sentence. The longer answers come in pieces the size of a model's tokens.
"""

import re
from collections.abc import Callable, Sequence
from operator import add, mul, sub

_LONGEST = 2000
"""Numbers that one answer counts at most, so that nobody can ask for a million."""
_DIGITS = 12
_N = rf"(-?\d{{1,{_DIGITS}}})"
_COUNTING = re.compile(
    rf"\b(?:count|list|numbers?|integers?|write|say)\b.*?{_N}\s*(?:\bto\b|\bthrough\b|\buntil\b|[-\u2013\u2026]|\.\.+)\s*{_N}",
    re.IGNORECASE | re.DOTALL,
)
Operation = Callable[[int, int], int]


def _swapped(left: int, right: int) -> int:
    return right - left


_SUMS: Sequence[tuple[re.Pattern[str], Operation]] = tuple(
    (re.compile(pattern, re.IGNORECASE), operation)
    for pattern, operation in (
        (rf"subtract\w*\s+{_N}\s+from\s+{_N}", _swapped),
        (rf"(?:sum|total)\s+of\s+{_N}\s*(?:and|,|\+)\s*{_N}", add),
        (rf"add\w*\s+{_N}\s*(?:and|to|,|\+)\s*{_N}", add),
        (rf"difference\s+(?:of|between)\s+{_N}\s*(?:and|,)\s*{_N}", sub),
        (rf"product\s+of\s+{_N}\s*(?:and|,|by)\s*{_N}", mul),
        (rf"multipl\w+\s+{_N}\s*(?:and|by|with|,)\s*{_N}", mul),
        (rf"{_N}\s*(?:\+|\bplus\b)\s*{_N}", add),
        (rf"{_N}\s*(?:[-\u2212]|\bminus\b|\bless\b)\s*{_N}", sub),
        (rf"{_N}\s*(?:[*x\u00d7]|\btimes\b|\bmultiplied\s+by\b)\s*{_N}", mul),
    )
)
_SEQUENCE = re.compile(r"\s*\d{1,9}(?:[\s,]+\d{1,9}){2,}[\s,]*\Z")
_ON = 20
_PICTURE = re.compile(r"\[a picture, all (\w+)\]")
_OTHERWISE = (
    "I am the simulated model of this demonstration: I can add, subtract, multiply and count, "
    "and to everything else I say this sentence."
)


def answer(question: str) -> str:
    """The right answer where there is one to find, else a sentence."""
    picture = _PICTURE.search(question)
    if picture:
        return picture[1]
    if _SEQUENCE.match(question):
        return _go_on([int(number) for number in re.findall(r"\d+", question)])
    counted = _COUNTING.search(question)
    if counted:
        return _count(int(counted[1]), int(counted[2]))
    for pattern, operation in _SUMS:
        found = pattern.search(question)
        if found:
            return str(operation(int(found[1]), int(found[2])))
    return _OTHERWISE


def _go_on(numbers: list[int]) -> str:
    """As a base model would, which knows no orders: the same step again and again."""
    step = numbers[-1] - numbers[-2]
    return "".join(f" {numbers[-1] + step * n}" for n in range(1, _ON + 1))


def _count(first: int, last: int) -> str:
    step = 1 if last >= first else -1
    return " ".join(str(number) for number in range(first, last + step, step)[:_LONGEST])


def pieces(text: str) -> tuple[str, ...]:
    """Words with the space before them: joined again they are the text. A word is a token here."""
    return tuple(re.findall(r"\s*\S+", text))


def tokens_in(text: str) -> int:
    """The usual rule of thumb, four characters a token, and the wrapper around a chat message."""
    return len(text) // 4 + 8
