"""Real progress -> a ping to the dead man's switch, once a minute."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from monitor.alerts import heartbeat
from monitor.clock import Clock
from monitor.logs import RepeatFilter
from monitor.model import Secret

log = logging.getLogger(__name__)
EVERY = timedelta(seconds=60)


class DeadMansSwitch:
    """`url`, `trouble`, `oldest` and `summary` are asked anew each time; no address, no ping."""

    def __init__(
        self,
        url: Callable[[], Secret | None],
        trouble: Callable[[], str | None],
        oldest: Callable[[], datetime | None],
        summary: Callable[[], str],
        clock: Clock,
    ) -> None:
        self._url, self._trouble, self._oldest = url, trouble, oldest
        self._summary, self._clock = summary, clock
        self._told = RepeatFilter()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.beat()
            except Exception:  # a switch that breaks must not end what it watches
                log.exception("event=internal loop=heart")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY.total_seconds())

    async def beat(self) -> None:
        if (url := self._url()) is None:
            return
        why = heartbeat.hindrance(self._trouble(), self._oldest(), self._clock.now())
        if why is None:
            why = await heartbeat.ping(url, self._summary())
        if self._told.is_news("heartbeat", why):
            log.warning('event=no_heartbeat why="%s"', why)
