"""The daemon's store. `record` and its like only hand over and return; the writer thread commits."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from datetime import date, datetime
from typing import BinaryIO, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from monitor.clock import Clock
from monitor.model import (
    AlertState,
    HistorySettings,
    Incident,
    NewerSchemaError,
    OperatorRequest,
    OutboxMessage,
    RestartState,
    RunRecord,
    Spend,
    StoreError,
)
from monitor.store import engine, requests
from monitor.store.batch import Change, Done, Item
from monitor.store.committing import Commits
from monitor.store.guard import Guard
from monitor.store.opening import prepare
from monitor.store.outbox import Outbox
from monitor.store.pages import vacuum_step
from monitor.store.prune import prune_step
from monitor.store.questions import Questions
from monitor.store.reader import Reader
from monitor.store.recall import CLEAN, CRASHES, SEEN
from monitor.store.reserve import Reserve
from monitor.store.writer import Writer

T = TypeVar("T")
_CHECK_EVERY_S = 86_400
log = logging.getLogger(__name__)


class Store(Questions):
    """Open it, `recall`, then `record`. Call it from one event loop."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        vantage: str = "local",
        history: HistorySettings = HistorySettings(),  # noqa: B008  # frozen
    ) -> None:
        super().__init__()
        self._url, self._path = url, engine.path_of(url)
        self._clock, self._vantage = clock, vantage
        self._listeners: list[Callable[[], None]] = []
        self._engine = engine.writing(self._path)
        self._guard = Guard(
            path=self._path, engine=self._engine, clock=clock,
            note=self._note, replaced=self._replaced, max_size=history.max_size,
            reserve=Reserve(self._path),
        )  # fmt: skip
        commits = Commits(
            engine=self._engine, clock=clock, vantage=vantage,
            guard=self._guard, committed=self._committed,
        )  # fmt: skip
        self._writer = Writer(commits, self._prepare)
        self._checked = clock.monotonic()
        self._lock: BinaryIO | None = None

    @staticmethod
    def read_only(url: str, *, vantage: str | None = None) -> Reader:
        """For commands beside a running daemon."""
        return Reader(url, vantage=vantage)

    @staticmethod
    def holder(url: str) -> int | None:
        """The process id of the daemon that writes this store, if one runs."""
        return engine.holder(engine.path_of(url))

    @staticmethod
    def request(url: str, request: OperatorRequest) -> None:
        """For commands beside a daemon: it takes the request up within seconds, or when it starts."""
        requests.put(url, request)

    def open(self) -> None:
        """Check, migrate, and start the writer; StoreError when the file cannot be used.

        A store that can be read but not written now is `trouble`: the daemon goes on with what it
        knows, results wait in memory, and the writer tries again.
        """
        try:
            self._writer.make_ready()
        except (engine.InUseError, NewerSchemaError):
            self._engine.dispose()  # else a backup put in its place would be read with its journal
            self._release()
            raise
        except StoreError:
            self._release()
            if not self._path.is_file():
                raise
        self._reader = Reader(self._url, vantage=self._vantage)
        self._reader.on_damage = self._guard.suspected
        if self._writer.is_ready:
            self._make_readable(self._reader)
        self._outbox = Outbox(*self._reader.outbox(), self._clock)
        self._writer.start()

    def _make_readable(self, reader: Reader) -> None:
        """What a start asks; while nobody writes yet."""
        try:
            reader.outbox()
            reader.memory(self._clock.now())
        except StoreError:
            with contextlib.suppress(DatabaseError):  # whoever asks next says why
                self._guard.check()

    def _prepare(self) -> None:
        if self._lock is None:
            self._lock = engine.claim(self._path)
        prepare(self._path, self._engine, self._clock, self._note)
        self._guard.opened()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Called from the writer's thread after each commit that holds messages or incidents."""
        self._listeners.append(listener)

    def recall(self) -> RestartState:
        """What the last daemon left; and the mark that this one has not stopped yet."""
        now = self._clock.now()
        memory = self._asked.memory(now)
        marks = ((CRASHES, self._asked.crashes(now)), (CLEAN, "no"), (SEEN, now.isoformat()))
        self._writer.put(Change(meta=marks))
        return memory

    def record(self, entry: RunRecord) -> None:
        """Committed within a second or so, whole or not at all. Never blocks, never raises."""
        outgoing = self._outbox.put(entry.outgoing)
        self._remember(entry.incidents)
        urgent = bool(entry.outgoing or entry.incidents)
        self._writer.put(replace(entry, outgoing=outgoing) if outgoing else entry, urgent=urgent)

    def reserve(self, service: str, day: date, spend: Spend) -> None:
        self._writer.put(Change(spent=((service, day, spend),)))

    async def save(
        self,
        incidents: tuple[Incident, ...] = (),
        outgoing: tuple[OutboxMessage, ...] = (),
        states: tuple[AlertState, ...] = (),
    ) -> None:
        """Reminders, notices and forgotten checks, which come with no result."""
        numbered = self._outbox.put(outgoing)
        self._remember(incidents)
        self._writer.put(Change(states=states, incidents=incidents, outgoing=numbered))
        await self.flush()

    async def flush(self) -> None:
        """Until all that was handed over so far is committed; StoreError when it cannot be."""
        await asyncio.wrap_future(self._writer.flushed())

    async def due(self, now: datetime) -> tuple[OutboxMessage, ...]:
        """Oldest first; in a channel nothing overtakes a message that must wait."""
        return self._outbox.due(now, durable=self.trouble is None)

    def sent(self, outgoing_id: int, at: datetime) -> None:
        self._finish(Done(outgoing_id, at))

    def dead(self, outgoing_id: int, error: str) -> None:
        self._finish(Done(outgoing_id, self._clock.now(), error or "given up"))

    def postpone(self, outgoing: OutboxMessage) -> None:
        """Keep its new `attempts`, `last_error` and `not_before`."""
        self._outbox.change(outgoing)
        self._writer.put(Change(outgoing=(outgoing,)))

    async def finish_requests(self, done: Iterable[int]) -> None:
        now = self._clock.now()
        await self._write(lambda connection: requests.finish(connection, done, now))

    async def prune(self, now: datetime, history: HistorySettings) -> None:
        """Forget what is too old or too much, in short steps between which results are written.

        Once a day the whole file is looked at too.
        """
        self._guard.max_size = history.max_size
        more = True
        while more:
            more = await self._write(lambda connection: self._prune(connection, now, history))
        if self._clock.monotonic() - self._checked >= _CHECK_EVERY_S:
            self._checked = self._clock.monotonic()
            if await asyncio.to_thread(engine.damage, self._path) is not None:
                self._guard.suspected()

    def _prune(self, connection: Connection, now: datetime, history: HistorySettings) -> bool:
        """In the writer's thread."""
        if prune_step(connection, now, history):
            return True
        if vacuum_step(connection):
            self._guard.cut()
            return True
        return False

    def heartbeat(self, now: datetime) -> None:
        self._writer.put(Change(meta=((SEEN, now.isoformat()),)))

    async def note(self, name: str, text: str) -> None:
        """For commands beside the daemon: `Reader.note` finds it."""
        self._writer.put(Change(meta=((name, text),)), urgent=True)
        await self.flush()

    async def close(self) -> None:
        """Commit all, mark a clean stop, and end the threads."""
        now = self._clock.now().isoformat()
        self._writer.put(Change(meta=((SEEN, now), (CLEAN, "yes"))))
        await asyncio.to_thread(self._writer.stop)
        self._pool.shutdown()
        self._asked.close()
        self._engine.dispose()
        self._release()
        if left := len(self._writer.waiting()):
            log.error('event=store_closed unwritten=%d why="%s"', left, self.trouble)

    def _note(self, said: str) -> None:
        self._notes.append(said)
        log.error('event=store_note what="%s"', said)

    def _replaced(self) -> None:
        if self._reader is not None:
            self._reader.reset()

    def _remember(self, incidents: tuple[Incident, ...]) -> None:
        self._incidents.update((incident.id, incident) for incident in incidents)

    def _finish(self, done: Done) -> None:
        self._outbox.remove(done.id)
        self._writer.put(Change(done=(done,)))

    def _committed(self, items: list[Item]) -> None:
        """In the writer's thread."""
        incidents = [incident for item in items for incident in item.incidents]
        outgoing = [message.id for item in items for message in item.outgoing]
        self._outbox.committed(outgoing)
        for incident in incidents:
            if self._incidents.get(incident.id) is incident:
                self._incidents.pop(incident.id, None)
        if incidents or outgoing:
            for listener in self._listeners:
                listener()

    async def _write(self, work: Callable[[Connection], T]) -> T:
        future: Future[T] = self._writer.call(work)
        return await asyncio.wrap_future(future)
