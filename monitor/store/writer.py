"""The one thread with the one connection that writes.

Loops hand it items and go on; it commits all that it finds in one transaction, about once a second, at
once when somebody waits. Trouble with the database leaves items in the queue, and it tries again each second:
room is made where the store is full, the last of a full disk is for what alerts need, and an item that
can never be stored is dropped, alone. Where the answer to a commit was lost, the database is asked what became of it.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from monitor.clock import Clock
from monitor.model import RunRecord, StoreError
from monitor.store import rollup_job, small_tables
from monitor.store.database import UNREADABLE, InUseError, Meaning, Upkeep
from monitor.store.run_rows import HOUR_MS, Ids, millis
from monitor.store.transaction import Item, WriteSet, bare, change_of, has_change, write
from monitor.store.write_queue import WriteQueue

T = TypeVar("T")
AlsoWritten = Callable[[Connection, Sequence[RunRecord]], None]
_GATHER_S = 0.5
_RETRY_S = 1.0
_ROOMS = (0.8, 0.65, 0.5)
"""Shares of its size that the store is brought below when it is full all the same."""
_ROLL_AFTER_MS = HOUR_MS // 6
"""Ten minutes after an hour nearly every run that began in it has ended."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    work: Callable[[], Any]
    committed: Callable[[Any], None]
    answer: "Future[Any]"


class Writer:
    """Commits from a thread of its own. Where the store cannot be made ready, it is tried again before each commit."""

    def __init__(
        self,
        upkeep: Upkeep,
        *,
        clock: Clock,
        vantage: str,
        committed: Callable[[Sequence[Item]], None],
        also: AlsoWritten | None = None,
    ) -> None:
        """`also` is called within each transaction that writes runs, with them."""
        self._upkeep = upkeep
        self._clock, self._vantage, self._committed = clock, vantage, committed
        self._also = also
        self._ids = Ids()
        self._wake = threading.Condition()
        self._items = WriteQueue()
        self._tasks: deque[_Task] = deque()
        self._waiting: list[Future[None]] = []
        self._stopping = self._urgent = False
        self._lost_before = self._rolled = 0
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self.is_ready = False
        self.trouble: str | None = None
        """Why nothing is written; None while all is well."""
        self.unseen: str | None = None
        """Trouble with the store that commits do not meet."""
        self._unsure: tuple[str, list[Item]] | None = None
        """A batch that may be committed, by its id: the answer to its commit was lost."""

    def start(self) -> None:
        self._thread.start()

    def put(self, item: Item, *, urgent: bool = False) -> None:
        with self._wake:
            self._items.put(item)
            self._urgent = self._urgent or urgent
            if urgent or len(self._items) == 1:
                self._wake.notify()

    def flushed(self) -> "Future[None]":
        """Return what is done when all that was put so far is committed, with a StoreError when that fails."""
        answer: Future[None] = Future()
        with self._wake:
            self._waiting.append(answer)
            self._wake.notify()
        return answer

    def call(
        self,
        work: Callable[[Connection], T],
        committed: Callable[[T], None] = lambda _: None,
    ) -> "Future[T]":
        """Run `work` in a transaction of its own, after what was put so far.

        `committed` is called with its answer as soon as it is committed, before anything else is written.
        """

        def transaction() -> T:
            if not self.is_ready:
                raise StoreError(self.trouble or "the store cannot be written")
            with self._upkeep.begin() as connection:
                return work(connection)

        return self.between_commits(transaction, committed)

    def between_commits(
        self, work: Callable[[], T], committed: Callable[[T], None] = lambda _: None
    ) -> "Future[T]":
        """Run `work` while nothing is being written, also where nothing can be."""
        answer: Future[T] = Future()
        with self._wake:
            self._tasks.append(_Task(work, committed, answer))
            self._wake.notify()
        return answer

    def stop(self) -> None:
        """Commit what is left if the disk takes it, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def waiting(self) -> list[Item]:
        """List what is not committed yet, oldest first."""
        with self._wake:
            return self._items.all()

    @property
    def is_busy(self) -> bool:
        return bool(self._items or self._tasks or self._waiting)

    @property
    def dropped(self) -> int:
        """Return how many runs were given up."""
        return self._items.dropped

    @property
    def overflow(self) -> str | None:
        lost = self._items.dropped - self._lost_before
        if self.trouble is None or not lost:
            return None
        return f"{lost} results that waited to be stored were given up, the oldest good ones first"

    def make_ready(self) -> None:
        """Prepare the store: once before `start`, then again before each commit until it works. Raises StoreError."""
        if not self.is_ready:
            try:
                self._upkeep.prepare()
                self._take_over()
            except StoreError as error:
                self._failed(str(error))
                raise
            self.is_ready = True

    def _take_over(self) -> None:
        """Take over what this daemon left under an earlier id of its own. Raises StoreError."""
        try:
            with self._upkeep.begin() as connection:
                earlier = small_tables.take_over(connection, self._vantage)
        except DBAPIError as error:
            raise StoreError(self._upkeep.why(error)) from error
        for before in earlier:
            log.warning(
                'event=vantage_changed before=%s now=%s why="another id is another place: its history begins anew;'
                " incidents that are open end as not known, messages that wait are delivered;"
                ' monitor history CHECK --from %s shows what was measured before"',
                before,
                self._vantage,
                before,
            )

    def _run(self) -> None:
        """Serve until stopped. A fault of our own must not end the thread: then nothing would ever be stored again."""
        going = True
        while going:
            try:
                going = self._turn()
            except Exception as error:
                log.exception("the store's writer stumbled")
                self.trouble = f"the store's writer failed: {error!r}"
                going = not self._stopping

    def _turn(self) -> bool:
        with self._wake:
            self._await_work()
            items, tasks = self._items.take(), list(self._tasks)
            waiting, stopping = self._waiting, self._stopping
            self._tasks.clear()
            self._waiting, self._urgent = [], False
        failed: str | None = "the store's writer failed"
        try:
            failed = self._try_ready() or self._commit(items)
        finally:
            with self._wake:
                self._items.give_back(self._unsure[1] if self._unsure else ())
            for answer in waiting:
                _settle(answer, None if failed is None else StoreError(failed))
        for task in tasks:
            self._do(task)
        if failed is None:
            self._roll()
        if self.is_ready and self._upkeep.due():
            self._look_after()
        return not stopping

    def _await_work(self) -> None:
        """Wait until there is something to do, then a little longer, so that others may join."""
        busy = self._tasks or self._waiting or self._stopping or self._urgent
        if busy and not self.trouble:
            return
        if not self._items and not busy:
            self._wake.wait(self._upkeep.look_every_s)
        if self._items and not self._hurried():
            self._wake.wait_for(self._hurried, _RETRY_S if self.trouble else _GATHER_S)

    def _hurried(self) -> bool:
        urgent = self._urgent and not self.trouble
        return bool(self._tasks or self._waiting or self._stopping or urgent)

    def store_replaced(self) -> None:
        """Forget the ids: the store is another one now."""
        self._ids.forget()

    def _try_ready(self) -> str | None:
        """Say why nothing can be written at all, if so."""
        try:
            self.make_ready()
        except StoreError as error:
            return str(error)
        return None

    def _commit(self, items: list[Item]) -> str | None:
        """Commit, or say why it failed; then nothing was written."""
        if not items:
            return None
        try:
            items = self._without_committed(items)
        except Exception as error:  # noqa: BLE001  # whatever it is, nobody knows yet
            return self._database_failed(error)
        if self._upkeep.is_sparing():
            return self._commit_sparingly(items)
        try:
            self._write_with_room(items)
        except Exception as error:
            meaning = self._upkeep.meaning(error)
            if meaning is Meaning.FULL and self._upkeep.is_sparing():
                return self._commit_sparingly(items)
            if meaning is not Meaning.OURS:
                return self._database_failed(error)
            log.exception(
                'event=internal items=%d what="one of them cannot be stored, trying each alone"',
                len(items),
            )
            return self._commit_each(items)
        self._done(items)
        return None

    def _without_committed(self, items: list[Item]) -> list[Item]:
        """Leave out a batch that is committed, although nobody said so. Raises where the database cannot say."""
        if self._unsure is None:
            return items
        batch, theirs = self._unsure
        is_committed = self._upkeep.has_committed(batch)
        self._unsure = None
        if not is_committed:
            return items
        self._done(theirs)
        gone = {id(item) for item in theirs}
        return [item for item in items if id(item) not in gone]

    def _write_with_room(self, items: Sequence[Item]) -> None:
        """Write, and make room where it is short: many items at once, after a bad day, may need more than is kept."""
        for room in _ROOMS:
            try:
                self._write(items)
            except DBAPIError as error:
                self._ids.forget()
                is_full = self._upkeep.meaning(error) is Meaning.FULL
                if not (is_full and self._upkeep.find_room(room)):
                    raise
            else:
                return
        self._write(items)

    def _write(self, items: Sequence[Item]) -> None:
        try:
            self._write_once(items)
        except IntegrityError:
            self._ids.forget()
        else:
            return
        self._write_once(items, crowded=True)

    def _write_once(self, items: Sequence[Item], *, crowded: bool = False) -> None:
        write_set, now, batch = WriteSet.of(items), self._clock.now(), uuid4().hex
        with self._upkeep.begin(batch) as connection:
            write(connection, self._ids, write_set, now, vantage=self._vantage, crowded=crowded)
            if self._also and write_set.entries:
                self._also(connection, write_set.entries)
            self._unsure = batch, list(items)  # from here on it may be committed
        self._unsure = None

    def _commit_sparingly(self, items: list[Item]) -> str:
        """Commit only what alerts need, which the last of the disk is for; runs wait."""
        changes = [
            change_of(item) for item in items if not isinstance(item, RunRecord) or has_change(item)
        ]
        try:
            self._write(changes)
        except DBAPIError as error:
            return self._database_failed(error)
        with self._wake:
            self._items.replace([bare(item) for item in items if isinstance(item, RunRecord)])
        self._committed(items)
        return self._failed(self._upkeep.why_sparing())

    def _commit_each(self, items: list[Item]) -> str | None:
        """Commit one by one, so that one impossible item, a fault of our own, does not hold up all others."""
        self._ids.forget()
        for item in items:
            try:
                self._write_with_room([item])
            except Exception as error:
                if self._upkeep.meaning(error) is not Meaning.OURS:
                    return self._database_failed(error)
                self._ids.forget()
                log.exception('event=internal what="an item cannot be stored and is dropped"')
                self._items.dropped += 1
            self._done([item])
        return None

    def _done(self, items: list[Item]) -> None:
        with self._wake:
            self._items.done(items)
        if self.trouble is not None:
            log.warning("event=store_works")
            self.trouble = None
            self._lost_before = self._items.dropped
            self._upkeep.replaced()
        self._committed(items)

    def _database_failed(self, error: BaseException) -> str:
        """Note that the database failed; damage is mended at the next turn."""
        if self._upkeep.meaning(error) is Meaning.DAMAGE:
            self._upkeep.suspected()
        if isinstance(error, InUseError):
            self.is_ready = False
        return self._failed(
            str(error) if isinstance(error, StoreError) else self._upkeep.why(error)
        )

    def _failed(self, why: str) -> str:
        self._ids.forget()
        if why != self.trouble:
            log.error('event=store_failed why="%s"', why)
        self.trouble = why
        return why

    def _roll(self) -> None:
        before = (millis(self._clock.now()) - _ROLL_AFTER_MS) // HOUR_MS * HOUR_MS
        if before == self._rolled:
            return
        try:
            more = True
            while more:
                with self._upkeep.begin() as connection:
                    more = rollup_job.roll_next(connection, before)
            self._rolled = before
        except (DBAPIError, StoreError) as error:
            self._database_failed(error)
        except UNREADABLE as error:
            log.exception("event=store_unreadable")
            self._upkeep.suspected()
            self._failed(f"the store cannot be written: a row of it is damaged ({error!r:.60})")
        finally:
            self._ids.forget()  # they know up to when runs are rolled up

    def _look_after(self) -> None:
        """Look after what is beneath us; a commit that works proves nothing about it."""
        before = self.unseen
        try:
            self._upkeep.look()
            self.unseen = None
        except StoreError as error:
            self.unseen = str(error)
        except DBAPIError as error:
            self.unseen = self._upkeep.why(error)
        if self.unseen and self.unseen != before:
            log.error('event=store_failed why="%s"', self.unseen)

    def _do(self, task: _Task) -> None:
        try:
            answer = task.work()
            task.committed(answer)
        except Exception as error:  # noqa: BLE001  # whoever waits shall have it
            is_unreadable = isinstance(error, UNREADABLE)
            if is_unreadable:
                self._upkeep.suspected()
            is_known = is_unreadable or self._upkeep.meaning(error) is not Meaning.OURS
            is_said = isinstance(error, StoreError) or not is_known
            _settle(task.answer, error if is_said else StoreError(self._upkeep.why(error)))
        else:
            task.answer.set_result(answer)
        self._ids.forget()  # a task may delete words


def _settle(answer: "Future[Any]", error: BaseException | None) -> None:
    if answer.cancelled():
        return
    if error is None:
        answer.set_result(None)
    else:
        answer.set_exception(error)
