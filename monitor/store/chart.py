"""The chart of a check's last 24 hours, by half hours."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from monitor.model import Point
from monitor.store.tally import HALVES, POINT, Tally
from monitor.store.times import HALF_HOUR_MS, from_millis, millis
from monitor.store.varint import unpack

POINTS = 48
_TTFT = 2
"""Where in the numbers of a point the time to first token begins."""
Halves = Mapping[int, Sequence[int]]
"""Numbers of a point by unix half hour."""


class Chart:
    """Of hours that are over, which are drawn once; those that go on come with the question."""

    __slots__ = ("_drawn", "_first", "_packed", "_streams")

    def __init__(self, packed: Mapping[int, bytes]) -> None:
        """`packed` are the numbers of the points of each unix hour, or of some hours from it on."""
        self._packed = packed
        self._streams: bool | None = None
        self._first = 0
        self._drawn: Sequence[Point] = ()
        """One for each half hour from the first on."""

    def points(self, open_hours: Mapping[int, Tally], now: datetime) -> tuple[Point, ...]:
        """48 half hours, the last one still open. Time to first token if anything streams."""
        fresh = _halves_of({hour: tally.points() for hour, tally in open_hours.items()})
        if self._streams is None or (not self._streams and _streams(fresh)):
            self._draw(streaming=_streams(fresh))
        last = millis(now) // HALF_HOUR_MS
        found = self._over(last)
        for half, point in _drawn(fresh, streams=bool(self._streams)).items():
            if last - POINTS < half <= last:
                found[half - last - 1] = point
        return tuple(found)

    def _draw(self, *, streaming: bool) -> None:
        over = _halves_of({hour: unpack(packed) for hour, packed in self._packed.items()})
        self._streams = _streams(over) or streaming
        drawn = _drawn(over, streams=self._streams)
        self._first = min(drawn, default=0)
        self._drawn = _line(drawn, range(self._first, max(drawn, default=-1) + 1))
        if self._streams:  # once and for all
            self._packed = {}

    def _over(self, last: int) -> list[Point]:
        """48 half hours, without those that go on."""
        begin, first, end = last - POINTS + 1, self._first, self._first + len(self._drawn)
        return [
            *_line({}, range(begin, min(first, last + 1))),
            *self._drawn[max(0, begin - first) : max(0, last + 1 - first)],
            *_line({}, range(max(begin, end), last + 1)),
        ]


def points(halves: Halves, now: datetime) -> tuple[Point, ...]:
    """48 half hours, of which these are known."""
    last = millis(now) // HALF_HOUR_MS
    drawn = _drawn(halves, streams=_streams(halves))
    return tuple(_line(drawn, range(last - POINTS + 1, last + 1)))


def _line(drawn: Mapping[int, Point], halves: range) -> list[Point]:
    return [drawn.get(half) or _empty(half) for half in halves]


def _halves_of(hours: Mapping[int, Sequence[int]]) -> dict[int, Sequence[int]]:
    """From those of both halves of each unix hour, or of some hours from it on."""
    return {
        HALVES * hour + half: numbers[half * POINT : (half + 1) * POINT]
        for hour, numbers in hours.items()
        if numbers
        for half in range(len(numbers) // POINT)
    }


def _streams(halves: Halves) -> bool:
    return any(numbers[_TTFT] for numbers in halves.values())


def _drawn(halves: Halves, *, streams: bool) -> dict[int, Point]:
    begin = _TTFT if streams else 0
    found: dict[int, Point] = {}
    for half, numbers in halves.items():
        p50, p95, speed = numbers[begin], numbers[begin + 1], numbers[-1]
        found[half] = Point(
            _begin(half),
            (p50 - 1) / 10 if p50 else None,
            (p95 - 1) / 10 if p95 else None,
            (speed - 1) / 10 if speed else None,
        )
    return found


@lru_cache(4 * POINTS)
def _empty(half: int) -> Point:
    return Point(_begin(half), None, None)


@lru_cache(4 * POINTS)
def _begin(half: int) -> datetime:
    return from_millis(half * HALF_HOUR_MS)
