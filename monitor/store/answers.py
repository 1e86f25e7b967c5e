"""Histograms that are added up when somebody asks for a percentile, and remember what they said.

A page asks each check for a dozen percentiles in four windows, over and over.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from monitor.model.rollup import FIGURES, Figures, Histogram
from monitor.store.lanes import Lanes

USUAL = (0.5, 0.95, 0.99)
"""Quantiles that a page asks for: who asks for one of a figure asks for the others next."""
_PLACES = {q: place for place, q in enumerate(USUAL)}
_NOTHING = (None,) * len(USUAL)
Parts = Sequence[Mapping[str, Lanes]]
Answers = Sequence[float | None]
"""To `USUAL`."""


class Nested:
    """Windows of which each has all that the one before it has, and `parts` of its own.

    A figure is added up for all of them at once.
    """

    __slots__ = ("_wanted", "answers", "parts")

    def __init__(self, parts: Sequence[Parts], wanted: Collection[str] = FIGURES) -> None:
        self.parts, self._wanted = parts, wanted
        self.answers: Sequence[dict[str, Answers]] = [{} for _ in parts]
        """Of each window, by figure; those that somebody asked for."""

    def find(self, figure: str) -> None:
        for found, total in zip(self.answers, self.sums(figure), strict=True):
            found[figure] = _NOTHING if total is None else total.quantiles(USUAL)

    def sums(self, name: str) -> Iterator[Lanes | None]:
        total: Lanes | None = None
        wanted = name in self._wanted
        for parts in self.parts:
            for part in parts if wanted else ():
                lanes = part.get(name)
                if lanes is not None:
                    total = lanes if total is None else total + lanes
            yield total if total is not None and total.total else None


class SummedFigures(Figures):
    """Of one of the windows."""

    __slots__ = ("_answers", "_at", "_of")

    def __init__(self, of: Nested, at: int = 0) -> None:
        self._of, self._at, self._answers = of, at, of.answers[at]

    def quantile(self, figure: str, q: float) -> float | None:
        place = _PLACES.get(q)
        if place is None:
            found = self.sum(figure)
            return None if found is None else found.quantiles((q,))[0]
        answers = self._answers.get(figure)
        if answers is None:
            self._of.find(figure)
            answers = self._answers[figure]
        return answers[place]

    def sum(self, name: str) -> Lanes | None:
        """None where nothing was measured."""
        return [*self._of.sums(name)][self._at]

    def _names(self) -> Iterator[str]:
        """Of all that there might be."""
        return (name for parts in self._of.parts[: self._at + 1] for part in parts for name in part)

    def __getitem__(self, name: str) -> Histogram:
        found = self.sum(name)
        if found is None:
            raise KeyError(name)
        return found.histogram

    def __iter__(self) -> Iterator[str]:
        return (name for name in dict.fromkeys(self._names()) if self.sum(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def summed_figures(parts: Parts, wanted: Collection[str] = FIGURES) -> SummedFigures:
    return SummedFigures(Nested([parts], wanted))
