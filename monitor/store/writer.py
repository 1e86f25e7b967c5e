"""The one thread with the one connection that writes.

Loops hand it items and go on; it commits all that it finds in one transaction, about once a second, at
once when somebody waits. Trouble with the disk leaves items in the queue, and it tries again each second:
room is made where the store is full, the last of a full disk is for what alerts need, and an item that
can never be stored is dropped, alone.
"""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, IntegrityError

from monitor.clock import Clock
from monitor.model import RunRecord, StoreError
from monitor.store import rollup_job
from monitor.store.run_rows import HOUR_MS, Ids, millis
from monitor.store.sqlite.connections import UNREADABLE, is_damage, is_disk, is_full, why
from monitor.store.sqlite.health import FileHealth
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
    """Commits from a thread of its own.

    `prepare` makes the file ready; where it fails, it is tried again before each commit.
    """

    def __init__(
        self,
        engine: Engine,
        health: FileHealth,
        *,
        clock: Clock,
        vantage: str,
        prepare: Callable[[], None],
        committed: Callable[[Sequence[Item]], None],
        also: AlsoWritten | None = None,
    ) -> None:
        """`also` is called within each transaction that writes runs, with them."""
        self._engine, self._health, self._prepare = engine, health, prepare
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
        """Trouble with the file that commits do not meet."""

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
            with self._engine.begin() as connection:
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
        return f"{lost} results that waited for the disk were given up, the oldest good ones first"

    def make_ready(self) -> None:
        """Prepare the file: once before `start`, then again before each commit until it works. Raises StoreError."""
        if not self.is_ready:
            try:
                self._prepare()
            except StoreError as error:
                self._failed(str(error))
                raise
            self.is_ready = True

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
                self._items.give_back()
            for answer in waiting:
                _settle(answer, None if failed is None else StoreError(failed))
        for task in tasks:
            self._do(task)
        if failed is None:
            self._roll()
        if self.is_ready and self._health.due():
            self._look_after()
        return not stopping

    def _await_work(self) -> None:
        """Wait until there is something to do, then a little longer, so that others may join."""
        busy = self._tasks or self._waiting or self._stopping or self._urgent
        if busy and not self.trouble:
            return
        if not self._items and not busy:
            self._wake.wait(60)
        if self._items and not self._hurried():
            self._wake.wait_for(self._hurried, _RETRY_S if self.trouble else _GATHER_S)

    def _hurried(self) -> bool:
        urgent = self._urgent and not self.trouble
        return bool(self._tasks or self._waiting or self._stopping or urgent)

    def file_replaced(self) -> None:
        """Forget the ids: the path leads to another file."""
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
        reserve = self._health.reserve
        if reserve.is_gone:
            reserve.hold()
        if reserve.is_gone:
            return self._commit_sparingly(items)
        try:
            self._write_with_room(items)
        except Exception as error:
            if is_full(error) and reserve.is_gone:
                return self._commit_sparingly(items)
            if is_disk(error):
                return self._disk_failed(error)
            log.exception(
                'event=internal items=%d what="one of them cannot be stored, trying each alone"',
                len(items),
            )
            return self._commit_each(items)
        self._done(items)
        return None

    def _write_with_room(self, items: Sequence[Item]) -> None:
        """Write, and make room where it is short: many items at once, after a bad day, may need more than is kept."""
        for room in _ROOMS:
            try:
                self._write(items)
            except DatabaseError as error:
                self._ids.forget()
                if not (is_full(error) and self._find_room(room)):
                    raise
            else:
                return
        self._write(items)

    def _find_room(self, share: float) -> bool:
        """Make room in a file that has reached our own limit, or on a disk that is full."""
        if self._health.at_limit():
            return self._health.make_room(share)
        reserve = self._health.reserve
        if not reserve.give():
            return False
        log.warning(
            'event=store_reserve what="the disk is full: what was held in reserve is given back"'
        )
        return not reserve.is_gone

    def _write(self, items: Sequence[Item]) -> None:
        write_set, now = WriteSet.of(items), self._clock.now()
        try:
            self._write_once(write_set, now)
        except IntegrityError:
            self._ids.forget()
        else:
            return
        self._write_once(write_set, now, crowded=True)

    def _write_once(self, write_set: WriteSet, now: datetime, *, crowded: bool = False) -> None:
        with self._engine.begin() as connection:
            write(connection, self._ids, write_set, now, vantage=self._vantage, crowded=crowded)
            if self._also and write_set.entries:
                self._also(connection, write_set.entries)

    def _commit_sparingly(self, items: list[Item]) -> str:
        """Commit only what alerts need, which the last of the disk is for; runs wait."""
        changes = [
            change_of(item) for item in items if not isinstance(item, RunRecord) or has_change(item)
        ]
        try:
            self._write(changes)
        except DatabaseError as error:
            return self._disk_failed(error)
        with self._wake:
            self._items.replace([bare(item) for item in items if isinstance(item, RunRecord)])
        self._committed(items)
        return self._failed(self._health.nearly_full())

    def _commit_each(self, items: list[Item]) -> str | None:
        """Commit one by one, so that one impossible item, a fault of our own, does not hold up all others."""
        self._ids.forget()
        for item in items:
            try:
                self._write_with_room([item])
            except Exception as error:
                if is_disk(error):
                    return self._disk_failed(error)
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
            self._health.replaced()
        self._committed(items)

    def _disk_failed(self, error: BaseException) -> str:
        """Note that the disk failed; damage is met by a fresh file, at the next turn."""
        self._health.suspect |= is_damage(error)
        return self._failed(self._why(error))

    def _why(self, error: BaseException) -> str:
        with contextlib.suppress(DatabaseError):
            if is_full(error) and self._health.at_limit():
                return (
                    "the store cannot be written: it has reached `max_size` in [history], and no "
                    "more runs or hours may go; raise it"
                )
        return why(error, self._health.path)

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
                with self._engine.begin() as connection:
                    more = rollup_job.roll_next(connection, before)
            self._rolled = before
        except DatabaseError as error:
            self._disk_failed(error)
        except UNREADABLE as error:
            log.exception("event=store_unreadable")
            self._health.suspect = True
            self._failed(f"the store cannot be written: a row of it is damaged ({error!r:.60})")
        finally:
            self._ids.forget()  # they know up to when runs are rolled up

    def _look_after(self) -> None:
        """Look after the file beneath us; a commit that works proves nothing about it."""
        before = self.unseen
        try:
            self._health.look()
            self.unseen = None
        except StoreError as error:
            self.unseen = str(error)
        except DatabaseError as error:
            self.unseen = why(error, self._health.path)
        if self.unseen and self.unseen != before:
            log.error('event=store_failed why="%s"', self.unseen)

    def _do(self, task: _Task) -> None:
        try:
            answer = task.work()
            task.committed(answer)
        except Exception as error:  # noqa: BLE001  # whoever waits shall have it
            unreadable = isinstance(error, UNREADABLE)
            self._health.suspect |= unreadable
            known = unreadable or is_disk(error)
            _settle(task.answer, StoreError(self._why(error)) if known else error)
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
