"""The daemon's store. `record` and its like only hand over and return; the writer thread commits."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError

from monitor.clock import Clock
from monitor.model import (
    AlertState,
    Entry,
    Evidence,
    HistorySettings,
    Incident,
    Memory,
    Outgoing,
    Result,
    Snapshot,
    Spend,
    StoreError,
)
from monitor.store import engine, find, migrations
from monitor.store.batch import Change, Done, Item
from monitor.store.meta import read_meta, set_meta
from monitor.store.outbox import Outbox
from monitor.store.prune import prune_step
from monitor.store.reader import Reader
from monitor.store.tables import INCIDENTS, NUMBER_BITS, OUTBOX, RESULTS
from monitor.store.times import from_millis
from monitor.store.writer import Writer

T = TypeVar("T")
_SEEN, _CLEAN = "last_seen", "stopped_cleanly"
log = logging.getLogger(__name__)


class Store:
    """Open it, `recall`, then `record`. Call it from one event loop."""

    def __init__(self, url: str, *, clock: Clock, vantage: str = "local") -> None:
        self._url, self._path = url, engine.path_of(url)
        self._clock, self._vantage = clock, vantage
        self._listeners: list[Callable[[], None]] = []
        self._incidents: dict[int, Incident] = {}
        self._notes: list[str] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._engine: Engine
        self._writer: Writer
        self._reader: Reader
        self._outbox: Outbox
        self._lock: BinaryIO

    @staticmethod
    def read_only(url: str, *, vantage: str | None = None) -> Reader:
        """For commands beside a running daemon."""
        return Reader(url, vantage=vantage)

    @staticmethod
    def holder(url: str) -> int | None:
        """The process id of the daemon that writes this store, if one runs."""
        return engine.holder(engine.path_of(url))

    def open(self) -> None:
        """Check, migrate, and start the writer; StoreError when the file cannot be used."""
        self._lock = engine.claim(self._path)
        try:
            self._open()
        except BaseException:
            self._lock.close()
            raise

    def _open(self) -> None:
        self._check_sound()
        self._engine = engine.writing(self._path)
        try:
            self._migrate()
            with self._engine.begin() as connection:
                newest = connection.execute(select(func.max(OUTBOX.c.id))).scalar() or 0
                self._outbox = Outbox(find.pending(connection), newest + 1)
        except DBAPIError as error:
            raise StoreError(f"{self._path} cannot be opened: {error.orig}") from error
        self._writer = Writer(self._engine, self._clock, self._committed)
        self._writer.start()
        self._reader = Reader(self._url, vantage=self._vantage)

    @property
    def notes(self) -> tuple[str, ...]:
        """What an operator should know of how the store was opened."""
        return tuple(self._notes)

    @property
    def trouble(self) -> str | None:
        """Why writing fails now, if it does; results wait in memory meanwhile."""
        return self._writer.trouble

    @property
    def dropped(self) -> int:
        """Results given up because the disk failed for too long."""
        return self._writer.dropped

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Called from the writer's thread after each commit that holds messages or incidents."""
        self._listeners.append(listener)

    def recall(self) -> Memory:
        """What the last daemon left; and the mark that this one has not stopped yet."""
        now = self._clock.now()
        return self._writer.call(
            lambda connection: _recall(connection, now, self._vantage)
        ).result()

    def record(self, entry: Entry) -> None:
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
        outgoing: tuple[Outgoing, ...] = (),
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

    async def due(self, now: datetime) -> tuple[Outgoing, ...]:
        """Oldest first; in a channel nothing overtakes a message that must wait."""
        return self._outbox.due(now, durable=self.trouble is None)

    def sent(self, outgoing_id: int, at: datetime) -> None:
        self._finish(Done(outgoing_id, at))

    def dead(self, outgoing_id: int, error: str) -> None:
        self._finish(Done(outgoing_id, self._clock.now(), error or "given up"))

    def postpone(self, outgoing: Outgoing) -> None:
        """Keep its new `attempts`, `last_error` and `not_before`."""
        self._outbox.change(outgoing)
        self._writer.put(Change(outgoing=(outgoing,)))

    async def incident(self, incident_id: int) -> Incident | None:
        waiting = self._incidents.get(incident_id)
        return waiting or await self._ask(lambda: self._reader.incident(incident_id))

    async def incidents(
        self, *, since: datetime | None = None, limit: int | None = None
    ) -> tuple[Incident, ...]:
        """Committed ones, newest first; with `since`, the open ones and those closed after it."""
        return await self._ask(lambda: self._reader.incidents(since=since, limit=limit))

    async def results(
        self, check: str, *, since: datetime, until: datetime | None = None
    ) -> tuple[Result, ...]:
        return await self._ask(lambda: self._reader.results(check, since=since, until=until))

    async def evidence(self, check: str, at: datetime) -> Evidence | None:
        return await self._ask(lambda: self._reader.evidence(check, at))

    async def snapshot(self, now: datetime) -> Snapshot:
        return await self._ask(lambda: self._reader.snapshot(now))

    async def prune(self, now: datetime, history: HistorySettings) -> None:
        """Forget what is too old, in short steps between which results are written."""
        more = True
        while more:
            more = await self._write(lambda connection: prune_step(connection, now, history))

    async def backup(self, path: Path) -> None:
        """A copy of all that is committed; `path` appears whole or not at all."""
        await self.flush()
        await asyncio.to_thread(engine.copy, self._path, path)

    def heartbeat(self, now: datetime) -> None:
        self._writer.put(Change(meta=((_SEEN, now.isoformat()),)))

    async def note(self, name: str, text: str) -> None:
        """For commands beside the daemon: `Reader.note` finds it."""
        self._writer.put(Change(meta=((name, text),)), urgent=True)
        await self.flush()

    async def close(self) -> None:
        """Commit all, mark a clean stop, and end the threads."""
        now = self._clock.now().isoformat()
        self._writer.put(Change(meta=((_SEEN, now), (_CLEAN, "yes"))))
        await asyncio.to_thread(self._writer.stop)
        self._pool.shutdown()
        self._reader.close()
        self._engine.dispose()
        self._lock.close()
        if left := len(self._writer.waiting()):
            log.error("closed with %d items unwritten: %s", left, self.trouble)

    def _check_sound(self) -> None:
        damage = engine.damage(self._path)
        if damage is not None:
            stamp = self._clock.now().strftime("%Y%m%dT%H%M%SZ")
            aside = engine.set_aside(self._path, stamp)
            self._notes.append(f"the store was damaged ({damage}); it is kept as {aside.name}")
            log.error("%s", self._notes[-1])

    def _migrate(self) -> None:
        with self._engine.begin() as connection:
            found = migrations.version(connection)
        migrations.check_not_newer(found)
        for step in range(found, len(migrations.MIGRATIONS)):
            if step:
                engine.copy(self._path, self._path.with_name(f"{self._path.name}.schema-{step}"))
            with self._engine.begin() as connection:
                migrations.migrate(connection, step)

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

    async def _ask(self, question: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, question)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        future: Future[T] = self._writer.call(work)
        return await asyncio.wrap_future(future)


def _recall(connection: Connection, now: datetime, vantage: str) -> Memory:
    clean, seen = read_meta(connection, _CLEAN) == "yes", _last_seen(connection)
    set_meta(connection, _CLEAN, "no")
    set_meta(connection, _SEEN, now.isoformat())
    newest = connection.execute(select(func.max(INCIDENTS.c.id))).scalar() or 0
    return Memory(
        states={
            (state.check, state.rule): state
            for states in find.states(connection).values()
            for state in states
        },
        incidents=find.open_incidents(connection),
        next_incident=newest + 1,
        habits=find.habits(connection),
        spent_today=find.spent(connection, now.date(), now.date()),
        last_seen=seen,
        stopped_cleanly=clean,
        last_asked=find.last_asked(connection, vantage),
    )


def _last_seen(connection: Connection) -> datetime | None:
    """The last heartbeat, or the newest result if that is later."""
    said = read_meta(connection, _SEEN)
    newest = connection.execute(select(func.max(RESULTS.c.key))).scalar()
    times = [datetime.fromisoformat(said)] if said else []
    times += [from_millis(newest >> NUMBER_BITS)] if newest else []
    return max(times, default=None)
