"""The works of the simulation: its queue of events, its death, its commits, its diary."""

import asyncio
import heapq
from collections import deque
from collections.abc import Coroutine
from random import Random
from typing import Any

from double import MemoryStore
from records import History, Run, Send, Told
from stage import BOSS, CHANNELS, CHAT, Clock, Died, Life, Store, configure
from truth import Crash, Sizes, Truth, draw

from monitor.config import Config
from monitor.model import (
    Check,
    Incident,
)
from monitor.schedule import Grid, grid_of

COMMITTED_AFTER = 0.5
"""Seconds that a result may wait in memory before it is safe: what is older is committed before a
crash. Where none is near, nobody can tell, and commits are rarer."""
_TAIL = 60

PROBE, AGAIN, RESUME, KEEP_HOUSE, DELIVER, FLUSH, STEP, DIE, PERSON, LISTEN = range(10)


class Works:
    life: Life

    def __init__(
        self,
        seed: int,
        sizes: Sizes,
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        config: Config | None = None,
        whole_cycle: bool = True,
    ) -> None:
        """Without the whole cycle a run is judged and recorded, and no more: three times as fast."""
        self.seed, self.sizes, self.whole_cycle = seed, sizes, whole_cycle
        self.config = config or configure(sizes, remind="1h" if sizes.people else "4h")
        self.truth: Truth = draw(seed, sizes, (*CHANNELS, CHAT, BOSS) if sizes.people else CHANNELS)
        self.rng = Random(f"{seed} world")
        self.clock = clock or Clock()
        self.store: Any = store or MemoryStore(clock=self.clock)
        self.history = History()
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self.checks: tuple[Check, ...] = self.config.checks
        self._numbers = {check.key: number for number, check in enumerate(self.checks)}
        self._grids: list[Grid] = [grid_of(check) for check in self.checks]
        self._heap: list[tuple[float, int, int, Any]] = []
        self._order = 0
        self._uncommitted: list[Run] = []
        self._unsafe: list[Send] = []
        self._moment: Crash | None = None
        self._deaths = deque(self.truth.crashes)
        self._steps = deque(self.truth.steps)
        self._flushed = 0.0
        self._open: dict[int, Incident] = {}
        self._dead = False
        self._running: set[int] = set()
        self.loop: asyncio.AbstractEventLoop = asyncio.new_event_loop()

    def _push(self, at: float, what: int, more: Any = None) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, what, more))

    def point(self, where: str) -> None:
        """A place where a process may die, if its hour has come."""
        if self._dead or (self._moment and self._moment.where == where):
            self._dead = True
            raise Died

    def _flush(self) -> None:
        self._now(self.store.flush())
        self._commit()

    def _commit(self) -> None:
        """What is in the store now stays known over a crash."""
        self._flushed = self.clock.true
        self.history.runs.extend(self._uncommitted)
        self._uncommitted.clear()
        for send in self._unsafe:
            send.safe = send.safe or bool(send.ticked)
        self._unsafe = [send for send in self._unsafe if not send.safe and send.reported]
        self._see_rows()

    def _see_rows(self) -> None:
        """New rows of the outbox, by their numbers."""
        pending = self.store._outbox._pending
        for number in pending.keys() - self.history.told.keys():
            self.history.told[number] = Told(pending[number], self.clock.true)

    def _remember(self, incidents: tuple[Incident, ...]) -> None:
        for incident in incidents:
            since, until = self.history.decided.get(incident.id, (self.clock.true, None))
            if incident.closed and until is None:
                until = self.clock.true
                self._say(f"#{incident.id} {incident.severity.value} closed")
            elif incident.id not in self.history.decided:
                self._say(f"#{incident.id} {incident.severity.value} opened: {incident.checks[0]}")
            self.history.decided[incident.id] = (since, until)
            if incident.closed:
                self._open.pop(incident.id, None)
            else:
                self._open[incident.id] = incident
        held = [(check, each.severity) for each in self._open.values() for check in each.active]
        if len(held) != len(set(held)):
            self.complain("a check stands in two open incidents of one severity")

    def _now(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def _say(self, text: str) -> None:
        self.tail.append(f"{self.clock.now():%d %b %H:%M:%S}  {text}")

    def complain(self, text: str) -> None:
        self.history.complaints.append(text)
        self._say(f"!!! {text}")
