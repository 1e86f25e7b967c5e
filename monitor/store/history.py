"""Memory answers what page, status and metrics ask; the file is there so that it survives a restart.

It is loaded once (see `loader`) and gets every run at once, so it is right by itself also while the disk
fails. Of each check it keeps the last day's runs in short, the counts of 90 days, and one merged histogram
a window. Runs that came since somebody last asked wait in a list, because to add many at once is cheaper,
and whoever asks does so in a thread of its own.
"""

import threading
from array import array
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import attrgetter, itemgetter
from sys import intern

from monitor.model import (
    WINDOWS,
    AgentState,
    AlertState,
    Announcement,
    CheckHistory,
    Failure,
    Incident,
    OutboxMessage,
    Outcome,
    Point,
    Result,
    Rollup,
    RunRecord,
    Silence,
    Snapshot,
    Spend,
    StateKey,
    Timings,
)
from monitor.model.rollup import NOTHING, WINDOW_FIGURES
from monitor.model.spend import NO_SPEND
from monitor.store.histogram import (
    MAINTENANCE,
    CountedRow,
    PackedSum,
    Sum,
    buckets_of_tenths,
    counts_of_day,
    day_counts,
    rollup_of,
    value_of,
)
from monitor.store.run_rows import DAY_MS, HOUR_MS, counted_row, from_millis, millis
from monitor.store.transaction import Change, Item, change_of, has_change

DAYS_SHOWN = max(WINDOWS)
RECENT = timedelta(minutes=30)
HALF_HOUR_MS, POINTS, HOURS_SHOWN = HOUR_MS // 2, 48, 24
_SET_BACK = timedelta(minutes=1)
"""A clock that goes back further was set: what is asked for now was thought old, and is in the file."""
_FOLD_AT = 200
_APART = 1 << 13
"""By so much the buckets of a chart's figures are apart, see `charted`."""
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_AT = attrgetter("at")


def _empty_windows() -> dict[int, Sum | PackedSum]:
    return {length: Sum() for length in WINDOWS}


@dataclass(slots=True)
class Past:
    """One check by whole days, as of the unix day `today`."""

    today: int
    days: Mapping[date, Rollup] = field(default_factory=dict)
    """The counts behind the bar of each day. Snapshots share it: it is replaced, and never changed."""
    so_far: Sum = field(default_factory=Sum)
    """The sum of today, with `WINDOW_FIGURES`."""
    windows: dict[int, Sum | PackedSum] | None = field(default_factory=_empty_windows)
    """The sum of the days of each window before today, by its length in days, with `WINDOW_FIGURES`.

    None from midnight until the file is read again: then nobody knows what leaves a window.
    """

    def put(self, day: int, total: PackedSum) -> None:
        """Take a day as the file has it. `pack` is called after the last one, and before anything is added."""
        self.days = {**self.days, _date(day): day_counts(*total.counts[: MAINTENANCE + 1])}
        if day == self.today:
            self.so_far.add(total, WINDOW_FIGURES)
        elif self.windows is not None:
            shortest = WINDOWS[bisect_right(WINDOWS, self.today - day)]
            self.windows[shortest].unpacked().add(total, WINDOW_FIGURES)

    def pack(self) -> None:
        """Add to each window the shorter ones, and make small what will hardly change."""
        if self.windows is not None:
            total, packed = Sum(), dict[int, Sum | PackedSum]()
            for length, days in self.windows.items():
                total.add(days)
                packed[length] = PackedSum.of(total)
            self.windows = packed

    def add(self, day: int, more: Sum) -> None:
        """Count runs of a day."""
        counts = more.counts[: MAINTENANCE + 1]
        if before := self.days.get(_date(day)):
            counts = [*map(int.__add__, counts_of_day(before), counts)]
        self.days = {**self.days, _date(day): day_counts(*counts)}
        if day == self.today:
            self.so_far.add(more, WINDOW_FIGURES)
        elif self.windows is not None:
            for length in WINDOWS:
                if 0 < self.today - day < length:
                    self.windows[length] = total = self.windows[length].unpacked()
                    total.add(more, WINDOW_FIGURES)

    def turn(self, today: int) -> None:
        """Begin another day."""
        self.today, self.so_far, self.windows = today, Sum(), None
        oldest = _date(today - DAYS_SHOWN)
        self.days = {day: bar for day, bar in self.days.items() if day > oldest}

    def rollups(self) -> dict[int, Rollup]:
        if self.windows is not None:
            return {
                length: rollup_of([self.so_far, total]) for length, total in self.windows.items()
            }
        return {length: self._counts(length) for length in WINDOWS}

    def _counts(self, length: int) -> Rollup:
        """Add up the bars of a window."""
        first, last = _date(self.today - length), _date(self.today)
        bars = [counts_of_day(bar) for day, bar in self.days.items() if first < day <= last]
        return day_counts(*map(sum, zip(*bars, strict=True))) if bars else NOTHING

    def bars(self) -> Mapping[date, Rollup]:
        """Return the days up to today: there are others where the clock was set back."""
        today = _date(self.today)
        if max(self.days, default=today) <= today:
            return self.days
        return {day: bar for day, bar in self.days.items() if day <= today}


@lru_cache(256)
def _begin(half: int) -> datetime:
    return from_millis(half * HALF_HOUR_MS)


@lru_cache(256)
def _date(day: int) -> date:
    return date.fromordinal(_EPOCH_DAY + day)


@dataclass(slots=True)
class Chart:
    """The last `POINTS` half hours: of each its runs, as `charted` packs them, and what is drawn of them."""

    _last: int = 0
    """The newest half hour, since 1970."""
    _runs: list[bytes] = field(default_factory=lambda: [b""] * POINTS)
    """Kept after a half hour is over: an agent's runs may come late."""
    _points: list[Point | None] = field(default_factory=lambda: [None] * POINTS)
    """None where runs have come since somebody asked."""

    def add(self, half: int, runs: bytes) -> None:
        """Add runs of a half hour; those of one that is not shown any more are left out."""
        self._turn(half)
        place = POINTS - 1 - (self._last - half)
        if place >= 0:
            self._runs[place] += runs
            self._points[place] = None

    def points(self, last: int) -> tuple[Point, ...]:
        """Return the half hours up to the one that goes on."""
        self._turn(last)
        first = self._last - POINTS + 1
        points = tuple(
            point or _point(first + place, self._runs[place])
            for place, point in enumerate(self._points)
        )
        self._points = [*points]
        return points

    def _turn(self, half: int) -> None:
        if half > self._last:
            gone = min(half - self._last, POINTS)
            self._runs = [*self._runs[gone:], *[b""] * gone]
            self._points = [*self._points[gone:], *[None] * gone]
            self._last = half


@dataclass(slots=True)
class Lately:
    """The last day of one check."""

    latest: Result | None = None
    before: Result | None = None
    """The run before it, in short."""
    recent: list[Result] = field(default_factory=list)
    """In short, oldest first."""
    hours: dict[int, Sum | PackedSum] = field(default_factory=dict)
    """By unix hour."""
    chart: Chart = field(default_factory=Chart)
    _over: tuple[int, PackedSum] | None = None
    """The sum of the hours that are over, as of a unix hour."""

    def see(self, result: Result) -> None:
        """Note a run: the newest one whole, others in short; none twice at the same moment, as in the file."""
        at, place = result.at, bisect_left(self.recent, result.at, key=_AT)
        while place < len(self.recent) and self.recent[place].at == at:
            at, place = at + timedelta(milliseconds=1), place + 1
        result = result if at == result.at else replace(result, at=at)
        self.come(result)
        insort(self.recent, briefly(result), key=_AT)

    def come(self, result: Result) -> None:
        """Note which two runs are the newest."""
        if self.latest is None or result.at > self.latest.at:
            self.before = self.latest and briefly(self.latest)
            self.latest = result
        elif result.at < self.latest.at and (self.before is None or result.at > self.before.at):
            self.before = briefly(result)

    def add(self, hour: int, more: Sum, rows: Sequence[tuple[int, CountedRow]]) -> None:
        """Runs that began in this hour: their sum, and each with its begin."""
        before = self.hours.get(hour)
        total = before.unpacked() if before else Sum()
        total.add(more)
        self.hours[hour] = total
        if self._over is not None and hour < self._over[0]:
            self._over = None
        for begin, row in rows:
            if row[0] < 2 and row[5]:
                ttfb, ttft, speed = ([] if row[at] is None else [row[at]] for at in (9, 10, 13))
                runs = charted([] if ttft else ttfb, ttft, speed)
                self.chart.add(begin // HALF_HOUR_MS, runs)

    def trim(self, since: datetime, hour: int) -> None:
        """Forget runs before `since` and hours that lie a day before this one, and make small those that are over."""
        del self.recent[: bisect_left(self.recent, since, key=_AT)]
        if self._over is None or self._over[0] != hour:
            for old in [number for number in self.hours if number <= hour - HOURS_SHOWN]:
                del self.hours[old]
            over = Sum()
            for number, total in self.hours.items():
                if number < hour:
                    self.hours[number] = PackedSum.of(total)
                    over.add(total)
            self._over = hour, PackedSum.of(over)

    def last_24h(self) -> Rollup:
        """Return the hour that ran when it was trimmed last, and the 23 before it."""
        over = [] if self._over is None else [self._over[1]]
        going_on = [total for total in self.hours.values() if isinstance(total, Sum)]
        return rollup_of([*over, *going_on])


def charted(ttfb: Sequence[int], ttft: Sequence[int], speed: Sequence[int]) -> bytes:
    """Pack the buckets of values in tenths as int16, those of one figure far from those of the next, so that one array holds all."""
    return array(
        "h",
        (
            bucket + place * _APART
            for place, tenths in enumerate((ttfb, ttft, speed))
            if tenths
            for bucket in buckets_of_tenths(tenths)
        ),
    ).tobytes()


def _point(half: int, runs: bytes) -> Point:
    """Draw a half hour: time to first token if anything streams."""
    rising = sorted(array("h", runs))
    ttft, speed = (bisect_left(rising, edge) for edge in (_APART // 2, _APART * 3 // 2))
    times = [number - _APART for number in rising[ttft:speed]] or rising[:ttft]
    speeds = [number - 2 * _APART for number in rising[speed:]]
    return Point(_begin(half), _rank(times, 0.5), _rank(times, 0.95), _rank(speeds, 0.5))


def _rank(rising: Sequence[int], q: float) -> float | None:
    """Return the value at rank ceil(q x n)."""
    return value_of(rising[max(0, -(-int(q * 100) * len(rising) // 100) - 1)]) if rising else None


def briefly(result: Result) -> Result:
    """Leave out the failure's words, stream, usage, address and most times: many results are kept at once."""
    failure, timings = result.failure, result.timings
    return Result(
        check=intern(result.check),
        vantage=intern(result.vantage),
        at=result.at,
        outcome=result.outcome,
        failure=None if failure is None else Failure(failure.kind, ""),
        timings=Timings(ttfb=timings.ttfb, ttft=timings.ttft, total=timings.total),
        http_status=result.http_status,
        trusted_timings=result.trusted_timings,
    )


Key = tuple[str, str]
"""A check's key and vantage."""


@dataclass(slots=True)
class CheckMemory:
    past: Past
    lately: Lately = field(default_factory=Lately)
    fresh: list[RunRecord] = field(default_factory=list)
    """Runs that are not added up yet."""
    _version: object = None
    _history: CheckHistory | None = None

    def take(self) -> list[RunRecord]:
        """Take what is fresh, to fold it."""
        fresh, self.fresh = self.fresh, []
        return fresh

    def fold(self, fresh: Sequence[RunRecord]) -> None:
        """Add these up."""
        if not fresh:
            return
        self._version = None
        hours: dict[int, list[tuple[int, CountedRow]]] = defaultdict(list)
        for entry in fresh:
            at = millis(entry.result.at)
            hours[at // HOUR_MS].append((at, counted_row(entry)))
            self.lately.see(entry.result)
        for hour, rows in hours.items():
            total = Sum.of_rows([row for _, row in rows])
            self.lately.add(hour, total, rows)
            self.past.add(hour // 24, total)

    def trim(self, now: datetime) -> None:
        """Forget what nobody is shown from now on."""
        self.lately.trim(now - RECENT, millis(now) // HOUR_MS)

    def history(self, key: str, now: datetime, states: tuple[AlertState, ...]) -> CheckHistory:
        """Return the same object as before where there is no news."""
        at, today = millis(now), millis(now) // DAY_MS
        if self.past.today != today:
            self.past.turn(today)
        self.trim(now)
        recent = tuple(self.lately.recent)
        version = at // HALF_HOUR_MS, len(recent), states
        if self._history is None or version != self._version:
            self._version, latest = version, self.lately.latest
            is_silent = latest is not None and latest.outcome is Outcome.UNKNOWN
            self._history = CheckHistory(
                check=key,
                latest=latest,
                before=self.lately.before if is_silent else None,
                states=states,
                days=self.past.bars(),
                last_24h=self.lately.last_24h(),
                windows=self.past.rollups(),
                recent=recent,
                series=self.lately.chart.points(at // HALF_HOUR_MS),
            )
        return self._history


class History:
    """Holds in memory what a page shows of all checks.

    `lock` is held by whoever hands something to it and to the writer at once, and never for long.

    Whoever adds up holds `_folding`, so that a run which is recorded meanwhile waits for nobody.
    """

    def __init__(self, vantage: str | None = None) -> None:
        """`vantage` is our own, whose checks stand alone in a snapshot; with None all do."""
        self.lock, self._folding = threading.RLock(), threading.Lock()
        self._vantage = vantage
        self.is_loaded = False
        self.checks: dict[Key, CheckMemory] = {}
        self.states: dict[StateKey, AlertState] = {}
        self.incidents: dict[int, Incident] = {}
        self.spent: dict[tuple[date, str], Spend] = {}
        self.spent_elsewhere: dict[str, dict[tuple[date, str], Spend]] = {}
        """By vantage, of vantages that spend beside our own."""
        self.silences: tuple[Silence, ...] = ()
        self.announcements: tuple[Announcement, ...] = ()
        self.imported_until: Mapping[str, datetime] = {}
        self.agents: dict[str, AgentState] = {}
        """What is known of each agent, by vantage; whoever hears them keeps it."""
        self.dead: list[tuple[datetime, OutboxMessage]] = []
        """Messages that were given up, and when; newest first."""
        self.changes = 0
        """Counts what changed an alert state or an incident."""
        self._journal: list[RunRecord] | None = None
        """Runs that a load under way cannot find in the file."""
        self._day: int | None = None
        self._asked: datetime | None = None

    def add(self, item: Item) -> None:
        with self.lock:
            if isinstance(item, RunRecord):
                self._add_run(item)
            if isinstance(item, Change) or has_change(item):
                self._change(change_of(item))

    def _add_run(self, entry: RunRecord) -> None:
        if self._journal is not None:
            self._journal.append(entry)
        if not self.is_loaded:
            return  # it is in the journal
        memory = self._memory(entry)
        memory.fresh.append(entry)
        if len(memory.fresh) >= _FOLD_AT and self._folding.acquire(blocking=False):  # nobody asks
            try:
                memory.fold(memory.take())
            finally:
                self._folding.release()

    def _memory(self, entry: RunRecord) -> CheckMemory:
        key = entry.result.check, entry.result.vantage
        if key not in self.checks:
            self.checks[key] = CheckMemory(Past(self._day or 0))
        return self.checks[key]

    def _change(self, change: Change) -> None:
        self.changes += bool(change.states or change.incidents)
        self.states.update((state.key, state) for state in change.states)
        self.incidents.update((incident.id, incident) for incident in change.incidents)
        for service, day, spend in change.spent:
            self.spent[day, service] = self.spent.get((day, service), NO_SPEND) + spend

    def learn_spent(self, vantage: str, spent: Mapping[tuple[date, str], Spend]) -> None:
        """Take what another vantage has spent in all, by day and service."""
        with self.lock:
            self.spent_elsewhere[vantage] = {**self.spent_elsewhere.get(vantage, {}), **spent}

    def spent_elsewhere_on(self, today: date) -> dict[str, dict[str, Spend]]:
        """Return by vantage and service what other vantages have spent on a day."""
        with self.lock:
            elsewhere = {**self.spent_elsewhere}
        return {
            vantage: on_day
            for vantage, spent in sorted(elsewhere.items())
            if (on_day := _by_service([spent], today))
        }

    def must_load(self, now: datetime) -> bool:
        """Tell whether the file is to be read first: at the start, at midnight, and when the clock was set back."""
        set_back = self._asked is not None and now < self._asked - _SET_BACK
        return not self.is_loaded or set_back or self._day != millis(now) // DAY_MS

    def begin_load(self, uncommitted: Iterable[Item]) -> None:
        """Begin a load. The file is read from here on: what is not in it will be added when that is done."""
        with self.lock:
            self._journal = [item for item in uncommitted if isinstance(item, RunRecord)]

    def end_load(self, day: int, checks: Mapping[Key, CheckMemory]) -> None:
        """Take what was read, and add what came meanwhile."""
        with self._folding, self.lock:
            self.checks, self._day, self.is_loaded = {**checks}, day, True
            journal, self._journal = self._journal or [], None
            for entry in journal:
                self._memory(entry).fresh.append(entry)

    def trim(self, now: datetime) -> None:
        """Add up what came, and forget what nobody is shown from now on: for who takes no snapshots, which do the same."""
        with self._folding:
            with self.lock:
                checks = [(memory, memory.take()) for memory in self.checks.values()]
            for memory, fresh in checks:
                memory.fold(fresh)
                memory.trim(now)

    def snapshot(self, now: datetime, outbox: tuple[OutboxMessage, ...]) -> Snapshot:
        histories: dict[str, CheckHistory] = {}
        elsewhere: dict[str, dict[str, CheckHistory]] = defaultdict(dict)
        states: dict[Key, list[AlertState]] = defaultdict(list)
        with self._folding:
            with self.lock:
                self._asked = now
                for state in self.states.values():
                    states[state.check, state.vantage].append(state)
                incidents = [*self.incidents.values()]
                spent = [{**self.spent}, *self.spent_elsewhere.values()]
                checks = [(key, memory, memory.take()) for key, memory in self.checks.items()]
            for key, memory, fresh in sorted(checks, key=itemgetter(0)):
                memory.fold(fresh)
                is_here = self._vantage in {None, key[1]}
                place = histories if is_here else elsewhere[key[1]]
                place[key[0]] = memory.history(key[0], now, tuple(states.get(key, ())))
        today, since = now.astimezone(UTC).date(), now - timedelta(days=DAYS_SHOWN)
        shown = [
            incident
            for incident in incidents
            if incident.closed is None or incident.closed >= since
        ]
        week = now - timedelta(days=7)
        return Snapshot(
            at=now,
            checks=histories,
            elsewhere=dict(elsewhere),
            agents={**self.agents},
            incidents=tuple(
                sorted(shown, key=lambda incident: (incident.opened, incident.id), reverse=True)
            ),
            outbox=outbox,
            dead=tuple(message for at, message in self.dead if at >= week),
            silences=tuple(silence for silence in self.silences if silence.until > now),
            announcements=tuple(
                each for each in self.announcements if each.until is None or each.until > now
            ),
            imported_until=self.imported_until,
            spent_today=_by_service(spent, today),
            spent_month=_by_service(spent, today.replace(day=1)),
            spent_elsewhere=self.spent_elsewhere_on(today),
        )


def _by_service(
    ledgers: Iterable[Mapping[tuple[date, str], Spend]], since: date
) -> dict[str, Spend]:
    total: dict[str, Spend] = {}
    for ledger in ledgers:
        for (day, service), spend in sorted(ledger.items()):
            if day >= since:
                total[service] = total.get(service, NO_SPEND) + spend
    return total
