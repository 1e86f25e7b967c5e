"""Sums of rollups whose counts are added at once and whose histograms only when asked for.

A page asks for four of eight figures, over windows that share nearly all of their days.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date

from monitor.model import WINDOWS, Rollup
from monitor.model.rollup import Figures, Histogram, Ranks
from monitor.store.lanes import Sum
from monitor.store.tally import split


class SummedFigures(Figures):
    __slots__ = ("_answers", "_parts", "_ranks")

    def __init__(self, parts: Sequence[Mapping[str, Histogram]]) -> None:
        self._parts = parts
        self._answers: dict[tuple[str, float], float | None] = {}
        self._ranks: tuple[str, Ranks | None] = ("", None)
        """Of the figure that was asked for last: its other quantiles are asked for next."""

    def quantile(self, figure: str, q: float) -> float | None:
        key = figure, q
        if key not in self._answers:
            ranks = self._ranked(figure)
            self._answers[key] = None if ranks is None else ranks.value(q)
        return self._answers[key]

    def _ranked(self, figure: str) -> Ranks | None:
        if self._ranks[0] != figure:
            found = self._sum(figure)
            self._ranks = figure, Ranks(found) if found else None
        return self._ranks[1]

    def _sum(self, name: str) -> Histogram:
        total: dict[int, int] = {}
        for part in self._parts:
            for bucket, count in part.get(name, {}).items():
                total[bucket] = total.get(bucket, 0) + count
        return total

    def __getitem__(self, name: str) -> Histogram:
        found = self._sum(name)
        if not found:
            raise KeyError(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for part in self._parts for name in part))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def summed(rollups: Sequence[Rollup]) -> Rollup:
    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for rollup in rollups:
        outcomes.update(rollup.outcomes)
        kinds.update(rollup.kinds)
    return Rollup(
        outcomes=dict(outcomes),
        kinds=dict(kinds),
        maintenance=sum(each.maintenance for each in rollups),
        late=sum(each.late for each in rollups),
        missed=sum(each.missed for each in rollups),
        figures=SummedFigures([each.figures for each in rollups]),
        tokens_in=sum(each.tokens_in for each in rollups),
        tokens_out=sum(each.tokens_out for each in rollups),
        cost_e8=sum(each.cost_e8 for each in rollups),
    )


class Total:
    """The sum of stored rollups; made once, when it is first asked for."""

    __slots__ = ("_counts", "_rollup", "_sum")

    def __init__(self) -> None:
        self._counts: list[Rollup] = []
        self._sum = Sum()
        self._rollup: Rollup | None = None

    def add(self, body: bytes) -> None:
        counts, figures = split(body)
        self._counts.append(counts)
        self._sum.add(figures)

    @property
    def rollup(self) -> Rollup:
        if self._rollup is None:
            self._rollup = replace(summed(self._counts), figures=self._sum.so_far())
            self._counts, self._sum = [], Sum()
        return self._rollup


class Past:
    """The days of one check that are over: counts of each, histograms of them in few sums.

    Each of `WINDOWS` reaches from today to where the next one goes on; what lies between two such ends
    is one stretch.
    """

    __slots__ = ("_stretches", "_sums", "days")

    def __init__(self) -> None:
        self.days: dict[date, Rollup] = {}
        self._sums = tuple(Sum() for _ in WINDOWS)
        self._stretches: tuple[Rollup, ...] = ()

    def add(self, day: date, today: date, body: bytes) -> None:
        self.days[day], figures = split(body)
        stretch = _stretch(day, today)
        if stretch is not None:
            self._sums[stretch].add(figures)

    def seal(self, today: date) -> None:
        """Nothing more will be added."""
        members: tuple[list[Rollup], ...] = tuple([] for _ in WINDOWS)
        for day, rollup in self.days.items():
            stretch = _stretch(day, today)
            if stretch is not None:
                members[stretch].append(rollup)
        self._stretches = tuple(
            replace(summed(found), figures=sums.so_far())
            for found, sums in zip(members, self._sums, strict=True)
        )
        self._sums = ()

    def windows(self, today: date, growing: Mapping[date, Rollup]) -> dict[int, Rollup]:
        """With the days that still grow."""
        return {
            length: summed(
                [
                    *self._stretches[: at + 1],
                    *(rollup for day, rollup in growing.items() if _age(day, today) < length),
                ]
            )
            for at, length in enumerate(WINDOWS)
        }


def _stretch(day: date, today: date) -> int | None:
    age = _age(day, today)
    return next((at for at, length in enumerate(WINDOWS) if age < length), None)


def _age(day: date, today: date) -> int:
    return today.toordinal() - day.toordinal()
