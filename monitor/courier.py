"""LOOP 2: outbox -> phrase -> deliver -> tick off.

What is to be told was committed with the result that caused it; here it is put into words, from
the state at this moment, and sent. A row is ticked off after its channel has taken it: at least
once. Order is kept per channel; a channel that is down holds up nobody else.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Protocol

from monitor.alerts import Context, digest, phrase
from monitor.clock import Clock
from monitor.model import Announcement, Incident, Message, NotDeliveredError, Outgoing

log = logging.getLogger(__name__)

BACKOFF = (5, 15, 60, 300, 900)
"""Seconds until the next try, by the number of tries so far; the last one goes on."""
SPREAD = 0.2
GIVE_UP = timedelta(hours=24)
MANY = 20
"""More than so many for one channel become one digest: a group chat takes about that many a minute."""
BEAT = 1.0

Send = Callable[[str, Message], Awaitable[None]]


class Outbox(Protocol):
    """What the courier needs of the store."""

    async def due(self, now: datetime) -> tuple[Outgoing, ...]: ...

    async def incident(self, incident_id: int) -> Incident | None: ...

    def sent(self, outgoing_id: int, at: datetime) -> None: ...

    def postpone(self, outgoing: Outgoing) -> None: ...

    def dead(self, outgoing_id: int, error: str) -> None: ...


class Courier:
    def __init__(
        self,
        outbox: Outbox,
        send: Send,
        context: Callable[[Incident | None], Context],
        *,
        clock: Clock,
        rng: Random,
        on_message: Callable[[Outgoing, Message], None] = lambda *_: None,
    ) -> None:
        self._outbox = outbox
        self._send = send
        self._context = context
        self._clock = clock
        self._rng = rng
        self._on_message = on_message
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[int]] = {}

    def change(self, send: Send, context: Callable[[Incident | None], Context]) -> None:
        """Other channels from now on; what is under way ends as it began."""
        self._send = send
        self._context = context

    def wake(self) -> None:
        """Something was committed; from the loop's thread."""
        self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._wake.clear()
            try:
                await self._start_due()
            except Exception:  # a fault of ours must not silence every channel for good
                log.exception("event=internal loop=courier")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), BEAT)

    async def deliver_due(self) -> int:
        """How many rows were ticked off, once all that is due now has been tried."""
        await asyncio.gather(*self._busy.values())
        await self._start_due()
        return sum(await asyncio.gather(*self._busy.values()))

    async def _start_due(self) -> None:
        """Channels side by side, each in its own order: one that is slow holds up no other."""
        rows: dict[str, list[Outgoing]] = {}
        for row in await self._outbox.due(self._clock.now()):
            rows.setdefault(row.channel, []).append(row)
        for channel, waiting in rows.items():
            if channel not in self._busy:
                work = self._deliver_safely(tuple(waiting))
                self._busy[channel] = task = asyncio.create_task(work, name=f"to {channel}")
                task.add_done_callback(partial(self._free, channel))

    def _free(self, channel: str, _: asyncio.Task[int]) -> None:
        del self._busy[channel]

    async def _deliver_safely(self, rows: tuple[Outgoing, ...]) -> int:
        """A fault of ours in one channel's messages holds up that channel alone."""
        try:
            return await self._deliver(rows)
        except Exception as error:
            log.exception("event=internal loop=courier channel=%s", rows[0].channel)
            self._postpone(rows[:1], NotDeliveredError(f"internal: {type(error).__name__}"))
            return 0

    async def _deliver(self, rows: tuple[Outgoing, ...]) -> int:
        """One channel, in order; what fails holds up the rest of it."""
        found = await self._incidents(rows)
        if len(rows) > MANY:
            context = self._context(None)
            return len(rows) if await self._try(rows, digest(rows, found, context)) else 0
        done = 0
        for group in _groups(rows):
            incident = found.get(group[0].incident or 0)
            message = phrase(group[-1], incident, self._context(incident))
            if not await self._try(group, message):
                break
            done += len(group)
        return done

    async def _incidents(self, rows: tuple[Outgoing, ...]) -> Mapping[int, Incident]:
        numbers = {row.incident for row in rows if row.incident is not None}
        found = [await self._outbox.incident(number) for number in sorted(numbers)]
        return {incident.id: incident for incident in found if incident}

    async def _try(self, rows: tuple[Outgoing, ...], message: Message) -> bool:
        first = rows[0]
        try:
            await self._send(first.channel, message)
        except NotDeliveredError as error:
            self._postpone(rows, error)
            return False
        now = self._clock.now()
        for row in rows:
            self._outbox.sent(row.id, now)
        log.info(
            "event=delivered channel=%s what=%s incident=%s waited_s=%.1f tries=%d",
            first.channel, first.what.value, first.incident,
            (now - first.created).total_seconds(), first.attempts + 1,
        )  # fmt: skip
        self._on_message(rows[-1], message)
        return True

    def _postpone(self, rows: tuple[Outgoing, ...], error: NotDeliveredError) -> None:
        now = self._clock.now()
        first = rows[0]
        wait = error.retry_after or self._backoff(first.attempts)
        log.warning(
            'event=not_delivered channel=%s what=%s incident=%s tries=%d again_in_s=%.0f why="%s"',
            first.channel, first.what.value, first.incident, first.attempts + 1, wait.total_seconds(), error,
        )  # fmt: skip
        for row in rows:
            if error.permanent or (now - row.created > GIVE_UP and row.attempts):
                log.error(
                    "event=given_up channel=%s what=%s incident=%s",
                    row.channel,
                    row.what.value,
                    row.incident,
                )
                self._outbox.dead(row.id, str(error))
            else:
                tried = replace(
                    row, attempts=row.attempts + 1, last_error=str(error), not_before=now + wait
                )
                self._outbox.postpone(tried)

    def _backoff(self, attempts: int) -> timedelta:
        seconds = BACKOFF[min(attempts, len(BACKOFF) - 1)]
        return timedelta(seconds=seconds * self._rng.uniform(1 - SPREAD, 1 + SPREAD))


def _groups(rows: tuple[Outgoing, ...]) -> list[tuple[Outgoing, ...]]:
    """Rows of one incident that ended while they waited become one message: it began and it ended."""
    ended = {row.incident for row in rows if row.what is Announcement.RESOLVED and row.incident}
    groups: dict[object, list[Outgoing]] = {}
    for row in rows:
        key = ("incident", row.incident) if row.incident in ended else ("row", row.id)
        groups.setdefault(key, []).append(row)
    return [tuple(group) for group in groups.values()]
