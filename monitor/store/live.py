"""What a reader remembers of the last day of results, so that the next look reads only what is new.

Results arrive in about the order of their keys, but not quite: each look reads again what began in
the last six minutes, and skips what it has seen. For anything later than that the writer raises
the mark `late`, and everything is read anew.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from monitor.model import Point, Result
from monitor.model.rollup import bucket, quantile
from monitor.store.decoding import Packed, figures, shape_id
from monitor.store.names import Names
from monitor.store.runs import read_run, rows_between
from monitor.store.tables import NUMBER_BITS, NUMBER_MASK
from monitor.store.tally import Tally
from monitor.store.times import from_millis, hour_of_key, key_from, millis
from monitor.store.varint import unpack

_AGAIN = timedelta(minutes=6)
_DAY = timedelta(days=1)
RECENT = timedelta(minutes=30)
_HALF_MS = 1_800_000
POINTS = 48


@dataclass(slots=True)
class Half:
    """Histograms, not values: a day of a thousand checks would not fit into memory."""

    ttfb: Counter[int] = field(default_factory=Counter)
    ttft: Counter[int] = field(default_factory=Counter)
    speed: Counter[int] = field(default_factory=Counter)

    def add(self, ttfb: float | None, ttft: float | None, speed: float | None) -> None:
        for histogram, value in ((self.ttfb, ttfb), (self.ttft, ttft), (self.speed, speed)):
            if value is not None:
                histogram[bucket(value)] += 1


@dataclass(slots=True)
class _Check:
    halves: dict[int, Half] = field(default_factory=dict)
    recent: dict[int, Result] = field(default_factory=dict)
    """By key."""
    open: dict[int, Tally] = field(default_factory=dict)
    """By unix hour, of hours that are not rolled up."""
    last: tuple[int, bytes] | None = None
    drawn: tuple[tuple[int, int], tuple[Point, ...]] | None = None
    """Points, and the runs and the half hour that they are of."""
    changed: int = 0


class Live:
    def __init__(self, names: Names) -> None:
        self._names = names
        self.checks: dict[int, _Check] = {}
        self._seen: set[int] = set()
        self._looked: datetime | None = None
        self._latest: dict[int, tuple[int, Result]] = {}

    def look(self, connection: Connection, now: datetime, rolled: int) -> None:
        """Read what is new; `rolled` is the first hour that has no rollup."""
        start = now - _DAY - RECENT if self._looked is None else self._looked - _AGAIN
        recent = key_from(now - RECENT)
        seen: set[int] = set()
        for key, body in rows_between(connection, key_from(start), None):
            seen.add(key)
            if key not in self._seen:
                self._take(connection, key, body, rolled=rolled, recent=recent)
        self._seen, self._looked = seen, now
        for check in self.checks.values():
            _forget(check, now, rolled, recent)

    def _take(
        self, connection: Connection, key: int, body: bytes, *, rolled: int, recent: int
    ) -> None:
        check = self.checks.setdefault(key & NUMBER_MASK, _Check())
        self._draw(connection, check, key, body)
        check.changed += 1
        if check.last is None or check.last[0] < key:
            check.last = key, body
        hour = hour_of_key(key)
        if hour >= rolled:
            numbers = unpack(body)
            shape = self._names.shape(connection, numbers[0])
            check.open.setdefault(hour, Tally()).add_row(shape, numbers)
        if key >= recent:
            check.recent[key] = read_run(connection, self._names, key, body).result

    def _draw(self, connection: Connection, check: _Check, key: int, body: bytes) -> None:
        found = figures(Packed(self._names.shape(connection, shape_id(body)), body))
        half = check.halves.setdefault((key >> NUMBER_BITS) // _HALF_MS, Half())
        half.add(found.ttfb, found.ttft, found.tokens_per_s)

    def latest(self, connection: Connection, number: int) -> Result | None:
        check = self.checks.get(number)
        if check is None or check.last is None:
            return None
        key, body = check.last
        if self._latest.get(number, (0, None))[0] != key:
            self._latest[number] = key, read_run(connection, self._names, key, body).result
        return self._latest[number][1]


def recent_results(check: _Check | None) -> tuple[Result, ...]:
    return () if check is None else tuple(check.recent[key] for key in sorted(check.recent))


def half_of(at: datetime) -> int:
    return millis(at) // _HALF_MS


def points(check: _Check | None, now: datetime) -> tuple[Point, ...]:
    """48 half hours, the last one still open. Time to first token if anything streams."""
    last = half_of(now)
    if check is None:
        return draw({}, last)
    if check.drawn is None or check.drawn[0] != (check.changed, last):
        check.drawn = (check.changed, last), draw(check.halves, last)
    return check.drawn[1]


def draw(halves: Mapping[int, Half], last: int) -> tuple[Point, ...]:
    streams = any(half.ttft for half in halves.values())
    return tuple(
        _point(number, halves.get(number), streams=streams)
        for number in range(last - POINTS + 1, last + 1)
    )


def _point(number: int, half: Half | None, *, streams: bool) -> Point:
    at = from_millis(number * _HALF_MS)
    if half is None:
        return Point(at, None, None)
    values = half.ttft if streams else half.ttfb
    return Point(at, quantile(values, 0.5), quantile(values, 0.95), quantile(half.speed, 0.5))


def _forget(check: _Check, now: datetime, rolled: int, recent: int) -> None:
    oldest = half_of(now) - POINTS
    for number in [number for number in check.halves if number < oldest]:
        del check.halves[number]
    for hour in [hour for hour in check.open if hour < rolled]:
        del check.open[hour]
        check.changed += 1
    for key in [key for key in check.recent if key < recent]:
        del check.recent[key]
