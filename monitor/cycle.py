"""Loop 1: probe -> explain -> judge -> step -> record. Open this file first.

One tick of one check, from the question to the commit:

0. not at all while the server asked us to wait, or nobody has mended the account (`backoff`);
1. reserve what the run may cost, or give it up as `budget_paused`;
2. ask the endpoint (`probes.attempt` never raises for what an endpoint does);
3. where the path failed, say whose it is: ours, somebody's on the way, or the endpoint's after all; where the model
   is missed, say what the list of models has;
4. settle the cost;
5. let the policies judge and the machine step: alert states, incidents, messages to send;
6. hand everything to the store as one entry, to be committed in one transaction;
7. what is suspected now is asked again in about ten seconds.

Telling people is the courier's business, showing them the publisher's.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random, SystemRandom
from typing import Protocol

from monitor.alerts import AlertChanges, AlertEngine
from monitor.backoff import Backoff
from monitor.budget import BudgetLedger
from monitor.clock import Clock
from monitor.diagnosis.path_diagnosis import Explained
from monitor.logs import RepeatFilter, pairs, quoted
from monitor.model import (
    NO_SPEND,
    Check,
    Evidence,
    Failure,
    FailureKind,
    Habit,
    OutboxMessage,
    Result,
    RunRecord,
    Spend,
)
from monitor.probes import Attempted, ProbeSettings
from monitor.probes.answer.nearest_model import with_list
from monitor.schedule import Due

log = logging.getLogger(__name__)

AGAIN_S = 10.0
AGAIN_SPREAD = 0.2
UNWELCOME_STATUSES = frozenset({401, 402, 403, 429})
"""Statuses that forbid another request at once, whatever kind a probe makes of them."""


Peers = tuple[tuple[str, Habit], ...]
"""What the same probe has learned at a service's other base URLs, by their names."""


class Ask(Protocol):
    """`probes.attempt` with everything bound that does not change from run to run."""

    async def __call__(
        self, check: Check, *, habit: Habit, peers: Peers, late_ms: float
    ) -> Attempted: ...


class Explain(Protocol):
    """`diagnosis.PathDiagnosis`: says whose a path failure is; None where there is nothing to explain."""

    async def __call__(self, check: Check, result: Result, /) -> Explained | None: ...


async def as_measured(_check: Check, _result: Result) -> Explained | None:
    """Explain nothing: the result stays as it was measured."""
    return None


async def with_explanation(explain: Explain, check: Check, attempted: Attempted) -> Attempted:
    """Return the run with a better-founded failure, and with what was looked at as evidence."""
    explanation = await explain(check, attempted.result)
    if explanation is None:
        return attempted
    evidence = attempted.evidence or Evidence()
    note = "; ".join(text for text in (evidence.note, explanation.note) if text)
    failure, result = explanation.failure, attempted.result
    if failure is not None:
        result = replace(result, failure=failure, outcome=failure.outcome)
    return replace(attempted, result=result, evidence=replace(evidence, note=note))


def with_listed(check: Check, attempted: Attempted, beside: Iterable[Habit]) -> Attempted:
    """Return a run that failed for want of its model with what lists of the same base URL say of it.

    `beside` is what other checks of the base URL have learned.
    """
    failure = attempted.result.failure
    if failure is None or not failure.kind.row.is_for_want_of_model:
        return attempted
    habits = (attempted.habit, *beside)
    listed = frozenset[str]().union(*(habit.listed for habit in habits))
    listed = listed or frozenset[str]().union(*(habit.catalogue.names for habit in habits))
    return replace(attempted, result=with_list(attempted.result, check.model, listed))


class Recorder(Protocol):
    """The part of the store that the cycle needs; neither method waits."""

    def record(self, entry: RunRecord) -> None: ...

    def reserve(self, service: str, day: date, spend: Spend) -> None: ...


@dataclass(kw_only=True)
class Cycle:
    """Runs checks. It owns `habits`: loaded at start, passed to probes, kept as they return them."""

    ask: Ask
    store: Recorder
    alerts: AlertEngine
    ledger: BudgetLedger
    clock: Clock
    vantage: str
    peers_of: Callable[[Check], Iterable[Check]] = lambda _: ()
    checks_beside: Callable[[Check], Iterable[Check]] = lambda _: ()
    """Finds the other checks of the same base URL."""
    explain: Explain = as_measured
    habits: dict[str, Habit] = field(default_factory=dict)
    backoff: Backoff = field(default_factory=Backoff)
    rng: Random = field(default_factory=SystemRandom)
    on_result: Callable[[Result], None] = lambda _: None
    repeat_filter: RepeatFilter = field(default_factory=RepeatFilter)
    clock_set_by: Callable[[], timedelta] = timedelta
    """How far the wall clock has been set forward, all in all."""

    async def tick(self, check: Check, due: Due) -> float | None:
        """Run a check once, and return in how many seconds to run it again out of turn, or None."""
        if self.backoff.holds(check.key, self.clock.monotonic()):
            return None
        day = self.clock.now().date()
        reserved = self._reserve(check, day)
        if isinstance(reserved, Failure):
            attempted = self._not_asked(check, reserved, due)
            reserved = NO_SPEND
        else:
            set_by = self.clock_set_by()
            habit, peers = self._habit(check), self._peers(check)
            attempted = await self.ask(check, habit=habit, peers=peers, late_ms=due.late_ms)
            attempted = await with_explanation(self.explain, check, attempted)
            attempted = with_listed(check, attempted, self._learned_beside(check))
            if moved := self.clock_set_by() - set_by:  # when it began, by the clock as it is now
                at = attempted.result.at + moved
                attempted = replace(attempted, result=replace(attempted.result, at=at))
        result, change = self.ledger.settle(check, reserved, attempted.result, day)
        warnings = self._warn_of_budget(check.service, day)
        self._record(check, due, attempted, result, change, warnings)
        self.on_result(result)
        failure = result.failure.kind.value if result.failure else None
        _log(result, self.repeat_filter.level(result.check, failure))
        pause = self.backoff.note(check, result, self.clock.monotonic())
        if pause:
            log.info("event=backoff check=%s seconds=%.0f", check.key, pause.total_seconds())
        return self._again(check, result)

    def _again(self, check: Check, result: Result) -> float | None:
        """Return when to ask again, where trouble is only suspected and a request is welcome."""
        failure, paused = result.failure, self.backoff.holds(check.key, self.clock.monotonic())
        if failure is None or not failure.kind.row.is_asked_again or paused or result.retry_after:
            return None
        if result.http_status in UNWELCOME_STATUSES:
            return None
        if not self.alerts.suspects(check.key):
            return None
        return AGAIN_S * self.rng.uniform(1 - AGAIN_SPREAD, 1 + AGAIN_SPREAD)

    def _warn_of_budget(self, service: str, day: date) -> tuple[OutboxMessage, ...]:
        """Warn once a day that most of the budget is gone."""
        warning = self.ledger.warning(service, day)
        if warning is None:
            return ()
        log.warning('event=budget service=%s why="%s"', service, warning)
        return self.alerts.warn_of_budget(service, warning, self.clock.now())

    def _reserve(self, check: Check, day: date) -> Spend | Failure:
        probe = check.probe
        if not probe.paid or not isinstance(probe, ProbeSettings) or check.endpoint.key is None:
            return NO_SPEND
        reserved = self.ledger.reserve(check, probe.reserve(self._habit(check)), day)
        if isinstance(reserved, Spend):
            self.store.reserve(check.service, day, reserved)
        return reserved

    def _not_asked(self, check: Check, why: Failure, due: Due) -> Attempted:
        result = Result(
            check=check.key,
            vantage=self.vantage,
            at=self.clock.now(),
            outcome=why.outcome,
            failure=why,
            late_ms=due.late_ms,
        )
        return Attempted(result, self._habit(check), None)

    def _habit(self, check: Check) -> Habit:
        return self.habits.get(check.key, Habit())

    def _learned_beside(self, check: Check) -> Iterator[Habit]:
        """Yield what other checks of the base URL have learned; none is looked for before the first is wanted."""
        yield from map(self._habit, self.checks_beside(check))

    def _peers(self, check: Check) -> Peers:
        if not (isinstance(check.probe, ProbeSettings) and check.probe.compares_peers):
            return ()
        return tuple((peer.endpoint.name, self._habit(peer)) for peer in self.peers_of(check))

    def _record(
        self,
        check: Check,
        due: Due,
        attempted: Attempted,
        result: Result,
        change: Spend,
        warnings: tuple[OutboxMessage, ...],
    ) -> None:
        """Judge and record without an await, so that no other tick can come in between."""
        learned = attempted.habit != self.habits.get(check.key)
        self.habits[check.key] = attempted.habit
        changes = AlertChanges() if is_declared_limit(check, result) else self.alerts.judge(result)
        self.store.record(
            RunRecord(
                result=result,
                kind=check.probe.kind,
                habit=attempted.habit if learned else None,
                states=changes.states,
                incidents=changes.incidents,
                outgoing=(*changes.outgoing, *warnings),
                in_maintenance=self.alerts.in_maintenance(check.key, result.at) is not None,
                spent=change,
                evidence=attempted.evidence,
                missed=due.missed,
            )
        )


def is_declared_limit(check: Check, result: Result) -> bool:
    """Say whether the failure is a limit that the operator declared: shown, but no news."""
    cut = result.failure is not None and result.failure.kind is FailureKind.EDGE_TIMEOUT
    return cut and check.probe.long and check.endpoint.cut_after is not None


def _log(result: Result, level: int) -> None:
    """Log one line per run: `event=run check=a/b/chat outcome=up total_ms=812 ttft_ms=402`.

    A failure is a warning when it is new, and plain information until it changes.
    """
    parts: Mapping[str, object] = {
        "check": result.check,
        "outcome": result.outcome.value,
        "kind": result.failure and result.failure.kind.value,
        "status": result.http_status,
        "ttft_ms": result.timings.ttft and round(result.timings.ttft),
        "total_ms": result.timings.total and round(result.timings.total),
        "why": result.failure and quoted(result.failure.message),
    }
    log.log(level, "event=run %s", pairs(parts))
