"""Compares distributions of one-word answers: does the same model answer as before? Pure.

A cell is one kind of question ("a colour"); a sample holds the words that came, by cell. Models asked for
one word at temperature 1 differ in which words come how often (Bruckner, arXiv 2607.10252). Randomness is
an argument.
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Protocol, TypeVar

Sample = Mapping[str, Sequence[str]]
"""Words by cell, in any order."""


_Item = TypeVar("_Item")


class Shuffler(Protocol):
    """The part of `random.Random` that deals words anew."""

    def sample(self, population: Sequence[_Item], k: int, /) -> list[_Item]: ...

    def choice(self, seq: Sequence[str], /) -> str: ...


LEAST_WORDS = 3
"""A cell with fewer words on either side says nothing."""
MOST_SHUFFLES = 1999
"""Enough to call a chance of one in a thousand rare."""
_ENOUGH = 10
"""As many shuffles that are as far apart as what was measured end the test: chance explains it."""


def divergence(left: Sequence[Hashable], right: Sequence[Hashable]) -> float:
    """Return the Jensen-Shannon divergence of two lists of words in bits: 0 for the same shares, 1 for nothing in common.

    Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Inf. Theory 37 (1991). Neither list may be empty.
    """
    ours, theirs = Counter(left), Counter(right)
    total = 0.0
    for word in ours.keys() | theirs.keys():
        here, there = ours[word] / len(left), theirs[word] / len(right)
        middle = (here + there) / 2
        total += sum(share * math.log2(share / middle) for share in (here, there) if share) / 2
    return min(max(total, 0.0), 1.0)


def common_cells(left: Sample, right: Sample) -> list[str]:
    """Return the cells in which both samples have enough words, sorted."""
    return sorted(
        cell
        for cell in left.keys() & right.keys()
        if min(len(left[cell]), len(right[cell])) >= LEAST_WORDS
    )


def distance(left: Sample, right: Sample) -> float:
    """Return the mean divergence of the common cells in bits, 0 to 1; 0 where no cell is common.

    Small samples of one model are apart by chance; `excess` takes that off.
    """
    cells = common_cells(left, right)
    return sum(divergence(left[cell], right[cell]) for cell in cells) / max(len(cells), 1)


def excess(left: Sample, right: Sample, rng: Shuffler, shuffles: int = 100) -> float:
    """Return the distance without the part that the size of the samples explains, at least 0.

    That part is the mean distance of random halves of the same sizes of all words together.
    """
    pools = [_Pool(left[cell], right[cell]) for cell in common_cells(left, right)]
    if not pools:
        return 0.0
    by_chance = sum(pool.shuffled_distance(rng) for _ in range(shuffles) for pool in pools)
    return max(distance(left, right) - by_chance / shuffles / len(pools), 0.0)


def chance(left: Sample, right: Sample, rng: Shuffler, shuffles: int = MOST_SHUFFLES) -> float:
    """Return how likely it is that two samples of one model are so far apart: 1 / (shuffles + 1) at the least.

    A permutation test: within each cell the words of both are dealt anew, and counted is how often they come as
    far apart. It ends early where that is not rare (Besag and Clifford, Biometrika 78 (1991) 301), so that a
    quiet day costs next to nothing. 1.0 where no cell is common.
    """
    pools = [_Pool(left[cell], right[cell]) for cell in common_cells(left, right)]
    if not pools:
        return 1.0
    measured = sum(pool.measured for pool in pools) - 1e-9
    as_far = 0
    for shuffle in range(1, shuffles + 1):
        as_far += sum(pool.shuffled(rng) for pool in pools) >= measured
        if as_far == _ENOUGH:
            return _ENOUGH / shuffle
    return (as_far + 1) / (shuffles + 1)


class _Pool:
    """All words of one cell, to be dealt into two lists of the sizes that were measured. A word is a number here.

    The statistic is what both lists have of the sum of n log n over their words: the likelihood ratio
    of "two models" against "one", but for what is the same in every deal.
    """

    def __init__(self, left: Sequence[str], right: Sequence[str]) -> None:
        smaller, larger = sorted((left, right), key=len)
        counts = Counter([*smaller, *larger])
        numbers = {word: number for number, word in enumerate(counts)}
        self._words = [numbers[word] for word in (*smaller, *larger)]
        self._dealt = len(smaller)
        self._parts = [
            [
                _n_log_n(dealt) + _n_log_n(count - dealt) - _n_log_n(count)
                for dealt in range(count + 1)
            ]
            for count in counts.values()
        ]
        """What each word adds, by how often it was dealt into the smaller list."""
        self.measured = self._statistic(self._words[: self._dealt])

    def shuffled(self, rng: Shuffler) -> float:
        return self._statistic(rng.sample(self._words, self._dealt))

    def shuffled_distance(self, rng: Shuffler) -> float:
        words = rng.sample(self._words, len(self._words))
        return divergence(words[: self._dealt], words[self._dealt :])

    def _statistic(self, words: Sequence[int]) -> float:
        dealt: dict[int, int] = {}
        for word in words:
            dealt[word] = dealt.get(word, 0) + 1
        return sum(self._parts[word][count] for word, count in dealt.items())


def _n_log_n(count: int) -> float:
    return count * math.log(count) if count else 0.0


def commonest(words: Sequence[str]) -> str:
    """Return the word that came most often, of several the first in the alphabet. `words` may not be empty."""
    counts = Counter(words)
    return min(counts, key=lambda word: (-counts[word], word))
