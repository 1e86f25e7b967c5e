"""Sums of rollups whose counts are added at once and whose histograms only when asked for.

A page asks for two of eight figures, over windows that share nearly all of their days.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

from monitor.model import WINDOWS, Rollup
from monitor.model.rollup import Histogram


class SummedFigures(Mapping[str, Histogram]):
    __slots__ = ("_known", "_parts")

    def __init__(self, parts: Sequence[Mapping[str, Histogram]]) -> None:
        self._parts = parts
        self._known: dict[str, Histogram] = {}

    def __getitem__(self, name: str) -> Histogram:
        if name not in self._known:
            self._known[name] = _add(self._parts, name)
        if not self._known[name]:
            raise KeyError(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for part in self._parts for name in part))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _add(parts: Sequence[Mapping[str, Histogram]], name: str) -> Histogram:
    total: dict[int, int] = {}
    for part in parts:
        for bucket, count in part.get(name, {}).items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def summed(rollups: Sequence[Rollup]) -> Rollup:
    if len(rollups) == 1:
        return rollups[0]
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


def windows(days: Mapping[date, Rollup], today: date) -> dict[int, Rollup]:
    """Each of `WINDOWS` from the shorter one and the days that it adds."""
    found: dict[int, Rollup] = {}
    parts: list[Rollup] = []
    covered = 0
    for length in WINDOWS:
        added = [days.get(today - timedelta(days=back)) for back in range(covered, length)]
        total = summed([*parts, *(each for each in added if each is not None)])
        found[length], parts, covered = total, [total], length
    return found
