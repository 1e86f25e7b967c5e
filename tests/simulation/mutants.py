"""Known faults, each put into the real code for a moment: the laws must notice every one of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from monitor import courier
from monitor.alerts import (
    AlertChanges,
    AlertEngine,
    Context,
    acceptance,
    engine,
    flapping,
    incidents,
    machine,
    message,
    policies,
    routing,
)
from monitor.clock import Clock
from monitor.courier import Courier
from monitor.model import (
    AlertSettings,
    AlertState,
    Incident,
    Message,
    NotDeliveredError,
    NotificationType,
    OutboxMessage,
    Outcome,
    Phase,
    RestartState,
    Result,
    Rule,
    Verdict,
)
from monitor.store.outbox import MessageQueue

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    put: Callable[[Patch], None]
    seed: int | None = None
    """Where it takes a history that is rare, one that has it in three days."""


MUTANTS: list[Mutant] = []


def mutant(put: Callable[[Patch], None]) -> Callable[[Patch], None]:
    MUTANTS.append(Mutant(put.__name__.replace("_", " "), put))
    return put


def rare(seed: int) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    def add(put: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS.append(Mutant(put.__name__.replace("_", " "), put, seed))
        return put

    return add


def _with_rules(patch: Patch, change: Callable[[Rule], Rule]) -> None:
    real = policies.default_rules

    def rules(settings: AlertSettings) -> tuple[Rule, ...]:
        return tuple(map(change, real(settings)))

    patch.setattr(engine, "default_rules", rules)


def _with_memory(patch: Patch, change: Callable[[RestartState], RestartState]) -> None:
    real = AlertEngine.__init__

    def init(
        self: AlertEngine, settings: Any, channels: Any, memory: RestartState, *more: Any
    ) -> None:
        real(self, settings, channels, change(memory), *more)

    patch.setattr(AlertEngine, "__init__", init)


@mutant
def believed_one_run_too_late(patch: Patch) -> None:
    _with_rules(patch, lambda rule: replace(rule, after=rule.after + 1))


@mutant
def believed_one_run_too_early(patch: Patch) -> None:
    _with_rules(patch, lambda rule: replace(rule, after=max(1, rule.after - 1)))


@mutant
def over_one_run_too_late(patch: Patch) -> None:
    _with_rules(patch, lambda rule: replace(rule, recover=rule.recover + 1))


@mutant
def over_one_run_too_early(patch: Patch) -> None:
    _with_rules(patch, lambda rule: replace(rule, recover=rule.recover - 1))


@mutant
def ignorance_is_taken_for_an_outage(patch: Patch) -> None:
    real = policies.Down.judge

    def judge(self: policies.Down, result: Result, *more: Any) -> Verdict:
        return Verdict.BAD if result.outcome is Outcome.UNKNOWN else real(self, result, *more)

    patch.setattr(policies.Down, "judge", judge)


@mutant
def ignorance_breaks_a_streak(patch: Patch) -> None:
    real = machine.step

    def step(rule: Rule, state: AlertState, verdict: Verdict, at: datetime) -> Any:
        suspect = verdict is Verdict.NONE and state.phase is Phase.SUSPECT
        return real(rule, state, Verdict.GOOD if suspect else verdict, at)

    patch.setattr(engine, "step", step)


@mutant
def an_outage_dates_from_when_it_was_believed(patch: Patch) -> None:
    real = machine.step

    def step(rule: Rule, state: AlertState, verdict: Verdict, at: datetime) -> Any:
        after, events = real(rule, state, verdict, at)
        return after, tuple(replace(event, at=at) for event in events)

    patch.setattr(engine, "step", step)


@mutant
def a_restart_forgets_what_was_suspected(patch: Patch) -> None:
    _with_memory(
        patch,
        lambda memory: replace(
            memory,
            states={
                key: state
                for key, state in memory.states.items()
                if state.phase is not Phase.SUSPECT
            },
        ),
    )


@mutant
def a_restart_forgets_all_states(patch: Patch) -> None:
    _with_memory(patch, lambda memory: replace(memory, states={}))


@mutant
def a_restart_forgets_open_incidents(patch: Patch) -> None:
    _with_memory(patch, lambda memory: replace(memory, incidents=()))


@mutant
def a_restart_numbers_incidents_anew(patch: Patch) -> None:
    _with_memory(patch, lambda memory: replace(memory, next_incident=1))


@mutant
def a_restart_loses_when_to_remind(patch: Patch) -> None:
    _with_memory(
        patch,
        lambda memory: replace(
            memory, incidents=tuple(replace(each, remind_at=None) for each in memory.incidents)
        ),
    )


@mutant
def a_restart_forgets_the_outbox(patch: Patch) -> None:
    real = MessageQueue.__init__

    def init(
        self: MessageQueue, pending: Iterable[OutboxMessage], next_id: int, clock: Clock
    ) -> None:
        real(self, (), next_id, clock)

    patch.setattr(MessageQueue, "__init__", init)


@mutant
def nobody_is_reminded(patch: Patch) -> None:
    patch.setattr(AlertEngine, "remind", lambda *_: AlertChanges())


@mutant
def reminders_do_not_stretch(patch: Patch) -> None:
    real = incidents.reminded

    def reminded(incident: Incident, now: datetime, remind: timedelta) -> Incident:
        return replace(real(incident, now, remind), remind_at=now + remind)

    patch.setattr(incidents, "reminded", reminded)


@mutant
def nobody_hears_that_it_is_over(patch: Patch) -> None:
    _without(patch, NotificationType.RESOLVED)


@mutant
def nobody_hears_that_it_began(patch: Patch) -> None:
    _without(patch, NotificationType.OPENED)


def _without(patch: Patch, what: NotificationType) -> None:
    for name in ("judge", "remind"):
        real = getattr(AlertEngine, name)

        def verb(self: AlertEngine, *more: Any, real: Any = real) -> AlertChanges:
            changes: AlertChanges = real(self, *more)
            return replace(
                changes, outgoing=tuple(row for row in changes.outgoing if row.what is not what)
            )

        patch.setattr(AlertEngine, name, verb)


@mutant
def every_check_has_its_own_incident(patch: Patch) -> None:
    patch.setattr(incidents, "home", lambda *_: None)


@mutant
def one_incident_holds_all_of_its_severity(patch: Patch) -> None:
    def home(book: Any, fired: Any, rule: Rule, *_: Any) -> Incident | None:
        kin = (each for each in book.open.values() if each.severity is rule.severity)
        return next(kin, None)

    patch.setattr(incidents, "home", home)


@mutant
def every_channel_hears_everything(patch: Patch) -> None:
    patch.setattr(routing, "wants", lambda *_: True)


@mutant
def what_was_sent_is_not_ticked_off(patch: Patch) -> None:
    _with_outbox(patch, "sent", lambda *_: None)


@mutant
def what_failed_is_ticked_off(patch: Patch) -> None:
    def quiet(self: Courier, rows: tuple[OutboxMessage, ...], error: NotDeliveredError) -> None:
        for row in rows:
            self._outbox.sent(row.id, self._clock.now())

    patch.setattr(Courier, "_postpone", quiet)


@mutant
def ticked_off_before_it_is_sent(patch: Patch) -> None:
    async def first_tick(self: Courier, rows: tuple[OutboxMessage, ...], message: Message) -> bool:
        for row in rows:
            self._outbox.sent(row.id, self._clock.now())
        await self._channels.send(rows[0].channel, message)
        return True

    patch.setattr(Courier, "_try", first_tick)


@mutant
def the_wait_that_was_asked_for_is_ignored(patch: Patch) -> None:
    real = Courier._postpone

    def postpone(self: Courier, rows: tuple[OutboxMessage, ...], error: NotDeliveredError) -> None:
        real(self, rows, NotDeliveredError(str(error)))

    patch.setattr(Courier, "_postpone", postpone)


@mutant
def after_a_failure_four_hours_pass(patch: Patch) -> None:
    patch.setattr(courier, "BACKOFF", (14_400,))


@mutant
def what_waits_is_overtaken(patch: Patch) -> None:
    def due(self: MessageQueue, now: datetime, *, durable: bool) -> tuple[OutboxMessage, ...]:
        rows = [row for _, row in sorted(self._pending.items())]
        return tuple(row for row in rows if not row.attempts or row.not_before <= now)

    patch.setattr(MessageQueue, "due", due)


@mutant
def the_newest_goes_first(patch: Patch) -> None:
    real = MessageQueue.due

    def due(self: MessageQueue, now: datetime, *, durable: bool) -> tuple[OutboxMessage, ...]:
        return real(self, now, durable=durable)[::-1]

    patch.setattr(MessageQueue, "due", due)


@mutant
def a_failure_drops_the_message(patch: Patch) -> None:
    def postpone(self: Courier, rows: tuple[OutboxMessage, ...], error: NotDeliveredError) -> None:
        for row in rows:
            self._outbox.dead(row.id, str(error))

    patch.setattr(Courier, "_postpone", postpone)


@rare(seed=44)
def a_clock_set_back_delays_the_next_try(patch: Patch) -> None:
    def due(self: MessageQueue, now: datetime, *, durable: bool) -> tuple[OutboxMessage, ...]:
        ready: list[OutboxMessage] = []
        blocked: set[str] = set()
        for _, row in sorted(self._pending.items()):
            if row.attempts and row.not_before > now:
                blocked.add(row.channel)
            elif row.channel not in blocked:
                ready.append(row)
        return tuple(ready)

    patch.setattr(MessageQueue, "due", due)


@rare(seed=1111)
def what_comes_and_goes_is_left_out_of_a_storm(patch: Patch) -> None:
    patch.setattr(flapping, "swept_along", lambda *_: None)


@mutant
def incidents_do_not_follow_a_clock_that_is_set(patch: Patch) -> None:
    patch.setattr(AlertEngine, "_follow_clock", lambda *_: AlertChanges())


@mutant
def that_it_is_calm_again_is_never_told(patch: Patch) -> None:
    _without(patch, NotificationType.CALM)


@mutant
def what_looks_like_a_success_counts_as_delivered(patch: Patch) -> None:
    real = acceptance.refusal

    def refusal(schema: str, answers: Any, *, reported: bool, **more: Any) -> Any:
        return None if reported else real(schema, answers, reported=reported, **more)

    patch.setattr(acceptance, "refusal", refusal)


@mutant
def a_channel_that_asked_nobody_counts_as_told(patch: Patch) -> None:
    real = acceptance.refusal

    def refusal(schema: str, answers: Any, *, reported: bool, **more: Any) -> Any:
        asked = tuple(answers)
        return real(schema, asked, reported=reported, **more) if asked or not reported else None

    patch.setattr(acceptance, "refusal", refusal)


@mutant
def each_message_is_an_event_of_its_own_on_call(patch: Patch) -> None:
    def event_key(incident: Incident, context: Context) -> str:
        return f"{incident.id} at {context.now}"

    patch.setattr(message, "event_key", event_key)


@mutant
def an_end_is_a_change_on_call(patch: Patch) -> None:
    patch.setattr(message, "_meaning", lambda *_: NotificationType.UPDATE)


@mutant
def an_on_call_channel_gets_digests(patch: Patch) -> None:
    patch.setattr(courier, "_by_event", courier._groups)


def _with_outbox(patch: Patch, verb: str, put: Callable[..., None]) -> None:
    real = Courier.__init__

    def init(self: Courier, outbox: Any, *more: Any, **named: Any) -> None:
        real(self, outbox, *more, **named)
        setattr(outbox, verb, put)

    patch.setattr(Courier, "__init__", init)
