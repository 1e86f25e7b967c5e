"""Known faults, each put into the real code for a moment: the laws must notice every one of them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import simulate
from planted import Mutant, Patch, Put, planting

from monitor import courier
from monitor.alerts import (
    AlertChanges,
    AlertEngine,
    Context,
    acceptance,
    engine,
    flapping,
    incidents,
    lifecycle,
    machine,
    message,
    mute,
    policies,
    routing,
)
from monitor.clock import Clock
from monitor.courier import Courier
from monitor.daemon import telegram_bots
from monitor.daemon.bot_operations import BotOperations
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
    Rule,
    RunHistory,
    Severity,
    Verdict,
)
from monitor.store.outbox import MessageQueue
from monitor.telegram import bot, replies
from monitor.telegram.chats import Chats
from monitor.telegram.subscriptions import Subscriptions

MUTANTS: list[Mutant] = []
mutant = planting(MUTANTS)
with_people = planting(MUTANTS, people=True)


def rare(seed: int) -> Callable[[Put], Put]:
    return planting(MUTANTS, seed=seed)


def _with_rules(patch: Patch, change: Callable[[Rule], Rule]) -> None:
    real = policies.default_rules

    def rules(settings: AlertSettings) -> tuple[Rule, ...]:
        return tuple(map(change, real(settings)))

    patch.setattr(engine, "default_rules", rules)


def _with_memory(patch: Patch, change: Callable[[RestartState], RestartState]) -> None:
    real = AlertEngine.__init__

    def init(
        self: AlertEngine, settings: Any, channels: Any, memory: RestartState, **more: Any
    ) -> None:
        real(self, settings, channels, change(memory), **more)

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

    def judge(self: policies.Down, history: RunHistory) -> Verdict:
        unknown = history.latest.outcome is Outcome.UNKNOWN
        return Verdict.BAD if unknown else real(self, history)

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
            memory,
            incidents=tuple(replace(incident, remind_at=None) for incident in memory.incidents),
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
        kin = (incident for incident in book.open.values() if incident.severity is rule.severity)
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


@with_people
def what_is_acknowledged_is_reminded_of(patch: Patch) -> None:
    real = lifecycle.look_at

    def look_at(incident: Incident, now: datetime, **more: Any) -> Any:
        if not incident.acked or incident.remind_at:
            return real(incident, now, **more)
        due = replace(incident, acked=None, remind_at=incident.acked + timedelta(hours=1))
        timed = real(due, now, **more)
        return timed and replace(timed, incident=replace(timed.incident, acked=incident.acked))

    patch.setattr(lifecycle, "look_at", look_at)


@with_people
def the_end_of_what_is_acknowledged_is_not_told(patch: Patch) -> None:
    real = AlertEngine._tell

    def tell(self: AlertEngine, news: Any, incident: Incident, at: datetime) -> AlertChanges:
        return real(self, None if incident.closed and incident.acked else news, incident, at)

    patch.setattr(AlertEngine, "_tell", tell)


@with_people
def a_silence_holds_nothing_back(patch: Patch) -> None:
    patch.setattr(mute.Quiet, "reason", lambda *_: None)


@with_people
def a_restart_forgets_silences(patch: Patch) -> None:
    _with_memory(patch, lambda memory: replace(memory, silences=()))


@with_people
def what_outlasts_its_silence_stays_silent(patch: Patch) -> None:
    patch.setattr(lifecycle, "_told_at_last", lambda *_: None)


@with_people
def everybody_may_command(patch: Patch) -> None:
    patch.setattr(Chats, "may", lambda *_: True)


@with_people
def nothing_is_too_old_to_be_done(patch: Patch) -> None:
    patch.setattr(bot, "_is_old", lambda *_: False)


@with_people
def a_button_does_nothing(patch: Patch) -> None:
    patch.setattr(bot, "read_button", lambda _: None)


@with_people
def readers_hear_of_the_account(patch: Patch) -> None:
    patch.setattr(Severity, "is_of_base_urls", True)


@with_people
def readers_hear_of_hidden_services(patch: Patch) -> None:
    def audience(config: Any) -> Any:
        shown = (replace(service, public=True) for service in config.services)
        return telegram_bots.audience(replace(config, services=tuple(shown)))

    patch.setattr(simulate, "audience", audience)
    patch.setattr(BotOperations, "public_page", lambda self, _: self.page())


@with_people
def readers_do_not_hear_that_it_is_over(patch: Patch) -> None:
    real = replies.news

    def news(what: NotificationType, *more: Any) -> str:
        return "" if what.is_end else real(what, *more)

    patch.setattr(replies, "news", news)


@with_people
def nobody_is_unsubscribed(patch: Patch) -> None:
    async def remove(*_: object) -> str:
        return "You will hear no more."

    patch.setattr(Subscriptions, "remove", remove)


@with_people
def who_blocks_the_bot_is_written_to(patch: Patch) -> None:
    async def forget(*_: object) -> None:
        """Keep them."""

    patch.setattr(Subscriptions, "forget", forget)


@with_people
def what_was_acknowledged_is_escalated(patch: Patch) -> None:
    real = routing.escalated

    def escalated(channels: Any, incident: Incident, now: datetime) -> Any:
        after, rows = real(channels, replace(incident, acked=None), now)
        return replace(after, acked=incident.acked), rows

    patch.setattr(routing, "escalated", escalated)


@with_people
def who_hears_late_hears_no_end(patch: Patch) -> None:
    real = routing._hears

    def hears(channel: Any, news: NotificationType, incident: Incident) -> bool:
        return real(channel, news, replace(incident, told_to=frozenset()))

    patch.setattr(routing, "_hears", hears)
