"""Requests that a person made, from another process or through a bot: stored, then carried out in seconds.

A request is carried out once. Where a crash comes in between it is repeated, which changes nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from monitor.alerts import AlertChanges, AlertEngine
from monitor.clock import Clock
from monitor.logs import RepeatFilter
from monitor.model import (
    AlertState,
    Incident,
    MonitorError,
    OperatorRequest,
    OutboxMessage,
    RequestKind,
    StoreError,
)

log = logging.getLogger(__name__)
INTERVAL_S = 2.0
_INTERVAL_IN_TROUBLE_S = 15.0


class RequestStore(Protocol):
    """The part of the store that is needed here."""

    async def requests(self) -> tuple[OperatorRequest, ...]: ...

    async def add_request(self, request: OperatorRequest) -> None: ...

    async def finish_requests(self, done: Iterable[int]) -> None: ...

    async def incident(self, incident_id: int) -> Incident | None: ...

    async def save(
        self,
        incidents: tuple[Incident, ...] = (),
        outgoing: tuple[OutboxMessage, ...] = (),
        states: tuple[AlertState, ...] = (),
    ) -> None: ...


class OperatorRequests:
    """Carries out what people ask of the daemon. `check_now` runs a check out of turn and ends its pause."""

    def __init__(
        self,
        store: RequestStore,
        alerts: AlertEngine,
        clock: Clock,
        check_now: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store, self._alerts, self._clock = store, alerts, clock
        self._check_now = check_now
        self.on_change: Callable[[int], None] = lambda _: None
        """Called with the number of each incident that a request changed, once that is stored."""
        self._repeat_filter = RepeatFilter()
        self._turn = asyncio.Lock()
        self._failed: dict[int, OperatorRequest] = {}
        """By number, those that a fault of ours keeps from being done; the next start tries them again."""

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            interval = INTERVAL_S
            try:
                await self.handle_waiting()
            except StoreError as error:
                interval = _INTERVAL_IN_TROUBLE_S
                level = self._repeat_filter.level("store", str(error), logging.DEBUG)
                log.log(level, 'event=store_trouble why="%s"', error)
            except Exception:  # what a person requested must not end the daemon
                interval = _INTERVAL_IN_TROUBLE_S
                log.exception("event=internal loop=operator_requests")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), interval)

    async def carry_out(self, request: OperatorRequest) -> None:
        """Store a request and carry it out at once. Raises MonitorError."""
        await self._store.add_request(request)
        await self.handle_waiting()
        if any(replace(failed, id=request.id) == request for failed in self._failed.values()):
            raise MonitorError(f"{request.what.value} {request.target} has failed")

    async def handle_waiting(self) -> None:
        async with self._turn:
            await self._handle_all()

    async def _handle_all(self) -> None:
        waiting = await self._store.requests()
        for request in waiting:
            if request.id not in self._failed:
                await self._handle_one(request)
        if done := [request.id for request in waiting if request.id not in self._failed]:
            await self._store.finish_requests(done)

    async def _handle_one(self, request: OperatorRequest) -> None:
        """Carry it out and store what changes; a fault of ours holds up this request alone."""
        try:
            changes = await self._handle(request)
            if changes.incidents or changes.outgoing:
                await self._store.save(changes.incidents, changes.outgoing, changes.states)
            for incident in changes.incidents:
                self.on_change(incident.id)
        except StoreError:
            raise
        except Exception:
            self._failed[request.id] = request
            log.exception(
                "event=internal loop=operator_requests what=%s target=%s",
                request.what.value,
                request.target,
            )
        else:
            log.info("event=request what=%s target=%s", request.what.value, request.target)

    async def _handle(self, request: OperatorRequest) -> AlertChanges:
        match request.what:
            case RequestKind.SILENCE:
                return self._alerts.silence(request.silence, self._clock.now())
            case RequestKind.ACK:
                return self._alerts.ack(request.incident, request.at, request.text)
            case RequestKind.NOTE:
                stored = await self._store.incident(request.incident)
                return self._alerts.note(request.incident, request.at, request.text, stored)
            case RequestKind.CHECK:
                self._check_now(request.target)
                return AlertChanges()
            case RequestKind.ANNOUNCE | RequestKind.END_ANNOUNCEMENT:
                return AlertChanges()  # the page reads them from the store
