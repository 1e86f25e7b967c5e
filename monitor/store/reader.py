"""Reading the store, in the daemon's own threads or beside a running daemon: never writes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from monitor.model import Evidence, Incident, Result, Snapshot, StoreError
from monitor.store import find, migrations
from monitor.store.engine import path_of, reading
from monitor.store.look import Looker
from monitor.store.meta import read_meta
from monitor.store.names import Names
from monitor.store.nouns import evidence_from
from monitor.store.runs import read_run, rows_between
from monitor.store.tables import CHECKS, EVIDENCE, NUMBER_MASK
from monitor.store.times import key_from

T = TypeVar("T")


class Reader:
    """Safe from any thread; one question at a time. With a `vantage`, only that one's checks."""

    def __init__(self, url: str, *, vantage: str | None = None) -> None:
        path = path_of(url)
        _must_exist(path)
        self._engine = reading(path)
        self._lock = threading.Lock()
        self._looker = Looker(vantage)
        self._vantage = vantage
        with self._connect() as connection:
            migrations.check_not_newer(migrations.version(connection))

    def close(self) -> None:
        with self._lock:
            self._engine.dispose()

    def snapshot(self, now: datetime) -> Snapshot:
        with self._connect() as connection:
            return self._looker.snapshot(connection, now)

    def note(self, name: str) -> str | None:
        """What the daemon left under `name`, see `Store.note`."""
        return self._ask(lambda connection: read_meta(connection, name))

    def incidents(
        self, *, since: datetime | None = None, limit: int | None = None
    ) -> tuple[Incident, ...]:
        return self._ask(lambda connection: find.incidents(connection, since=since, limit=limit))

    def incident(self, incident_id: int) -> Incident | None:
        return self._ask(lambda connection: find.incident(connection, incident_id))

    def results(
        self, check: str, *, since: datetime, until: datetime | None = None
    ) -> tuple[Result, ...]:
        """Raw results of one check with `since` <= at < `until`, oldest first."""
        return self._ask(lambda connection: self._results(connection, check, since, until))

    def evidence(self, check: str, at: datetime) -> Evidence | None:
        """What the run of `check` that began at `at` left."""
        return self._ask(lambda connection: self._evidence(connection, check, at))

    def _results(
        self, connection: Connection, check: str, since: datetime, until: datetime | None
    ) -> tuple[Result, ...]:
        names, numbers = Names(), self._numbers(connection, check)
        end = None if until is None else key_from(until)
        return tuple(
            read_run(connection, names, key, body).result
            for key, body in rows_between(connection, key_from(since), end)
            if key & NUMBER_MASK in numbers
        )

    def _evidence(self, connection: Connection, check: str, at: datetime) -> Evidence | None:
        keys = [key_from(at) | number for number in self._numbers(connection, check)]
        query = select(EVIDENCE.c.body).where(EVIDENCE.c.key.in_(keys))
        body = connection.execute(query).scalar()
        return None if body is None else evidence_from(body)

    def _numbers(self, connection: Connection, check: str) -> set[int]:
        query = select(CHECKS.c.number).where(CHECKS.c.key == check)
        if self._vantage is not None:
            query = query.where(CHECKS.c.vantage == self._vantage)
        return set(connection.execute(query).scalars())

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
                raise StoreError(f"the store cannot be read: {error.orig}") from error


def _must_exist(path: Path) -> None:
    if not path.exists():
        raise StoreError(f"there is no store at {path} yet: `monitor run` makes one")
