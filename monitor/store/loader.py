"""Loads from the file what `history` needs of the last 90 days, in one look at the store."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection, Text, bindparam, cast, func, literal, select

from monitor.model import Result
from monitor.model.rollup import WINDOW_FIGURES
from monitor.store import small_tables
from monitor.store.histogram import PackedSum, kinds_from
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
    chart_values,
)
from monitor.store.rollup_job import COUNTS, sum_from, sums_of_runs
from monitor.store.run_rows import DAY_MS, HOUR_MS, WordCache, millis, result_from
from monitor.store.schema import CHECKS, DAYS, HOURS, RUNS

T = TypeVar("T")
Memories = Mapping[int, CheckMemory]
"""By number of the check."""
_AT_ONCE, _FOREVER = 1000, 1 << 62
_ONE_RUN = select(RUNS).where(
    RUNS.c.at == bindparam("begin"), RUNS.c.check_id == bindparam("check")
)


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
        first = millis(self._now) // HOUR_MS - HOURS_SHOWN + 1
        for row in self._connection.execute(select(HOURS).where(HOURS.c.period >= first)).all():
            if row[1] in memories:
                packed = PackedSum(tuple(row[COUNTS]), kinds_from(row[COUNTS.stop]), row[-1])
                memories[row[1]].lately.hours[row[0]] = packed
        unrolled = sums_of_runs(self._connection, memories, 1, (0, _FOREVER))
        for (hour, number), total in unrolled.items():
            if whole:
                memories[number].past.add(hour // 24, total)
            if hour >= first:
                memories[number].lately.add(hour, total, ())
        for number, result in self._recent():
            memories[number].lately.recent.append(briefly(result))
        if whole:
            self._add_days(memories, rest)
            self._draw(memories, rest)
        for number, result in self.latest():
            memories[number].lately.latest = result
        history.end_load(
            self._today, {self._keys[number]: memory for number, memory in memories.items()}
        )

    def _add_days(self, memories: Memories, rest: Callable[[float], None]) -> None:
        query = select(DAYS).where(DAYS.c.period > self._today - DAYS_SHOWN)
        for rows in _resting(self._connection.execute(query).partitions(_AT_ONCE), rest):
            for row in rows:
                if row[1] in memories:
                    memories[row[1]].past.add(row[0], sum_from(row, WINDOW_FIGURES))
        for memory in memories.values():
            memory.past.pack()

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
        last = millis(self._now) // HALF_HOUR_MS
        figures = [
            cast(func.coalesce(RUNS.c[name], -1), Text)
            for name in ("ttfb_100us", "ttft_100us", "tokens_per_10s")
        ]
        run = figures[0] + literal(" ") + figures[1] + literal(" ") + figures[2]
        joined = select(RUNS.c.check_id, func.aggregate_strings(run, " ")).group_by(RUNS.c.check_id)
        spoke = (RUNS.c.outcome < 2) & (RUNS.c.trusted == 1)
        for half in _resting(range(last - POINTS + 1, last + 1), rest):
            begin = half * HALF_HOUR_MS
            span = RUNS.c.at.between(begin, begin + HALF_HOUR_MS - 1)
            for number, text in self._connection.execute(joined.where(span & spoke)):
                if number in memories:
                    memories[number].lately.halves[half] = chart_values([*map(int, text.split())])

    def latest(self) -> Iterator[tuple[int, Result]]:
        """Return the newest run of each check that has one, by the check's number."""
        last = select(func.max(RUNS.c.at)).where(RUNS.c.check_id == CHECKS.c.id).scalar_subquery()
        newest = self._connection.execute(select(last, CHECKS.c.id)).all()
        rows = [
            row
            for at, number in newest  # one by one: in one statement each run of the store is looked at
            for row in self._connection.execute(_ONE_RUN, {"begin": at, "check": number})
        ]
        words = WordCache()
        words.learn(self._connection, rows)
        return iter(
            [
                (row[1], result_from(row, *self._keys[row[1]], words.texts))
                for row in rows
                if row[1] in self._keys
            ]
        )
