"""Says what each check did lately, as far back as a policy looks. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.model import Result, Rollup
from monitor.model.rollup import merge

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS = 12
"""A window slides in twelfths of its length: reading it costs the same however many runs it holds."""


class SlidingWindows:
    def __init__(self) -> None:
        self._parts: dict[tuple[str, str, timedelta], dict[int, Rollup]] = {}
        """By check, vantage and length: rollups by the number of their part."""

    def add(self, result: Result, lengths: Iterable[timedelta], *, in_maintenance: bool) -> None:
        for length in lengths:
            newest = _part_number(result.at, length)
            parts = self._parts.setdefault((result.check, result.vantage, length), {})
            for outdated in [part for part in parts if not newest - _PARTS < part <= newest]:
                del parts[outdated]
            rollup = Rollup.of(result, in_maintenance=in_maintenance)
            parts[newest] = parts[newest] | rollup if newest in parts else rollup

    def total(self, check: str, vantage: str, length: timedelta) -> Rollup:
        """Return the sum of the window that ends with the run that was added last."""
        return merge(self._parts.get((check, vantage, length), {}).values())

    def forget(self, known: set[str]) -> None:
        self._parts = {key: parts for key, parts in self._parts.items() if key[0] in known}


@dataclass(frozen=True, slots=True)
class RecentRuns:
    """Holds what a policy looks at: a run, and the windows that end with it. See `model.RunHistory`."""

    latest: Result
    windows: SlidingWindows

    def over(self, length: timedelta) -> Rollup:
        return self.windows.total(self.latest.check, self.latest.vantage, length)


def _part_number(at: datetime, length: timedelta) -> int:
    return (at - _EPOCH) // (length / _PARTS)
