"""Questions whose answer is not in the question, so that no cache, echo or canned text passes.

Randomness is an argument: any object with `randint`.
"""

import re
from dataclasses import dataclass
from typing import Protocol

COUNT = 64
"""Numbers to count: at least 64 tokens with every known tokenizer, enough to tell a burst."""
_NEEDED = 0.9
_NUMBER = re.compile(r"\d+")


class Dice(Protocol):
    def randint(self, a: int, b: int, /) -> int: ...


@dataclass(frozen=True, slots=True)
class Counting:
    """Many tokens, exactly checkable. `first` is part of the question, the rest is not."""

    first: int

    @property
    def prompt(self) -> str:
        last = self.first + COUNT - 1
        return f"Write the whole numbers {self.first} to {last} in order, separated by spaces, and nothing else."

    def check(self, answer: str) -> bool:
        """The first nine tenths, in order, without a gap."""
        needed = int(COUNT * _NEEDED)
        return self._numbers(answer)[:needed] == self._wanted()[:needed]

    def is_whole(self, answer: str) -> bool:
        """Every number to the last: proof that nothing of the answer was cut off."""
        return self._numbers(answer) == self._wanted()

    def want(self) -> str:
        return f"the numbers {self.first} to {self.first + COUNT - 1}"

    def _wanted(self) -> list[int]:
        return list(range(self.first, self.first + COUNT))

    def _numbers(self, answer: str) -> list[int]:
        return [int(digits[:9]) for digits in _NUMBER.findall(answer)[: COUNT + 8]]


@dataclass(frozen=True, slots=True)
class Sum:
    """The cheapest: an answer of one to three tokens."""

    left: int
    right: int

    @property
    def prompt(self) -> str:
        return f"What is {self.left} plus {self.right}? Answer with the number alone."

    def check(self, answer: str) -> bool:
        return str(self.left + self.right) in _NUMBER.findall(answer.replace(",", ""))

    def is_whole(self, answer: str) -> bool:
        return answer.strip().rstrip(".") == str(self.left + self.right)

    def want(self) -> str:
        return str(self.left + self.right)


@dataclass(frozen=True, slots=True)
class Own:
    """The operator's own question; without an expected answer any text will do."""

    prompt: str
    answer: str | None = None

    def check(self, answer: str) -> bool:
        return self.answer is None or self.answer.lower() in answer.lower()

    def is_whole(self, answer: str) -> bool:  # noqa: ARG002
        return False

    def want(self) -> str:
        return f'a text with "{self.answer}"'


Challenge = Counting | Sum | Own


def counting(dice: Dice) -> Counting:
    return Counting(dice.randint(200, 900))


def addition(dice: Dice) -> Sum:
    """Two-digit numbers whose sum has three digits, so that it is neither of them."""
    return Sum(dice.randint(51, 99), dice.randint(51, 99))
