"""The cast: a clock moved by hand, patience, and where the recorded corpus lies."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

CORPUS = Path(__file__).parents[2] / "shared" / "corpus"


class HandClock:
    """Time moves only when a test says so; both hands move together unless `step` is used."""

    def __init__(self, start: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)) -> None:
        self.wall = start
        self.mono = 1000.0
        self.suspended = 0.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    def elapsed(self) -> float:
        return self.mono + self.suspended

    def suspend(self, seconds: float) -> None:
        """The machine sleeps: its monotonic clock stands still."""
        self.wall += timedelta(seconds=seconds)
        self.suspended += seconds

    def tick(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.mono += seconds

    def step(self, seconds: float) -> None:
        """Somebody set the wall clock."""
        self.wall += timedelta(seconds=seconds)


async def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """`seconds` are what the busiest machine may need, not what is measured."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.05)
