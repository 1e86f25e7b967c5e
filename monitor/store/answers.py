"""Histograms that are added up when somebody asks for a percentile, and remember what they said.

A page asks each check for a dozen percentiles in four windows, over and over.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import add

from monitor.model.rollup import FIGURES, Figures, Histogram
from monitor.store.lanes import Lanes

USUAL = (0.5, 0.95, 0.99)
"""Quantiles that a page asks for: who asks for one of a figure asks for the others next."""
_PLACES = {q: place for place, q in enumerate(USUAL)}
_NOTHING = (None,) * len(USUAL)
Parts = Sequence[Mapping[str, Lanes]]
Answers = Sequence[float | None]
"""To `USUAL`."""


class Answering(Figures):
    """Histograms that are not made before somebody asks."""

    __slots__ = ()

    def quantile(self, figure: str, q: float) -> float | None:
        place = _PLACES.get(q)
        if place is not None:
            return self._usual(figure)[place]
        found = self.sum(figure)
        return None if found is None else found.quantiles((q,))[0]

    def _usual(self, figure: str) -> Answers:
        raise NotImplementedError

    def sum(self, name: str) -> Lanes | None:
        """None where nothing was measured."""
        raise NotImplementedError

    def _names(self) -> Iterable[str]:
        """Of all that there might be."""
        raise NotImplementedError

    def __getitem__(self, name: str) -> Histogram:
        found = self.sum(name)
        if found is None:
            raise KeyError(name)
        return found.histogram

    def __iter__(self) -> Iterator[str]:
        return (name for name in dict.fromkeys(self._names()) if self.sum(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Nested:
    """Windows of which each has all that the one before it has, and `parts` of its own.

    A figure is added up for all of them at once.
    """

    __slots__ = ("_answers", "_wanted", "parts")

    def __init__(self, parts: Sequence[Parts], wanted: Collection[str] = FIGURES) -> None:
        self.parts, self._wanted = parts, wanted
        self._answers: dict[str, Sequence[Answers]] = {}

    def answers(self, figure: str) -> Sequence[Answers]:
        found = self._answers.get(figure)
        if found is None:
            found = self._answers[figure] = [*map(_usual, self.sums(figure))]
        return found

    def sums(self, name: str) -> Iterator[Lanes | None]:
        total: Lanes | None = None
        for parts in self.parts:
            if name in self._wanted:
                found = [lanes for part in parts if (lanes := part.get(name)) is not None]
                total = reduce(add, found if total is None else [total, *found]) if found else total
            yield total if total is not None and total.total else None


def _usual(total: Lanes | None) -> Answers:
    return _NOTHING if total is None else total.quantiles(USUAL)


class SummedFigures(Answering):
    """Of one of the windows."""

    __slots__ = ("_at", "_of")

    def __init__(self, of: Nested, at: int = 0) -> None:
        self._of, self._at = of, at

    def _usual(self, figure: str) -> Answers:
        return self._of.answers(figure)[self._at]

    def sum(self, name: str) -> Lanes | None:
        return [*self._of.sums(name)][self._at]

    def _names(self) -> Iterable[str]:
        return (name for parts in self._of.parts[: self._at + 1] for part in parts for name in part)


def summed_figures(parts: Parts, wanted: Collection[str] = FIGURES) -> SummedFigures:
    return SummedFigures(Nested([parts], wanted))
