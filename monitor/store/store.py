"""The daemon's store. `record` and its like only hand over and return; the writer thread commits."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from monitor.clock import Clock
from monitor.model import (
    AgentState,
    AlertState,
    Evidence,
    HistorySettings,
    Incident,
    Month,
    MonthRecord,
    NewerSchemaError,
    OperatorRequest,
    OutboxMessage,
    PastCounts,
    RestartState,
    Result,
    RunRecord,
    Snapshot,
    Spend,
    StoreError,
    Subscriber,
)
from monitor.store import retention, schema, small_tables
from monitor.store.cut import cut
from monitor.store.database import UNREADABLE, Holder, InUseError, WaitingDaemon
from monitor.store.engines import database
from monitor.store.follower import Follower
from monitor.store.history import History
from monitor.store.month_reader import read_month
from monitor.store.outbox import MessageQueue
from monitor.store.reader import Reader, must_be_written
from monitor.store.rollup_job import add_past_counts
from monitor.store.run_rows import Ids, millis, stored_check
from monitor.store.small_tables import CLEAN, CRASHES, SEEN
from monitor.store.transaction import Change, Done, Item, WriteSet, write
from monitor.store.writer import AlsoWritten, Writer

T = TypeVar("T")
_CHECK_EVERY_S = 86_400
log = logging.getLogger(__name__)


class _NobodyWaitsError(StoreError):
    """Ends a load when the store is closed."""


class Store:
    """Keeps what the daemon measures and believes.

    Open it, `recall`, then `record`. Call it from one event loop.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        vantage: str = "local",
        history: HistorySettings = HistorySettings(),  # noqa: B008  # frozen
        others: Iterable[str] = (),
        also: AlsoWritten | None = None,
    ) -> None:
        """`others` are vantages whose runs are held in memory beside our own.

        `also` is called within each transaction that writes runs, with them.
        """
        self._url, self._database = url, database(url)
        self._clock, self._vantage = clock, vantage
        self.on_load: Callable[[], None] = lambda: None
        """Called in a thread when memory has been filled from the store: at the start, at midnight."""
        self._listeners: list[Callable[[], None]] = []
        self._notes: list[str] = []
        self._upkeep = self._database.upkeep(
            clock=clock,
            note=self._note,
            replaced=self._replaced,
            max_size=history.max_size,
            is_read_long=lambda: self._is_checking or not (self._load is None or self._load.done()),
        )
        self._writer = Writer(
            self._upkeep, clock=clock, vantage=vantage, committed=self._committed, also=also
        )
        self._others = frozenset(others)
        self._history = History(vantage)
        self._follower: Follower | None = None
        self._load: Future[None] | None = None
        self._is_checking = False
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="store-loader")
        self._reader: Reader | None = None
        self._outbox: MessageQueue
        self._checked_at = (
            float("-inf") if self._upkeep.is_looked_through_late else clock.monotonic()
        )

    @staticmethod
    def read_only(url: str, *, vantage: str | None = None) -> Reader:
        """Open a store for a command beside a running daemon."""
        return Reader(url, vantage=vantage)

    @staticmethod
    def noted(url: str, name: str, *, vantage: str) -> str | None:
        """Return what a daemon left under `name`; None also where none has written this store yet. Raises StoreError."""
        place = database(url)
        engine = place.reading()
        try:
            with engine.begin() as connection:
                is_there = schema.check_version(connection)
                return small_tables.note(connection, vantage, name) if is_there else None
        except DBAPIError as error:
            raise StoreError(f"the store cannot be read: {place.why(error)}") from error
        finally:
            engine.dispose()

    @staticmethod
    def holder(url: str) -> Holder | None:
        """Return the daemon that writes this store, if one runs."""
        return database(url).holder()

    @staticmethod
    def waiting(url: str) -> tuple[WaitingDaemon, ...]:
        """Return the daemons that wait to take this store over, the one that was heard last first."""
        return database(url).waiting()

    @staticmethod
    def request(url: str, request: OperatorRequest) -> None:
        """Keep what a command asks of the daemon, which takes it up within seconds, or when it starts. Raises StoreError."""
        place = database(url)
        place.must_exist()
        writing = place.writing()
        try:
            with writing.begin() as connection:
                must_be_written(place, there=schema.check_version(connection))
                small_tables.add_request(connection, request)
        except DBAPIError as error:
            raise StoreError(f"{place.name} cannot be written: {place.why(error)}") from error
        finally:
            writing.dispose()

    @property
    def has_lease(self) -> bool:
        """Tell whether a second daemon may wait for this store, and the first one may lose it."""
        return self._upkeep.has_lease

    @property
    def claim_id(self) -> str:
        """Return the `id` of the holder that this daemon is while it writes the store."""
        return self._upkeep.claim_id

    def leader(self) -> Holder | None:
        """Return the daemon that we wait for, and say that we do; None where we may `open`. It asks, so call it in a thread.

        Raises StoreError where the store cannot be asked.
        """
        return self._upkeep.leader()

    def follow(self, leader: Holder, is_over: Callable[[], bool] = lambda: False) -> None:
        """Fill memory with what this daemon has committed, so that `open` need not. Call it in one thread at a time.

        It ends early where it `is_over`. Raises StoreError.
        """

        def rest(_: float) -> None:
            if is_over():
                raise _NobodyWaitsError("nobody waits for the history any more")

        if self._follower is None:
            self._follower = Follower(self._url, self._history, self._vantage, self._clock)
        follower = self._follower
        try:
            with contextlib.suppress(_NobodyWaitsError):
                follower.follow(leader.id, self._others, self._clock.now(), rest)
        finally:
            if follower is not self._follower:  # nobody else closes it any more
                follower.close()

    def follow_no_more(self) -> None:
        """Leave a call of `follow` that does not end to itself, with the memory that it fills: `open` loads another one."""
        self._follower, self._history = None, History(self._vantage)

    def prove_life(self) -> None:
        """Say that the event loop goes on. Once it was said, a claim is renewed by itself only while it is said often."""
        self._upkeep.prove_life()

    def wait_no_more(self) -> None:
        """Give up to wait, and close what is open."""
        if self._follower is not None:
            self._follower.close()
        self._upkeep.release()

    def open(self) -> None:
        """Claim the store, start the writer, and begin to load; StoreError when it cannot be used.

        A store that can be read but not written now is `trouble`: the daemon goes on with what it
        knows, results wait in memory, and the writer tries again.
        """
        try:
            self._open()
        except StoreError:
            # A connection that stayed open would read a backup put in its place with the old journal.
            if self._reader is not None:
                self._reader.close()
            self._upkeep.release()
            raise

    def _open(self) -> None:
        try:
            self._writer.make_ready()
        except (InUseError, NewerSchemaError):
            raise
        except StoreError:
            self._upkeep.release()
            if not self._database.can_be_read():
                raise
        self._reader = Reader(self._url, vantage=self._vantage)
        self._reader.on_damage = self._upkeep.suspected
        try:
            self._read_small()
        except StoreError:
            if not self._writer.is_ready:
                raise
            with contextlib.suppress(DBAPIError):  # whoever asks next says why
                self._upkeep.check()
            self._read_small()
        if not self._has_followed():
            with contextlib.suppress(StoreError):  # whoever asks next tries again
                self._begin_load(self._clock.now(), ())
        self._writer.start()

    def _has_followed(self) -> bool:
        """Add to a history that was followed what was committed since; tell whether memory is whole now."""
        if self._follower is None:
            return False
        try:
            if self._follower.holds(self._clock.now(), self._others):
                self._follower.catch_up()
                return True
        except StoreError:
            self._history.is_loaded = False
        finally:
            self._follower.close()
        return False

    def _read_small(self) -> None:
        """Read what a start cannot do without: messages, states, incidents and other tables of few rows."""
        self._outbox = MessageQueue(*self._file.outbox(), self._clock)
        with self._file.loading(self._clock.now()) as loader:
            loader.small(self._history)
        self._file.restart_state(self._clock.now())

    def _begin_load(self, now: datetime, uncommitted: Iterable[Item]) -> None:
        """Fix what is read, while nobody commits; the rest goes on in a thread of its own."""
        reading = self._file.loading(now, self._others)
        loader = reading.__enter__()
        self._history.begin_load(uncommitted)

        def load() -> None:
            try:
                with contextlib.ExitStack() as stack:
                    stack.push(reading)
                    loader.load(self._history, rest=self._rest)
                self.on_load()
            except _NobodyWaitsError:
                pass
            except StoreError as error:
                log.error('event=history_not_loaded why="%s"', error)  # noqa: TRY400  # it says why

        self._load = self._loader.submit(load)

    def _rest(self, seconds: float) -> None:
        """Pause a load, so that probes are on time; end it when nobody waits for it any more."""
        if self._closing.wait(seconds):
            raise _NobodyWaitsError("the store is being closed")

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` from the writer's thread after each commit that holds messages or incidents."""
        self._listeners.append(listener)

    def recall(self) -> RestartState:
        """Recall what the last daemon left, and mark that this one has not stopped yet."""
        now = self._clock.now()
        state = self._file.restart_state(now)
        marks = ((CRASHES, self._file.crashes(now)), (CLEAN, "no"), (SEEN, now.isoformat()))
        self._put(Change(values=marks))
        return state

    def record(self, entry: RunRecord) -> None:
        """Hand over a run, which is committed within a second or so, whole or not at all. Never blocks, never raises."""
        outgoing = self._outbox.put(entry.outgoing)
        urgent = bool(entry.outgoing or entry.incidents)
        self._put(replace(entry, outgoing=outgoing) if outgoing else entry, urgent=urgent)

    def reserve(self, service: str, day: date, spend: Spend) -> None:
        self._put(Change(spent=((service, day, spend),)))

    async def save(
        self,
        incidents: tuple[Incident, ...] = (),
        outgoing: tuple[OutboxMessage, ...] = (),
        states: tuple[AlertState, ...] = (),
        values: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Commit what comes with no result: reminders, notices, forgotten checks and single values by name."""
        self.keep(incidents, outgoing, states, values)
        await self.flush()

    def keep(
        self,
        incidents: tuple[Incident, ...] = (),
        outgoing: tuple[OutboxMessage, ...] = (),
        states: tuple[AlertState, ...] = (),
        values: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Hand over what `save` waits for."""
        numbered = self._outbox.put(outgoing)
        change = Change(states=states, incidents=incidents, outgoing=numbered, values=values)
        self._put(change, urgent=bool(outgoing or incidents))

    def _put(self, item: Item, *, urgent: bool = False) -> None:
        """Hand an item to memory and to the writer, at once as seen by a load that begins."""
        with self._history.lock:
            self._history.add(item)
            self._writer.put(item, urgent=urgent)

    async def flush(self) -> None:
        """Wait until all that was handed over so far is committed. Raises StoreError when it cannot be."""
        await asyncio.wrap_future(self._writer.flushed())

    async def due(self, now: datetime) -> tuple[OutboxMessage, ...]:
        """Return the messages to send now, oldest first. In a channel none overtakes one that must wait."""
        return () if self.lost else self._outbox.due(now, durable=self.trouble is None)

    def sent(self, outgoing_id: int, at: datetime) -> None:
        self._outbox.remove(outgoing_id)
        self._put(Change(done=(Done(outgoing_id, at),)))

    def dead(self, outgoing_id: int, error: str) -> None:
        """Give a message up."""
        message, at = self._outbox.remove(outgoing_id), self._clock.now()
        if message is not None:
            self._history.dead.insert(0, (at, replace(message, last_error=error or "given up")))
        self._put(Change(done=(Done(outgoing_id, at, error or "given up"),)))

    def postpone(self, outgoing: OutboxMessage) -> None:
        """Keep its new `attempts`, `last_error` and `not_before`."""
        self._outbox.change(outgoing)
        self._put(Change(outgoing=(outgoing,)))

    async def add_request(self, request: OperatorRequest) -> None:
        """Keep what a person asks of this daemon itself, as `request` does from another process."""
        await self._write(lambda connection: small_tables.add_request(connection, request))

    async def subscribers(self) -> tuple[Subscriber, ...]:
        return await self._ask(self._file.subscribers)

    async def subscribe(self, subscriber: Subscriber) -> None:
        await self._write(
            lambda connection: small_tables.subscribe(connection, subscriber, self._vantage)
        )

    async def unsubscribe(self, channel: str, chat: int, service: str | None = None) -> None:
        """Forget what a chat subscribed to; without a service all of it."""
        await self._write(
            lambda connection: small_tables.unsubscribe(
                connection, self._vantage, channel, chat, service
            )
        )

    async def keep_subscribers(self, channels: Collection[str]) -> None:
        """Forget who subscribed through any other channel than these."""
        await self._write(
            lambda connection: small_tables.keep_subscribers(connection, self._vantage, channels)
        )

    async def finish_requests(self, done: Iterable[int]) -> None:
        now = self._clock.now()
        await self._write(lambda connection: small_tables.finish_requests(connection, done, now))

    async def prune(self, now: datetime, history: HistorySettings) -> None:
        """Forget what is too old or too much, in short steps between which results are written.

        Once a day the whole store is looked at too.
        """
        self._upkeep.max_size = history.max_size
        more = True
        while more:
            more = await self._write(lambda connection: self._prune(connection, now, history))
        if self._clock.monotonic() - self._checked_at >= _CHECK_EVERY_S:
            self._checked_at = self._clock.monotonic()
            await asyncio.to_thread(self._check_store)

    def _check_store(self) -> None:
        """Look for damage in the whole store; the writer mends what is found."""
        self._is_checking = True
        try:
            self._upkeep.look_through(self._closing.is_set)
        except StoreError as error:
            log.info('event=store_not_looked_through why="%s"', error)
        finally:
            self._is_checking = False

    def _prune(self, connection: Connection, now: datetime, history: HistorySettings) -> bool:
        """Prune one step, in the writer's thread; return whether there is more."""
        more = retention.prune_step(connection, now, history, self._upkeep.rows)
        return more or self._upkeep.shrink(connection)

    def heartbeat(self, now: datetime) -> None:
        self._put(Change(values=((SEEN, now.isoformat()),)))

    async def note(self, name: str, text: str) -> None:
        """Keep a single value by its name for commands beside the daemon, which read it by `Reader.note`."""
        self._put(Change(values=((name, text),)), urgent=True)
        await self.flush()

    def watch(self, others: Iterable[str]) -> None:
        """Hold the runs of these vantages in memory too from now on."""
        others = frozenset(others)
        if not others <= self._others:
            self._history.is_loaded = False  # whoever asks next loads it
        self._others = others

    async def transact(
        self,
        work: Callable[[Connection], T],
        runs: Callable[[T], Iterable[RunRecord]] = lambda _: (),
    ) -> T:
        """Run `work` in a transaction of its own in the writer's thread; StoreError when it cannot be.

        `runs` says of its answer which runs it has written, so that memory knows them too.
        """

        def committed(answer: T) -> None:
            with self._history.lock:
                for entry in runs(answer):
                    self._history.add(entry)

        return await asyncio.wrap_future(self._writer.call(work, committed))

    async def backfill(self, entries: Iterable[RunRecord]) -> None:
        """Commit runs of the past in one transaction; memory, which has what is recent, does not get them. Raises StoreError."""
        write_set, now = WriteSet.of(entries), self._clock.now()
        await self._write(
            lambda connection: write(connection, Ids(), write_set, now, vantage=self._vantage)
        )

    async def backfill_counts(self, check: str, kind: str, counts: Iterable[PastCounts]) -> None:
        """Add what was counted of a check, of a probe of this kind, while none of its runs was kept. Raises StoreError."""
        now = millis(self._clock.now())
        await self._write(
            lambda connection: add_past_counts(
                connection, stored_check(connection, check, self._vantage, kind, now), counts
            )
        )

    async def mark_imported(self, check: str, until: datetime) -> None:
        """Note that what is older than a moment is imported of a check: its incidents are not known. Raises StoreError."""
        await self._write(
            lambda connection: small_tables.mark_imported(connection, self._vantage, check, until)
        )

    async def cut(self, vantage: str, begin: datetime, end: datetime) -> int:
        """Forget what a vantage measured in the whole hours of a time, and return how many runs. Raises StoreError.

        Memory is not told: no daemon may use this store meanwhile.
        """
        return await self._write(
            lambda connection: cut(connection, vantage, millis(begin), millis(end))
        )

    def learn_spent(self, vantage: str, spent: Mapping[tuple[date, str], Spend]) -> None:
        """Know what another vantage has spent in all, by day and service, as soon as it is committed."""
        self._history.learn_spent(vantage, spent)

    def spent_elsewhere(self, today: date) -> Mapping[str, Mapping[str, Spend]]:
        """Return by vantage and service what other vantages have spent on a day, as far as memory holds it."""
        return self._history.spent_elsewhere_on(today)

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """Read from the file what only a few stores hold: the rows of agents."""
        return await self._ask(lambda: self._file.ask(question))

    async def close(self) -> None:
        """Commit all, mark a clean stop, and end the threads."""
        self._closing.set()
        now = self._clock.now().isoformat()
        self._put(Change(values=((SEEN, now), (CLEAN, "yes"))))
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self._loader.shutdown)
        self._pool.shutdown()
        self._file.close()
        self._upkeep.release()
        if left := len(self._writer.waiting()):
            log.error('event=store_closed unwritten=%d why="%s"', left, self.trouble)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return sentences for an operator: what befell the store and was mended since the daemon began."""
        return tuple(self._notes)

    @property
    def trouble(self) -> str | None:
        """Return why writing fails now, if it does; results wait in memory meanwhile.

        It is known within a minute: at the next commit, which a heartbeat brings, or look at the store.
        """
        return self.lost or self._writer.trouble or self._writer.unseen

    @property
    def lost(self) -> str | None:
        """Return why this daemon may not act any more: another one has taken the store over, or may at any moment."""
        return self._upkeep.lost

    @property
    def dropped(self) -> int:
        """Return how many results were given up because nothing could be written for too long."""
        return self._writer.dropped

    @property
    def overflow(self) -> str | None:
        """Return a sentence where results are given up: nothing can be written for longer than memory reaches."""
        return self._writer.overflow

    def oldest_message(self, channels: Iterable[str]) -> datetime | None:
        """Return when the oldest undelivered message to one of these channels was made."""
        return self._outbox.oldest(frozenset(channels))

    @property
    def failing(self) -> Mapping[str, OutboxMessage]:
        """Return the message that a channel does not take, by channel."""
        return self._outbox.failing()

    @property
    def agents(self) -> dict[str, AgentState]:
        """Return what is known of each agent, by vantage; the hub fills it, and snapshots have it."""
        return self._history.agents

    @property
    def undelivered(self) -> Mapping[str, int]:
        """Return how many messages wait, by channel."""
        return self._outbox.depths()

    async def incident(self, incident_id: int) -> Incident | None:
        """Find an incident: the last 90 days are in memory, older ones in the file."""
        known = self._history.incidents.get(incident_id)
        return known or await self._ask(lambda: self._file.incident(incident_id))

    async def incidents(
        self, *, since: datetime | None = None, limit: int | None = None
    ) -> tuple[Incident, ...]:
        """Return the committed incidents, newest first; with `since` the open ones and those closed after it."""
        return await self._ask(lambda: self._file.incidents(since=since, limit=limit))

    async def results(
        self, check: str, *, since: datetime, until: datetime | None = None
    ) -> tuple[Result, ...]:
        return await self._ask(lambda: self._file.results(check, since=since, until=until))

    async def results_since(self, since: datetime) -> tuple[Result, ...]:
        """Read the runs of all checks, oldest first."""
        return await self._ask(lambda: tuple(self._file.each_result(since=since)))

    async def latest_results(self) -> tuple[Result, ...]:
        """Return the newest run of each check, from the file: a start does not wait until all is loaded."""
        return await self._ask(self._file.latest)

    async def requests(self) -> tuple[OperatorRequest, ...]:
        """List what people have asked from other processes, oldest first."""
        return await self._ask(self._file.requests)

    async def month(self, month: Month, now: datetime) -> MonthRecord:
        """Read what is known of a month, beside all other questions: it may take seconds. Raises StoreError."""

        def read() -> MonthRecord:
            with closing(Reader(self._url)) as reader:
                return read_month(reader, month, now)

        return await asyncio.to_thread(read)

    async def evidence(self, check: str, at: datetime) -> Evidence | None:
        return await self._ask(lambda: self._file.evidence(check, at))

    def changes(self) -> int:
        """Return how often an alert state or an incident has changed since the start."""
        return self._history.changes

    async def snapshot(self, now: datetime) -> Snapshot:
        """Answer from memory, also while the disk fails; when a day begins the file is read first."""
        if self.lost:
            raise StoreError(self.lost)
        if self._load is not None:
            await asyncio.wrap_future(self._load)
        if self._history.must_load(now):
            with contextlib.suppress(StoreError):
                await asyncio.wrap_future(
                    self._writer.between_commits(
                        lambda: self._begin_load(now, self._writer.waiting())
                    )
                )
                if self._load is not None:
                    await asyncio.wrap_future(self._load)
        if not self._history.is_loaded:
            raise StoreError("the store cannot be read: its history is not loaded yet")
        with contextlib.suppress(StoreError):
            self._history.silences = await self._ask(lambda: self._file.silences(now))
            self._history.announcements = await self._ask(lambda: self._file.announcements(now))
        return await self._ask(lambda: self._from_memory(now))

    def _from_memory(self, now: datetime) -> Snapshot:
        try:
            return self._history.snapshot(now, self._outbox.waiting())
        except UNREADABLE as error:
            log.exception("event=store_unreadable")
            self._history.is_loaded = False
            self._upkeep.suspected()
            raise StoreError("the store cannot be read: a row of it is damaged") from error

    def _note(self, sentence: str) -> None:
        self._notes.append(sentence)
        log.error('event=store_note what="%s"', sentence)

    def _replaced(self) -> None:
        self._writer.store_replaced()
        if self._reader is not None:
            self._reader.reset()

    def _committed(self, items: Sequence[Item]) -> None:
        """Tell the outbox and the listeners what was committed, in the writer's thread."""
        outgoing = [message.id for item in items for message in item.outgoing]
        self._outbox.committed(outgoing)
        if outgoing or any(item.incidents for item in items):
            for listener in self._listeners:
                listener()

    @property
    def _file(self) -> Reader:
        """Return what answers from the file."""
        assert self._reader is not None, "open it first"
        return self._reader

    async def _ask(self, question: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, question)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        future: Future[T] = self._writer.call(work)
        return await asyncio.wrap_future(future)
