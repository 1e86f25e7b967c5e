"""The one thread with the one connection that writes.

Loops hand it items and go on; it commits all that it finds in one transaction, about once a second,
at once when somebody waits. While the disk fails, items stay in the queue and it tries again each
second; the queue is bounded, and what is dropped first is what matters least.
"""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, IntegrityError

from monitor.clock import Clock
from monitor.model import Entry, StoreError
from monitor.store import fold
from monitor.store.batch import Item, bare, gather, is_bare, remains, write
from monitor.store.errors import is_damage, is_disk, is_full, nearly_full, why
from monitor.store.guard import Guard
from monitor.store.names import Names
from monitor.store.times import hours
from monitor.store.waiting import Waiting

T = TypeVar("T")
_GATHER_S = 0.5
_RETRY_S = 1.0
_ROOMS = (0.8, 0.65, 0.5)
"""Shares of its size that the store is brought below when it is full all the same."""
_ROLL_AFTER_HOURS = 10 / 60

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    work: Callable[[Connection], Any]
    answer: "Future[Any]"


class Writer:
    """`prepare` makes the file ready; where it fails, it is tried again before each commit."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        vantage: str,
        guard: Guard,
        prepare: Callable[[], None],
        committed: Callable[[list[Item]], None],
    ) -> None:
        self._engine, self._clock, self._committed = engine, clock, committed
        self._guard, self._prepare, self._vantage = guard, prepare, vantage
        self.is_ready = False
        self._names = Names()
        self._items = Waiting()
        self._tasks: deque[_Task] = deque()
        self._waiting: list[Future[None]] = []
        self._wake = threading.Condition()
        self._stopping = self._urgent = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self.trouble: str | None = None
        self.unseen: str | None = None
        """Trouble with the file that commits do not meet."""
        self._lost_before = 0
        """Results given up in troubles that are over."""

    def start(self) -> None:
        self._thread.start()

    def put(self, item: Item, *, urgent: bool = False) -> None:
        with self._wake:
            self._items.put(item)
            self._urgent = self._urgent or urgent
            if urgent or len(self._items) == 1:
                self._wake.notify()

    def flushed(self) -> "Future[None]":
        """Done when all that was put so far is committed; a StoreError when that fails."""
        answer: Future[None] = Future()
        with self._wake:
            self._waiting.append(answer)
            self._wake.notify()
        return answer

    def call(self, work: Callable[[Connection], T]) -> "Future[T]":
        """Run `work` in a transaction of its own."""
        answer: Future[T] = Future()
        with self._wake:
            self._tasks.append(_Task(work, answer))
            self._wake.notify()
        return answer

    def stop(self) -> None:
        """Commit what is left if the disk takes it, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def waiting(self) -> list[Item]:
        """What is not committed yet, oldest first."""
        with self._wake:
            return self._items.all()

    @property
    def dropped(self) -> int:
        """Results given up."""
        return self._items.dropped

    @property
    def overflow(self) -> str | None:
        lost = self._items.dropped - self._lost_before
        if self.trouble is None or not lost:
            return None
        return f"{lost} results that waited for the disk were given up, the oldest good ones first"

    def _run(self) -> None:
        """A fault of our own must not end the thread: then nothing would ever be stored again."""
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
            if self.is_ready:
                self._do(task)
            else:
                _settle(task.answer, StoreError(failed or ""))
        if failed is None:
            self._roll()
        if self.is_ready and self._guard.due():
            self._look_after()
        return not stopping

    def make_ready(self) -> None:
        """Once before `start`, then again before each commit until it works. Raises StoreError."""
        if not self.is_ready:
            try:
                self._prepare()
            except StoreError as error:
                self._failed(str(error))
                raise
            self.is_ready = True

    def _try_ready(self) -> str | None:
        """Why it cannot be written at all, if it cannot."""
        try:
            self.make_ready()
        except StoreError as error:
            return str(error)
        return None

    def _look_after(self) -> None:
        """What is wrong with the file beneath us; a commit that works proves nothing about it."""
        before = self.unseen
        try:
            self._guard.look()
            self.unseen = None
        except StoreError as error:
            self.unseen = str(error)
        except DatabaseError as error:
            self.unseen = why(error, self._guard.path)
        self._names.forget()
        if self.unseen and self.unseen != before:
            log.error('event=store_failed why="%s"', self.unseen)

    def _await_work(self) -> None:
        """Until there is something to do, then a little longer, so that others may join."""
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

    def _commit(self, items: list[Item]) -> str | None:
        """Why it failed, if it did; then nothing was written."""
        if not items:
            return None
        if self._guard.reserve.is_gone:
            self._guard.reserve.hold()
        if self._guard.reserve.is_gone:
            return self._commit_sparingly(items)
        try:
            self._write_with_room(items)
        except Exception as error:
            if is_full(error) and self._guard.reserve.is_gone:
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

    def _write_with_room(self, items: list[Item]) -> None:
        """Many items at once, after a bad day, may need more room than is usually kept."""
        for room in _ROOMS:
            try:
                self._write(items)
            except DatabaseError as error:
                self._names.forget()
                if not (is_full(error) and self._find_room(room)):
                    raise
            else:
                return
        self._write(items)

    def _find_room(self, share: float) -> bool:
        """Where the file is full by our own limit, or the disk by whatever else is on it."""
        if self._guard.at_limit():
            return self._guard.make_room(share)
        reserve = self._guard.reserve
        if not reserve.give():
            return False
        log.warning(
            'event=store_reserve what="the disk is full: what was held in reserve is given back"'
        )
        return not reserve.is_gone

    def _commit_sparingly(self, items: list[Item]) -> str:
        """The last of the disk is for what alerts need; results wait."""
        try:
            with self._engine.begin() as connection:
                important = gather(remains(item) for item in items if not is_bare(item))
                write(connection, self._names, important, self._clock.now(), vantage=self._vantage)
        except DatabaseError as error:
            return self._disk_failed(error)
        with self._wake:
            self._items.replace([bare(item) for item in items if isinstance(item, Entry)])
        self._committed(items)
        return self._failed(nearly_full(self._guard.path))

    def _write(self, items: list[Item]) -> None:
        batch, now = gather(items), self._clock.now()
        try:
            with self._engine.begin() as connection:
                write(connection, self._names, batch, now, vantage=self._vantage)
        except IntegrityError:
            self._names.forget()
        else:
            return
        with self._engine.begin() as connection:
            write(connection, self._names, batch, now, vantage=self._vantage, crowded=True)

    def _commit_each(self, items: list[Item]) -> str | None:
        """So that one impossible item, a fault of our own, does not hold up all others."""
        self._names.forget()
        for item in items:
            try:
                self._write_with_room([item])
            except Exception as error:
                if is_disk(error):
                    return self._disk_failed(error)
                self._names.forget()
                log.exception('event=internal what="an item cannot be stored and is dropped"')
                self._items.dropped += 1
            self._done([item])
        return None

    def _disk_failed(self, error: BaseException) -> str:
        """Damage is met by a fresh file, at the next turn."""
        self._guard.suspect |= is_damage(error)
        return self._failed(self._why(error))

    def _why(self, error: BaseException) -> str:
        with contextlib.suppress(DatabaseError):
            if is_full(error) and self._guard.at_limit():
                return (
                    "the store cannot be written: it has reached `max_size` in [history], and no "
                    "more runs or hours may go; raise it"
                )
        return why(error, self._guard.path)

    def _failed(self, said: str) -> str:
        self._names.forget()
        if said != self.trouble:
            log.error('event=store_failed why="%s"', said)
        self.trouble = said
        return said

    def _done(self, items: list[Item]) -> None:
        with self._wake:
            self._items.done(items)
        if self.trouble is not None:
            log.warning("event=store_works")
            self.trouble = None
            self._lost_before = self._items.dropped
            self._guard.replaced()
        self._committed(items)

    def _do(self, task: _Task) -> None:
        try:
            with self._engine.begin() as connection:
                answer = task.work(connection)
        except Exception as error:  # noqa: BLE001 - whoever waits shall have it
            found = StoreError(self._why(error)) if is_disk(error) else error
            _settle(task.answer, found)
        else:
            task.answer.set_result(answer)
        self._names.forget()  # a task may delete texts

    def _roll(self) -> None:
        """Ten minutes after the hour nearly every run that began in it has ended."""
        before = int(hours(self._clock.now()) - (0 if self._past_grace() else 1))
        try:
            more = True
            while more:
                with self._engine.begin() as connection:
                    more = fold.roll_next(connection, self._names, before)
        except DatabaseError as error:
            self._disk_failed(error)

    def _past_grace(self) -> bool:
        return self._clock.now().minute >= 60 * _ROLL_AFTER_HOURS


def _settle(answer: "Future[Any]", error: BaseException | None) -> None:
    if answer.cancelled():
        return
    if error is None:
        answer.set_result(None)
    else:
        answer.set_exception(error)
