"""Reading the store, in the daemon's own threads or beside a running daemon: never writes."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from monitor.model import (
    Evidence,
    Incident,
    KnownCheck,
    OperatorRequest,
    OutboxMessage,
    Period,
    Resolution,
    RestartState,
    Result,
    Rollup,
    Snapshot,
    StoreError,
)
from monitor.store import find, history, migrations, periods, requests
from monitor.store.engine import copy, path_of, reading
from monitor.store.errors import UNREADABLE, is_damage
from monitor.store.look import Looker
from monitor.store.meta import read_meta
from monitor.store.nouns import evidence_from
from monitor.store.recall import crashes, last_seen, recall
from monitor.store.tables import EVIDENCE
from monitor.store.times import key_from

T = TypeVar("T")
log = logging.getLogger(__name__)


class Reader:
    """Safe from any thread; one question at a time. With a `vantage`, only that one's checks."""

    def __init__(self, url: str, *, vantage: str | None = None) -> None:
        self._path = path_of(url)
        _must_exist(self._path)
        self._lock = threading.Lock()
        self._vantage = vantage
        self.on_damage: Callable[[], None] = lambda: None
        self._open(immutable=False)
        try:
            self._check_version()
        except StoreError:
            self._open(immutable=True)
            self._check_version()

    def _open(self, *, immutable: bool) -> None:
        self._engine = reading(self._path, immutable=immutable)
        self._looker = Looker(self._vantage)

    def _check_version(self) -> None:
        with self._connect() as connection:
            version = migrations.version(connection)
            migrations.check_not_newer(version)
        if not version:
            raise StoreError(f"there is no history yet in {self._path}: no daemon has stored any")

    def reset(self) -> None:
        """The path leads to another file now, or may be read as usual again."""
        with self._lock:
            self._engine.dispose()
            self._open(immutable=False)

    def close(self) -> None:
        with self._lock:
            self._engine.dispose()

    def snapshot(self, now: datetime) -> Snapshot:
        with self._connect() as connection:
            return self._looker.snapshot(connection, now)

    def memory(self, now: datetime) -> RestartState:
        """What the daemon before this one left."""
        return self._ask(lambda connection: recall(connection, now, self._vantage or ""))

    def outbox(self) -> tuple[tuple[OutboxMessage, ...], int]:
        """Messages not yet delivered, and the id of the next one."""
        return self._ask(
            lambda connection: (find.pending(connection), find.next_message(connection))
        )

    def requests(self) -> tuple[OperatorRequest, ...]:
        """What people have asked and the daemon has not done, oldest first."""
        return self._ask(requests.waiting)

    def last_seen(self) -> datetime | None:
        """The daemon's newest proof that it lives and can write."""
        return self._ask(last_seen)

    def crashes(self, now: datetime) -> str:
        """For the mark that the daemon leaves when it starts."""
        return self._ask(lambda connection: " ".join(crashes(connection, now)))

    def note(self, name: str) -> str | None:
        """What the daemon left under `name`, see `Store.note`."""
        return self._ask(lambda connection: read_meta(connection, name))

    def checks(self) -> tuple[KnownCheck, ...]:
        """Every check that has a history, by key, also those that left the configuration."""
        return self._ask(lambda connection: history.known(connection, self._vantage))

    def incidents(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[Incident, ...]:
        """Newest first; only those that were open at some time from `since` to before `until`."""
        return self._ask(
            lambda connection: find.incidents(connection, since=since, until=until, limit=limit)
        )

    def incident(self, incident_id: int) -> Incident | None:
        return self._ask(lambda connection: find.incident(connection, incident_id))

    def results(
        self, check: str, *, since: datetime, until: datetime | None = None
    ) -> tuple[Result, ...]:
        """Raw results of one check with `since` <= at < `until`, oldest first."""
        return tuple(self.each_result(check, since=since, until=until))

    def each_result(
        self,
        check: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Result]:
        """As `results`, of one check or of all, a page at a time: bounded memory, short transactions.

        What is written meanwhile may or may not be among them.
        """
        wanted = self._numbers(check)
        return history.each_result(self._ask, wanted, *_keys(since, until))

    def each_counted(
        self, check: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[Result, Rollup]]:
        """As `each_result`, each with its share of the hour it is in, maintenance as it was then."""
        wanted = self._numbers(check)
        return history.each_counted(self._ask, wanted, *_keys(since, until))

    def rollups(
        self,
        check: str,
        resolution: Resolution,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[Period, ...]:
        """Hours, days, months or years of one check that overlap `since` to `until`, oldest first, each whole.

        The last one may still be growing. Those without any result are absent.
        """
        return tuple(self.each_period(resolution, check, since=since, until=until))

    def each_period(
        self,
        resolution: Resolution,
        check: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Period]:
        """As `rollups`, of one check or of all, a page at a time."""
        wanted = self._numbers(check)
        return periods.each_period(self._ask, wanted, resolution, since, until)

    def each_evidence(
        self,
        check: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[tuple[str, datetime, Evidence]]:
        """Check and begin of each run that left something for a person, and what, oldest first."""
        return history.each_evidence(self._ask, self._numbers(check), *_keys(since, until))

    def evidence(self, check: str, at: datetime) -> Evidence | None:
        """What the run of `check` that began at `at` left."""
        wanted = self._numbers(check)
        return self._ask(lambda connection: self._evidence(connection, wanted, at))

    def backup(self, to: Path) -> None:
        """A copy of all that is committed, also beside a running daemon; `to` is replaced.

        It appears whole or not at all; a StoreError says why not.
        """
        copy(self._path, to)

    def _numbers(self, check: str | None) -> dict[int, tuple[str, str]]:
        return self._ask(lambda connection: history.numbers(connection, check, self._vantage))

    def _evidence(
        self, connection: Connection, wanted: Iterable[int], at: datetime
    ) -> Evidence | None:
        keys = [key_from(at) | number for number in wanted]
        query = select(EVIDENCE.c.body).where(EVIDENCE.c.key.in_(keys))
        body = connection.execute(query).scalar()
        return None if body is None else evidence_from(body)

    def _ask(self, question: Callable[[Connection], T]) -> T:
        with self._connect() as connection:
            return question(connection)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """A short transaction: a long one would keep the journal from being cut."""
        with self._lock:
            try:
                with self._engine.begin() as connection:
                    yield connection
            except DBAPIError as error:
                if is_damage(error):
                    self.on_damage()
                raise StoreError(f"the store cannot be read: {error.orig}") from error
            except UNREADABLE as error:
                log.exception("event=store_unreadable")
                self.on_damage()
                raise StoreError("the store cannot be read: a row of it is damaged") from error


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise StoreError(f"there is no store at {path} yet: `monitor run` makes one")


def _keys(since: datetime | None, until: datetime | None) -> tuple[int, int | None]:
    return (
        0 if since is None else key_from(since),
        None if until is None else key_from(until),
    )
