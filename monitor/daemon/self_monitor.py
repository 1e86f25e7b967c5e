"""What the monitor says of itself: trouble of its own parts and of its channels, when it lasts and when it is over."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from monitor.alerts import self_alerts
from monitor.clock import Clock
from monitor.language import Language
from monitor.store import Store

News = tuple[str, frozenset[str]]
"""A text, and the channels that it is not meant for."""


class SelfMonitor:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._parts = self_alerts.TroubleTracker(self_alerts.LASTS)
        self._channels = self_alerts.TroubleTracker(self_alerts.CHANNEL_LASTS)
        self._noted = 0

    def news(
        self, schedule: str | None, channels: Sequence[str], now: datetime, say: Language
    ) -> Iterator[News]:
        """`schedule` is the trouble that it is in, if it is."""
        parts = {
            "store": self._store.trouble,
            "memory": self._store.overflow,
            "schedule": schedule,
        }
        for name, why in parts.items():
            if text := self._parts.see(name, why, now, self._clock.monotonic(), say):
                yield text, frozenset()
        yield from self._of_channels(channels, now, say)
        notes, self._noted = self._store.notes[self._noted :], len(self._store.notes)
        for note in notes:
            yield self_alerts.noted(note, say), frozenset()

    def _of_channels(self, channels: Sequence[str], now: datetime, say: Language) -> Iterator[News]:
        """One that takes nothing is told through the others; where none takes anything, it may be us."""
        failing = self._store.failing
        if all(channel in failing for channel in channels):
            return
        for channel in channels:
            if text := self._of_channel(channel, now, say):
                yield text, frozenset({*failing, channel})

    def _of_channel(self, channel: str, now: datetime, say: Language) -> str | None:
        row, monotonic = self._store.failing.get(channel), self._clock.monotonic()
        if row is None:
            lasts = self._channels.ended(channel, monotonic)
            return None if lasts is None else self_alerts.heard(channel, lasts, now, say)
        if not self._channels.begins(channel, monotonic):
            return None
        return self_alerts.mute(
            channel, row.last_error, self._store.undelivered.get(channel, 1), say
        )
