"""Where judging, believing and telling meet: one result in, all that it changes out. No IO.

Holds what is believed now; everything it holds is in `Changes` too, so the store can keep a copy
and a restart goes on as if nothing had happened.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.alerts import incidents
from monitor.alerts.incidents import Book
from monitor.alerts.machine import step
from monitor.alerts.policies import POLICIES, default_rules
from monitor.model import (
    AlertSettings,
    AlertState,
    Announcement,
    Channel,
    Failure,
    Fired,
    Incident,
    Kind,
    Memory,
    Outcome,
    Outgoing,
    Phase,
    Resolved,
    Result,
    Rule,
    Severity,
    Verdict,
)
from monitor.model.rollup import NOTHING

_BELIEVED = {Phase.BAD, Phase.RECOVERING}


@dataclass(frozen=True, slots=True)
class Changes:
    states: tuple[AlertState, ...] = ()
    incidents: tuple[Incident, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()


class Alerts:
    def __init__(
        self, settings: AlertSettings, channels: tuple[Channel, ...], memory: Memory
    ) -> None:
        self._settings = settings
        self._channels = channels
        self._rules = default_rules(settings)
        self._states = dict(memory.states)
        self._book = Book(
            {incident.id: incident for incident in memory.incidents}, memory.next_incident
        )
        self._streaks: dict[tuple[str, str], Counter[Kind]] = {}
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._latest: dict[str, Outcome] = {}

    def change(self, settings: AlertSettings, channels: tuple[Channel, ...]) -> None:
        """What is believed stays believed."""
        self._settings = settings
        self._channels = channels
        self._rules = default_rules(settings)

    def notice(self, text: str, at: datetime) -> tuple[Outgoing, ...]:
        """About the monitor itself, to whoever wants to hear of it; the first line is the title."""
        return tuple(
            Outgoing(
                channel=channel.id,
                what=Announcement.NOTICE,
                severity=Severity.MONITOR,
                incident=None,
                created=at,
                not_before=at,
                text=text,
            )
            for channel in self._channels
            if _wants(channel, Severity.MONITOR, None)
        )

    def judge(self, result: Result) -> Changes:
        """Let every rule judge one result. Synchronous: no other result can come in between."""
        self._latest[result.check] = result.outcome
        changed = [change for rule in self._rules if (change := self._apply(rule, result))]
        return Changes(
            tuple(state for change in changed for state in change.states),
            _newest(incident for change in changed for incident in change.incidents),
            tuple(row for change in changed for row in change.outgoing),
        )

    def _apply(self, rule: Rule, result: Result) -> Changes | None:
        verdict = POLICIES[rule.name].judge(result, NOTHING)
        before = self._states.get((result.check, rule.name)) or AlertState(
            check=result.check, rule=rule.name
        )
        state, events = step(rule, before, verdict, result.at)
        self._count_streak(rule, state, verdict, result)
        changes = self._react(rule, state, verdict, result, before)
        for event in events:
            changes = (
                self._fired(rule, event, result)
                if isinstance(event, Fired)
                else self._resolved(event, before, result.at)
            )
        if changes.incidents and state.phase in _BELIEVED:
            state = replace(state, incident=changes.incidents[-1].id)
        if state == before:
            return changes if changes.incidents else None
        self._states[result.check, rule.name] = state
        return replace(changes, states=(state,))

    def _count_streak(
        self, rule: Rule, state: AlertState, verdict: Verdict, result: Result
    ) -> None:
        key = (result.check, rule.name)
        if verdict is Verdict.BAD and result.failure:
            self._streaks.setdefault(key, Counter())[result.failure.kind] += 1
        elif state.phase is Phase.UP:
            self._streaks.pop(key, None)
            self._kinds.pop(key, None)

    def _react(
        self, rule: Rule, state: AlertState, verdict: Verdict, result: Result, before: AlertState
    ) -> Changes:
        """A bad run inside an incident: counted, and noted where its cause is a new one."""
        failure, incident = result.failure, self._book.open.get(before.incident or 0)
        if (
            verdict is not Verdict.BAD
            or before.phase not in _BELIEVED
            or not failure
            or not incident
        ):
            return Changes()
        incident = incidents.count(incident, failure)
        known = self._kinds.get((state.check, rule.name), failure.kind)
        if known is not failure.kind:
            incident = incidents.change_cause(incident, state.check, result.at, failure)
        self._kinds[state.check, rule.name] = failure.kind
        return self._keep(incident)

    def _fired(self, rule: Rule, event: Fired, result: Result) -> Changes:
        assert result.failure is not None
        found = incidents.home(self._book, event.check, rule.severity, event.at)
        if found:
            incident = incidents.join(found, event.check, event.at, result.failure)
        else:
            begun = incidents.begin(self._book, event, rule.severity, result.failure)
            incident = replace(begun, remind_at=result.at + self._settings.remind)
        streak = self._streaks.pop((event.check, rule.name), Counter({result.failure.kind: 1}))
        for kind, runs in streak.items():
            incident = incidents.count(incident, Failure(kind, ""), runs)
        self._kinds[event.check, rule.name] = result.failure.kind
        kept = self._keep(incident)
        if found or not incident.announced:
            return kept
        return replace(kept, outgoing=self._tell(Announcement.OPENED, incident, result.at))

    def _resolved(self, event: Resolved, before: AlertState, now: datetime) -> Changes:
        incident = self._book.open.get(before.incident or 0)
        if incident is None:
            return Changes()
        incident = incidents.leave(incident, event.check, event.at)
        kept = self._keep(incident)
        if incident.closed is None or not incident.announced:
            return kept
        return replace(kept, outgoing=self._tell(Announcement.RESOLVED, incident, now))

    def _keep(self, incident: Incident) -> Changes:
        self._book = self._book.put(incident)
        return Changes(incidents=(incident,))

    def remind(self, now: datetime) -> Changes:
        """What is still bad and has not been told for long, or could not be told before."""
        changed: list[Incident] = []
        rows: list[Outgoing] = []
        for incident in list(self._book.open.values()):
            if incidents.is_due_at_last(self._book, incident):
                told = replace(incident, announced=True, remind_at=now + self._settings.remind)
                self._book = self._book.put(told)
                changed.append(told)
                rows.extend(self._tell(Announcement.OPENED, told, now))
                continue
            if incident.announced and incident.remind_at and incident.remind_at <= now:
                incident = incidents.reminded(incident, now, self._settings.remind)  # noqa: PLW2901
                self._book = self._book.put(incident)
                changed.append(incident)
                rows.extend(self._tell(Announcement.REMINDER, incident, now))
        return Changes(incidents=tuple(changed), outgoing=tuple(rows))

    def forget(self, known: Iterable[str], now: datetime) -> Changes:
        """Checks that left the config can no longer recover: let go of them, without a message."""
        known = set(known)
        for check in self._latest.keys() - known:
            del self._latest[check]
        gone = {key for key in self._states if key[0] not in known}
        changed: dict[int, Incident] = {}
        states = []
        for key in sorted(gone):
            state = self._states.pop(key)
            incident = self._book.open.get(state.incident or 0)
            if incident and state.check in incident.active:
                incident = incidents.leave(incident, state.check, now)
                self._book = self._book.put(incident)
                changed[incident.id] = incident
            states.append(AlertState(check=state.check, rule=state.rule))
        return Changes(states=tuple(states), incidents=tuple(changed.values()))

    def working(self, service: str) -> tuple[str, ...]:
        """Endpoint paths (`service/endpoint`) that answer now, those without any fault first."""
        outcomes: dict[str, list[Outcome]] = {}
        for check, outcome in self._latest.items():
            if incidents.service_of(check) == service:
                outcomes.setdefault(incidents.endpoint_of(check), []).append(outcome)
        bad = {
            incidents.endpoint_of(check)
            for (check, rule), state in self._states.items()
            if rule == "down" and state.phase in _BELIEVED
        }
        good = [path for path, seen in outcomes.items() if path not in bad and _serves(seen)]
        return tuple(sorted(good, key=lambda path: set(outcomes[path]) != {Outcome.UP}))

    def _tell(self, what: Announcement, incident: Incident, at: datetime) -> tuple[Outgoing, ...]:
        return tuple(
            Outgoing(
                channel=channel.id,
                what=what,
                severity=incident.severity,
                incident=incident.id,
                created=at,
                not_before=at,
            )
            for channel in self._channels
            if _wants(channel, incident.severity, incident.service)
        )


def _wants(channel: Channel, severity: Severity, service: str | None) -> bool:
    return severity in channel.only and (
        not channel.services or service is None or service in channel.services
    )


def _serves(outcomes: list[Outcome]) -> bool:
    return Outcome.DOWN not in outcomes and bool({Outcome.UP, Outcome.DEGRADED} & set(outcomes))


def _newest(found: Iterable[Incident]) -> tuple[Incident, ...]:
    """Each incident once, as the last rule left it."""
    return tuple({incident.id: incident for incident in found}.values())
