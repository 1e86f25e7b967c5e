"""An event loop whose clock jumps to the next timer whenever nothing goes on; its sockets are real.

The clock stands still while anything is done in real time: while a socket has something to say,
while a call is in an executor or a future of a thread awaited, and while something that the loop cannot see says that it is `busy`
(a thread that sends, a writer that commits). So a day passes in seconds, and whatever waits, waits
exactly as long as it would.

Moved: timers and timeouts of the loop, `VirtualClock`, and APScheduler, which asks `datetime.now`.
Not moved: what threads wait for by themselves (`requests`, SQLite), the time stamps of the kernel
and the probes' own timings, which stay real milliseconds.
"""

import asyncio
import selectors
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Self, TypeVar

import pytest

from monitor.daemon.app import Daemon

T = TypeVar("T")
START = datetime(2026, 11, 2, 12, tzinfo=UTC)
_GRACE_S = 0.002
"""While a connection is open the kernel may need a moment to carry a segment over loopback."""
_LATE_S = 5e-5
"""No real timer wakes to the microsecond: at the very point of a grid rounding would decide."""
_LOOK_S = 0.001


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        if self.loop.is_busy():
            return super().select(_LOOK_S)
        found = super().select(_GRACE_S if self.loop.has_connections() else 0)
        if not found:
            if timeout is None:
                return super().select(_LOOK_S)
            self.loop.moved += timeout + _LATE_S
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.moved = 0.0
        self.busy: list[Callable[[], bool]] = []
        self._calls = 0
        self._at_rest = 0
        super().__init__(selector)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.moved

    def is_busy(self) -> bool:
        return self._calls > 0 or any(each() for each in self.busy)

    def rests(self) -> None:
        """All that listens listens now; what is registered later is a connection."""
        self._at_rest = len(self._selector.get_map())

    def has_connections(self) -> bool:
        return len(self._selector.get_map()) > self._at_rest

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        return self.waits_for(super().run_in_executor(executor, func, *args))

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Its threads end in real time: since 3.12 it waits with a timeout, which must not be jumped over."""
        self._calls += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._calls -= 1

    def waits_for(self, future: asyncio.Future[T]) -> asyncio.Future[T]:
        """Something in a thread will settle it."""
        self._calls += 1
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _: object) -> None:
        self._calls -= 1


class VirtualClock:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._suspended = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed())

    def monotonic(self) -> float:
        return self._loop.time()

    def elapsed(self) -> float:
        return self._loop.time() + self._suspended

    def suspend(self, seconds: float) -> None:
        """The machine sleeps: timers and the monotonic clock stand still."""
        self._suspended += seconds


def run(
    patch: pytest.MonkeyPatch, story: Callable[[VirtualLoop, VirtualClock], Coroutine[Any, Any, T]]
) -> T:
    """Tell a story in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        clock = VirtualClock(loop)

        class Moved(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                return clock.now().astimezone(tz)  # type: ignore[return-value]

        def wrap_future(future: Any) -> asyncio.Future[Any]:
            return loop.waits_for(wrapped(future))

        wrapped = asyncio.wrap_future
        patch.setattr(asyncio, "wrap_future", wrap_future)
        patch.setattr("apscheduler.schedulers.base.datetime", Moved)
        return runner.run(story(loop, clock))


def busy_with(daemon: Daemon) -> list[Callable[[], bool]]:
    """What of a daemon goes on in threads: a message under way, and a writer that commits."""
    work = daemon.store._writer
    return [
        lambda: any(each.name == "notify" for each in threading.enumerate()),
        lambda: work.is_busy,
    ]
