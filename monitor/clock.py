"""The clocks. This is the only file that asks the system what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Returns the wall time, aware, in UTC. Never subtract two of these for a duration."""
        ...

    def monotonic(self) -> float:
        """Returns seconds that never go back."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()
