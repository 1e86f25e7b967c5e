"""How checks are asked in the simulation, and what becomes of their results."""

from bisect import bisect_left
from collections.abc import Coroutine, Iterator
from datetime import datetime
from typing import Any

from records import CODES, FAILURES, START, entry_of, result_of
from stage import Answer
from truth import LATE_ANSWERS
from works import AGAIN, DELIVER, RESUME, Works

from monitor.cycle import Peers
from monitor.model import (
    Check,
    Habit,
    Outcome,
    Result,
    RunRecord,
)
from monitor.probes import Attempted
from monitor.schedule import Due

EVERY = 60.0
LAZY = 600.0
MOST_SHIFTED = 7200.0
"""Seconds by which the wall clock may be wrong in all, as far as anybody looks back."""


class Asking(Works):
    def __init__(self, *more: Any, **named: Any) -> None:
        super().__init__(*more, **named)
        self._spells = [self._span(number, 0.0) for number in range(len(self.checks))]

    def _probe(self, number: int) -> None:
        at = self.clock.true
        if number in self._running:
            return
        self.history.probes += 1
        if at - self._flushed > LAZY:
            self._flush()
        self.clock.true = at + self.rng.random() * 0.04
        if self.whole_cycle:
            due = Due(self.clock.now(), 0.0, 0)
            self._advance(number, self.life.cycle.tick(self.checks[number], due))
        elif self._kind(number, self.clock.true) is None:
            self._see_good(self.checks[number].key, number)
        else:
            self._advance(number, self._judge(self.checks[number]))

    def _see_good(self, key: str, number: int) -> None:
        """What nearly every run is: nothing of it is kept but that it was."""
        wall = self.clock.now()
        result = Result(check=key, vantage="local", at=wall, outcome=Outcome.UP)
        changes = self.life.alerts.judge(result)
        if changes.states or changes.incidents or changes.outgoing:
            self.record(entry_of(result, changes))
        else:
            self._before_the_record()
            self.store.saw(key, wall)
            self._uncommitted.append((number, self.clock.true, self.clock.shift, 0))

    async def _judge(self, check: Check) -> float | None:
        attempted = await self.ask(check, habit=Habit(), late_ms=0.0)
        self.record(entry_of(attempted.result, self.life.alerts.judge(attempted.result)))
        return self.life.cycle._again(check, attempted.result)

    def results_since(self, since: datetime) -> Iterator[Result]:
        """What the store would give to a process that starts."""
        runs, after = self.history.runs, (since - START).total_seconds()
        first = bisect_left(runs.asked, self.clock.true_of(since) - MOST_SHIFTED)
        for place in range(first, len(runs)):
            if runs.asked[place] + runs.shift[place] >= after:
                yield result_of(self.checks, runs.at(place))

    def _advance(self, number: int, run: Coroutine[Any, Any, float | None]) -> None:
        """On with a run until it waits or ends.

        It may ask for another one out of turn, unless its turn comes first, as in the schedule.
        """
        self._running.add(number)
        try:
            wait = run.send(None)
        except StopIteration as ended:
            self._running.discard(number)
            wall = self.clock.now()
            to_turn = self._grids[number].following(wall) - wall
            if ended.value is not None and to_turn.total_seconds() > ended.value:
                self._push(self.clock.true + ended.value, AGAIN, number)
            return
        self._push(self.clock.true + wait, RESUME, (number, run))

    async def ask(
        self, check: Check, *, habit: Habit, peers: Peers = (), late_ms: float
    ) -> Attempted:
        at, wall = self.clock.true, self.clock.now()
        kind = self._kind(self._numbers[check.key], at)
        if kind is None:
            return Attempted(
                Result(check=check.key, vantage="local", at=wall, outcome=Outcome.UP), habit, None
            )
        if slow := LATE_ANSWERS.get(kind):
            await Answer(slow)
        failure = FAILURES[kind]
        result = Result(
            check=check.key, vantage="local", at=wall, outcome=failure.outcome, failure=failure
        )
        return Attempted(result, habit, None)

    def _kind(self, number: int, at: float) -> str | None:
        span = self._spells[number]
        if at >= span[0]:
            span = self._spells[number] = self._span(number, at)
        return span[1]

    def _span(self, number: int, at: float) -> tuple[float, str | None]:
        """What this endpoint answers from `at` on, and until when."""
        path = self.checks[number].endpoint.path
        edges = [
            edge
            for spell in [*self.truth.spells[path], *self.truth.offline]
            for edge in (spell.start, spell.end)
            if edge > at
        ]
        return min(edges, default=float("inf")), self.truth.kind(path, at)

    def record(self, entry: RunRecord) -> None:
        self._before_the_record()
        self.store.record(entry)
        failure = entry.result.failure
        asked = self.clock.true_of(entry.result.at)
        code = CODES[failure.kind.value if failure else None]
        self._uncommitted.append((self._numbers[entry.result.check], asked, self.clock.shift, code))
        if entry.incidents or entry.outgoing:
            self._flush()
            self._remember(entry.incidents)
            self._push(self.clock.true, DELIVER)
            self.point("after the record")

    def _before_the_record(self) -> None:
        if self._moment and self._moment.where == "before the record":
            self._flush()
            self.point("before the record")

    def reserve(self, *_: object) -> None:
        raise AssertionError("nothing here costs anything")
