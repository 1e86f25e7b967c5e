"""Loop 2: outbox -> gather -> phrase -> deliver -> tick off.

What is to be told was committed with the result that caused it; here it is put into words, from
the state at this moment, and sent. A row is ticked off after its channel has taken it: at least
once. Order is kept per channel; a channel that is down holds up nobody else.

News waits a little for other news (`not_before`): then all that waits for the channel goes out
together, one message a service, or one for everything where that would be too many. A channel that
holds events, as on-call services do, gets one message an event.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Protocol

from monitor.alerts import Context, digest, digests, latest, together
from monitor.clock import Clock
from monitor.logs import quoted
from monitor.model import (
    Incident,
    Message,
    NotDeliveredError,
    NotificationType,
    OutboxMessage,
    ReceiverGoneError,
)

log = logging.getLogger(__name__)

BACKOFF = (5, 15, 60, 300, 900)
"""Seconds until the next try, by the number of tries so far; the last one goes on."""
SPREAD = 0.2
SLOWLY = timedelta(minutes=5)
"""The least wait until the next try where a person must mend something first."""
SOON = timedelta(minutes=1)
"""The longest wait while our own network seems to be what fails: when it is back, people hear at once."""
GIVE_UP = timedelta(hours=24)
GIVE_UP_TRIES = 20
"""A clock that is set forward by a day must not lose what was tried once."""
MANY = 3
"""More messages than that, for one channel at one moment, become a digest."""
PER_MINUTE = 18
"""A group chat takes about 20 a minute."""
BEAT = 1.0

SendEvent = Callable[[OutboxMessage], Awaitable[None]]
"""Posts the document of a row of type EVENT; raises NotDeliveredError."""


async def no_webhooks(row: OutboxMessage) -> None:
    """Refuse an event of a webhook that left the configuration."""
    raise ReceiverGoneError(f"there is no {row.channel} any more")


class Channels(Protocol):
    """The channels, each by its id, as the notifier holds them."""

    def holds_events(self, channel_id: str) -> bool:
        """Say whether it keeps one event for each incident: then nothing is told together."""
        ...

    def parts(self, channel_id: str, message: Message) -> tuple[Message, ...]:
        """Return what is to be sent in turn, each within what the channel takes."""
        ...

    async def send(self, channel_id: str, message: Message) -> None:
        """Raise NotDeliveredError when the channel did not take it, or may not have."""
        ...


class Outbox(Protocol):
    """The part of the store that the courier needs."""

    async def due(self, now: datetime) -> tuple[OutboxMessage, ...]: ...

    async def incident(self, incident_id: int) -> Incident | None: ...

    def sent(self, outgoing_id: int, at: datetime) -> None: ...

    def postpone(self, outgoing: OutboxMessage) -> None: ...

    def dead(self, outgoing_id: int, error: str) -> None: ...


class Courier:
    def __init__(
        self,
        outbox: Outbox,
        channels: Channels,
        context: Callable[[Incident | None], Context],
        *,
        clock: Clock,
        rng: Random,
        on_message: Callable[[OutboxMessage, Message], None] = lambda *_: None,
        is_blind: Callable[[], bool] = lambda: False,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        """Nothing is sent any more once it may not: another daemon does it."""
        self._outbox = outbox
        self._channels = channels
        self.send_event: SendEvent = no_webhooks
        self._context = context
        self._clock = clock
        self._rng = rng
        self._on_message = on_message
        self._is_blind, self._may_send = is_blind, may_send
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[int]] = {}
        self._recent: dict[str, deque[float]] = {}
        """When each channel took a message, by the monotonic clock."""
        self._halfway: dict[str, tuple[tuple[int, ...], tuple[Message, ...]]] = {}
        """By channel: the rows of a long message that broke off, and its parts that are left."""

    def change(self, channels: Channels, context: Callable[[Incident | None], Context]) -> None:
        """Use other channels from now on; what is under way ends as it began."""
        self._channels = channels
        self._halfway = {}  # what is left was cut for the addresses that channels had
        self._context = context

    def wake(self) -> None:
        """Look for work at once: something was committed. Call it on the loop's thread."""
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

    async def deliver_due(self, *, at_once: bool = False) -> int:
        """Try all that is due now; return how many rows were ticked off.

        `at_once`: news waits for no other news, for there will be none.
        """
        await asyncio.gather(*self._busy.values())
        await self._start_due(at_once=at_once)
        return sum(await asyncio.gather(*self._busy.values()))

    async def _start_due(self, *, at_once: bool = False) -> None:
        """Start channels side by side, each in its own order: one that is slow holds up no other."""
        now = self._clock.now()
        rows: dict[str, list[OutboxMessage]] = {}
        for row in await self._outbox.due(now):
            rows.setdefault(row.channel, []).append(row)
        for channel, waiting in rows.items():
            is_held = (_gathers(waiting[0], now) and not at_once) or self._must_pause(channel)
            if channel not in self._busy and not is_held:
                work = self._deliver_safely(tuple(waiting))
                self._busy[channel] = task = asyncio.create_task(work, name=f"to {channel}")
                task.add_done_callback(partial(self._free, channel))

    def cut_off(self) -> None:
        """Break off what is being sent; whether it was taken is not known."""
        for task in self._busy.values():
            task.cancel()

    def _must_be_allowed(self) -> None:
        if not self._may_send():
            raise NotDeliveredError("another daemon tells it")

    def _must_pause(self, channel: str) -> bool:
        recent, now = self._recent.setdefault(channel, deque()), self._clock.monotonic()
        while recent and now - recent[0] >= 60:
            recent.popleft()
        return len(recent) >= PER_MINUTE

    def _free(self, channel: str, _: asyncio.Task[int]) -> None:
        del self._busy[channel]

    async def _deliver_safely(self, rows: tuple[OutboxMessage, ...]) -> int:
        """Deliver; a fault of ours in one channel's messages holds up that channel alone."""
        try:
            return await self._deliver(rows)
        except Exception as error:
            log.exception("event=internal loop=courier channel=%s", rows[0].channel)
            self._postpone(rows[:1], NotDeliveredError(f"internal: {type(error).__name__}"))
            return 0

    async def _deliver(self, rows: tuple[OutboxMessage, ...]) -> int:
        """Deliver one channel's rows in order; what fails holds up the rest of them."""
        if rows[0].what is NotificationType.EVENT:
            return await self._deliver_events(rows)
        incidents = await self._incidents(rows)
        if self._channels.holds_events(rows[0].channel):
            groups = _by_event(rows, incidents)
        else:
            groups = _groups(rows, incidents)
            groups = groups if len(groups) <= MANY else digests(rows)
        done = 0
        for group in groups:
            if not await self._try(group, incidents):
                break
            done += len(group)
        return done

    async def _deliver_events(self, rows: tuple[OutboxMessage, ...]) -> int:
        """Deliver a webhook's events one by one; one that fails holds up the rest of its incident."""
        done, held_up = 0, set[int | None]()
        for row in rows:
            if row.incident in held_up:
                continue
            try:
                self._must_be_allowed()
                await self.send_event(row)
            except ReceiverGoneError as error:
                _log_given_up(row)
                self._outbox.dead(row.id, str(error))
            except Exception as error:  # noqa: BLE001  # a fault of ours holds up this event alone
                held_up.add(row.incident)
                self._postpone((row,), _refusal(error, row))
            else:
                self._tick_off((row,))
                done += 1
        return done

    def _phrase(
        self, rows: tuple[OutboxMessage, ...], incidents: Mapping[int, Incident]
    ) -> Message:
        """Phrase one incident in full, several of a service as one, anything else as a list."""
        numbers = {row.incident or 0 for row in rows}
        is_one = len({row.incident or ("notice", row.id) for row in rows}) == 1
        if is_one or self._channels.holds_events(rows[0].channel):
            incident = incidents.get(rows[-1].incident or 0)
            return latest(rows, incident, self._context(incident))
        told = [incidents[number] for number in numbers if number in incidents]
        contexts = {incident.id: self._context(incident) for incident in told}
        if len({incident.service for incident in told}) == 1 and len(told) == len(numbers):
            return together(rows, told, contexts)
        return digest(rows, told, contexts, self._context(None))

    async def _incidents(self, rows: tuple[OutboxMessage, ...]) -> Mapping[int, Incident]:
        numbers = {row.incident for row in rows if row.incident is not None}
        stored = [await self._outbox.incident(number) for number in sorted(numbers)]
        return {incident.id: incident for incident in stored if incident}

    async def _try(
        self, rows: tuple[OutboxMessage, ...], incidents: Mapping[int, Incident]
    ) -> bool:
        try:
            message = self._phrase(rows, incidents)
            await self._send_parts(rows, message)
        except Exception as error:  # noqa: BLE001  # a fault of ours does not send again what was sent before
            self._postpone(rows, _refusal(error, rows[0]))
            return False
        self._tick_off(rows)
        try:
            self._on_message(rows[-1], message)
        except Exception:  # whoever listens does not send again what was taken
            log.exception("event=internal loop=courier channel=%s", rows[0].channel)
        return True

    def _tick_off(self, rows: tuple[OutboxMessage, ...]) -> None:
        first, now = rows[0], self._clock.now()
        for row in rows:
            self._outbox.sent(row.id, now)
        log.info(
            "event=delivered channel=%s what=%s incident=%s waited_s=%.1f tries=%d",
            first.channel,
            first.what.value,
            first.incident,
            (now - first.created).total_seconds(),
            first.attempts + 1,
        )

    async def _send_parts(self, rows: tuple[OutboxMessage, ...], message: Message) -> None:
        """Send all parts; after a NotDeliveredError those that went through are not sent again."""
        channel, ids, halfway = rows[0].channel, tuple(row.id for row in rows), self._halfway
        interrupted, left = halfway.pop(channel, ((), ()))
        is_begun = interrupted == ids
        left = left if is_begun else self._channels.parts(channel, message)
        recent = self._recent.setdefault(channel, deque())
        for place, part in enumerate(left):
            try:
                self._must_be_allowed()
                await self._channels.send(channel, part)
            except NotDeliveredError as error:
                if is_begun or error.is_taken_by_some:
                    halfway[channel] = ids, left[place:]
                raise
            recent.append(self._clock.monotonic())
            is_begun = True

    def _postpone(self, rows: tuple[OutboxMessage, ...], error: NotDeliveredError) -> None:
        now = self._clock.now()
        first = rows[0]
        wait = error.retry_after or self._backoff(first.attempts)
        if error.permanent:
            wait = max(wait, SLOWLY)
        if self._is_blind() and not error.retry_after:
            wait = min(wait, SOON)
        log.warning(
            "event=not_delivered channel=%s what=%s incident=%s tries=%d again_in_s=%.0f why=%s",
            first.channel,
            first.what.value,
            first.incident,
            first.attempts + 1,
            wait.total_seconds(),
            quoted(error),
        )
        for row in rows:
            if now - row.created > GIVE_UP and row.attempts >= GIVE_UP_TRIES:
                _log_given_up(row)
                self._outbox.dead(row.id, str(error))
            else:
                tried = replace(
                    row, attempts=row.attempts + 1, last_error=str(error), not_before=now + wait
                )
                self._outbox.postpone(tried)

    def _backoff(self, attempts: int) -> timedelta:
        seconds = BACKOFF[min(attempts, len(BACKOFF) - 1)]
        return timedelta(seconds=seconds * self._rng.uniform(1 - SPREAD, 1 + SPREAD))


def _refusal(error: Exception, row: OutboxMessage) -> NotDeliveredError:
    """Take a fault of ours for a refusal: it is tried again, and given up in the end."""
    if isinstance(error, NotDeliveredError):
        return error
    log.error("event=internal loop=courier channel=%s", row.channel, exc_info=error)
    return NotDeliveredError(f"internal: {type(error).__name__}")


def _log_given_up(row: OutboxMessage) -> None:
    log.error(
        "event=given_up channel=%s what=%s incident=%s", row.channel, row.what.value, row.incident
    )


def _gathers(row: OutboxMessage, now: datetime) -> bool:
    """Say whether a row still waits for news that belongs to it; a clock that was set back ends that."""
    return row.attempts == 0 and row.created <= now < row.not_before


def _groups(
    rows: tuple[OutboxMessage, ...], incidents: Mapping[int, Incident]
) -> list[tuple[OutboxMessage, ...]]:
    """Group what becomes one message: all rows of a service, or one notice."""
    groups: dict[object, list[OutboxMessage]] = {}
    for row in rows:
        incident = incidents.get(row.incident or 0)
        key = ("service", incident.service) if incident else ("row", row.id)
        groups.setdefault(key, []).append(row)
    return [tuple(group) for group in groups.values()]


def _by_event(
    rows: tuple[OutboxMessage, ...], incidents: Mapping[int, Incident]
) -> list[tuple[OutboxMessage, ...]]:
    """Group the rows of each event, for a channel that keeps it from its begin to its end.

    That somebody knows is told by itself, after what it is of; once the event is over, not at all.
    """
    groups: dict[object, list[OutboxMessage]] = {}
    over = {row.incident for row in rows if row.what.is_end}
    for row in rows:
        incident = incidents.get(row.incident or 0)
        event = incident.event if incident else row.event or ("row", row.id)
        is_known = row.what is NotificationType.ACKNOWLEDGED and row.incident not in over
        groups.setdefault((event, is_known), []).append(row)
    return [tuple(group) for group in groups.values()]
