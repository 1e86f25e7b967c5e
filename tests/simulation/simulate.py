"""The real cycle, alerts and courier in a world that is drawn from a seed: time jumps from event to event.

Nothing waits and nothing is left to chance: the same seed and sizes give the same history.
"""

import asyncio
import heapq
import re
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Coroutine, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, Protocol

from double import MemoryStore
from truth import LATE_ANSWERS, Crash, Sizes, Truth, draw

from monitor import assembly
from monitor.alerts import Alerts, Changes
from monitor.budget import Ledger
from monitor.config import Config, parse
from monitor.courier import Courier
from monitor.cycle import Cycle
from monitor.model import (
    Check,
    Entry,
    Failure,
    Habit,
    Incident,
    Kind,
    Memory,
    Message,
    NotDeliveredError,
    Outcome,
    Outgoing,
    Result,
)
from monitor.probes import Attempted
from monitor.schedule import SOON, Due, Grid, grid_of, phase

START = datetime(2026, 3, 1, tzinfo=UTC)
EVERY = 60.0
HOUSEKEEPING = 15.0
COMMITTED_AFTER = 0.5
"""Seconds that a result may wait in memory before it is safe: what is older is committed before a
crash. Where none is near, nobody can tell, and commits are rarer."""
LAZY = 600.0
MOST_SHIFTED = 7200.0
"""Seconds by which the wall clock may be wrong in all, as far as anybody looks back."""
NUMBER = re.compile(r"\[#(\d+)\]")
FAILURES = {kind.value: Failure(kind, f"got {kind.value}") for kind in Kind}
_TAIL = 60

PROBE, AGAIN, RESUME, KEEP_HOUSE, DELIVER, FLUSH, STEP, DIE = range(8)


class Died(BaseException):
    """The process is gone; nothing of it may catch this."""


class Store(Protocol):
    """What the simulation needs beyond the verbs of the product."""

    def recall(self) -> Memory: ...
    def record(self, entry: Entry) -> None: ...
    async def save(
        self,
        incidents: tuple[Incident, ...] = (),
        outgoing: tuple[Outgoing, ...] = (),
        states: Any = (),
    ) -> None: ...
    async def flush(self) -> None: ...
    async def due(self, now: datetime) -> tuple[Outgoing, ...]: ...
    async def incident(self, incident_id: int) -> Incident | None: ...
    def sent(self, outgoing_id: int, at: datetime) -> None: ...
    def postpone(self, outgoing: Outgoing) -> None: ...
    def dead(self, outgoing_id: int, error: str) -> None: ...


class Clock:
    def __init__(self) -> None:
        self.true = 0.0
        self.shift = 0.0
        """By how much the wall clock is wrong."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.true + self.shift)

    def monotonic(self) -> float:
        return self.true

    def true_of(self, wall: datetime) -> float:
        return (wall - START).total_seconds() - self.shift


KINDS: tuple[str | None, ...] = (None, *(kind.value for kind in Kind))
_CODES = {kind: code for code, kind in enumerate(KINDS)}
Run = tuple[int, float, float, int]
"""A result: the number of its check, when it was asked in true time, by how much the wall clock was
wrong, and the place of its failure in KINDS."""


class Runs:
    """Millions of committed results, in the order of their commits, in columns."""

    def __init__(self) -> None:
        self.check, self.asked = array("H"), array("d")
        self.shift, self.code = array("d"), array("B")

    def __len__(self) -> int:
        return len(self.check)

    def __iter__(self) -> Iterator[Run]:
        return zip(self.check, self.asked, self.shift, self.code, strict=True)

    def at(self, place: int) -> Run:
        return self.check[place], self.asked[place], self.shift[place], self.code[place]

    def extend(self, runs: list[Run]) -> None:
        for check, asked, shift, code in runs:
            self.check.append(check)
            self.asked.append(asked)
            self.shift.append(shift)
            self.code.append(code)


@dataclass(slots=True)
class Send:
    at: float
    channel: str
    numbers: frozenset[int]
    accepted: bool
    reported: bool
    """Whether the courier heard that it was accepted."""
    wait: float | None
    """What the channel asked for."""
    title: str
    ticked: list[int] = field(default_factory=list)
    safe: bool = False
    """Its tick is committed."""


@dataclass(slots=True)
class Told:
    """One row of the outbox, when it was decided in true time, and what became of it."""

    row: Outgoing
    decided: float
    accepted: float | None = None


@dataclass(slots=True)
class History:
    """All that can be seen from outside."""

    runs: Runs = field(default_factory=Runs)
    sends: list[Send] = field(default_factory=list)
    told: dict[int, Told] = field(default_factory=dict)
    """By the outbox's number."""
    reminds: list[tuple[int, datetime]] = field(default_factory=list)
    """How many runs were committed when a look for reminders changed something, and its time."""
    decided: dict[int, tuple[float, float | None]] = field(default_factory=dict)
    """By incident: when it was believed, and when its end was."""
    opened_moves: list[tuple[float, int, Incident]] = field(default_factory=list)
    deaths: list[tuple[float, float, str]] = field(default_factory=list)
    """From, until, where."""
    complaints: list[str] = field(default_factory=list)
    raged: bool = False
    """It was given up: the courier would not stop."""
    lost_runs: int = 0
    probes: int = 0
    dead: int = 0


CONFIG = """
[page]
url = "https://status.example"
[alerts]
after = {after}
recover = {recover}
remind = "{remind}"
[channel.phone]
url = "json://127.0.0.1:9"
[channel.pager]
url = "json://127.0.0.1:9"
only = ["down"]
{services}
"""
CHANNELS = ("phone", "pager")


def configure(sizes: Sizes, *, after: int = 3, recover: int = 2, remind: str = "4h") -> Config:
    services = ""
    for service in range(sizes.services):
        names = (
            f'e{number} = "https://s{service}-e{number}.example"'
            for number in range(sizes.endpoints)
        )
        services += f"[service.s{service}]\nprobes = {{ http = '1m' }}\nendpoints = {{ {', '.join(names)} }}\n"
    text = CONFIG.format(after=after, recover=recover, remind=remind, services=services)
    return parse(text, path=Path("/nowhere/monitor.toml"), env={})


class Answer:
    """Awaited by a run that takes its time; the simulation resumes it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[float, None, None]:
        yield self.seconds


class Life:
    """One process, from its start to its death."""

    def __init__(self, sim: "Simulation") -> None:
        self.sim = sim
        memory = sim.store.recall()
        kit: Any = SimpleNamespace(config=sim.config, clock=sim.clock, store=sim.store)
        self.alerts = Alerts(sim.config.alerts, sim.config.channels, memory)
        self.cycle = Cycle(
            ask=sim.ask,
            store=sim,  # type: ignore[arg-type]
            alerts=self.alerts,
            ledger=Ledger(sim.config.services, sim.config.budgets, sim.config.prices, {}),
            clock=sim.clock,
            vantage="local",
            rng=sim.rng,
        )
        self.courier = Courier(
            sim,
            sim.send,
            partial(assembly._context, kit, self.alerts),
            clock=sim.clock,
            rng=sim.rng,
            is_blind=lambda: self.alerts.is_blind,
        )
        self.memory = memory
        self.alerts.seed(sim.results_since(self.alerts.needs_since(sim.clock.now())))


class Simulation:
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
        self.config = config or configure(sizes)
        self.truth: Truth = draw(seed, sizes, CHANNELS)
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
        self._spells = [self._span(number, 0.0) for number in range(len(self.checks))]
        self.loop = asyncio.new_event_loop()

    # the world turns

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
            self.loop.close()
        return self.history

    def _happen(self, what: int, more: Any) -> None:
        if what == PROBE:
            self._push(self.clock.true + EVERY, PROBE, more)
            self._probe(more)
        elif what == AGAIN:
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
        else:
            self._threaten(more)

    def _push(self, at: float, what: int, more: Any = None) -> None:
        self._order += 1
        heapq.heappush(self._heap, (at, self._order, what, more))

    def _begin(self) -> None:
        """A process starts: as the daemon and its schedule do."""
        self._heap.clear()
        self._dead, self._moment = False, None
        self._running.clear()
        self.life = Life(self)
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

    def point(self, where: str) -> None:
        """A place where a process may die, if its hour has come."""
        if self._dead or (self._moment and self._moment.where == where):
            self._dead = True
            raise Died

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

    # probes

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
            self.record(_entry(result, changes))
        else:
            self._before_the_record()
            self.store.saw(key, wall)
            self._uncommitted.append((number, self.clock.true, self.clock.shift, 0))

    async def _judge(self, check: Check) -> float | None:
        attempted = await self.ask(check, habit=Habit(), late_ms=0.0)
        self.record(_entry(attempted.result, self.life.alerts.judge(attempted.result)))
        return self.life.cycle._again(check, attempted.result)

    def results_since(self, since: datetime) -> Iterator[Result]:
        """What the store would give to a process that starts."""
        runs, after = self.history.runs, (since - START).total_seconds()
        first = bisect_left(runs.asked, after - MOST_SHIFTED)
        for place in range(first, len(runs)):
            if runs.asked[place] + runs.shift[place] >= after:
                yield result_of(self.checks, runs.at(place))

    def _advance(self, number: int, run: Coroutine[Any, Any, float | None]) -> None:
        """On with a run until it waits or ends; it may ask for another one out of turn."""
        self._running.add(number)
        try:
            wait = run.send(None)
        except StopIteration as ended:
            self._running.discard(number)
            if ended.value is not None:
                self._push(self.clock.true + ended.value, AGAIN, number)
            return
        self._push(self.clock.true + wait, RESUME, (number, run))

    async def ask(self, check: Check, *, habit: Habit, late_ms: float) -> Attempted:
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

    # the verbs that the cycle and the courier call

    def record(self, entry: Entry) -> None:
        self._before_the_record()
        self.store.record(entry)
        kind = entry.result.failure
        asked = self.clock.true_of(entry.result.at)
        code = _CODES[kind and kind.kind.value]
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

    async def due(self, now: datetime) -> tuple[Outgoing, ...]:
        rows: tuple[Outgoing, ...] = await self.store.due(now)
        return rows

    async def incident(self, incident_id: int) -> Incident | None:
        found: Incident | None = await self.store.incident(incident_id)
        return found

    def sent(self, outgoing_id: int, at: datetime) -> None:
        told = self.history.told[outgoing_id]
        send = next(
            (send for send in reversed(self._unsafe) if send.channel == told.row.channel), None
        )
        if send is None or not send.reported or send.at != self.clock.true:
            self.complain(f"row {outgoing_id} was ticked off though nothing was sent")
        else:
            self._check_tick(send, told)
            send.ticked.append(outgoing_id)
        told.accepted = self.clock.true
        self.store.sent(outgoing_id, at)
        self._push(self.clock.true + COMMITTED_AFTER, FLUSH)
        self.point("after the tick")

    def _check_tick(self, send: Send, told: Told) -> None:
        number = told.row.incident
        digest = "messages waited" in send.title or send.title.endswith(")")
        if number is not None and number not in send.numbers and not digest:
            self.complain(
                f"row {told.row.id} of #{number} was ticked off by a message about others"
            )

    def postpone(self, outgoing: Outgoing) -> None:
        self.point("postpone")
        self.store.postpone(outgoing)
        self._push(self.clock.true + COMMITTED_AFTER, FLUSH)

    def dead(self, outgoing_id: int, error: str) -> None:
        self.history.dead += 1
        self._say(f"row {outgoing_id} was given up")
        self.store.dead(outgoing_id, error)

    async def send(self, channel: str, message: Message) -> None:
        self.point("before the send")
        numbers = frozenset(map(int, NUMBER.findall(message.body)))
        send = self._fate(channel, numbers, message.title)
        self._note(send)
        self._say(
            f"{channel} {'took' if send.accepted else 'refused'} {message.title!r}"
            f" {sorted(numbers)}{'' if send.reported == send.accepted else ', and we do not know'}"
        )
        if send.accepted:
            self._unsafe.append(send)
            self.point("after the send")
        if not send.reported:
            wait = None if send.wait is None else timedelta(seconds=send.wait)
            raise NotDeliveredError("the channel is out of order", wait)

    def _note(self, send: Send) -> None:
        history = self.history
        history.sends.append(send)
        history.raged = len(history.sends) > 500 + 20 * len(history.told)
        if history.raged:
            self.complain(f"{len(history.sends)} sends for {len(history.told)} messages")

    def _fate(self, channel: str, numbers: frozenset[int], title: str) -> Send:
        at, accepted, reported, wait = self.clock.true, True, True, None
        chance = self.rng.random()
        calm = at > self.sizes.end - self.sizes.calm
        if not calm and any(at in spell for spell in self.truth.mute[channel]):
            accepted = reported = False
        elif calm or chance > 0.12:
            pass
        elif chance < 0.06:
            accepted, reported, wait = False, False, self.rng.choice((3.0, 17.0, 61.0))
        elif chance < 0.09:
            reported = False
        else:
            accepted = reported = False
        return Send(at, channel, numbers, accepted, reported, wait, title)

    # housekeeping

    def _keep_house(self) -> None:
        self._push(self.clock.true + HOUSEKEEPING, KEEP_HOUSE)
        changes = self.life.alerts.remind(self.clock.now())
        if changes.incidents or changes.outgoing:
            self._flush()
            self.history.reminds.append((len(self.history.runs), self.clock.now()))
            self._now(self.store.save(changes.incidents, changes.outgoing))
            self._remember(changes.incidents)
            self._commit()
            self._push(self.clock.true, DELIVER)

    def _deliver(self) -> None:
        if self._moment:
            self._flush()
        self._now(self.life.courier.deliver_due())
        waits = self._next_delivery()
        if waits is not None:
            self._push(max(self.clock.true + 1.0, waits), DELIVER)

    def _next_delivery(self) -> float | None:
        """The next beat of the courier at which something is due."""
        heads: dict[str, Outgoing] = {}
        for _, row in sorted(self.store._outbox._pending.items()):
            heads.setdefault(row.channel, row)
        times = [self.clock.true_of(row.not_before) for row in heads.values()]
        return min(times) // 1.0 + 1.0 if times else None

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


def result_of(checks: tuple[Check, ...], run: Run) -> Result:
    number, asked, shift, code = run
    kind = KINDS[code]
    failure = FAILURES[kind] if kind else None
    return Result(
        check=checks[number].key,
        vantage="local",
        at=START + timedelta(seconds=asked + shift),
        outcome=failure.outcome if failure else Outcome.UP,
        failure=failure,
    )


def _entry(result: Result, changes: Changes) -> Entry:
    return Entry(
        result=result,
        kind="http",
        states=changes.states,
        incidents=changes.incidents,
        outgoing=changes.outgoing,
    )
