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

    __slots__ = ("_drawn", "_packed", "_streams")

    def __init__(self, packed: Mapping[int, bytes]) -> None:
        """`packed` are the numbers of the points of each unix hour."""
        self._packed = packed
        self._streams: bool | None = None
        self._drawn: Mapping[int, Point] = {}

    def points(self, open_hours: Mapping[int, Tally], now: datetime) -> tuple[Point, ...]:
        """48 half hours, the last one still open. Time to first token if anything streams."""
        fresh = _halves_of({hour: tally.points() for hour, tally in open_hours.items()})
        if self._streams is None or (not self._streams and _streams(fresh)):
            over = _halves_of({hour: unpack(packed) for hour, packed in self._packed.items()})
            self._streams = _streams(over) or _streams(fresh)
            self._drawn = _drawn(over, streams=self._streams)
            if self._streams:  # once and for all
                self._packed = {}
        drawn = {**self._drawn, **_drawn(fresh, streams=self._streams)}
        return tuple(drawn.get(half) or _empty(half) for half in _shown(now))


def points(halves: Halves, now: datetime) -> tuple[Point, ...]:
    """48 half hours, of which these are known."""
    drawn = _drawn(halves, streams=_streams(halves))
    return tuple(drawn.get(half) or _empty(half) for half in _shown(now))


def _shown(now: datetime) -> range:
    last = millis(now) // HALF_HOUR_MS
    return range(last - POINTS + 1, last + 1)


def _halves_of(hours: Mapping[int, Sequence[int]]) -> dict[int, Sequence[int]]:
    """From those of both halves of each unix hour."""
    return {
        HALVES * hour + half: numbers[half * POINT : (half + 1) * POINT]
        for hour, numbers in hours.items()
        if numbers
        for half in range(HALVES)
    }


def _streams(halves: Halves) -> bool:
    return any(numbers[_TTFT] for numbers in halves.values())


def _drawn(halves: Halves, *, streams: bool) -> dict[int, Point]:
    begin = _TTFT if streams else 0
    return {
        half: Point(
            _begin(half), _tenths(numbers[begin]), _tenths(numbers[begin + 1]), _tenths(numbers[-1])
        )
        for half, numbers in halves.items()
    }


@lru_cache(4 * POINTS)
def _empty(half: int) -> Point:
    return Point(_begin(half), None, None)


@lru_cache(4 * POINTS)
def _begin(half: int) -> datetime:
    return from_millis(half * HALF_HOUR_MS)


def _tenths(number: int) -> float | None:
    return (number - 1) / 10 if number else None
