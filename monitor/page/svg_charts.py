"""SVG by hand: 90-day bars, latency charts, phase bars. Pure; one path a state.

Only attributes, never `style=`, so that a strict Content-Security-Policy holds.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from monitor.model import Point
from monitor.page.day_bars import Day

STEP = 8
_LENGTHS = {"d": (4.0, 20.0), "p": (5.0, 24.0), "x": (6.0, 28.0)}
"""How much of a bar is in its state's colour: where a trace of the day was lost, and where all was."""
_GAP = 8.0
_TOP, _FLOOR = 3.0, 31.0
_PART = 10
"""Days."""
_LEFT, _RIGHT, _HIGH, _LOW = 30.0, 300.0, 4.0, 86.0


def bars_svg(days: str, lost: str = "") -> str:
    """Return the bars as the inside of an `<svg viewBox="0 0 720 34">`; nothing in it is anybody's text.

    Days of a major outage are striped over their colour.
    """
    paths = bars(days, lost)
    drawn = [f'<path class="bar-{letter}" d="{path}"/>' for letter, path in paths]
    drawn += [f'<path stroke="url(#hatch)" d="{path}"/>' for letter, path in paths if letter == "x"]
    return "".join(drawn)


def days_json(days: Sequence[Day]) -> str:
    """Return letter and minutes of each day that was not good, by its place: `{"88":["x",12]}`."""
    marked = {
        place: [day.letter, day.minutes] for place, day in enumerate(days) if day.letter != "o"
    }
    return json.dumps(marked, separators=(",", ":"))


def bars(days: str, lost: str = "") -> tuple[tuple[str, str], ...]:
    """Return (letter, path) pairs. `days` has one letter a day, oldest first: o d p x m n.

    `lost` has one digit a day: how much of it was lost, 9 (as without it) is all. `z` comes last: the
    hollow within those of maintenance.
    """
    strokes: dict[str, str] = {}
    lost = lost or "9" * len(days)
    for first in range(0, len(days), _PART):
        end = first + _PART
        for name, path in _part(first, days[first:end], lost[first:end]):
            strokes[name] = strokes.get(name, "") + path
    if "m" in strokes:
        strokes["z"] = strokes["m"]
    return tuple(sorted(strokes.items()))


@lru_cache(maxsize=4096)  # histories differ, but ten days of one are mostly like ten of another
def _part(first: int, letters: str, digits: str) -> tuple[tuple[str, str], ...]:
    """Return the days from the `first` on: (letter, path) pairs."""
    strokes: dict[str, str] = {}
    for index, (letter, digit) in enumerate(zip(letters, digits, strict=True), first):
        for name, stroke in _strokes(index, letter, digit):
            strokes[name] = strokes.get(name, "") + stroke
    return tuple(strokes.items())


@cache
def _strokes(index: int, letter: str, digit: str) -> tuple[tuple[str, str], ...]:
    """Return what makes one bar: in whose state's colour, from where, and how far down."""
    return tuple(
        (name, f"M{4 + index * STEP} {_short(start)}v{_short(length)}")
        for name, start, length in _pieces(letter, digit)
    )


def _pieces(letter: str, digit: str) -> tuple[tuple[str, float, float], ...]:
    """Return the pieces of a bar. What is lost hangs from the top; where only some calls failed it stands on the floor, so that
    the shape tells the states apart too. The rest of the day is green.
    """
    if letter in {"o", "m"}:
        return ((letter, _TOP, _FLOOR - _TOP),)
    if letter == "n":
        return (("n", 29.0, 2.0),)
    least, most = _LENGTHS[letter]
    length = round(least + (most - least) * int(digit) / 9, 1)
    rest = _FLOOR - _TOP - length - _GAP
    if letter == "p":
        lost, good = (letter, _FLOOR - length, length), ("o", _TOP, rest)
    else:
        lost, good = (letter, _TOP, length), ("o", _FLOOR - rest, rest)
    return (lost, good) if rest > 0 else (lost,)


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _line(spots: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in spots)


@dataclass(frozen=True, slots=True)
class Axis:
    """A time axis, logarithmic because flat curves hide nothing there; in seconds."""

    low: float = 0.45
    high: float = 8.0
    marks: tuple[float, ...] = (0.5, 1, 2, 5)

    def height(self, milliseconds: float) -> float:
        """Return the y of a duration, kept within the frame."""
        low, high = math.log(self.low), math.log(self.high)
        part = (math.log(max(milliseconds, 1.0) / 1000) - low) / (high - low)
        return _LOW - min(1.0, max(0.0, part)) * (_LOW - _HIGH)

    @property
    def ticks(self) -> tuple[tuple[str, float], ...]:
        return tuple((f"{mark:g} s", round(self.height(mark * 1000), 1)) for mark in self.marks)


_USUAL = Axis()
_AXES = (
    _USUAL,
    Axis(0.045, 8, (0.05, 0.2, 1, 5)),
    Axis(0.45, 80, (0.5, 2, 10, 50)),
    Axis(0.0045, 80, (0.005, 0.05, 0.5, 5, 50)),
)


def axis_for(points: Iterable[Point]) -> Axis:
    """Return the narrowest axis that holds every median and nearly every band, the same for all charts of a page."""
    known = [point for point in points if point.p50]
    medians = [point.p50 or 0 for point in known] or [1000]
    bands = sorted(point.p95 or 0 for point in known) or [1000]
    nearly_all = bands[math.ceil(len(bands) * 0.99) - 1]
    low, top = min(medians) / 1000, max([*medians, nearly_all]) / 1000
    return next((axis for axis in _AXES if axis.low <= low and top <= axis.high), _AXES[-1])


def time_chart(points: Sequence[Point], axis: Axis = _USUAL) -> tuple[str, str]:
    """Draw band (p50 to p95) and line (p50) of the last 24 hours; gaps stay gaps."""
    return _chart([(point.p50, point.p95) for point in points], axis.height)


def speed_chart(points: Sequence[Point], top: float) -> str:
    """Draw the line of tokens per second, on a linear axis from nothing to `top`."""
    return _chart(
        [(point.tokens_per_s, None) for point in points],
        lambda speed: _LOW - min(1.0, speed / top) * (_LOW - _HIGH),
    )[1]


def speed_top(points: Iterable[Point]) -> float:
    """Return a round number that no speed exceeds, the same for all charts of a page."""
    fastest = max((point.tokens_per_s or 0 for point in points), default=0) or 1.0
    power = 10.0 ** math.floor(math.log10(fastest))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= fastest)


def speed_ticks(top: float) -> tuple[tuple[str, float], ...]:
    return tuple((f"{top * part:g}", _LOW - part * (_LOW - _HIGH)) for part in (0, 0.5, 1))


def shade(begin: float, end: float) -> tuple[float, float]:
    """Return x and width of a part of the 24 hours, both as shares of them; wide enough to be seen."""
    x = _LEFT + begin * (_RIGHT - _LEFT)
    width = max((end - begin) * (_RIGHT - _LEFT), 2.0)
    return round(min(x, _RIGHT - width), 1), round(width, 1)


def _chart(
    values: Sequence[tuple[float | None, float | None]], y: Callable[[float], float]
) -> tuple[str, str]:
    runs: list[list[tuple[float, float, float]]] = [[]]
    last = max(len(values) - 1, 1)
    for index, (middle, upper) in enumerate(values):
        if middle is None:
            runs.append([])
        else:
            x = _LEFT + index / last * (_RIGHT - _LEFT)
            runs[-1].append((x, y(middle), y(middle if upper is None else upper)))
    lines = [run if len(run) > 1 else _wider(run[0]) for run in runs if run]
    line = "".join(_line([(x, middle) for x, middle, _ in run]) for run in lines)
    band = "".join(
        _line([(x, upper) for x, _, upper in run] + [(x, middle) for x, middle, _ in reversed(run)])
        + "z"
        for run in lines
    )
    return band, line


def _wider(spot: tuple[float, float, float]) -> list[tuple[float, float, float]]:
    """Return a single point as a short dash that stays within the frame."""
    x = min(spot[0], _RIGHT - 3)
    return [(x, *spot[1:]), (x + 3, *spot[1:])]


def phases(
    durations: Sequence[tuple[str, float]], longest: float
) -> tuple[tuple[str, float, float], ...]:
    """Return (class, x, width) of each phase in a box 1000 wide that holds `longest` milliseconds."""
    drawn, at = [], 0.0
    for name, duration in durations:
        width = max(duration / longest * 1000, 2.0)
        drawn.append((name, round(at, 1), round(width, 1)))
        at += width + 1.5
    return tuple(drawn)
