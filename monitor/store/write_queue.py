"""A bounded queue of what waits to be written; what is dropped first is what matters least."""

from collections import deque
from collections.abc import Collection
from dataclasses import replace

from monitor.model import NO_SPEND, Outcome, RunRecord
from monitor.store.transaction import Item, WriteSet

MOST_WAITING = 50_000


class WriteQueue:
    """Holds what is not written yet, oldest first.

    What the writer has in hand is left alone until it is done or given back.

    Not safe by itself: the writer's lock is held around each call.
    """

    def __init__(self) -> None:
        self._fresh: deque[Item] = deque()
        self._taken: list[Item] = []
        self._most = MOST_WAITING
        self.dropped = 0
        """Runs, since the beginning."""

    def __bool__(self) -> bool:
        return bool(self._taken or self._fresh)

    def __len__(self) -> int:
        return len(self._taken) + len(self._fresh)

    def put(self, item: Item) -> None:
        self._fresh.append(item)
        self._shrink()

    def take(self) -> list[Item]:
        """Take all of it, into the writer's hand."""
        self._taken += self._fresh
        self._fresh.clear()
        return list(self._taken)

    def done(self, items: list[Item]) -> None:
        """Forget what was taken: it is written, or never can be."""
        gone = {id(item) for item in items}
        self._taken = [item for item in self._taken if id(item) not in gone]

    def give_back(self, besides: Collection[Item] = ()) -> None:
        """Let what is still in hand wait again, but for what must be left as it is."""
        kept = {id(item) for item in besides}
        self._fresh.extendleft(item for item in reversed(self._taken) if id(item) not in kept)
        self._taken = [item for item in self._taken if id(item) in kept]
        self._shrink()

    def replace(self, items: list[Item]) -> None:
        """Let these wait in the place of what is in hand."""
        self._taken = items
        self.give_back()

    def all(self) -> list[Item]:
        return [*self._taken, *self._fresh]

    def _shrink(self) -> None:
        """Drop a tenth: oldest good runs first, then other plain ones, never an incident's.

        What all of them change besides (states, habits, spend) is kept, as one change behind them.
        """
        if len(self._fresh) <= self._most:
            return
        excess = len(self._fresh) - MOST_WAITING * 9 // 10
        entries = [item for item in self._fresh if isinstance(item, RunRecord)]
        dropped = set(_expendable(entries)[: max(excess, 0)])
        rest = WriteSet.of(self._fresh).change
        kept = [_lighter(entry) for at, entry in enumerate(entries) if at not in dropped]
        self._fresh = deque([*kept, rest])
        self.dropped += len(dropped)
        self._most = max(MOST_WAITING, len(self._fresh) * 11 // 10)


def _expendable(entries: list[RunRecord]) -> list[int]:
    """Return places of runs that no incident or message needs, those that matter least first."""
    plain = [at for at, entry in enumerate(entries) if not (entry.incidents or entry.outgoing)]
    return sorted(plain, key=lambda at: entries[at].result.outcome is not Outcome.UP)


def _lighter(entry: RunRecord) -> RunRecord:
    """Return a run without what it adds up, which must not be added twice; it stays of an incident if it was."""
    if not (entry.states or entry.habit or entry.spent != NO_SPEND):
        return entry  # as nearly all
    return replace(entry, states=(), habit=None, spent=NO_SPEND)
