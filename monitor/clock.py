"""The clocks. This is the only file that asks the system what time it is."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = timedelta(seconds=2)


class Clock(Protocol):
    def now(self) -> datetime:
        """Return the wall time, aware, in UTC. Never subtract two of these for a duration."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, and that stand still while the machine is suspended."""
        ...

    def elapsed(self) -> float:
        """Return seconds that never go back and go on while the machine is suspended."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def elapsed(self) -> float:
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()


class ClockSteps:
    """Finds out how far somebody sets the wall clock, by a clock that nobody sets."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = self._read()
        self._total = timedelta(0)

    def total(self) -> timedelta:
        """Return by how much the wall clock has been set forward since the start, all steps together.

        Less than two seconds since the last call are no step, and small corrections do not add up.
        """
        before, self._offset = self._offset, self._read()
        if abs(self._offset - before) >= _STEP:
            self._total += self._offset - before
        return self._total

    def _read(self) -> timedelta:
        return self._clock.now() - _EPOCH - timedelta(seconds=self._clock.elapsed())
