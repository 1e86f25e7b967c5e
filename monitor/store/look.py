"""One consistent look at the store, for the page: cheap when repeated, because days that are over
do not change and are remembered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Table, select

from monitor.model import AlertState, CheckHistory, Result, Rollup, Snapshot
from monitor.store import find, requests
from monitor.store.batch import LATE
from monitor.store.fold import ROLLED
from monitor.store.live import Live, points, recent_results
from monitor.store.meta import number_of
from monitor.store.names import Names
from monitor.store.runs import read_run
from monitor.store.sums import Past, Total, summed
from monitor.store.tables import CHECKS, DAYS, HOURS, NUMBER_BITS, NUMBER_MASK, RESULTS
from monitor.store.tally import Tally
from monitor.store.times import day_date, hours

DAYS_SHOWN = 90


@dataclass(slots=True)
class _Rolled:
    """What the rollup tables say of days that are not over, until the mark moves."""

    day: dict[int, Total] = field(default_factory=dict)
    """Hours of the last 24 that are rolled up."""
    today: dict[int, dict[int, Total]] = field(default_factory=dict)
    """By check, then by unix day: days that are still growing."""


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
        self._mark: tuple[int | None, ...] = ()
        self._late: int | None = -1
        self._ready: dict[int, tuple[int, _Rollups]] = {}
        self._live = Live(self._names)
        self._rolled = _Rolled()
        self._past: dict[int, Past] = {}
        self._past_mark: tuple[object, ...] = ()
        self._older: dict[int, Result | None] = {}

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
            self._late, self._live, self._mark = late, Live(self._names), ()
            self._ready, self._older = {}, {}
            self._names.forget()
        rolled = number_of(connection, ROLLED)
        rolled = hours(now) if rolled is None else rolled
        self._live.look(connection, now, rolled)
        mark = (late, rolled, hours(now))
        if mark != self._mark:
            self._mark, self._ready = mark, {}
            self._rolled = _read_rolled(connection, now, rolled)
        past_mark = (late, rolled // 24, now.date())
        if past_mark != self._past_mark:
            self._past_mark, self._past = past_mark, _read_past(connection, now, rolled // 24)

    def _histories(
        self, connection: Connection, now: datetime, states: Mapping[str, tuple[AlertState, ...]]
    ) -> dict[str, CheckHistory]:
        found: dict[str, CheckHistory] = {}
        rows = connection.execute(
            select(CHECKS.c.number, CHECKS.c.key, CHECKS.c.vantage, CHECKS.c.last)
        )
        for number, key, vantage, last in rows:
            if self._vantage in {None, vantage}:
                found[key] = self._history(
                    connection, now, (number, key, last), states.get(key, ())
                )
        return found

    def _history(
        self,
        connection: Connection,
        now: datetime,
        row: tuple[int, str, int],
        states: tuple[AlertState, ...],
    ) -> CheckHistory:
        number, key, last = row
        live = self._live.checks.get(number)
        rollups = self._rollups(number, now)
        return CheckHistory(
            check=key,
            latest=self._live.latest(connection, number) or self._old(connection, number, last),
            states=states,
            days=rollups.days,
            last_24h=rollups.day,
            windows=rollups.windows,
            recent=recent_results(live),
            series=points(live, now),
        )

    def _rollups(self, number: int, now: datetime) -> "_Rollups":
        live = self._live.checks.get(number)
        version = live.changed if live else 0
        ready = self._ready.get(number)
        if ready is None or ready[0] != version:
            ready = version, self._merge(number, live.open if live else {}, now)
            self._ready[number] = ready
        return ready[1]

    def _merge(self, number: int, open_hours: Mapping[int, Tally], now: datetime) -> _Rollups:
        rolled, past = self._rolled, self._past.get(number, _NO_PAST)
        growing: dict[int, list[Rollup]] = {
            day: [total.rollup] for day, total in rolled.today.get(number, {}).items()
        }
        day = [rolled.day[number].rollup] if number in rolled.day else []
        for hour, tally in open_hours.items():
            part = tally.rollup()
            growing.setdefault(hour // 24, []).append(part)
            if hours(now) - hour < 24:  # a store that failed for days has older ones
                day.append(part)
        grown = {day_date(number): summed(parts) for number, parts in growing.items()}
        return _Rollups(
            days={**past.days, **grown}, day=summed(day), windows=past.windows(now.date(), grown)
        )

    def _old(self, connection: Connection, number: int, last: int) -> Result | None:
        """The newest result of a check that has been silent for a day."""
        if number not in self._older:
            body = connection.execute(select(RESULTS.c.body).where(RESULTS.c.key == last)).scalar()
            self._older[number] = (
                None if body is None else read_run(connection, self._names, last, body).result
            )
        return self._older[number]


def _read_rolled(connection: Connection, now: datetime, rolled: int) -> _Rolled:
    found = _Rolled()
    for key, body in _from(connection, HOURS, hours(now) - 23):
        found.day.setdefault(key & NUMBER_MASK, Total()).add(body)
    for key, body in _from(connection, DAYS, rolled // 24):
        days = found.today.setdefault(key & NUMBER_MASK, {})
        days.setdefault(key >> NUMBER_BITS, Total()).add(body)
    return found


def _read_past(connection: Connection, now: datetime, end: int) -> dict[int, Past]:
    """Up to unix day `end`."""
    found: dict[int, Past] = {}
    today = now.date()
    for key, body in _from(connection, DAYS, hours(now) // 24 - DAYS_SHOWN + 1, end):
        past = found.setdefault(key & NUMBER_MASK, Past())
        past.add(day_date(key >> NUMBER_BITS), today, body)
    for past in found.values():
        past.seal(today)
    return found


def _from(
    connection: Connection, rows: Table, period: int, end: int | None = None
) -> Iterable[tuple[int, bytes]]:
    query = select(rows.c.key, rows.c.body).where(rows.c.key >= period << NUMBER_BITS)
    query = query if end is None else query.where(rows.c.key < end << NUMBER_BITS)
    found: Any = connection.execute(query.order_by(rows.c.key))
    return cast("Iterable[tuple[int, bytes]]", found)


_NO_PAST = Past()
_NO_PAST.seal(date.min)
