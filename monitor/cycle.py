"""LOOP 1: probe -> explain -> judge -> step -> record. Open this file first.

One tick of one check, from the question to the commit:

0. not at all while the server asked us to wait, or nobody has mended the account (`backoff`);
1. reserve what the run may cost, or give it up as `budget_paused`;
2. ask the endpoint (`probes.attempt` never raises for what an endpoint does);
3. where the path failed, say whose it is: ours, somebody's on the way, or the endpoint's after all;
4. settle the cost;
5. let the policies judge and the machine step: alert states, incidents, messages to send;
6. hand everything to the store as one entry, to be committed in one transaction;
7. what is suspected now is asked again in about ten seconds.

Telling people is the courier's business, showing them the publisher's.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from random import Random, SystemRandom
from typing import Protocol

from monitor.alerts import AlertChanges, AlertEngine
from monitor.backoff import BUSY, Backoff
from monitor.budget import BudgetLedger
from monitor.clock import Clock
from monitor.diagnosis import Explained
from monitor.logs import RepeatFilter, quoted
from monitor.model import (
    NO_SPEND,
    Check,
    Evidence,
    Failure,
    FailureKind,
    Habit,
    OutboxMessage,
    Outcome,
    Result,
    RunRecord,
    Spend,
)
from monitor.probes import Attempted, ProbeSettings
from monitor.schedule import Due

log = logging.getLogger(__name__)

AGAIN_S = 10.0
AGAIN_SPREAD = 0.2
ASK_AGAIN = frozenset(
    kind
    for kind in FailureKind
    if kind.outcome in {Outcome.DOWN, Outcome.DEGRADED} and kind not in BUSY
)
"""Not what a person must mend, not a server that is busy, and not our own trouble."""
UNWELCOME = frozenset({401, 402, 403, 429})
"""Whatever a probe makes of it: of a web page each of these is `unexpected_status`."""


class Ask(Protocol):
    """`probes.attempt` with everything bound that does not change from run to run."""

    async def __call__(self, check: Check, *, habit: Habit, late_ms: float) -> Attempted: ...


class Explain(Protocol):
    """`diagnosis.Doctor`: whose a failure of the path is. None where there is nothing to explain."""

    async def __call__(self, check: Check, result: Result) -> Explained | None: ...


async def as_measured(check: Check, result: Result) -> Explained | None:  # noqa: ARG001
    """Nobody to explain anything."""
    return None


async def explained(explain: Explain, check: Check, attempted: Attempted) -> Attempted:
    """The same run with a better-founded failure, and what was looked at as evidence."""
    found = await explain(check, attempted.result)
    if found is None:
        return attempted
    evidence = attempted.evidence or Evidence()
    both = "; ".join(text for text in (evidence.note, found.note) if text)
    failure, result = found.failure, attempted.result
    if failure is not None:
        result = replace(result, failure=failure, outcome=failure.outcome)
    return replace(attempted, result=result, evidence=replace(evidence, note=both))


class Recorder(Protocol):
    """What the cycle needs of the store; neither verb waits."""

    def record(self, entry: RunRecord) -> None: ...

    def reserve(self, service: str, day: date, spend: Spend) -> None: ...


@dataclass(kw_only=True)
class Cycle:
    """`habits` belongs to the cycle: loaded at start, passed to probes, kept as they return it."""

    ask: Ask
    store: Recorder
    alerts: AlertEngine
    ledger: BudgetLedger
    clock: Clock
    vantage: str
    explain: Explain = as_measured
    habits: dict[str, Habit] = field(default_factory=dict)
    backoff: Backoff = field(default_factory=Backoff)
    rng: Random = field(default_factory=SystemRandom)
    on_result: Callable[[Result], None] = lambda _: None
    told: RepeatFilter = field(default_factory=RepeatFilter)

    async def tick(self, check: Check, due: Due) -> float | None:
        """One run; in how many seconds to run again out of turn, where the schedule is too slow."""
        if self.backoff.holds(check.key, self.clock.monotonic()):
            return None
        day = self.clock.now().date()
        reserved = self._reserve(check, day)
        if isinstance(reserved, Failure):
            attempted = self._not_asked(check, reserved, due)
            reserved = NO_SPEND
        else:
            attempted = await self.ask(check, habit=self._habit(check), late_ms=due.late_ms)
            attempted = await explained(self.explain, check, attempted)
        result, change = self.ledger.settle(check, reserved, attempted.result, day)
        warned = self._warn(check.service, day)
        self._record(check, due, attempted, result, change, warned)
        self.on_result(result)
        failure = result.failure.kind.value if result.failure else None
        _log(result, self.told.level(result.check, failure))
        held = self.backoff.note(check, result, self.clock.monotonic())
        if held:
            log.info("event=backoff check=%s seconds=%.0f", check.key, held.total_seconds())
        return self._again(check, result)

    def _again(self, check: Check, result: Result) -> float | None:
        """What is only suspected is asked again at once, unless that is unwelcome or of no use."""
        failure, held = result.failure, self.backoff.holds(check.key, self.clock.monotonic())
        if failure is None or failure.kind not in ASK_AGAIN or held or result.retry_after:
            return None
        if result.http_status in UNWELCOME:
            return None
        if not self.alerts.suspects(check.key):
            return None
        return AGAIN_S * self.rng.uniform(1 - AGAIN_SPREAD, 1 + AGAIN_SPREAD)

    def _warn(self, service: str, day: date) -> tuple[OutboxMessage, ...]:
        """Most of the budget is gone: said once a day."""
        warning = self.ledger.warning(service, day)
        if warning is None:
            return ()
        log.warning('event=budget service=%s why="%s"', service, warning)
        return self.alerts.warn_of_budget(service, warning, self.clock.now())

    def _reserve(self, check: Check, day: date) -> Spend | Failure:
        probe = check.probe
        if not probe.paid or not isinstance(probe, ProbeSettings) or check.endpoint.key is None:
            return NO_SPEND
        reserved = self.ledger.reserve(check, probe.worst_case(self._habit(check)), day)
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

    def _record(
        self,
        check: Check,
        due: Due,
        attempted: Attempted,
        result: Result,
        change: Spend,
        warned: tuple[OutboxMessage, ...],
    ) -> None:
        """From here on nothing waits, so no other tick can come between judging and recording."""
        learned = attempted.habit != self.habits.get(check.key)
        self.habits[check.key] = attempted.habit
        changes = AlertChanges() if _is_known(check, result) else self.alerts.judge(result)
        self.store.record(
            RunRecord(
                result=result,
                kind=check.probe.kind,
                habit=attempted.habit if learned else None,
                states=changes.states,
                incidents=changes.incidents,
                outgoing=(*changes.outgoing, *warned),
                in_maintenance=self.alerts.in_maintenance(check.key, result.at) is not None,
                spent=change,
                evidence=attempted.evidence,
                missed=due.missed,
            )
        )


def _is_known(check: Check, result: Result) -> bool:
    """A limit that the operator declared is shown, and no news."""
    cut = result.failure is not None and result.failure.kind is FailureKind.EDGE_TIMEOUT
    return cut and check.probe.long and check.endpoint.cut_after is not None


def _log(result: Result, level: int) -> None:
    """One line per run: `event=run check=a/b/chat outcome=up total_ms=812 ttft_ms=402`.

    A failure is a warning when it is new, and news no more until it changes.
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
    log.log(
        level,
        "event=run %s",
        " ".join(f"{key}={value}" for key, value in parts.items() if value is not None),
    )
