"""What people asked from another process: from the store to the alerts, within seconds.

Each request is done once; where a crash comes in between it is done again, which changes nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Protocol

from monitor.alerts import AlertChanges, AlertEngine
from monitor.clock import Clock
from monitor.logs import RepeatFilter
from monitor.model import (
    AlertState,
    Incident,
    OperatorRequest,
    OutboxMessage,
    RequestKind,
    StoreError,
)

log = logging.getLogger(__name__)
BEAT = 2.0
_BROKEN_BEAT = 15.0


class Source(Protocol):
    """What the mailbox needs of the store."""

    async def requests(self) -> tuple[OperatorRequest, ...]: ...

    async def finish_requests(self, done: Iterable[int]) -> None: ...

    async def incident(self, incident_id: int) -> Incident | None: ...

    async def save(
        self,
        incidents: tuple[Incident, ...] = (),
        outgoing: tuple[OutboxMessage, ...] = (),
        states: tuple[AlertState, ...] = (),
    ) -> None: ...


class OperatorRequests:
    def __init__(self, source: Source, alerts: AlertEngine, clock: Clock) -> None:
        self._source, self._alerts, self._clock = source, alerts, clock
        self._told = RepeatFilter()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            beat = BEAT
            try:
                await self.look()
            except StoreError as error:
                beat = _BROKEN_BEAT
                level = self._told.level("store", str(error), logging.DEBUG)
                log.log(level, 'event=store_trouble why="%s"', error)
            except Exception:  # what somebody asked must not end the daemon
                beat = _BROKEN_BEAT
                log.exception("event=internal loop=mailbox")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), beat)

    async def look(self) -> None:
        waiting = await self._source.requests()
        for request in waiting:
            changes = await self._do(request)
            if changes.incidents or changes.outgoing:
                await self._source.save(changes.incidents, changes.outgoing, changes.states)
            log.info("event=request what=%s target=%s", request.what.value, request.target)
        if waiting:
            await self._source.finish_requests([request.id for request in waiting])

    async def _do(self, request: OperatorRequest) -> AlertChanges:
        match request.what:
            case RequestKind.SILENCE:
                return self._alerts.silence(request.silence, self._clock.now())
            case RequestKind.ACK:
                return self._alerts.ack(request.incident, request.at, request.text)
            case RequestKind.NOTE:
                stored = await self._source.incident(request.incident)
                return self._alerts.note(request.incident, request.at, request.text, stored)
