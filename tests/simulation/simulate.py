"""The real cycle, alerts and courier in a world that is drawn from a seed: time jumps from event to event.

Nothing waits and nothing is left to chance: the same seed and sizes give the same history.
"""

import asyncio
import heapq
from functools import partial
from types import SimpleNamespace
from typing import Any

from asking import EVERY, Asking
from records import History
from stage import Died, Life
from telling import Telling
from truth import Crash
from works import (
    AGAIN,
    COMMITTED_AFTER,
    DELIVER,
    DIE,
    FLUSH,
    KEEP_HOUSE,
    LISTEN,
    PERSON,
    PROBE,
    RESUME,
    STEP,
)

from monitor.alerts import AlertEngine
from monitor.budget import BudgetLedger
from monitor.clock import ClockSteps
from monitor.courier import Courier
from monitor.cycle import Cycle
from monitor.daemon.message_context import context_of
from monitor.daemon.telegram_bots import audience
from monitor.ranking import RecentAnswers
from monitor.schedule import SOON, phase

HOUSEKEEPING = 15.0


class Simulation(Asking, Telling):
    def run(self) -> History:
        try:
            self._begin()
            while self._heap[0][0] < self.sizes.end and not self.history.raged:
                at, _, what, more = heapq.heappop(self._heap)
                self.clock.true = at
                try:
                    self._happen(what, more)
                except Died:
                    self._restart()
            self._now(self.store.flush())
            self._commit()
        finally:
            self._now(self._bury())
            self.loop.close()
        return self.history

    def _happen(self, what: int, more: Any) -> None:
        if what in {PROBE, AGAIN}:
            if what == PROBE:
                self._push(self.clock.true + EVERY, PROBE, more)
            self._probe(more)
        elif what == RESUME:
            self._advance(*more)
        elif what == KEEP_HOUSE:
            self._keep_house()
        elif what == DELIVER:
            self._deliver()
        elif what == FLUSH:
            self._flush()
        elif what == STEP:
            self._set_clock(more)
        elif what == PERSON:
            self._meet()
        elif what == LISTEN:
            self._listen()
        else:
            self._threaten(more)

    def _begin(self) -> None:
        """A process starts: as the daemon and its schedule do."""
        self._heap.clear()
        self._dead, self._moment = False, None
        self._running.clear()
        self.life = self._born()
        now, wall = self.clock.true, self.clock.now()
        for number, check in enumerate(self.checks):
            last, grid = self.life.memory.last_asked.get(check.key), self._grids[number]
            until = (grid.following(wall) - wall).total_seconds()
            if last is None or wall - last >= check.probe.every:
                until = min(phase(check.key, SOON), until)
            self._push(now + until, PROBE, number)
        self._push(now, KEEP_HOUSE)
        self._push(now, DELIVER)
        while self._steps and self._steps[0][0] <= now:
            self._steps.popleft()
        while self._deaths and self._deaths[0].at <= now:
            self._deaths.popleft()
        if self._steps:
            self._push(self._steps[0][0], STEP, self._steps[0][1])
        if self._deaths:
            self._push(self._deaths[0].at - COMMITTED_AFTER, FLUSH)
            self._push(self._deaths[0].at, DIE, self._deaths[0])

    def _born(self) -> Life:
        """As the composition root builds the parts, with our own ends instead of networks and disks."""
        config, clock = self.config, self.clock
        memory = self.store.recall()
        answers = RecentAnswers(config.checks)
        kit: Any = SimpleNamespace(config=config, clock=clock, store=self.store, answers=answers)
        set_by = ClockSteps(clock).total
        alerts = AlertEngine(config.alerts, audience(config), memory, clock_set_by=set_by)
        cycle = Cycle(
            ask=self.ask,
            store=self,
            alerts=alerts,
            ledger=BudgetLedger(config.services, config.budgets, config.prices, {}),
            clock=clock,
            vantage="local",
            rng=self.rng,
            on_result=answers.add,
            clock_set_by=set_by,
        )
        courier = Courier(
            self,
            self,
            partial(context_of, kit, alerts),
            clock=clock,
            rng=self.rng,
            is_blind=lambda: alerts.is_blind,
        )
        alerts.seed(self.results_since(alerts.needs_since(clock.now())))
        if self.sizes.people:
            self._gather_people(alerts)
        return Life(memory, alerts, cycle, courier)

    def _restart(self) -> None:
        """All that was not committed is lost; so is what ran."""
        crash = self._moment
        assert crash is not None
        for _, _, what, more in self._heap:
            if what == RESUME:
                more[1].close()
        self.loop.run_until_complete(self._bury())
        self.history.lost_runs += len(self._uncommitted)
        self._uncommitted.clear()
        self._unsafe.clear()
        self._open = {}
        self.history.deaths.append((self.clock.true, self.clock.true + crash.gap, crash.where))
        self._say(f"died {crash.where}, back in {crash.gap:.0f} s")
        self.store = self.store.crashed()
        self.clock.true += crash.gap
        self._begin()
        self._open = {incident.id: incident for incident in self.life.memory.incidents}

    async def _bury(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _threaten(self, crash: Crash) -> None:
        self._moment = crash
        self.point("idle")

    def _set_clock(self, seconds: float) -> None:
        """Somebody sets the wall clock; the schedule notices and goes on at its next grid points."""
        self._steps.popleft()
        self.clock.shift += seconds
        self._say(f"the clock was set by {seconds:+.0f} s")
        self._heap = [each for each in self._heap if each[2] not in {PROBE, AGAIN}]
        heapq.heapify(self._heap)
        wall = self.clock.now()
        for number, grid in enumerate(self._grids):
            until = (grid.following(wall) - wall).total_seconds()
            self._push(self.clock.true + until, PROBE, number)
        self._push(self.clock.true, DELIVER)
        if self._steps:
            self._push(self._steps[0][0], STEP, self._steps[0][1])

    def _keep_house(self) -> None:
        self._push(self.clock.true + HOUSEKEEPING, KEEP_HOUSE)
        changes = self.life.alerts.remind(self.clock.now())
        if changes:
            self._flush()
            moment = (len(self.history.runs), self.clock.now(), self.clock.shift, None)
            self.history.reminds.append(moment)
            self._now(self.store.save(changes.incidents, changes.outgoing, changes.states))
            self._remember(changes.incidents)
            self._commit()
            self._push(self.clock.true, DELIVER)
