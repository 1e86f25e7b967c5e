"""Conversations about a text: what is asked, and how many tokens its answer needs."""

from random import Random
from typing import Self

from pydantic import Field, model_validator

from monitor.model import Habit, Spend
from monitor.probes.answer.challenges import COUNT, Challenge, Own, addition, counting
from monitor.probes.kinds.conversation import Conversation

_COUNTING_CAP = 5 * COUNT


class Question(Conversation):
    """A conversation about a text: ours, or the operator's own."""

    text: str | None = Field(default=None, description="your own question")
    answer: str | None = Field(default=None, description="what the answer to `text` must contain")

    @model_validator(mode="after")
    def _answer_has_question(self) -> Self:
        if self.answer is not None and self.text is None:
            raise ValueError("got `answer` without `text`, want the question that it answers")
        return self

    def worst_case(self, habit: Habit) -> Spend:
        return super().worst_case(habit) + Spend(tokens=len((self.text or "").encode()))

    def challenge(self, rng: Random) -> Challenge:
        if self.text is not None:
            return Own(self.text, self.answer)
        return self.usual(rng)

    def usual(self, rng: Random) -> Challenge:
        """What is asked where the operator asks nothing."""
        raise NotImplementedError


class Counted(Question):
    """Counting where the answer streams, long enough to tell a burst; else the cheapest, a sum."""

    numbers: int | None = Field(
        default=None, ge=COUNT, le=20_000, description="how many to count, for a long answer"
    )

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if self.numbers is not None and self.text is not None:
            raise ValueError("got `numbers` beside `text`, want one of the two")
        return self

    def usual(self, rng: Random) -> Challenge:
        if self.stream or self.numbers:
            return counting(rng, self.numbers or COUNT)
        return addition(rng)

    def usual_cap(self) -> int:
        """Some tokenizers take a token for every digit and for every space."""
        counts = self.stream and self.text is None
        return max(_COUNTING_CAP if counts else super().usual_cap(), 3 * (self.numbers or 0))

    @property
    def long(self) -> bool:
        """One answer that takes its time: where an edge cuts such calls, this one finds it."""
        return not self.stream and (self.numbers or 0) > COUNT
