"""The cast: a clock moved by hand, patience, and where the recorded corpus lies."""

import asyncio
import re
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


def english_words(chinese: str) -> list[str]:
    """Return the English words of a Chinese sentence that stand in no quotes, of three letters or more.

    What stands in brackets in English alone are words of OpenSSL or of a server.
    """
    ours = re.sub("“.*”|`[^`]*`|\uff08[ -~]*\uff09", "", chinese)
    return [word for word in re.findall(r"\b[a-z]{3,}\b", ours) if word not in _ALSO_CHINESE]


_ALSO_CHINESE = frozenset({"token", "max_tokens", "base", "ttft", "finish_reason"})
"""Words that Chinese operators write in English."""
