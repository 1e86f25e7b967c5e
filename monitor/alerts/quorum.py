"""Says what several vantages together make of one check: it works, it fails from some, or it is down. Pure.

Each vantage has a machine of its own (see `machine`). Its belief is a vote, and a vote counts only while
it stands for something that was measured lately. So silence is ignorance: it neither opens nor closes
anything. With a single vantage its own belief is the answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

MAJORITY, ANY, ALL = "majority", "any", "all"
Quorum = int | str
"""How many voters it takes for "down": a number, or one of MAJORITY, ANY and ALL."""


class Reach(Enum):
    """Says from how many vantages a check is believed bad."""

    NONE = "none"
    PARTIAL = "partial"
    """From some, while others see it well, or see too little to say more."""
    FULL = "full"
    """From as many as the quorum asks for."""


@dataclass(frozen=True, slots=True)
class Vote:
    """Is the belief of one vantage about one check."""

    vantage: str
    is_bad: bool
    counts: bool
    """Whether it measured the check lately, was heard lately, and can see at all."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Holds what the vantages together believe of one check."""

    reach: Reach = Reach.NONE
    bad: tuple[str, ...] = ()
    """The voters that see it bad."""
    good: tuple[str, ...] = ()
    """The voters that see it well."""
    silent: tuple[str, ...] = ()
    """Those that saw it bad when they were last heard."""

    @property
    def accusers(self) -> tuple[str, ...]:
        """Return all that see it bad, or saw it bad when they were last heard."""
        return tuple(sorted((*self.bad, *self.silent)))


def needed(voters: int, quorum: Quorum) -> int:
    """Return how many of the voters it takes; a majority of two is both."""
    if quorum == ANY:
        return 1
    if quorum == ALL:
        return max(voters, 1)
    wanted = quorum if isinstance(quorum, int) else voters // 2 + 1
    return max(min(wanted, voters), 1)


def standing(
    votes: Iterable[Vote], quorum: Quorum, before: Reach, *, waiting: bool = False
) -> Standing:
    """Count the votes on a check whose reach was `before`.

    Silence changes nothing that was believed: who saw it bad when last heard still stands against it,
    until as many as the quorum asks for see it well; and who is left alone does not speak for those who
    saw it well. What only some saw bad ends when they see it well. `waiting`: others may still speak.
    """
    votes = sorted(votes, key=lambda vote: vote.vantage)
    bad = tuple(vote.vantage for vote in votes if vote.is_bad and vote.counts)
    good = tuple(vote.vantage for vote in votes if not vote.is_bad and vote.counts)
    silent = tuple(vote.vantage for vote in votes if vote.is_bad and not vote.counts)
    is_lonely = len(bad) == 1 and not good and quorum not in {ANY, 1}
    doubtful = is_lonely and (waiting or (before is Reach.PARTIAL and len(votes) > 1))
    reach = _reach(len(bad), len(good), len(silent), quorum, before)
    return Standing(Reach.PARTIAL if doubtful and reach is not before else reach, bad, good, silent)


def _reach(bad: int, good: int, silent: int, quorum: Quorum, before: Reach) -> Reach:
    need, of_all = needed(bad + good, quorum), needed(bad + good + silent, quorum)
    if before is Reach.FULL and good < of_all <= bad + silent:
        return Reach.FULL
    if bad >= need:
        return Reach.FULL
    if bad or (silent and before is Reach.PARTIAL):
        return Reach.PARTIAL
    return Reach.NONE
