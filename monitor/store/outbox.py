"""Messages not yet delivered, in memory: the table keeps them over a restart, this serves them.

A message is due once it is committed. While the store is broken it is due all the same: better
told twice after a crash than not at all.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from monitor.model import Outgoing


class Outbox:
    def __init__(self, pending: Iterable[Outgoing], next_id: int) -> None:
        self._lock = threading.Lock()
        self._pending = {outgoing.id: outgoing for outgoing in pending}
        self._uncommitted: set[int] = set()
        self._next = next_id

    def put(self, messages: tuple[Outgoing, ...]) -> tuple[Outgoing, ...]:
        """With ids."""
        with self._lock:
            numbered = tuple(
                replace(message, id=self._next + place) for place, message in enumerate(messages)
            )
            self._next += len(messages)
            self._pending.update((message.id, message) for message in numbered)
            self._uncommitted.update(message.id for message in numbered)
            return numbered

    def committed(self, ids: Iterable[int]) -> None:
        with self._lock:
            self._uncommitted.difference_update(ids)

    def change(self, outgoing: Outgoing) -> None:
        with self._lock:
            self._pending[outgoing.id] = outgoing

    def remove(self, outgoing_id: int) -> None:
        with self._lock:
            self._pending.pop(outgoing_id, None)
            self._uncommitted.discard(outgoing_id)

    def oldest(self) -> datetime | None:
        """When the oldest message that is not delivered was made."""
        with self._lock:
            return min((each.created for each in self._pending.values()), default=None)

    def waiting(self) -> tuple[Outgoing, ...]:
        """All that is not delivered, oldest first."""
        with self._lock:
            return tuple(self._pending[number] for number in sorted(self._pending))

    def depths(self) -> Mapping[str, int]:
        """How many wait, by channel."""
        with self._lock:
            return Counter(message.channel for message in self._pending.values())

    def due(self, now: datetime, *, durable: bool) -> tuple[Outgoing, ...]:
        """The head of each channel's queue and all behind it, up to one that must wait."""
        with self._lock:
            ready: list[Outgoing] = []
            blocked: set[str] = set()
            for number in sorted(self._pending):
                outgoing = self._pending[number]
                # What was never tried waits for nothing: the clock may have been set back since.
                waits = outgoing.attempts > 0 and outgoing.not_before > now
                if waits or (durable and number in self._uncommitted):
                    blocked.add(outgoing.channel)
                elif outgoing.channel not in blocked:
                    ready.append(outgoing)
            return tuple(ready)
