"""Messages not yet delivered, in memory: the table keeps them over a restart, this serves them.

A message is due once it is committed. While the store is broken it is due all the same: better
told twice after a crash than not at all.

How long a try still has to wait is kept by the monotonic clock: one that is set moves no message.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.clock import Clock
from monitor.model import NotificationType, OutboxMessage

AFTER_A_START = timedelta(minutes=20)
"""At most so long from then: between two daemons nobody knows how the clock was set."""


class MessageQueue:
    def __init__(self, pending: Iterable[OutboxMessage], next_id: int, clock: Clock) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._pending = {outgoing.id: outgoing for outgoing in pending}
        self._held: dict[int, float] = {}
        """Until when, by the monotonic clock, what was tried and failed waits."""
        for outgoing in self._pending.values():
            if outgoing.attempts:
                self._hold(outgoing, AFTER_A_START)
        self._uncommitted: set[int] = set()
        self._next = next_id

    def put(self, messages: tuple[OutboxMessage, ...]) -> tuple[OutboxMessage, ...]:
        """Take new messages, and give them back with ids."""
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

    def change(self, outgoing: OutboxMessage) -> None:
        """Keep a message that was tried, and is to be tried again at its `not_before`."""
        with self._lock:
            self._pending[outgoing.id] = outgoing
            self._hold(outgoing)

    def _hold(self, outgoing: OutboxMessage, most: timedelta = timedelta.max) -> None:
        wait = min(outgoing.not_before - self._clock.now(), most)
        self._held[outgoing.id] = self._clock.monotonic() + wait.total_seconds()

    def remove(self, outgoing_id: int) -> OutboxMessage | None:
        """Forget a message that was sent or given up, and give it back."""
        with self._lock:
            self._held.pop(outgoing_id, None)
            self._uncommitted.discard(outgoing_id)
            return self._pending.pop(outgoing_id, None)

    def oldest(self, channels: frozenset[str]) -> datetime | None:
        """Return when the oldest undelivered message to one of these channels was made."""
        with self._lock:
            times = (row.created for row in self._pending.values() if row.channel in channels)
            return min(times, default=None)

    def waiting(self) -> tuple[OutboxMessage, ...]:
        """Return all that is not delivered, oldest first."""
        with self._lock:
            return tuple(self._pending[number] for number in sorted(self._pending))

    def failing(self) -> Mapping[str, OutboxMessage]:
        """Return the message that is tried first, by channel, where that has failed so far."""
        with self._lock:
            heads: dict[str, OutboxMessage] = {}
            for _, row in sorted(self._pending.items()):
                heads.setdefault(row.channel, row)
            return {channel: row for channel, row in heads.items() if row.attempts}

    def depths(self) -> Mapping[str, int]:
        """Count by channel what waits."""
        with self._lock:
            return Counter(message.channel for message in self._pending.values())

    def due(self, now: datetime, *, durable: bool) -> tuple[OutboxMessage, ...]:
        """Return the head of each queue and all behind it, up to one that must wait.

        A channel is one queue; of a webhook, each incident is.
        """
        at = self._clock.monotonic() + (now - self._clock.now()).total_seconds()
        with self._lock:
            ready: list[OutboxMessage] = []
            blocked: set[object] = set()
            for number in sorted(self._pending):
                outgoing = self._pending[number]
                # What was never tried waits for nothing: the clock may have been set back since.
                waits = self._held.get(number, at) > at
                if waits or (durable and number in self._uncommitted):
                    blocked.add(_queue_of(outgoing))
                elif _queue_of(outgoing) not in blocked:
                    ready.append(outgoing)
            return tuple(ready)


def _queue_of(outgoing: OutboxMessage) -> object:
    """Return what is delivered in order: an event that a webhook refuses holds up its incident alone."""
    is_event = outgoing.what is NotificationType.EVENT
    return (outgoing.channel, outgoing.incident) if is_event else outgoing.channel
