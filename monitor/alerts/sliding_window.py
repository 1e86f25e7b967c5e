"""What each check did lately, as far back as a policy looks. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from monitor.model import Result, Rollup
from monitor.model.rollup import merge

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS = 12
"""A window slides in twelfths of its length, so that a look costs as much however many runs it holds."""


class SlidingWindows:
    def __init__(self) -> None:
        self._parts: dict[tuple[str, timedelta], dict[int, Rollup]] = {}

    def add(self, result: Result, lengths: Iterable[timedelta], *, in_maintenance: bool) -> None:
        for length in lengths:
            part = _part(result.at, length)
            parts = self._parts.setdefault((result.check, length), {})
            for old in [each for each in parts if not part - _PARTS < each <= part]:
                del parts[old]
            one = Rollup.of(result, in_maintenance=in_maintenance)
            parts[part] = parts[part] | one if part in parts else one

    def look(self, check: str, length: timedelta) -> Rollup:
        """Up to the run that was added last."""
        return merge(self._parts.get((check, length), {}).values())

    def forget(self, known: set[str]) -> None:
        self._parts = {key: parts for key, parts in self._parts.items() if key[0] in known}


def _part(at: datetime, length: timedelta) -> int:
    return (at - _EPOCH) // (length / _PARTS)
