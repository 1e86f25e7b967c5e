"""The chart of a check's last 24 hours, by half hours."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.model import Point
from monitor.store.tally import HALVES, POINT, Tally
from monitor.store.times import HALF_HOUR_MS, from_millis, millis

POINTS = 48
_TTFT = 2
"""Where in the numbers of a point the time to first token begins."""
_NOTHING = (0,) * POINT
Halves = Mapping[int, Sequence[int]]
"""Numbers of a point by unix half hour."""


class Chart:
    """Of hours that are over, which are drawn once; those that go on come with the question."""

    __slots__ = ("_drawn", "_over", "_streamed")

    def __init__(self, over: Halves) -> None:
        self._over = over
        self._streamed = _streams(self._over)
        self._drawn: dict[tuple[int, bool], Point] = {}

    def points(self, open_hours: Mapping[int, Tally], now: datetime) -> tuple[Point, ...]:
        """48 half hours, the last one still open. Time to first token if anything streams."""
        last = millis(now) // HALF_HOUR_MS
        fresh = halves_of({hour: tally.points() for hour, tally in open_hours.items()})
        streams = self._streamed or _streams(fresh)
        return tuple(
            _point(half, fresh[half], streams=streams)
            if half in fresh
            else self._point(half, streams=streams)
            for half in range(last - POINTS + 1, last + 1)
        )

    def _point(self, half: int, *, streams: bool) -> Point:
        key = half, streams
        if key not in self._drawn:
            self._drawn[key] = _point(half, self._over.get(half, _NOTHING), streams=streams)
        return self._drawn[key]


def halves_of(hours: Mapping[int, Sequence[int]]) -> dict[int, Sequence[int]]:
    """From those of both halves of each unix hour."""
    return {
        HALVES * hour + half: numbers[half * POINT : (half + 1) * POINT]
        for hour, numbers in hours.items()
        if numbers
        for half in range(HALVES)
    }


def _streams(halves: Halves) -> bool:
    return any(numbers[_TTFT] for numbers in halves.values())


def _point(half: int, numbers: Sequence[int], *, streams: bool) -> Point:
    begin = _TTFT if streams else 0
    median, slow, speed = numbers[begin], numbers[begin + 1], numbers[-1]
    return Point(from_millis(half * HALF_HOUR_MS), _tenths(median), _tenths(slow), _tenths(speed))


def _tenths(number: int) -> float | None:
    return (number - 1) / 10 if number else None
