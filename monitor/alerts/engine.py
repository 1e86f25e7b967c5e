"""Where judging, believing and telling meet: one result in, all that it changes out. No IO.

Holds what is believed now; everything it holds is in `AlertChanges` too, so the store can keep a copy
and a restart goes on as if nothing had happened. The incidents are in its casebook.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.alerts import queries, self_alerts
from monitor.alerts.changes import AlertChanges
from monitor.alerts.failure_streaks import FailureStreaks
from monitor.alerts.incident_manager import IncidentManager
from monitor.alerts.incidents import service_of
from monitor.alerts.machine import step
from monitor.alerts.policies import default_rules, policies
from monitor.alerts.sliding_window import SlidingWindows
from monitor.language import language
from monitor.model import (
    AlertSettings,
    AlertState,
    Channel,
    Event,
    Fired,
    Incident,
    Maintenance,
    OutboxMessage,
    Outcome,
    Phase,
    Resolved,
    RestartState,
    Result,
    Rollup,
    Rule,
    Severity,
    Silence,
    Verdict,
)
from monitor.model.rollup import NOTHING

_BELIEVED = {Phase.BAD, Phase.RECOVERING}
_STORED_AS_MS = timedelta(milliseconds=2)


class AlertEngine:
    def __init__(
        self, settings: AlertSettings, channels: tuple[Channel, ...], memory: RestartState
    ) -> None:
        self._states = dict(memory.states)
        self._latest: dict[str, Outcome] = {}
        self._windows = SlidingWindows()
        self._cases = IncidentManager(memory, self._is_storm)
        self._causes = FailureStreaks(queries.causes(self._states.values(), self._cases.book))
        self.change(settings, channels)

    def change(self, settings: AlertSettings, channels: tuple[Channel, ...]) -> None:
        """What is believed stays believed."""
        self.language = language(settings.language)
        self._policies = policies(settings)
        self._rules = default_rules(settings)
        self._lengths = {each.within for each in self._policies.values() if each.within}
        self._cases.change(settings, channels)

    def needs_since(self, now: datetime) -> datetime:
        """From when on `seed` wants every result: as far as windows and suspicions reach back."""
        window = max(self._lengths, default=timedelta(0))
        suspected = (
            state.since - _STORED_AS_MS
            for state in self._states.values()
            if state.phase is Phase.SUSPECT and state.since
        )
        return min([now - window, *suspected])

    def seed(self, results: Iterable[Result]) -> None:
        """What the store knows of before: it is known, not judged again. Oldest first."""
        for result in results:
            self._see(result)
            for rule in self._rules:
                state = self._states.get((result.check, rule.name))
                if state and state.phase is Phase.SUSPECT and state.since:
                    counts = result.at >= state.since - _STORED_AS_MS
                    verdict = self._verdict(rule, result) if counts else Verdict.NONE
                    self._remember_cause(rule, state, verdict, result)

    def judge(self, result: Result) -> AlertChanges:
        """Let every rule judge one result. Synchronous: no other result can come in between."""
        self._see(result)
        changes = AlertChanges()
        for rule in self._rules:
            verdict = self._verdict(rule, result)
            if verdict is Verdict.BAD or self._is_moved(result.check, rule.name):
                changes += self._apply(rule, result, verdict)
        return changes

    def _is_moved(self, check: str, rule: str) -> bool:
        """Elsewhere than UP, where nothing but a bad verdict changes anything."""
        state = self._states.get((check, rule))
        return state is not None and state.phase is not Phase.UP

    def _see(self, result: Result) -> None:
        self._latest[result.check] = result.outcome
        muted = self.in_maintenance(result.check, result.at) is not None
        self._windows.add(result, self._lengths, in_maintenance=muted)

    def _window(self, rule: Rule, result: Result) -> Rollup:
        within = self._policies[rule.name].within
        return self._windows.look(result.check, within) if within else NOTHING

    def _verdict(self, rule: Rule, result: Result) -> Verdict:
        return self._policies[rule.name].judge(result, self._window(rule, result))

    def _apply(self, rule: Rule, result: Result, verdict: Verdict) -> AlertChanges:
        before = self._states.get((result.check, rule.name)) or AlertState(
            check=result.check, rule=rule.name
        )
        state, events = step(rule, before, verdict, result.at)
        self._remember_cause(rule, state, verdict, result)
        changes = self._bad_again(rule, verdict, result, before)
        for event in events:
            changes = self._happened(rule, event, result, before)
        if changes.incidents and state.phase in _BELIEVED:
            state = replace(state, incident=changes.incidents[-1].id)
        if state == before:
            return changes
        self._states[result.check, rule.name] = state
        return replace(changes, states=(state,))

    def _remember_cause(
        self, rule: Rule, state: AlertState, verdict: Verdict, result: Result
    ) -> None:
        key = (result.check, rule.name)
        if verdict is Verdict.BAD and result.failure:
            self._causes.suspect(key, result.failure.kind)
        elif state.phase is Phase.UP:
            self._causes.forget(key)

    def _bad_again(
        self, rule: Rule, verdict: Verdict, result: Result, before: AlertState
    ) -> AlertChanges:
        if verdict is not Verdict.BAD or before.phase not in _BELIEVED or not before.incident:
            return AlertChanges()
        failure = self._policies[rule.name].why(result, self._window(rule, result))
        is_new = self._causes.is_new((result.check, rule.name), failure.kind)
        return self._cases.bad_again(
            before.incident, result.check, failure, result.at, is_new=is_new
        )

    def _happened(
        self, rule: Rule, event: Event, result: Result, before: AlertState
    ) -> AlertChanges:
        if rule.notice:
            return self._noticed(rule, event, result)
        if isinstance(event, Resolved):
            return self._cases.resolved(event, before.incident or 0, result.at)
        return self._fired(rule, event, result)

    def _fired(self, rule: Rule, event: Fired, result: Result) -> AlertChanges:
        failure = self._policies[rule.name].why(result, self._window(rule, result))
        runs = self._causes.streak((event.check, rule.name), failure.kind)
        return self._cases.fired(rule, event, failure, runs, result.at)

    def _noticed(self, rule: Rule, event: Event, result: Result) -> AlertChanges:
        """Once for all checks of a service."""
        service = service_of(event.check)
        known = any(
            state.rule == rule.name and state.phase in _BELIEVED and service_of(check) == service
            for (check, _), state in self._states.items()
        )
        if known or isinstance(event, Resolved):
            return AlertChanges()
        why = self._policies[rule.name].why(result, self._window(rule, result))
        text = self_alerts.budget_spent(service, why.message, self.language)
        return AlertChanges(outgoing=self.notice(text, result.at))

    def forget(self, known: Iterable[str], now: datetime) -> AlertChanges:
        """Checks that left the config can no longer recover: let go of them, without a message."""
        known = set(known)
        for check in self._latest.keys() - known:
            del self._latest[check]
        self._windows.forget(known)
        rules = {rule.name for rule in self._rules}
        gone = {key for key in self._states if key[0] not in known or key[1] not in rules}
        changes = AlertChanges()
        for key in sorted(gone):
            state = self._states.pop(key)
            changes += self._cases.gone(state.check, state.incident or 0, now)
            changes += AlertChanges(states=(AlertState(check=state.check, rule=state.rule),))
        return changes

    def remind(self, now: datetime) -> AlertChanges:
        """What time alone brings: mutes that begin or end, reminders, the calm after a storm."""
        return self._cases.remind(now)

    def silence(self, silence: Silence, now: datetime) -> AlertChanges:
        return self._cases.silence(silence, now)

    def ack(self, number: int, at: datetime, text: str = "") -> AlertChanges:
        return self._cases.ack(number, at, text)

    def note(
        self, number: int, at: datetime, text: str, stored: Incident | None = None
    ) -> AlertChanges:
        return self._cases.note(number, at, text, stored)

    def notice(
        self, text: str, at: datetime, but: frozenset[str] = frozenset()
    ) -> tuple[OutboxMessage, ...]:
        """About the monitor itself, to whoever wants to hear of it; the first line is the title."""
        return self._cases.audience.notice(text, at, but)

    def warn_of_budget(self, service: str, why: str, at: datetime) -> tuple[OutboxMessage, ...]:
        return self.notice(self_alerts.budget_warning(service, why, self.language), at)

    def in_maintenance(self, check: str, at: datetime) -> Maintenance | None:
        return self._cases.in_maintenance(check, at)

    def suspects(self, check: str) -> bool:
        """Whether some rule has seen something bad and does not believe it yet.

        Not of a check that is believed to be down: what is down is no verdict for the other rules,
        so their suspicions would last as long as the outage.
        """
        down = self._states.get((check, "down"))
        if down and down.phase in _BELIEVED:
            return False
        return any(
            (state := self._states.get((check, rule.name))) and state.phase is Phase.SUSPECT
            for rule in self._rules
        )

    @property
    def summary(self) -> str:
        """How many incidents are open, for somebody far away."""
        number = len(self._cases.book.open)
        return "all is well" if not number else f"{number} open incidents"

    @property
    def is_blind(self) -> bool:
        """Whether we could not see of late; then it may be that we cannot tell either."""
        return any(
            each.severity is Severity.MONITOR and not each.cause
            for each in self._cases.book.open.values()
        )

    def _is_storm(self, at: datetime) -> bool:
        return queries.is_storm(self._states.values(), self._latest, at)

    def working(self, service: str) -> tuple[str, ...]:
        """Endpoint paths (`service/endpoint`) that answer now, those without any fault first."""
        return queries.working(service, self._latest, self._states.values())

    def downtime(self, incident: Incident, now: datetime) -> timedelta:
        """How long its base URLs were down this month (UTC), maintenance aside."""
        return self._cases.downtime(incident, now)
