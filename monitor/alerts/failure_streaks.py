"""Counts what each check fails with while it is suspected, and while it is believed bad. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from monitor.alerts.incidents import Book
from monitor.model import AlertState, EntryKind, FailureKind, Phase, Result, StateKey, Verdict


class FailureStreaks:
    """Holds what each check fails with while it is suspected, and while it is believed bad."""

    def __init__(self, last_kinds: Mapping[StateKey, FailureKind]) -> None:
        self._last = dict(last_kinds)
        self._streaks: dict[StateKey, Counter[FailureKind]] = {}

    def note(self, key: StateKey, state: AlertState, verdict: Verdict, result: Result) -> None:
        """Count a bad run of a streak that may come to be believed; forget what is over."""
        if verdict is Verdict.BAD and result.failure:
            self._streaks.setdefault(key, Counter())[result.failure.kind] += 1
        elif state.phase is Phase.UP:
            self._streaks.pop(key, None)
            self._last.pop(key, None)

    def take(self, key: StateKey, kind: FailureKind) -> Counter[FailureKind]:
        """Return the runs that made it believed, the last of which failed with `kind`; they are counted once."""
        self._last[key] = kind
        return self._streaks.pop(key, None) or Counter({kind: 1})

    def is_new(self, key: StateKey, kind: FailureKind) -> bool:
        """Say whether a check that is believed bad fails in another way than before."""
        before = self._last.get(key, kind)
        self._last[key] = kind
        return before is not kind


def last_kinds(states: Iterable[AlertState], book: Book) -> dict[StateKey, FailureKind]:
    """Return what each check that is believed bad was last known to fail with, from the timelines."""
    kinds = {}
    for state in states:
        incident = book.open.get(state.incident or 0)
        for entry in incident.timeline if incident else ():
            if entry.check == state.check and entry.kind and entry.what is not EntryKind.HEARD_LATE:
                kinds[state.key] = entry.kind
    return kinds
