"""What each check fails with while it is suspected, and while it is believed bad. No IO."""

from collections import Counter
from collections.abc import Mapping

from monitor.model import FailureKind

Key = tuple[str, str]
"""(check, rule)."""


class FailureStreaks:
    def __init__(self, known: Mapping[Key, FailureKind]) -> None:
        self._known = dict(known)
        self._streaks: dict[Key, Counter[FailureKind]] = {}

    def suspect(self, key: Key, kind: FailureKind) -> None:
        """One more bad run of a streak that may come to be believed."""
        self._streaks.setdefault(key, Counter())[kind] += 1

    def streak(self, key: Key, kind: FailureKind) -> Counter[FailureKind]:
        """The runs that made it believed, at last with `kind`; they are counted once."""
        self._known[key] = kind
        return self._streaks.pop(key, None) or Counter({kind: 1})

    def is_new(self, key: Key, kind: FailureKind) -> bool:
        """Whether a check that is believed bad fails in another way than before."""
        before = self._known.get(key, kind)
        self._known[key] = kind
        return before is not kind

    def forget(self, key: Key) -> None:
        self._streaks.pop(key, None)
        self._known.pop(key, None)
