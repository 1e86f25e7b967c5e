"""What a store is asked, in a thread of its own beside the one that writes; and what it says of itself."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from monitor.model import (
    Evidence,
    Incident,
    OperatorRequest,
    OutboxMessage,
    Result,
    Snapshot,
    StoreError,
)
from monitor.store.outbox import Outbox
from monitor.store.reader import Reader
from monitor.store.unwritten import with_unwritten
from monitor.store.writer import Writer

T = TypeVar("T")


class Questions:
    """The asking half of `Store`, from which the half that writes is derived."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._reader: Reader | None = None
        self._incidents: dict[int, Incident] = {}
        """Those that are not committed yet, by number."""
        self._seen: Snapshot | None = None
        self._notes: list[str] = []
        self._outbox: Outbox
        self._writer: Writer

    @property
    def notes(self) -> tuple[str, ...]:
        """What befell the file and was mended since the daemon began, as sentences for an operator."""
        return tuple(self._notes)

    @property
    def trouble(self) -> str | None:
        """Why writing fails now, if it does; results wait in memory meanwhile.

        Known within a minute: at the next commit, which a heartbeat brings, or look at the file.
        """
        return self._writer.trouble or self._writer.unseen

    @property
    def dropped(self) -> int:
        """Results given up because the disk failed for too long."""
        return self._writer.dropped

    @property
    def overflow(self) -> str | None:
        """That results are given up, if they are: the disk fails for longer than memory reaches."""
        return self._writer.overflow

    def oldest_message(self, channels: Iterable[str]) -> datetime | None:
        """When the oldest message to one of these that is not delivered was made."""
        return self._outbox.oldest(frozenset(channels))

    @property
    def failing(self) -> Mapping[str, OutboxMessage]:
        """By channel the message that it does not take, if there is one."""
        return self._outbox.failing()

    @property
    def undelivered(self) -> Mapping[str, int]:
        """Messages that wait, by channel."""
        return self._outbox.depths()

    @property
    def _asked(self) -> Reader:
        assert self._reader is not None, "open it first"
        return self._reader

    async def incident(self, incident_id: int) -> Incident | None:
        """While the disk fails also one that was only read before."""
        if waiting := self._incidents.get(incident_id):
            return waiting
        try:
            return await self._ask(lambda: self._asked.incident(incident_id))
        except StoreError:
            seen = self._seen.incidents if self._seen else ()
            found = next((each for each in seen if each.id == incident_id), None)
            if found is None:
                raise
            return found

    async def incidents(
        self, *, since: datetime | None = None, limit: int | None = None
    ) -> tuple[Incident, ...]:
        """Committed ones, newest first; with `since`, the open ones and those closed after it."""
        return await self._ask(lambda: self._asked.incidents(since=since, limit=limit))

    async def results(
        self, check: str, *, since: datetime, until: datetime | None = None
    ) -> tuple[Result, ...]:
        return await self._ask(lambda: self._asked.results(check, since=since, until=until))

    async def results_since(self, since: datetime) -> tuple[Result, ...]:
        """Of all checks, oldest first."""
        return await self._ask(lambda: tuple(self._asked.each_result(since=since)))

    async def requests(self) -> tuple[OperatorRequest, ...]:
        """What people have asked from other processes, oldest first."""
        return await self._ask(self._asked.requests)

    async def evidence(self, check: str, at: datetime) -> Evidence | None:
        return await self._ask(lambda: self._asked.evidence(check, at))

    async def snapshot(self, now: datetime) -> Snapshot:
        """While the disk fails: what can be read, or was read last, and what waits in memory."""
        try:
            self._seen = await self._ask(lambda: self._asked.snapshot(now))
        except StoreError:
            if self._seen is None:
                raise
        else:
            if self.trouble is None:
                return self._seen
        seen, items, outbox = self._seen, self._writer.waiting(), self._outbox.waiting()
        return await self._ask(lambda: with_unwritten(seen, items, outbox, now))

    async def _ask(self, question: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, question)
