"""SVG by hand: 90-day bars, sparklines, latency charts, phase bars. Pure; one path a state.

Only attributes, never `style=`, so that a strict Content-Security-Policy holds.
"""

import math
from collections.abc import Sequence

from monitor.model import Point

STEP = 8
_TOP = {"d": 5.5, "p": 15.0, "x": 28.0, "m": 28.0, "n": 2.0}
"""How much of a bar is in its state's colour; the rest of `d` and `p` is green, with a gap."""
_GAP = 8.0
_FLOOR = 31.0
_LOG = (0.45, 8.0)
"""Seconds at the bottom and top of a time axis: logarithmic, flat curves hide nothing."""
_LEFT, _RIGHT, _HIGH, _LOW = 30.0, 300.0, 4.0, 110.0


def bars(days: str) -> tuple[tuple[str, str], ...]:
    """`days` has one letter a day, oldest first: o d p x m n. Gives (letter, path) pairs."""
    segments: dict[str, list[tuple[int, float, float]]] = {}
    for index, letter in enumerate(days):
        for name, start, length in _pieces(letter):
            segments.setdefault(name, []).append((index, start, length))
    return tuple((letter, _path(found)) for letter, found in sorted(segments.items()))


def _pieces(letter: str) -> tuple[tuple[str, float, float], ...]:
    if letter == "o":
        return (("o", 3.0, 28.0),)
    if letter == "n":
        return (("n", 29.0, 2.0),)
    top = _TOP[letter]
    rest = _FLOOR - (3.0 + top + _GAP)
    return ((letter, 3.0, top), ("o", _FLOOR - rest, rest)) if rest > 0 else ((letter, 3.0, top),)


def _path(segments: list[tuple[int, float, float]]) -> str:
    return "".join(
        f"M{4 + index * STEP} {_short(start)}v{_short(length)}" for index, start, length in segments
    )


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def spark(points: Sequence[Point]) -> tuple[str, str] | None:
    """Area and line of a small curve of medians in a box of 104 x 30; None with fewer than two."""
    known = [(index, point.p50) for index, point in enumerate(points) if point.p50]
    if len(known) < 2:
        return None
    low, high = min(value for _, value in known), max(value for _, value in known)
    span = math.log(high / low) or 1.0
    last = max(len(points) - 1, 1)
    spots = [
        (2 + index / last * 100, 26 - (math.log(value / low) / span if high > low else 0.5) * 20)
        for index, value in known
    ]
    line = _line(spots)
    return f"{line}L{_short(spots[-1][0])} 30L{_short(spots[0][0])} 30z", line


def _line(spots: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in spots)


def time_chart(points: Sequence[Point]) -> tuple[str, str]:
    """Band (p50 to p95) and line (p50) of the last 24 hours; gaps stay gaps."""
    runs: list[list[tuple[float, Point]]] = [[]]
    last = max(len(points) - 1, 1)
    for index, point in enumerate(points):
        if point.p50 is None:
            runs.append([])
        else:
            runs[-1].append((_LEFT + index / last * (_RIGHT - _LEFT), point))
    band, line = "", ""
    for run in filter(None, runs):
        medians = [(x, height(point.p50 or 0)) for x, point in run]
        uppers = [(x, height(point.p95 or point.p50 or 0)) for x, point in run]
        line += _line(
            medians if len(medians) > 1 else [medians[0], (medians[0][0] + 2, medians[0][1])]
        )
        if len(run) > 1:
            band += _line([*uppers, *reversed(medians)]) + "z"
    return band, line


def height(milliseconds: float) -> float:
    """The y of a duration on the logarithmic axis, kept within the frame."""
    low, high = map(math.log, _LOG)
    part = (math.log(max(milliseconds, 1.0) / 1000) - low) / (high - low)
    return _LOW - min(1.0, max(0.0, part)) * (_LOW - _HIGH)


TICKS = tuple((f"{seconds:g} s", round(height(seconds * 1000), 1)) for seconds in (0.5, 1, 2, 5))


def phases(
    durations: Sequence[tuple[str, float]], longest: float
) -> tuple[tuple[str, float, float], ...]:
    """(class, x, width) of each phase in a box 1000 wide that holds `longest` milliseconds."""
    drawn, at = [], 0.0
    for name, duration in durations:
        width = max(duration / longest * 1000, 2.0)
        drawn.append((name, round(at, 1), round(width, 1)))
        at += width + 1.5
    return tuple(drawn)
