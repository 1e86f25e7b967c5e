"""Alerts about the monitor itself: trouble of its components and channels that lasts, and its end."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from monitor.alerts import self_alerts
from monitor.clock import Clock
from monitor.language import Language
from monitor.store import Store

SelfAlert = tuple[str, frozenset[str]]
"""A text, and the channels that it is not meant for."""


class SelfMonitor:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._components = self_alerts.TroubleTracker(self_alerts.LASTS)
        self._channels = self_alerts.TroubleTracker(self_alerts.CHANNEL_LASTS)
        self._notes_seen = 0
        self._gone_told: set[str] = set()

    def alerts(
        self,
        schedule_trouble: str | None,
        channels: Sequence[str],
        now: datetime,
        say: Language,
        gone: Collection[str] = (),
    ) -> Iterator[SelfAlert]:
        """Yield what people should know now and were not told yet.

        `gone` are the webhooks that nothing is sent to until the next reload.
        """
        troubles = {
            "store": self._store.trouble,
            "memory": self._store.overflow,
            "schedule": schedule_trouble,
        }
        for component, why in troubles.items():
            text = self._components.see(component, why, now, self._clock.monotonic(), say)
            if text:
                yield text, frozenset()
        yield from self._channel_alerts(channels, now, say)
        for webhook in sorted(set(gone) - self._gone_told):
            yield self_alerts.gone(webhook, say), frozenset()
        self._gone_told = set(gone)
        notes, self._notes_seen = self._store.notes[self._notes_seen :], len(self._store.notes)
        for note in notes:
            yield self_alerts.noted(note, say), frozenset()

    def _channel_alerts(
        self, channels: Sequence[str], now: datetime, say: Language
    ) -> Iterator[SelfAlert]:
        """Yield alerts about failing channels, for the others; none where all fail: it may be us."""
        failing = self._store.failing
        if all(channel in failing for channel in channels):
            return
        for channel in channels:
            if text := self._channel_text(channel, now, say):
                yield text, frozenset({*failing, channel})

    def _channel_text(self, channel: str, now: datetime, say: Language) -> str | None:
        row, monotonic = self._store.failing.get(channel), self._clock.monotonic()
        if row is None:
            lasted = self._channels.ended(channel, monotonic)
            return None if lasted is None else self_alerts.heard(channel, lasted, now, say)
        if not self._channels.begins(channel, monotonic):
            return None
        return self_alerts.mute(
            channel, row.last_error, self._store.undelivered.get(channel, 1), say
        )
