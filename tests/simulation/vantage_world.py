"""A hub and two agents with the real engine of alerts at each, in a world that is drawn from a seed.

What is not real is the network, the disk and the time: a batch is delivered or not, what was committed is there after
a crash, and time jumps from event to event. The hub takes a batch as `Hub` does, and starts as the daemon does.
"""

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from operator import attrgetter
from random import Random

from alerts_cast import PHONE, memory
from check_cast import check as check_of
from vantage_truth import AGENTS, HUB, MINUTE, PLACES, VantageTruth, draw_vantages

from monitor import schedule
from monitor.alerts import AlertChanges, AlertEngine, QuorumSettings, VoterSettings
from monitor.daemon import components
from monitor.model import (
    AlertSettings,
    AlertState,
    Check,
    EntryKind,
    Failure,
    FailureKind,
    Incident,
    NotificationType,
    OutboxMessage,
    Outcome,
    Result,
    Severity,
    StateKey,
)

NO_CHANGES = AlertChanges()
START = datetime(2026, 3, 1, tzinfo=UTC)
SETTINGS = AlertSettings()
SILENT = timedelta(minutes=3)
LATE_S, AGAIN_S, PUSH_S, LIFE_S, HOUSE_S = 300.0, 10.0, 10.0, 30.0, 15.0
NEVER, PARTILY, FULLY = "well", "partial", "down"


@dataclass(frozen=True, slots=True)
class Move:
    """The reach of a check changed, or an incident that holds it."""

    at: float
    check: str
    before: str
    after: str
    cause: str
    """What the hub was doing: judging a `fresh` or a `late` result, hearing, reminding, starting."""
    is_bad: bool
    """Whether it judged a bad result."""
    unheard: frozenset[str]
    """Vantages that were not heard for an hour."""
    known: bool
    """Whether an end says that it works again."""


@dataclass(frozen=True, slots=True)
class Reminder:
    at: float
    incident: int
    accusers: frozenset[str]
    """Who saw it bad, as it was believed then."""


@dataclass(frozen=True, slots=True)
class Ran:
    at: float
    check: str
    place: str
    in_turn: bool
    """By the schedule, and not out of turn."""
    doubted: bool


@dataclass
class Agent:
    place: str
    engine: AlertEngine
    buffer: list[Result] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    doubted: frozenset[str] = frozenset()
    pushed: float = -LIFE_S


class VantageWorld:
    def __init__(self, seed: int, truth: VantageTruth | None = None) -> None:
        self.truth = truth or draw_vantages(seed)
        self.rng, self.at = Random(f"world {seed}"), 0.0
        free = [check_of(name, "http", "1m") for name in ("a", "b")]
        paid = [
            replace(check_of(name, "chat", "5m"), turns=(HUB, *sorted(AGENTS)))
            for name in ("a", "b")
        ]
        self.checks = {check.key: check for check in (*free, *paid)}
        self.voting = QuorumSettings(
            own=HUB,
            places={place: VoterSettings(silent=SILENT) for place in AGENTS},
            intervals={check.key: check.every for check in self.checks.values()},
        )
        self.agents = {place: self._agent(place) for place in AGENTS}
        self.moves: list[Move] = []
        self.runs: list[Ran] = []
        self.rows: list[tuple[float, OutboxMessage]] = []
        self.reminders: list[Reminder] = []
        self.incidents: dict[int, Incident] = {}
        self.doubled: list[str] = []
        self._states: dict[StateKey, AlertState] = {}
        self._history: list[Result] = []
        self._heard: dict[str, float] = {}
        self._newest: dict[tuple[str, str], datetime] = {}
        self._reach: dict[str, str] = dict.fromkeys(self.checks, NEVER)
        self._dead_until, self._dies_between = 0.0, False
        self._heap: list[tuple[float, int, str, str, str]] = []
        self._order = count()
        self.hub = self._hub()

    def _agent(self, place: str) -> Agent:
        voting = QuorumSettings(own=place)
        return Agent(place, AlertEngine(SETTINGS, (), memory(), voting=voting))

    def _hub(self) -> AlertEngine:
        """Start as the daemon does: from states, incidents, who was heard, and what was measured."""
        opened = tuple(incident for incident in self.incidents.values() if not incident.closed)
        kept = replace(
            memory(self._states.values(), opened, max(self.incidents, default=0) + 1),
            recent=tuple(incident for incident in self.incidents.values() if incident.closed),
        )
        engine = AlertEngine(SETTINGS, (PHONE,), kept, voting=self.voting)
        self._history.sort(key=attrgetter("at"))
        newest: dict[tuple[str, str], Result] = {}
        for result in self._history:
            newest[result.check, result.vantage] = result
        for place, at in self._heard.items():
            engine.voters.hear(place, START + timedelta(seconds=at), blind=False)
        for result in newest.values():
            if result.vantage != HUB:
                engine.voters.see(result)
        since = engine.needs_since(self.now)
        engine.seed(result for result in self._history if result.at >= since)
        return engine

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.at)

    def run(self) -> "VantageWorld":
        for place in PLACES:
            for key, check in self.checks.items():
                self._push_grid(key, check, place)
        for place in AGENTS:
            self._push(self.rng.uniform(0, PUSH_S), "send", place)
        for death in self.truth.deaths:
            self._push(death.at, "die", "between" if death.between else "", f"{death.gap}")
        self._push(HOUSE_S, "keep house")
        while self._heap and self._heap[0][0] < self.truth.end:
            self.at, _, what, one, other = heapq.heappop(self._heap)
            self._happen(what, one, other)
        return self

    def _push(self, at: float, what: str, one: str = "", other: str = "") -> None:
        heapq.heappush(self._heap, (at, next(self._order), what, one, other))

    def _push_grid(self, key: str, check: Check, place: str) -> None:
        following = schedule.grid_of(check).following(self.now + timedelta(milliseconds=1))
        at = (following - START).total_seconds()
        self._push(at + self.rng.uniform(0, 0.2), "probe", key, place)

    def _happen(self, what: str, one: str, other: str) -> None:
        is_dead = self.at < self._dead_until
        if what in {"probe", "again"}:
            if what == "probe":
                self._push_grid(one, self.checks[one], other)
            if not (other == HUB and is_dead):
                self._probe(one, other, in_turn=what == "probe")
        elif what in {"send", "send at once"}:
            if what == "send":
                self._push(self.at + PUSH_S, "send", one)
            self._send(self.agents[one])
        elif what == "die":
            if one:
                self._dies_between, self._gap = True, float(other)
            else:
                self._die(float(other))
        elif what == "start":
            self.hub = self._hub()
            self._note("starting")
        else:
            self._push(self.at + HOUSE_S, "keep house")
            self._keep(NO_CHANGES if is_dead else self.hub.remind(self.now), "reminding")

    def _die(self, gap: float) -> None:
        self._dead_until, self._dies_between = self.at + gap, False
        self._push(self._dead_until, "start")

    # --- probing ----------------------------------------------------------------------------------

    def _probe(self, key: str, place: str, *, in_turn: bool) -> None:
        check, now = self.checks[key], self.now
        doubted = self._is_doubted(key, place)
        if in_turn and check.turns:
            if place == HUB:
                is_turn = components.is_hubs_turn(self.hub, check, now)
            else:
                is_turn = doubted or schedule.whose_turn(check, now, check.turns) == place
            if not is_turn:
                return
        self.runs.append(Ran(self.at, key, place, in_turn, doubted))
        result = self._result(check, place)
        if place == HUB:
            self._history.append(result)
            self._keep(self.hub.judge(result), "fresh", result)
            suspects = self.hub.suspects(key)
        else:
            agent = self.agents[place]
            agent.engine.judge(result)
            agent.buffer.append(result)
            if agent.outcomes.get(key) is not result.outcome:
                self._push(self.at + 0.3, "send at once", place)
            agent.outcomes[key] = result.outcome
            suspects = agent.engine.suspects(key)
        if suspects:
            self._push(self.at + AGAIN_S * self.rng.uniform(0.8, 1.2), "again", key, place)

    def _is_doubted(self, key: str, place: str) -> bool:
        if place == HUB:
            return bool(self.hub.doubted_by(key, self.now))
        return key in self.agents[place].doubted

    def _result(self, check: Check, place: str) -> Result:
        kind = None
        if self.truth.is_offline(place, self.at):
            kind = FailureKind.OFFLINE
        elif self.truth.is_bad(check.endpoint.path, place, self.at):
            kind = FailureKind.CONNECT_TIMEOUT
        failure = Failure(kind, "so") if kind else None
        outcome = failure.outcome if failure else Outcome.UP
        at = self.now
        return Result(check=check.key, vantage=place, at=at, outcome=outcome, failure=failure)

    # --- pushing ----------------------------------------------------------------------------------

    def _send(self, agent: Agent) -> None:
        cut = self.truth.cut(agent.place, self.at)
        offline = any(self.truth.is_offline(place, self.at) for place in (agent.place, HUB))
        if cut or offline or self.at < self._dead_until:
            if cut and cut.loses:
                agent.buffer.clear()
            agent.doubted = frozenset()
            return
        if not agent.buffer and self.at - agent.pushed < LIFE_S:
            return
        results, agent.buffer, agent.pushed = agent.buffer, [], self.at
        self._take(agent, sorted(results, key=attrgetter("at")))

    def _take(self, agent: Agent, results: list[Result]) -> None:
        """The hub commits a batch, and then judges it."""
        self._history += results
        self._heard[agent.place] = self.at
        if self._dies_between:
            self._die(self._gap)
            return
        turning = {key for key, check in self.checks.items() if check.turns}
        before = {key for key in turning if self.hub.doubted_by(key, self.now)}
        blind = agent.engine.is_blind
        self._keep(self.hub.hear(agent.place, self.now, blind=blind), "hearing")
        for result in results:
            is_late = self._is_late(result)
            changes = self.hub.judge(result, self.now)
            self._keep(changes, "late" if is_late else "fresh", result)
        for key in sorted({result.check for result in results} & turning - before):
            if self.hub.doubted_by(key, self.now) - {HUB}:
                self._probe(key, HUB, in_turn=False)
        doubted = frozenset(key for key in turning if self.hub.doubted_by(key, self.now))
        new, agent.doubted = doubted - agent.doubted, doubted
        for key in sorted(new):
            if not agent.engine.doubted_by(key, self.now):
                self._probe(key, agent.place, in_turn=False)

    def _is_late(self, result: Result) -> bool:
        """By our own book, and not by that of the code under test."""
        key = result.check, result.vantage
        is_old = self.now - result.at > timedelta(seconds=LATE_S)
        is_behind = key in self._newest and result.at <= self._newest[key]
        if not (is_old or is_behind):
            self._newest[key] = result.at
        return is_old or is_behind

    # --- what came of it --------------------------------------------------------------------------

    def _keep(self, changes: AlertChanges, cause: str, result: Result | None = None) -> None:
        self._states |= {state.key: state for state in changes.states}
        self.incidents |= {incident.id: incident for incident in changes.incidents}
        self.rows += [(self.at, row) for row in changes.outgoing]
        self.reminders += [
            Reminder(self.at, row.incident, frozenset(self.incidents[row.incident].places))
            for row in changes.outgoing
            if row.what is NotificationType.REMINDER and row.incident is not None
        ]
        if changes.incidents:
            self._note(cause, is_bad=result is not None and result.failure is not None)

    def _note(self, cause: str, *, is_bad: bool = False) -> None:
        reach: dict[str, list[str]] = defaultdict(list)
        homes: Counter[str] = Counter()
        for incident in self.incidents.values():
            if not incident.closed and incident.severity in {Severity.DOWN, Severity.PARTIAL}:
                homes.update(incident.bad_endpoints)
                for check in incident.active:
                    reach[check].append(PARTILY if check in incident.partial else FULLY)
        self.doubled += [
            f"{path} is in {number} incidents at {self.at:.0f} s"
            for path, number in homes.items()
            if number > 1
        ]
        unheard = frozenset(
            place
            for place in AGENTS
            if self.at - self._heard.get(place, 0.0) >= 60 * MINUTE - HOUSE_S
        )
        for check, before in self._reach.items():
            standings = reach[check] or [NEVER]
            if len(standings) > 1:
                self.doubled.append(f"{check} is in {len(standings)} incidents at {self.at:.0f} s")
            after = standings[0]
            if after != before:
                known = after != NEVER or self._is_known_to_work(check)
                self.moves.append(
                    Move(self.at, check, before, after, cause, is_bad, unheard, known)
                )
                self._reach[check] = after

    def _is_known_to_work(self, check: str) -> bool:
        over = [
            incident
            for incident in self.incidents.values()
            if check in incident.checks and incident.severity is not Severity.MONITOR
        ]
        newest = max(over, key=attrgetter("id"))
        entries = [
            entry
            for entry in newest.timeline
            if entry.check in {check, None} and entry.what is not EntryKind.HEARD_LATE
        ]
        return not (entries and entries[-1].text)
