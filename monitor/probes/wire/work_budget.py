"""Bounds the work that one endpoint can make for our event loop, so that a flood costs its neighbours nothing.

An honest answer costs some milliseconds of computing. Whatever costs more, such as a flood of interim
responses, empty events or one-byte chunks, is read slowly from then on: its connection waits, not the loop.
"""

import asyncio
import time
from contextvars import ContextVar

from aiohttp.client_proto import ResponseHandler

MOST_BEFORE_ANSWER = 64 * 1024
"""Bytes before the head of the answer; a head itself may have some 16 KB."""
_BURST_NS = 30_000_000
_FLOOD_NS = 100_000_000
_SHARE = 0.03
"""Of one core, in the long run."""
_FRAMING_BYTES = 128 * 1024
_FRAMING_NS = 400
"""For a byte of framing, measured with chunks of one byte."""
_SLICE, _SMALL_SLICE = 8 * 1024, 2 * 1024


class WorkBudget:
    """Counts computing time: a burst is free, then a small share of the time that passes.

    The thread's own clock tells work from what other processes took meanwhile, but it is a system call: it is
    read only once the plain clock says that half a burst may be spent.
    """

    def __init__(self, debt_ns: float = 0.0) -> None:
        self._debt_ns = debt_ns
        self._is_exact = debt_ns > 0
        """Work is measured by the thread's own clock."""
        self._at = time.monotonic_ns()
        self._framing_bytes = 0
        self._excess_ns = 0.0
        """Work done after the burst was spent."""
        self.raw_bytes = 0
        """What came from the network since the request was sent, framing and all."""
        self.has_answer = False
        """The head of the answer has come."""

    def successor(self) -> "WorkBudget":
        """Return the budget of the next run there: who has spent a burst gets no new one at once."""
        self.spend(0)
        return WorkBudget(self._debt_ns)

    @property
    def is_spent(self) -> bool:
        return self._debt_ns >= _BURST_NS

    @property
    def slice_bytes(self) -> int:
        """Return how much may be read or worked through at once."""
        return _SMALL_SLICE if self.is_spent or not self.has_answer else _SLICE

    def clock(self) -> int:
        """Return the nanoseconds by which work is measured: the difference of two readings goes to `spend`."""
        return time.thread_time_ns() if self._is_exact else time.monotonic_ns()

    def spend(self, work_ns: int) -> float:
        """Add work done; return for how many seconds nothing more should be read."""
        now = time.monotonic_ns()
        self._debt_ns = max(0.0, self._debt_ns - (now - self._at) * _SHARE) + work_ns
        self._at = now
        if not self._is_exact and self._debt_ns >= _BURST_NS / 2:
            self._debt_ns, self._is_exact = _BURST_NS / 2, True
        if self.is_spent:
            self._excess_ns += work_ns
        over_ns = self._debt_ns - _BURST_NS
        return over_ns / _SHARE / 1e9 if over_ns > 0 else 0.0

    def take_framing(self, content_bytes: int) -> int:
        """Return the work, in ns, that aiohttp had with framing since the last call; it cannot be measured."""
        framing = max(0, self.raw_bytes - content_bytes)
        new, self._framing_bytes = framing - self._framing_bytes, framing
        return max(0, new) * _FRAMING_NS

    @property
    def is_flood(self) -> bool:
        """Say whether far more work has been made than any honest answer makes."""
        return self._excess_ns > _FLOOD_NS

    def is_mere_framing(self, content_bytes: int) -> bool:
        """Say whether far more framing than content has come."""
        framing = self.raw_bytes - content_bytes
        return framing > _FRAMING_BYTES and framing > content_bytes


current_budget: ContextVar[WorkBudget] = ContextVar("work_budget")


class BudgetedHandler(ResponseHandler):
    """aiohttp's side of a connection, which stops reading while the budget of its run is spent."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._budget = current_budget.get(None)
        self._holds = False
        self._is_full = False
        """aiohttp itself wants no more for now."""
        self._has_been_full = False
        """From then on aiohttp's parser may hold a rest, until it is asked to resume."""
        self._resumes = False
        """aiohttp wants more, and gets it soon."""

    def data_received(self, data: bytes) -> None:
        budget = self._budget
        if budget is None:
            super().data_received(data)
            return
        budget.raw_bytes += len(data)
        began = budget.clock()
        super().data_received(data)
        wait_s = budget.spend(budget.clock() - began)
        if not budget.has_answer and budget.raw_bytes > MOST_BEFORE_ANSWER:
            self._hold(None)
        elif wait_s:
            self._hold(wait_s)

    def pause_reading(self) -> None:
        self._is_full = self._has_been_full = True
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002  # aiohttp's own
        """Go on in a turn of its own: at once, a body of one-byte chunks would be parsed without end.

        aiohttp calls this after each read, whether it has paused or not.
        """
        if self._budget is None:
            super().resume_reading(resume_parser)
        elif self._has_been_full and not self._resumes:
            self._resumes = True
            self._loop.call_later(self._budget.spend(0), self._resume, resume_parser)

    def _resume(self, resume_parser: bool) -> None:  # noqa: FBT001  # as aiohttp has it
        self._resumes = self._is_full = False
        super().resume_reading(resume_parser)
        if self._holds and self.transport is not None:
            self.transport.pause_reading()

    def _hold(self, seconds: float | None) -> None:
        """Stop reading for a while; with None until the run's timeout ends it."""
        if self._holds or self.transport is None:
            return
        self._holds = True
        self.transport.pause_reading()
        if seconds is not None:
            self._loop.call_later(seconds, self._release)

    def _release(self) -> None:
        self._holds = False
        if not self._is_full and self.transport is not None:
            self.transport.resume_reading()
