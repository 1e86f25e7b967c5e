"""Items into the file: all in one transaction, and what becomes of them when the file does not take them.

Trouble with the disk leaves them where they wait. Room is made where the store is full; the last of a
full disk is for what alerts need; an item that can never be stored is dropped, alone.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, IntegrityError

from monitor.clock import Clock
from monitor.model import RunRecord
from monitor.store import fold
from monitor.store.batch import Item, bare, gather, is_bare, remains, write
from monitor.store.errors import UNREADABLE, is_damage, is_disk, is_full, nearly_full, why
from monitor.store.guard import Guard
from monitor.store.names import Names
from monitor.store.times import hours
from monitor.store.waiting import Waiting

_ROOMS = (0.8, 0.65, 0.5)
"""Shares of its size that the store is brought below when it is full all the same."""
_ROLL_AFTER_HOURS = 10 / 60

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Commits:
    """Of the writer's thread, which has the only connection that writes. `lock` guards `waiting`."""

    engine: Engine
    clock: Clock
    vantage: str
    guard: Guard
    committed: Callable[[list[Item]], None]
    waiting: Waiting = field(default_factory=Waiting)
    lock: threading.Condition = field(default_factory=threading.Condition)
    names: Names = field(default_factory=Names)
    trouble: str | None = None
    """Why nothing is written; None while all is well."""
    _lost_before: int = 0

    @property
    def lost(self) -> int:
        """Results given up in the trouble that lasts."""
        return self.waiting.dropped - self._lost_before

    def commit(self, items: list[Item]) -> str | None:
        """Why it failed, if it did; then nothing was written."""
        if not items:
            return None
        if self.guard.reserve.is_gone:
            self.guard.reserve.hold()
        if self.guard.reserve.is_gone:
            return self._commit_sparingly(items)
        try:
            self._write_with_room(items)
        except Exception as error:
            if is_full(error) and self.guard.reserve.is_gone:
                return self._commit_sparingly(items)
            if is_disk(error):
                return self.disk_failed(error)
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
                self.names.forget()
                if not (is_full(error) and self._find_room(room)):
                    raise
            else:
                return
        self._write(items)

    def _find_room(self, share: float) -> bool:
        """Where the file is full by our own limit, or the disk by whatever else is on it."""
        if self.guard.at_limit():
            return self.guard.make_room(share)
        reserve = self.guard.reserve
        if not reserve.give():
            return False
        log.warning(
            'event=store_reserve what="the disk is full: what was held in reserve is given back"'
        )
        return not reserve.is_gone

    def _commit_sparingly(self, items: list[Item]) -> str:
        """The last of the disk is for what alerts need; results wait."""
        try:
            with self.engine.begin() as connection:
                important = gather(remains(item) for item in items if not is_bare(item))
                write(connection, self.names, important, self.clock.now(), vantage=self.vantage)
        except DatabaseError as error:
            return self.disk_failed(error)
        with self.lock:
            self.waiting.replace([bare(item) for item in items if isinstance(item, RunRecord)])
        self.committed(items)
        return self.failed(nearly_full(self.guard.path))

    def _write(self, items: list[Item]) -> None:
        batch, now = gather(items), self.clock.now()
        try:
            with self.engine.begin() as connection:
                write(connection, self.names, batch, now, vantage=self.vantage)
        except IntegrityError:
            self.names.forget()
        else:
            return
        with self.engine.begin() as connection:
            write(connection, self.names, batch, now, vantage=self.vantage, crowded=True)

    def _commit_each(self, items: list[Item]) -> str | None:
        """So that one impossible item, a fault of our own, does not hold up all others."""
        self.names.forget()
        for item in items:
            try:
                self._write_with_room([item])
            except Exception as error:
                if is_disk(error):
                    return self.disk_failed(error)
                self.names.forget()
                log.exception('event=internal what="an item cannot be stored and is dropped"')
                self.waiting.dropped += 1
            self._done([item])
        return None

    def disk_failed(self, error: BaseException) -> str:
        """Damage is met by a fresh file, at the next turn."""
        self.guard.suspect |= is_damage(error)
        return self.failed(self.why(error))

    def why(self, error: BaseException) -> str:
        with contextlib.suppress(DatabaseError):
            if is_full(error) and self.guard.at_limit():
                return (
                    "the store cannot be written: it has reached `max_size` in [history], and no "
                    "more runs or hours may go; raise it"
                )
        return why(error, self.guard.path)

    def failed(self, said: str) -> str:
        self.names.forget()
        if said != self.trouble:
            log.error('event=store_failed why="%s"', said)
        self.trouble = said
        return said

    def _done(self, items: list[Item]) -> None:
        with self.lock:
            self.waiting.done(items)
        if self.trouble is not None:
            log.warning("event=store_works")
            self.trouble = None
            self._lost_before = self.waiting.dropped
            self.guard.replaced()
        self.committed(items)

    def roll(self) -> None:
        """Ten minutes after the hour nearly every run that began in it has ended."""
        before = int(hours(self.clock.now()) - (0 if self._past_grace() else 1))
        try:
            more = True
            while more:
                with self.engine.begin() as connection:
                    more = fold.roll_next(connection, self.names, before)
        except DatabaseError as error:
            self.disk_failed(error)
        except UNREADABLE as error:
            log.exception("event=store_unreadable")
            self.guard.suspect = True
            self.failed(f"the store cannot be written: a row of it is damaged ({error!r:.60})")

    def _past_grace(self) -> bool:
        return self.clock.now().minute >= 60 * _ROLL_AFTER_HOURS
