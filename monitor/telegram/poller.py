"""Asks Telegram for a bot's updates (`getUpdates`, long polling), and gets along with every failure.

An update is confirmed by the next poll, after it was seen to.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random

from monitor.clock import Clock
from monitor.logs import RepeatFilter, quoted
from monitor.model import StoreError
from monitor.telegram import replies
from monitor.telegram.bot_api import BotApi, BotApiError
from monitor.telegram.operations import Operations
from monitor.telegram.updates import Update, read_updates

log = logging.getLogger(__name__)

POLL_S = 50
"""How long one poll waits for news."""
BATCH = 50
TOO_OLD = timedelta(minutes=5)
"""What a person did longer ago is not acted on: they have looked elsewhere since."""
CONFLICT_WAITS_S = (120, 300, 900)
"""Seconds without polling after another program was found to poll, by how often that was in a row."""
CONFLICT_OVER_S = 1200
"""Seconds without another conflict after which it is over: longer than the longest wait."""
PERMANENT_WAIT_S = 300
LONGEST_WAIT_S = 120
_SURE = 3
"""Failures in a row after which `monitor status` says that the bot does not listen."""

Handle = Callable[[Update, datetime, bool], Awaitable[None]]
"""Sees to an update; the time is Telegram's, and True says that the update cannot be older than `TOO_OLD`."""


class Poller:
    def __init__(
        self,
        channel: str,
        api: BotApi,
        operations: Operations,
        handle: Handle,
        introduce: Callable[[], Awaitable[None]],
        *,
        clock: Clock,
        rng: Random,
    ) -> None:
        """`introduce` is awaited before the first poll. It and `handle` may raise BotApiError."""
        self._channel, self._api, self._operations = channel, api, operations
        self._handle, self._introduce = handle, introduce
        self._clock, self._rng = clock, rng
        self._is_introduced = False
        self._next: int | None = None
        """The first update that was not seen to; asking for it forgets those before."""
        self._listened_at: float | None = None
        """When all that had come was fetched, by the monotonic clock."""
        self._failures = self._conflicts = 0
        self._conflict_at: float | None = None
        self._repeats = RepeatFilter()
        self._trouble: str | None = "it has not reached Telegram yet"
        """Why it does not listen, as it was reported."""

    async def run(self) -> None:
        """Listen until this is cancelled; nothing that happens ends it."""
        while True:
            try:
                if not self._is_introduced:
                    await self._introduce()
                    self._is_introduced = True
                await self._poll()
                await self._listens()
            except BotApiError as error:
                await asyncio.sleep(await self._wait_after(error))
            except Exception:  # what a person wrote must not end the daemon
                log.exception("event=internal loop=telegram channel=%s", self._channel)
                await asyncio.sleep(LONGEST_WAIT_S)

    async def stop(self) -> None:
        """Confirm what was seen to, so that whoever listens next does not do it again."""
        if self._next is not None:
            with contextlib.suppress(BotApiError):
                await self._api.call("getUpdates", 3, offset=self._next, timeout=0, limit=1)

    async def _poll(self) -> None:
        """Ask for news once and see to it; what has waited for long is fetched without waiting for more."""
        now, before = self._clock.monotonic(), self._listened_at
        is_live = before is not None and now - before <= TOO_OLD.total_seconds()
        offset = {} if self._next is None else {"offset": self._next}
        answer = await self._api.call(
            "getUpdates",
            POLL_S + 15,
            timeout=POLL_S if is_live else 0,
            limit=BATCH,
            allowed_updates=["message", "callback_query", "my_chat_member"],
            **offset,
        )
        arrived, by_its_clock = self._clock.monotonic(), answer.date or self._clock.now()
        updates = read_updates(answer.result)
        if answer.result and not updates:
            raise BotApiError("getUpdates: its answer holds no updates")
        for update in updates:
            await self._see_to(update, by_its_clock, is_live=is_live)
            self._next = update.id + 1
        if is_live or len(updates) < BATCH:
            self._listened_at = arrived

    async def _see_to(self, update: Update, now: datetime, *, is_live: bool) -> None:
        try:
            await self._handle(update, now, is_live)
        except BotApiError as error:
            log.warning("event=no_answer channel=%s why=%s", self._channel, quoted(error))
        except Exception:  # one message must not hold up the next
            log.exception("event=internal loop=telegram channel=%s", self._channel)

    async def _listens(self) -> None:
        """Note that a poll went well."""
        self._failures = 0
        if self._conflict_at is not None:
            if self._clock.monotonic() - self._conflict_at < CONFLICT_OVER_S:
                return
            self._conflict_at, self._conflicts = None, 0
        await self._report(None)

    async def _wait_after(self, error: BotApiError) -> float:
        """Return for how many seconds not to poll, and tell whoever should know."""
        level = self._repeats.level("poll", str(error), logging.DEBUG)
        log.log(level, "event=not_listening channel=%s why=%s", self._channel, quoted(error))
        self._failures += 1
        spread = self._rng.uniform(0.8, 1.2)
        if error.status == 409:
            return await self._conflict(error) * spread
        if error.permanent or self._failures >= _SURE:
            await self._report(str(error))
        if error.retry_after:
            return error.retry_after.total_seconds()
        if error.permanent:
            return PERMANENT_WAIT_S * spread
        return min(2.0 ** min(self._failures, 10), LONGEST_WAIT_S) * spread

    async def _conflict(self, error: BotApiError) -> float:
        """Somebody else reads the bot's messages: tell it once, and leave them alone for minutes."""
        is_new = self._conflict_at is None
        self._conflict_at = self._clock.monotonic()
        self._conflicts += 1
        await self._report(str(error))
        if is_new:
            text = replies.conflict(self._channel, self._operations.language)
            with contextlib.suppress(StoreError):
                await self._operations.notice(text)
        return CONFLICT_WAITS_S[min(self._conflicts, len(CONFLICT_WAITS_S)) - 1]

    async def _report(self, trouble: str | None) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            self._repeats.is_news("poll", None)
            log.info("event=listening channel=%s", self._channel)
        with contextlib.suppress(StoreError):
            await self._operations.report(trouble)
