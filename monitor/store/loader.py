"""Loads from the file what `history` needs of the last 90 days, in one look at the store."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, Text, bindparam, case, cast, func, select

from monitor.model import Result
from monitor.store import commits, small_tables
from monitor.store.history import (
    DAYS_SHOWN,
    HALF_HOUR_MS,
    HOURS_SHOWN,
    POINTS,
    RECENT,
    CheckMemory,
    History,
    Key,
    Past,
    briefly,
    charted,
)
from monitor.store.rollup_job import sum_from, summed, sums_of_runs
from monitor.store.run_rows import DAY_MS, HOUR_MS, UNKNOWN, WordCache, millis, result_from
from monitor.store.schema import CHECKS, DAYS, HOURS, RUNS

T = TypeVar("T")
Memories = Mapping[int, CheckMemory]
"""By number of the check."""
_AT_ONCE, _FOREVER = 1000, 1 << 62
_OF_CHECK = select(RUNS).where(RUNS.c.check_id == bindparam("check"))
_ONE_RUN = _OF_CHECK.where(RUNS.c.at == bindparam("begin"))
_RUN_BEFORE = _OF_CHECK.where(RUNS.c.at < bindparam("begin")).order_by(RUNS.c.at.desc()).limit(1)


def _resting(pieces: Iterable[T], rest: Callable[[float], None]) -> Iterator[T]:
    """Give each piece, and rest after it."""
    for piece in pieces:
        began = time.perf_counter()
        yield piece
        rest(time.perf_counter() - began)


class Loader:
    """Reads the checks of one vantage and of `others`, or with None of all, in one transaction throughout."""

    def __init__(
        self,
        connection: Connection,
        vantage: str | None,
        now: datetime,
        others: Collection[str] = (),
    ) -> None:
        self._connection, self._vantage = connection, vantage
        self._now, self._today = now, millis(now) // DAY_MS
        query = select(CHECKS.c.id, CHECKS.c.key, CHECKS.c.vantage)
        if vantage is not None:
            query = query.where(CHECKS.c.vantage.in_({vantage, *others}))
        rows = connection.execute(query).all()
        self._keys: dict[int, Key] = {number: (key, of) for number, key, of in rows}

    def newest_commit(self) -> int:
        """Return the id of the newest transaction that is looked at; see `commits`."""
        return commits.newest(self._connection)

    def small(self, history: History) -> None:
        """Load what is few: states, incidents, spend, silences, messages that were given up."""
        today = self._now.astimezone(UTC).date()
        of = self._connection, self._vantage
        since = self._now - timedelta(days=DAYS_SHOWN)
        incidents = small_tables.incidents(*of, since=since)
        history.states = small_tables.states(self._connection)
        history.incidents = {incident.id: incident for incident in incidents}
        history.spent = small_tables.spent(*of, today.replace(day=1))
        if self._vantage is not None:
            history.spent_elsewhere = small_tables.spent_elsewhere(
                self._connection, self._vantage, today.replace(day=1)
            )
        history.silences = small_tables.silences(self._connection, self._now)
        history.announcements = small_tables.announcements(self._connection, self._now)
        history.imported_until = small_tables.imported_until(*of)
        history.dead = small_tables.dead(*of, self._now - timedelta(days=7))

    def load(
        self,
        history: History,
        *,
        whole: bool = True,
        rest: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Fill `history`, of which `begin_load` was called when the transaction began.

        It goes without charts, bars and windows of days, for who shows none of them, unless `whole`. `rest` is called
        between pieces, with the seconds that the last one took.
        """
        memories = {number: CheckMemory(Past(self._today)) for number in self._keys}
        if whole:
            self._add_days(memories, rest)
            self._draw(memories, rest)
        first = millis(self._now) // HOUR_MS - HOURS_SHOWN + 1
        for row in self._connection.execute(summed(HOURS).where(HOURS.c.period >= first)).all():
            if row[1] in memories:
                memories[row[1]].lately.hours[row[0]] = sum_from(row)
        unrolled = sums_of_runs(self._connection, memories, 1, (0, _FOREVER))
        for (hour, number), total in unrolled.items():
            if whole:
                memories[number].past.add(hour // 24, total)
            if hour >= first:
                memories[number].lately.add(hour, total, ())
        for number, result in self._recent():
            memories[number].lately.recent.append(briefly(result))
        for number, result in self.latest():
            memories[number].lately.come(result)
        history.end_load(
            self._today, {self._keys[number]: memory for number, memory in memories.items()}
        )

    def _add_days(self, memories: Memories, rest: Callable[[float], None]) -> None:
        """Read the days of some checks after those of others: what is added up is large until it is packed."""
        numbers = sorted(memories)
        for place in range(0, len(numbers), _AT_ONCE):
            some = numbers[place : place + _AT_ONCE]
            these = DAYS.c.check_id.between(some[0], some[-1])
            for day in _resting(range(self._today - DAYS_SHOWN + 1, self._today + 1), rest):
                of_day = summed(DAYS).where(DAYS.c.period == day, these)
                for row in self._connection.execute(of_day).all():
                    if row[1] in memories:
                        memories[row[1]].past.put(day, sum_from(row))
            for number in some:
                memories[number].past.pack()

    def _recent(self) -> Iterator[tuple[int, Result]]:
        words = WordCache()
        query = select(RUNS).where(RUNS.c.at >= millis(self._now - RECENT)).order_by(RUNS.c.at)
        for rows in self._connection.execute(query).partitions(_AT_ONCE):
            words.learn(self._connection, rows)
            for row in rows:
                if row[1] in self._keys:
                    yield row[1], result_from(row, *self._keys[row[1]], words.texts)

    def _draw(self, memories: Memories, rest: Callable[[float], None]) -> None:
        """Read the chart's figures, a half hour at a time, joined by the database: which costs less than row by row."""
        last, ttft = millis(self._now) // HALF_HOUR_MS, RUNS.c.ttft_100us
        figures = case((ttft.is_(None), RUNS.c.ttfb_100us)), ttft, RUNS.c.tokens_per_10s
        joined = [func.aggregate_strings(cast(figure, Text), " ") for figure in figures]
        spoke = (RUNS.c.outcome < 2) & (RUNS.c.trusted == 1)
        query = select(RUNS.c.check_id, *joined).where(spoke).group_by(RUNS.c.check_id)
        for half in _resting(range(last - POINTS + 1, last + 1), rest):
            begin = half * HALF_HOUR_MS
            span = RUNS.c.at.between(begin, begin + HALF_HOUR_MS - 1)
            for number, *texts in self._connection.execute(query.where(span)).all():
                if number in memories:
                    tenths = ([*map(int, (text or "").split())] for text in texts)
                    memories[number].lately.chart.add(half, charted(*tenths))

    def latest(self) -> Iterator[tuple[int, Result]]:
        """Return the newest run of each check that has one, by the check's number.

        Where it says nothing the one before comes first: whether anything is known of now takes two (`UNSEEN`).
        """
        last = select(func.max(RUNS.c.at)).where(RUNS.c.check_id == CHECKS.c.id).scalar_subquery()
        newest = self._connection.execute(select(last, CHECKS.c.id)).all()
        rows: list[Any] = []
        for at, number in newest:  # one by one: in one statement each run of the store is looked at
            of_run = {"begin": at, "check": number}
            for row in self._connection.execute(_ONE_RUN, of_run).all():
                if row.outcome == UNKNOWN:
                    rows += self._connection.execute(_RUN_BEFORE, of_run).all()
                rows.append(row)
        words = WordCache()
        words.learn(self._connection, rows)
        return iter(
            [
                (row[1], result_from(row, *self._keys[row[1]], words.texts))
                for row in rows
                if row[1] in self._keys
            ]
        )
