"""One consistent look at the store, for the page: cheap when repeated, because what is over does not
change and is remembered, and what did not change since the last look is handed out again.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, select

from monitor.model import WINDOWS, AlertState, CheckHistory, Result, Rollup, Snapshot
from monitor.model.rollup import WINDOW_FIGURES
from monitor.store import find, over, requests
from monitor.store.answers import Nested, SummedFigures, summed_figures
from monitor.store.batch import LATE
from monitor.store.fold import ROLLED
from monitor.store.lanes import Lanes
from monitor.store.live import Live, Newest, recent_results
from monitor.store.meta import number_of
from monitor.store.names import Names
from monitor.store.over import DAY, Marks, Over
from monitor.store.rolled import BARS, rollup_of
from monitor.store.runs import read_run
from monitor.store.sums import Sum, Summed, counted, total
from monitor.store.tables import CHECKS, RESULTS
from monitor.store.times import EPOCH_DAY, HALF_HOUR_MS, day_date, hours, millis

DAYS_SHOWN = max(WINDOWS)
_FEW = 100


@dataclass(frozen=True, slots=True)
class _Rollups:
    days: Mapping[date, Rollup]
    day: Rollup
    windows: Mapping[int, Rollup]


@dataclass(slots=True)
class _Check:
    """What follows from what is over, and what was said last."""

    over: Over
    grown: int = -1
    rollups: _Rollups = field(default_factory=lambda: _Rollups({}, Rollup(), {}))
    version: object = None
    history: CheckHistory | None = None
    answered: dict[int, tuple[int, SummedFigures]] = field(default_factory=dict)


class Looker:
    """Keeps its memory between looks; serves one connection at a time."""

    def __init__(self, vantage: str | None) -> None:
        self._vantage = vantage
        self._names = Names()
        self._late: int | None = -1
        self._live = Live(self._names)
        self._marks = Marks(0, 0)
        self._checks: dict[int, _Check] = {}
        self._older: dict[int, Result | None] = {}

    def snapshot(self, connection: Connection, now: datetime) -> Snapshot:
        with _no_collector():
            return self._snapshot(connection, now)

    def _snapshot(self, connection: Connection, now: datetime) -> Snapshot:
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
        rolled = number_of(connection, ROLLED)
        marks = Marks(hours(now), hours(now) if rolled is None else rolled)
        self._live.look(connection, now, marks.rolled, late=late != self._late)
        if (late, marks) != (self._late, self._marks):
            known = {number: check.over for number, check in self._checks.items()}
            found = over.load(connection, marks, known)
            self._checks = {
                number: self._checks[number] if known.get(number) is each else _Check(each)
                for number, each in found.items()
            }
            self._late, self._marks = late, marks

    def _histories(
        self, connection: Connection, now: datetime, states: Mapping[str, tuple[AlertState, ...]]
    ) -> dict[str, CheckHistory]:
        found: dict[str, CheckHistory] = {}
        half = millis(now) // HALF_HOUR_MS
        for number, key, vantage, last in connection.execute(_ALL_CHECKS).all():
            if self._vantage in {None, vantage}:
                check = self._checks.get(number)
                if check is None:
                    check = self._checks[number] = _Check(over.nothing(self._marks))
                newest, held = self._live.checks.get(number, _NOTHING), states.get(key, ())
                version = newest.seen, newest.grown, half, held, last
                if check.history is None or check.version != version:
                    latest = self._live.latest(connection, number, last) or self._old(
                        connection, last
                    )
                    check.history = self._history(check, key, newest, latest, held, now)
                    check.version = version
                found[key] = check.history
        return found

    def _history(
        self,
        check: _Check,
        key: str,
        newest: Newest,
        latest: Result | None,
        states: tuple[AlertState, ...],
        now: datetime,
    ) -> CheckHistory:
        if check.grown != newest.grown:
            check.rollups = self._add_up(check, newest, now.date())
            check.grown = newest.grown
        rollups = check.rollups
        return CheckHistory(
            check=key,
            latest=latest,
            states=states,
            days=rollups.days,
            last_24h=rollups.day,
            windows=rollups.windows,
            recent=recent_results(newest),
            series=check.over.chart.points(newest.open, now),
        )

    def _add_up(self, check: _Check, newest: Newest, today: date) -> _Rollups:
        marks, past = self._marks, check.over
        growing: dict[date, list[Sum | Summed]] = {}
        if past.today:
            growing[day_date(marks.rolled // DAY)] = [*past.today]
        for hour, tally in newest.open.items():
            growing.setdefault(day_date(hour // DAY), []).append(tally)
        past.days = {**past.days, **{day: total(parts) for day, parts in growing.items()}}
        # a store that failed for days has older ones
        fresh = [tally for hour, tally in newest.open.items() if hour >= marks.last_24]
        return _Rollups(
            days=past.days,
            day=total([past.last_24, *fresh]),
            windows=_windows(check, newest, today),
        )

    def _old(self, connection: Connection, last: int) -> Result | None:
        """The newest result of a check that has been silent for long."""
        if last not in self._older:
            body = connection.execute(select(RESULTS.c.body).where(RESULTS.c.key == last)).scalar()
            self._older[last] = (
                None if body is None else read_run(connection, self._names, last, body).result
            )
        return self._older[last]


def _windows(check: _Check, newest: Newest, today: date) -> dict[int, Rollup]:
    """Percentiles are counted anew each hour, and where a hundredth of the runs is new.

    Counts are always the newest.
    """
    past, current = check.over.windows, today.toordinal() - EPOCH_DAY  # unix days
    newest_first = sorted(newest.open.items(), reverse=True)
    growing = [
        [tally for hour, tally in newest_first if hour // DAY > current - length]
        for length in WINDOWS
    ]
    counts = [counted((each, *more)) for each, more in zip(past, growing, strict=True)]
    stale: dict[int, int] = {}
    for length, (numbers, _) in zip(WINDOWS, counts, strict=True):
        runs, new = check.answered.get(length, (0, _NONE))[0], sum(numbers[:BARS])
        if not runs or new - runs > runs // _FEW:
            stale[length] = new
    if stale:
        nested = Nested([*_parts(past, growing)], WINDOW_FIGURES)
        for at, length in enumerate(WINDOWS):
            if length in stale:
                check.answered[length] = stale[length], SummedFigures(nested, at)
    return {
        length: rollup_of(*each, check.answered[length][1])
        for length, each in zip(WINDOWS, counts, strict=True)
    }


def _parts(
    past: Sequence[Summed], growing: Sequence[Sequence[Sum]]
) -> Iterator[Sequence[Mapping[str, Lanes]]]:
    """Of each window what the one before it does not have."""
    known = 0
    for each, more in zip(past, growing, strict=True):
        yield [*each.parts, *(part for tally in more[known:] for part in tally.parts)]
        known = len(more)


@contextmanager
def _no_collector() -> Iterator[None]:
    """What a look makes stays: to search it for garbage while it grows costs a quarter of a first one."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


_ALL_CHECKS = select(CHECKS.c.number, CHECKS.c.key, CHECKS.c.vantage, CHECKS.c.last)
_NOTHING = Newest()
_NONE = summed_figures(())
