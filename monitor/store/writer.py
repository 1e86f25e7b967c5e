"""The one thread with the one connection that writes.

Loops hand it items and go on; it commits all that it finds in one transaction, about once a second,
at once when somebody waits. While the disk fails, items stay in the queue and it tries again each
second; the queue is bounded, and what is dropped first is what matters least.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from monitor.model import StoreError
from monitor.store.batch import Item
from monitor.store.committing import Commits
from monitor.store.errors import UNREADABLE, is_disk, why

T = TypeVar("T")
_GATHER_S = 0.5
_RETRY_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Task:
    work: Callable[[Connection], Any]
    answer: "Future[Any]"


class Writer:
    """`prepare` makes the file ready; where it fails, it is tried again before each commit."""

    def __init__(self, commits: Commits, prepare: Callable[[], None]) -> None:
        self._commits, self._prepare = commits, prepare
        self._items, self._wake, self._guard = commits.waiting, commits.lock, commits.guard
        self.is_ready = False
        self._tasks: deque[_Task] = deque()
        self._waiting: list[Future[None]] = []
        self._stopping = self._urgent = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
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
    def trouble(self) -> str | None:
        """Why nothing is written; None while all is well."""
        return self._commits.trouble

    @property
    def dropped(self) -> int:
        """Results given up."""
        return self._items.dropped

    @property
    def overflow(self) -> str | None:
        lost = self._commits.lost
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
                self._commits.trouble = f"the store's writer failed: {error!r}"
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
            failed = self._try_ready() or self._commits.commit(items)
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
            self._commits.roll()
        if self.is_ready and self._guard.due():
            self._look_after()
        return not stopping

    def make_ready(self) -> None:
        """Once before `start`, then again before each commit until it works. Raises StoreError."""
        if not self.is_ready:
            try:
                self._prepare()
            except StoreError as error:
                self._commits.failed(str(error))
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
        self._commits.names.forget()
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

    def _do(self, task: _Task) -> None:
        try:
            with self._commits.engine.begin() as connection:
                answer = task.work(connection)
        except Exception as error:  # noqa: BLE001 - whoever waits shall have it
            unreadable = isinstance(error, UNREADABLE)
            self._guard.suspect |= unreadable
            known = unreadable or is_disk(error)
            _settle(task.answer, StoreError(self._commits.why(error)) if known else error)
        else:
            task.answer.set_result(answer)
        self._commits.names.forget()  # a task may delete texts


def _settle(answer: "Future[Any]", error: BaseException | None) -> None:
    if answer.cancelled():
        return
    if error is None:
        answer.set_result(None)
    else:
        answer.set_exception(error)
