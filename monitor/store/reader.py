"""Reading the store, in the daemon's own threads or beside a running daemon: never writes."""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, select
from sqlalchemy.exc import DBAPIError

from monitor.model import (
    Announcement,
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
    Silence,
    Snapshot,
    StoreError,
    Subscriber,
)
from monitor.store import rollup_job, schema, small_tables
from monitor.store.database import UNREADABLE, Database, Meaning
from monitor.store.engines import database
from monitor.store.histogram import Sum
from monitor.store.history import History, Key
from monitor.store.loader import Loader
from monitor.store.rollup_job import HOURS_FROM
from monitor.store.run_rows import (
    EPOCH,
    HOUR_MS,
    WordCache,
    from_millis,
    millis,
    result_from,
)
from monitor.store.schema import CHECKS, DAYS, EVIDENCE, HOURS, RUNS

T = TypeVar("T")
PAGE = 2000
"""Rows of one transaction: short, so that the journal can be cut in between."""
_RAW_HOURS = 24
"""So many hours of runs are added up in one transaction."""
_HOUR, _TICK = timedelta(hours=1), timedelta(microseconds=1)
_TABLES = {Resolution.HOUR: (HOURS, 1), Resolution.DAY: (DAYS, 24)}
Checks = Mapping[int, tuple[str, str]]
"""Key and vantage by id."""
log = logging.getLogger(__name__)


class Reader:
    """Answers questions from the file of a store.

    It is safe from any thread, one question at a time. With a `vantage`, only that one's checks.
    """

    def __init__(
        self,
        url: str,
        *,
        vantage: str | None = None,
        on_begin: Callable[[Connection], None] = lambda _: None,
    ) -> None:
        """`on_begin` is called as each transaction begins."""
        self._on_begin = on_begin
        self._database = database(url)
        self._database.must_exist()
        self._lock = threading.Lock()
        self.vantage = vantage
        self.on_damage: Callable[[], None] = lambda: None
        self._open = self._database.reading
        self._engine = self._open()
        try:
            must_be_written(self._database, there=self._version())
        except StoreError:
            self._engine.dispose()
            raise

    def _version(self) -> bool:
        """Tell whether a daemon has written it; what cannot be locked is read as a store that nobody changes."""
        try:
            return self._ask(schema.check_version)
        except StoreError:
            unlocked = self._database.reading_unlocked()
            if unlocked is None:
                raise
            self._engine.dispose()
            self._engine = unlocked
            self._open = lambda: self._database.reading_unlocked() or self._database.reading()
            return self._ask(schema.check_version)

    def reset(self) -> None:
        """Open the store anew: it is another one now, or may be read as usual again."""
        with self._lock:
            self._engine.dispose()
            self._open = self._database.reading
            self._engine = self._open()

    def close(self) -> None:
        with self._lock:
            self._engine.dispose()

    def snapshot(
        self, now: datetime, *, whole: bool = True, others: Collection[str] = ()
    ) -> Snapshot:
        """Answer what a page shows, from all that is committed; without `whole` no more than the last day.

        `others` are vantages that are looked at beside our own.
        """
        history = History(self.vantage)
        history.begin_load(())
        with self.loading(now, others) as loader:
            loader.small(history)
            loader.load(history, whole=whole)
        return history.snapshot(now, self.outbox()[0])

    @contextmanager
    def loading(self, now: datetime, others: Collection[str] = ()) -> Iterator[Loader]:
        """Return a look at the store as it is now, on a connection of its own, however long it takes.

        `others` are vantages that are looked at beside our own.
        """
        engine = self._open()
        try:
            with self._told(), engine.begin() as connection:
                self._on_begin(connection)
                yield Loader(connection, self.vantage, now, others)
        finally:
            engine.dispose()

    def restart_state(self, now: datetime) -> RestartState:
        """Recall what the daemon before this one left."""
        return self._ask(
            lambda connection: small_tables.restart_state(connection, self.vantage, now)
        )

    def outbox(self) -> tuple[tuple[OutboxMessage, ...], int]:
        """Return messages not yet delivered, and the id of the next one."""
        return self._ask(lambda connection: small_tables.pending(connection, self.vantage))

    def requests(self) -> tuple[OperatorRequest, ...]:
        """List what people have asked and the daemon has not done, oldest first."""
        return self._ask(small_tables.requests)

    def subscribers(self) -> tuple[Subscriber, ...]:
        return self._ask(lambda connection: small_tables.subscribers(connection, self.vantage))

    def silences(self, now: datetime) -> tuple[Silence, ...]:
        return self._ask(lambda connection: small_tables.silences(connection, now))

    def announcements(self, now: datetime) -> tuple[Announcement, ...]:
        return self._ask(lambda connection: small_tables.announcements(connection, now))

    def last_seen(self) -> datetime | None:
        """Return the daemon's newest proof that it lives and can write."""
        return self._ask(lambda connection: small_tables.last_seen(connection, self.vantage))

    def measured_since(self) -> datetime | None:
        """Return the begin of the first UTC day of which counts or runs are kept; None where there are none."""
        first, last, _ = self._ask(lambda connection: _extent(connection, DAYS, 24))
        return None if last < first else EPOCH + first * timedelta(days=1)

    def crashes(self, now: datetime) -> str:
        """Return the crashes of late, for the mark that the daemon leaves when it starts."""
        return self._ask(
            lambda connection: " ".join(small_tables.crashes(connection, self.vantage, now))
        )

    def note(self, name: str) -> str | None:
        """Find what the daemon left under `name`, see `Store.note`."""
        return self._ask(lambda connection: small_tables.note(connection, self.vantage, name))

    def checks(self) -> tuple[KnownCheck, ...]:
        """Return every check that has a history, by key, also those that left the configuration."""
        return self._ask(
            lambda connection: tuple(
                KnownCheck(
                    check=key, vantage=of, kind=kind, last=None if at is None else from_millis(at)
                )
                for key, of, kind, at in small_tables.newest_runs(connection, self.vantage)
            )
        )

    def incidents(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[Incident, ...]:
        """Return incidents, newest first; only those that were open at some time from `since` to before `until`."""
        return self._ask(
            lambda connection: small_tables.incidents(
                connection, self.vantage, since=since, until=until, limit=limit
            )
        )

    def incident(self, incident_id: int) -> Incident | None:
        return self._ask(
            lambda connection: small_tables.incident(connection, self.vantage, incident_id)
        )

    def latest(self) -> tuple[Result, ...]:
        """Return the newest run of each check, as far as runs are kept."""
        with self.loading(EPOCH) as loader:
            return tuple(result for _, result in loader.latest())

    def results(
        self, check: str, *, since: datetime, until: datetime | None = None
    ) -> tuple[Result, ...]:
        """Return runs of one check with `since` <= at < `until`, oldest first."""
        return tuple(self.each_result(check, since=since, until=until))

    def each_result(
        self,
        check: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Result]:
        """Give `results` of one check or of all, a page at a time: bounded memory, short transactions.

        What is written meanwhile may or may not be among them.
        """
        checks, words = self._checks(check), WordCache()
        for row in self._pages(RUNS, checks, since, until, words):
            yield result_from(row, *checks[row[1]], words.texts)

    def each_counted(
        self, check: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[Result, Rollup]]:
        """Give each result with its share of the hour it is in, maintenance as it was then."""
        checks, words = self._checks(check), WordCache()
        for row in self._pages(RUNS, checks, since, until, words):
            result = result_from(row, *checks[row[1]], words.texts)
            muted, missed = bool(row.in_maintenance), row.missed
            yield result, replace(Rollup.of(result, in_maintenance=muted), missed=missed)

    def each_evidence(
        self,
        check: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[tuple[str, datetime, Evidence]]:
        """Check and begin of each run that left something for a person, and what, oldest first."""
        checks = self._checks(check)
        for at, number, body in self._pages(EVIDENCE, checks, since, until):
            evidence = small_tables.EVIDENCE.validate_json(body)
            yield checks[number][0], from_millis(at), evidence

    def evidence(self, check: str, at: datetime) -> Evidence | None:
        """Find what the run of `check` that began at `at` left."""
        rows = self.each_evidence(check, since=at, until=at + timedelta(milliseconds=1))
        return next((evidence for _, _, evidence in rows), None)

    def rollups(
        self,
        check: str,
        resolution: Resolution,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> tuple[Period, ...]:
        """Return hours, days, months or years of one check that overlap `since` to `until`, oldest first, each whole.

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
        """Give `rollups` of one check or of all, a page at a time."""
        for at, (key, vantage), total in self.each_sum(resolution, check, since=since, until=until):
            yield Period(
                check=key, vantage=vantage, at=at, resolution=resolution, rollup=total.rollup
            )

    def each_sum(
        self,
        resolution: Resolution,
        check: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[tuple[datetime, Key, Sum]]:
        """Give `each_period` as what can be added: when it begins, check and vantage, and its sum."""
        checks = self._checks(check)
        if resolution in _TABLES:
            yield from self._sums(checks, resolution, since, until)
            return
        first = None if since is None else resolution.begin(since)
        last = None if until is None else resolution.end(resolution.begin(until - _TICK))
        days = self._sums(checks, Resolution.DAY, first, last)
        for begin, in_period in groupby(days, lambda day: resolution.begin(day[0])):
            sums: dict[Key, Sum] = defaultdict(Sum)
            for _, key, total in in_period:
                sums[key].add(total)
            yield from ((begin, key, sums[key]) for key in sorted(sums))

    def backup(self, to: Path) -> None:
        """Write a copy of all that is committed, also beside a running daemon; `to` is replaced.

        It appears whole or not at all; a StoreError says why not.
        """
        self._database.backup(to)

    def _checks(self, check: str | None) -> Checks:
        query = select(CHECKS.c.id, CHECKS.c.key, CHECKS.c.vantage)
        query = query if check is None else query.where(CHECKS.c.key == check)
        query = query if self.vantage is None else query.where(CHECKS.c.vantage == self.vantage)
        return self._ask(
            lambda connection: {number: (key, of) for number, key, of in connection.execute(query)}
        )

    def _pages(
        self,
        table: Table,
        checks: Checks,
        since: datetime | None,
        until: datetime | None,
        words: WordCache | None = None,
    ) -> Iterator[Any]:
        """Yield rows of these checks in the order of time."""
        at, number = table.c.at, table.c.check_id
        query = select(table).where(at >= (0 if since is None else millis(since)))
        query = query if until is None else query.where(at < millis(until))
        if len(checks) == 1:
            query = query.where(number == next(iter(checks)))
        query = query.order_by(at, number).limit(PAGE)
        after = -1, -1

        def page(connection: Connection) -> Any:
            later = (at > after[0]) | ((at == after[0]) & (number > after[1]))
            rows = connection.execute(query.where(at >= after[0], later)).all()
            if words:
                words.learn(connection, rows)
            return rows

        while checks:
            rows = self._ask(page)
            yield from (row for row in rows if row[1] in checks)
            if len(rows) < PAGE:
                return
            after = rows[-1][0], rows[-1][1]

    def _sums(
        self, checks: Checks, of: Resolution, since: datetime | None, until: datetime | None
    ) -> Iterator[tuple[datetime, Key, Sum]]:
        """Return those that begin before `until` and end after `since`."""
        table, length = _TABLES[of]
        unit = length * _HOUR
        oldest, newest, hours_from = self._ask(
            lambda connection: _extent(connection, table, length)
        )
        start = oldest if since is None else max(oldest, (since - EPOCH) // unit)
        end = newest + 1 if until is None else min(newest + 1, -(-(until - EPOCH) // unit))
        step = max(1, PAGE // max(1, len(checks)))
        while start < end and checks:
            raw = of is Resolution.HOUR and start < hours_from
            span = start, min(start + (min(step, _RAW_HOURS) if raw else step), end)
            start = span[1]
            sums = self._ask(
                partial(rollup_job.sums, checks=checks, table=table, length=length, span=span)
            )
            for (period, number), total in sorted(sums.items(), key=itemgetter(0)):
                yield EPOCH + period * unit, checks[number], total

    def ask(self, question: Callable[[Connection], T]) -> T:
        """Read what only a few stores hold: the rows of agents."""
        return self._ask(question)

    def _ask(self, question: Callable[[Connection], T]) -> T:
        with self._lock, self._told(), self._engine.begin() as connection:
            self._on_begin(connection)
            return question(connection)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn whatever cannot be read into a StoreError, and have damage looked into."""
        try:
            yield
        except DBAPIError as error:
            if self._database.meaning(error) is Meaning.DAMAGE:
                self.on_damage()
            raise StoreError(f"the store cannot be read: {self._database.why(error)}") from error
        except UNREADABLE as error:
            log.exception("event=store_unreadable")
            self.on_damage()
            raise StoreError("the store cannot be read: a row of it is damaged") from error


def _extent(connection: Connection, table: Table, length: int) -> tuple[int, int, int]:
    """Return the oldest and the newest period of which anything is known; and from when hours are kept."""
    periods: list[int] = []
    for edge in (func.min, func.max):
        for column, hours in ((table.c.period, length), (HOURS.c.period, 1)):
            period = connection.execute(select(edge(column))).scalar()
            periods += [] if period is None else [period * hours // length]
        at = connection.execute(select(edge(RUNS.c.at))).scalar()
        periods += [] if at is None else [at // HOUR_MS // length]
    hours_from = schema.mark(connection, HOURS_FROM) or 0
    return (min(periods), max(periods), hours_from) if periods else (0, -1, hours_from)


def must_be_written(place: Database, *, there: bool) -> None:
    if not there:
        raise StoreError(f"there is no history yet in {place.name}: no daemon has stored any")
