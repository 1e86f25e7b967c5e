"""Compares two samples of one-word answers for a person: by cell, in all, and in words that claim no more. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.model.result import WORDS_OF_WINDOW
from monitor.probes.answer.answer_distribution import (
    Sample,
    Shuffler,
    chance,
    common_cells,
    commonest,
    distance,
    divergence,
    excess,
)
from monitor.probes.answer.one_word import OTHER_MODEL_BITS, RARE, SIGNIFICANT


@dataclass(frozen=True, slots=True, kw_only=True)
class CellComparison:
    """Compares the words of one cell; `bits` is their Jensen-Shannon divergence, chance included."""

    cell: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    bits: float

    @property
    def commonest(self) -> tuple[str, str]:
        return commonest(self.left), commonest(self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityComparison:
    """Holds what a permutation test says of two samples. `excess` is the mean divergence less what chance explains."""

    cells: tuple[CellComparison, ...]
    bits: float
    excess: float
    chance: float
    left: int
    right: int
    """Answers with a word on each side."""

    @property
    def is_enough(self) -> bool:
        return bool(self.cells) and min(self.left, self.right) >= WORDS_OF_WINDOW

    @property
    def differs(self) -> bool:
        return self.is_enough and self.chance < SIGNIFICANT

    @property
    def verdict(self) -> str:
        """Say it in words that claim no more than was measured."""
        if not self.is_enough:
            return f"Too few answers to compare: want at least {WORDS_OF_WINDOW} with a word on each side."
        if not self.differs and self.chance < RARE:
            return (
                "They differ more than chance usually explains, and less than proves anything: compare"
                " again with more answers."
            )
        if not self.differs:
            return (
                "They differ no more than chance explains. That does not prove that one model answers:"
                " another that is mixed into a fifth of the answers is not seen."
            )
        if self.excess >= OTHER_MODEL_BITS:
            return "The answers differ as much as between two models."
        return (
            "The answers differ more than chance explains. Another model can do that, and so can another"
            " host, version, quantisation or system prompt of the same."
        )


def compare_words(left: Sample, right: Sample, rng: Shuffler) -> IdentityComparison:
    """Compare two samples. Costs up to a second of CPU."""
    cells = tuple(
        CellComparison(
            cell=cell,
            left=tuple(left[cell]),
            right=tuple(right[cell]),
            bits=divergence(left[cell], right[cell]),
        )
        for cell in common_cells(left, right)
    )
    return IdentityComparison(
        cells=cells,
        bits=distance(left, right),
        excess=excess(left, right, rng),
        chance=chance(left, right, rng),
        left=_size(left),
        right=_size(right),
    )


def _size(sample: Sample) -> int:
    words: Sequence[Sequence[str]] = [*sample.values()]
    return sum(map(len, words))
