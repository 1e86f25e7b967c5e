"""Alerts about the monitor itself: trouble of its components and channels that lasts, and its end."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from monitor.alerts import self_alerts
from monitor.clock import Clock
from monitor.language import Language
from monitor.model import Notice
from monitor.store import Store


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
    ) -> Iterator[Notice]:
        """Yield what people should know now and were not told yet.

        `gone` are the webhooks that nothing is sent to until the next reload.
        """
        troubles = {
            "store": self._store.trouble,
            "memory": self._store.overflow,
            "schedule": schedule_trouble,
        }
        for component, why in troubles.items():
            notice = self._components.see(component, why, now, self._clock.monotonic(), say)
            if notice:
                yield notice
        yield from self._channel_alerts(channels, now, say)
        for webhook in sorted(set(gone) - self._gone_told):
            yield Notice(self_alerts.gone(webhook, say))
        self._gone_told = set(gone)
        notes, self._notes_seen = self._store.notes[self._notes_seen :], len(self._store.notes)
        for note in notes:
            yield Notice(self_alerts.noted(note, say))

    def _channel_alerts(
        self, channels: Sequence[str], now: datetime, say: Language
    ) -> Iterator[Notice]:
        """Yield alerts about failing channels, for the others; none where all fail: it may be us."""
        failing = self._store.failing
        for channel in sorted(self._channels.told - {*channels}):
            self._channels.ended(channel, self._clock.monotonic())
            text = self_alerts.left(channel, say)
            yield self_alerts.ends(f"channel/{channel}", text, frozenset(failing))
        if all(channel in failing for channel in channels):
            return
        for channel in channels:
            if notice := self._channel_notice(channel, frozenset({*failing, channel}), now, say):
                yield notice

    def _channel_notice(
        self, channel: str, but: frozenset[str], now: datetime, say: Language
    ) -> Notice | None:
        row, monotonic = self._store.failing.get(channel), self._clock.monotonic()
        event = f"channel/{channel}"
        if row is None:
            lasted = self._channels.ended(channel, monotonic)
            if lasted is None:
                return None
            return self_alerts.ends(event, self_alerts.heard(channel, lasted, now, say), but)
        if not self._channels.begins(channel, monotonic):
            return None
        waiting = self._store.undelivered.get(channel, 1)
        return self_alerts.begins(
            event, self_alerts.mute(channel, row.last_error, waiting, say), but
        )
