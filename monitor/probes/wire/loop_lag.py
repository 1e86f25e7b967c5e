"""Measures how late our own event loop is: timings taken while it hung are not to be trusted."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

_TICK_S = 0.1


@dataclass(slots=True, eq=False)
class LoopLag:
    """Sums up the lags that one run has seen, in milliseconds."""

    worst_ms: float = 0.0
    total_ms: float = 0.0
    """The sum of all lags: the time that they took from the run."""


class LagMeter:
    """Ticks while it is watched; must live on one event loop."""

    def __init__(self) -> None:
        self._spans: set[LoopLag] = set()
        self._due = 0.0
        self._counted_ms = 0.0
        """The part of the current tick's lag that has been added already."""
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def watch(self) -> Iterator[LoopLag]:
        span = LoopLag()
        if self._timer is None:
            self._wind()
        else:
            self._note()  # what is late already is no lag of this one
        self._spans.add(span)
        try:
            yield span
        finally:
            self._note()
            self._spans.discard(span)

    def _wind(self) -> None:
        loop = asyncio.get_running_loop()
        self._due, self._counted_ms = loop.time() + _TICK_S, 0.0
        self._timer = loop.call_at(self._due, self._tick)

    def _note(self) -> None:
        late = max(0.0, (asyncio.get_running_loop().time() - self._due) * 1000)
        more, self._counted_ms = late - self._counted_ms, late
        for span in self._spans:
            span.worst_ms = max(span.worst_ms, late)
            span.total_ms += more

    def _tick(self) -> None:
        self._note()
        self._timer = None
        if self._spans:
            self._wind()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
