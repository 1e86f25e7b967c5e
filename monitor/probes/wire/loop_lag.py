"""Measures how late our own event loop is: timings taken while it hung are not to be trusted."""

import asyncio
import contextlib
import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

_TICK_S = 0.025
"""A hang shows in how late the next tick is: what was left until that tick when it began does not show."""


@dataclass(slots=True, eq=False)
class LoopLag:
    """Sums up the lags that one run has seen, in milliseconds."""

    worst_ms: float = 0.0
    total_ms: float = 0.0
    """The sum of all lags: the time that they took from the run."""


class LagMeter:
    """Ticks while it is watched; must live on one event loop.

    To watch costs the same however many do so at once: where a loop is late, they are many.
    """

    def __init__(self) -> None:
        self._watching = 0
        self._due = 0.0
        self._counted_ms = 0.0
        """The part of the current tick's lag that has been added already."""
        self._total_ms = 0.0
        """The sum of all lags since somebody watches."""
        self._notes = 0
        self._worst: list[tuple[int, float]] = []
        """Each note that is worse than all after it: its number and the lag in milliseconds."""
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def watch(self) -> Iterator[LoopLag]:
        """Yield what is filled when the watch ends."""
        span = LoopLag()
        if self._timer is None:
            self._wind()
        else:
            self._note()  # what is late already is no lag of this one
        notes, total_ms = self._notes, self._total_ms
        self._watching += 1
        try:
            yield span
        finally:
            self._note()
            self._watching -= 1
            span.total_ms = self._total_ms - total_ms
            first = bisect_right(self._worst, (notes, math.inf))
            span.worst_ms = self._worst[first][1] if first < len(self._worst) else 0.0

    def _wind(self) -> None:
        loop = asyncio.get_running_loop()
        self._due, self._counted_ms = loop.time() + _TICK_S, 0.0
        self._timer = loop.call_at(self._due, self._tick)

    def _note(self) -> None:
        late = max(0.0, (asyncio.get_running_loop().time() - self._due) * 1000)
        self._total_ms += late - self._counted_ms
        self._counted_ms = late
        self._notes += 1
        while self._worst and self._worst[-1][1] <= late:
            self._worst.pop()
        self._worst.append((self._notes, late))

    def _tick(self) -> None:
        self._note()
        self._timer = None
        if self._watching:
            self._wind()
        else:
            self._total_ms = 0.0
            self._worst.clear()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
