"""One consistent look at the store, for the page: cheap when repeated, because what is over does not
change and is remembered, and what did not change since the last look is handed out again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select

from monitor.model import WINDOWS, AlertState, CheckHistory, Result, Rollup, Snapshot
from monitor.model.rollup import FIGURES, WINDOW_FIGURES
from monitor.store import find, requests
from monitor.store.batch import LATE
from monitor.store.chart import Chart, halves_of
from monitor.store.fold import ROLLED
from monitor.store.live import Live, Newest, recent_results
from monitor.store.meta import number_of
from monitor.store.names import Names
from monitor.store.rolled import counts_of
from monitor.store.runs import read_run
from monitor.store.sliding import Sliding, Span
from monitor.store.sums import Sum, total
from monitor.store.tables import CHECKS, DAYS, HOURS, RESULTS
from monitor.store.times import HALF_HOUR_MS, day_date, hours, millis
from monitor.store.varint import unpack

DAYS_SHOWN = max(WINDOWS)
_DAY = 24
_FEW = 100


@dataclass(frozen=True, slots=True)
class _Rollups:
    days: Mapping[date, Rollup]
    day: Rollup
    windows: Mapping[int, Rollup]


class Looker:
    """Keeps its memory between looks; serves one connection at a time."""

    def __init__(self, vantage: str | None) -> None:
        self._vantage = vantage
        self._names = Names()
        self._late: int | None = -1
        self._begin()

    def _begin(self) -> None:
        self._names.forget()
        self._live = Live(self._names)
        self._hours = Sliding(HOURS, FIGURES, lambda parts: parts.points)
        self._days = Sliding(DAYS, WINDOW_FIGURES, counts_of)
        self._mark = (0, 0)
        self._older: dict[int, Result | None] = {}
        self._rollups: dict[int, tuple[int, _Rollups]] = {}
        self._found: dict[int, tuple[object, CheckHistory]] = {}
        self._answered: dict[tuple[int, int], tuple[int, Rollup]] = {}
        self._charts: dict[int, Chart] = {}

    def snapshot(self, connection: Connection, now: datetime) -> Snapshot:
        self._refresh(connection, now)
        states, today = find.states(connection), now.date()
        return Snapshot(
            at=now,
            checks=self._histories(connection, now, states),
            incidents=find.incidents(
                connection, since=now - timedelta(days=DAYS_SHOWN), limit=None
            ),
            outbox=find.pending(connection),
            dead=find.dead(connection, now - timedelta(days=7)),
            silences=requests.silences(connection, now),
            spent_today=find.spent(connection, today, today),
            spent_month=find.spent(connection, today.replace(day=1), today),
        )

    def _refresh(self, connection: Connection, now: datetime) -> None:
        late = number_of(connection, LATE)
        if late != self._late:
            self._late = late
            self._begin()
        rolled = number_of(connection, ROLLED)
        rolled = hours(now) if rolled is None else rolled
        self._live.look(connection, now, rolled)
        if self._mark != (rolled, hours(now)):
            self._rollups, self._found, self._charts, self._answered = {}, {}, {}, {}
            self._hours.move(connection, _spans_of_hours(hours(now), rolled))
            self._days.move(connection, _spans_of_days(hours(now) // _DAY, rolled // _DAY))
            self._mark = rolled, hours(now)

    def _histories(
        self, connection: Connection, now: datetime, states: Mapping[str, tuple[AlertState, ...]]
    ) -> dict[str, CheckHistory]:
        found: dict[str, CheckHistory] = {}
        for number, key, vantage, last in connection.execute(_ALL_CHECKS):
            if self._vantage in {None, vantage}:
                row = (number, key, last)
                found[key] = self._history(connection, now, row, states.get(key, ()))
        return found

    def _history(
        self,
        connection: Connection,
        now: datetime,
        row: tuple[int, str, int],
        states: tuple[AlertState, ...],
    ) -> CheckHistory:
        number, key, last = row
        newest = self._live.checks.get(number, _NOTHING)
        version = (newest.seen, newest.grown, millis(now) // HALF_HOUR_MS, states, last)
        known = self._found.get(number)
        if known is not None and known[0] == version:
            return known[1]
        rollups = self._rolled_up(number, newest, now.date())
        history = CheckHistory(
            check=key,
            latest=self._live.latest(connection, number) or self._old(connection, number, last),
            states=states,
            days=rollups.days,
            last_24h=rollups.day,
            windows=rollups.windows,
            recent=recent_results(newest),
            series=self._chart(number).points(newest.open, now),
        )
        self._found[number] = version, history
        return history

    def _rolled_up(self, number: int, newest: Newest, today: date) -> _Rollups:
        known = self._rollups.get(number)
        if known is None or known[0] != newest.grown:
            known = newest.grown, self._add_up(number, newest, today)
            self._rollups[number] = known
        return known[1]

    def _add_up(self, number: int, newest: Newest, today: date) -> _Rollups:
        rolled, hour = self._mark
        growing: dict[date, list[Sum]] = {}
        for unix_hour, tally in newest.open.items():
            growing.setdefault(day_date(unix_hour // _DAY), []).append(tally)
        if begun := self._hours.of(number, _spans_of_today(hour, rolled)):
            growing.setdefault(day_date(rolled // _DAY), []).extend(begun)
        # a store that failed for days has older ones
        fresh = [tally for unix_hour, tally in newest.open.items() if unix_hour > hour - _DAY]
        return _Rollups(
            days={
                **{day_date(day): found for day, found in self._days.kept.get(number, {}).items()},
                **{day: total(parts) for day, parts in growing.items()},
            },
            day=total([*self._hours.of(number, _spans_of_last_24(hour, rolled)), *fresh]),
            windows=self._windows(number, growing, today),
        )

    def _chart(self, number: int) -> Chart:
        if number not in self._charts:
            kept = self._hours.kept.get(number, {})
            over = halves_of({hour: unpack(packed) for hour, packed in kept.items()})
            self._charts[number] = Chart(over)
        return self._charts[number]

    def _windows(
        self, number: int, growing: Mapping[date, list[Sum]], today: date
    ) -> dict[int, Rollup]:
        """Each reaches from today to where the next one goes on: what lies between is one span."""
        found: dict[int, Rollup] = {}
        for at, length in enumerate(WINDOWS):
            begin = today - timedelta(days=length - 1)
            fresh = [part for day, parts in growing.items() if day >= begin for part in parts]
            parts = [*self._days.of(number, range(at + 1)), *fresh]
            found[length] = self._with_answers(number, length, total(parts, WINDOW_FIGURES))
        return found

    def _with_answers(self, number: int, length: int, window: Rollup) -> Rollup:
        """Percentiles of a window are counted anew each hour, and where a hundredth of its runs is new.

        Its counts are always the newest.
        """
        runs, known = self._answered.get((number, length), (0, window))
        new = window.counted + window.unknown + window.maintenance
        if runs and new - runs <= runs // _FEW:
            return replace(window, figures=known.figures)
        self._answered[number, length] = new, window
        return window

    def _old(self, connection: Connection, number: int, last: int) -> Result | None:
        """The newest result of a check that has been silent for long."""
        if number not in self._older:
            body = connection.execute(select(RESULTS.c.body).where(RESULTS.c.key == last)).scalar()
            self._older[number] = (
                None if body is None else read_run(connection, self._names, last, body).result
            )
        return self._older[number]


def _spans_of_hours(now: int, rolled: int) -> list[Span]:
    """Each hour is in one of them: what only the last 24 hours or only the day that goes on has, what
    both have, and the hour with which a chart may begin.
    """
    begins = sorted((now - 23, rolled // _DAY * _DAY))
    return [(begins[0], begins[1]), (begins[1], rolled), (now - 24, min(now - 23, *begins))]


def _spans_of_last_24(now: int, rolled: int) -> tuple[int, ...]:
    return (0, 1) if now - 23 <= rolled // _DAY * _DAY else (1,)


def _spans_of_today(now: int, rolled: int) -> tuple[int, ...]:
    return (0, 1) if rolled // _DAY * _DAY < now - 23 else (1,)


def _spans_of_days(today: int, end: int) -> list[Span]:
    """Days that are over, up to `end`."""
    begins = [today - length + 1 for length in WINDOWS]
    ends = [end, *(min(begin, end) for begin in begins)]
    return [*zip(begins, ends, strict=False)]


_ALL_CHECKS = select(CHECKS.c.number, CHECKS.c.key, CHECKS.c.vantage, CHECKS.c.last)
_NOTHING = Newest()
