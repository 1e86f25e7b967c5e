"""Where judging, believing and telling meet: one result in, all that it changes out. No IO.

Holds what is believed now; everything it holds is in `Changes` too, so the store can keep a copy
and a restart goes on as if nothing had happened.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.alerts import flapping, incidents, looks, notices
from monitor.alerts.incidents import Book, endpoint_of, service_of
from monitor.alerts.machine import step
from monitor.alerts.mute import REASONS, Muted, Quiet
from monitor.alerts.policies import default_rules, policies
from monitor.alerts.windows import Windows
from monitor.language import language
from monitor.model import (
    AlertSettings,
    AlertState,
    Announcement,
    Channel,
    Event,
    Failure,
    Fired,
    Incident,
    Kind,
    Maintenance,
    Memory,
    Mute,
    Outcome,
    Outgoing,
    Phase,
    Resolved,
    Result,
    Rollup,
    Rule,
    Severity,
    Silence,
    Verdict,
)
from monitor.model.rollup import NOTHING

_BELIEVED = {Phase.BAD, Phase.RECOVERING}
UPDATE_AFTER = timedelta(minutes=5)
"""People hear that an incident has grown so long after they heard of it, not at each step."""
_STORED_AS_MS = timedelta(milliseconds=2)


@dataclass(frozen=True, slots=True)
class Changes:
    states: tuple[AlertState, ...] = ()
    incidents: tuple[Incident, ...] = ()
    outgoing: tuple[Outgoing, ...] = ()

    def __add__(self, other: "Changes") -> "Changes":
        """Each incident once, as the later left it."""
        newest = {each.id: each for each in (*self.incidents, *other.incidents)}
        return Changes(
            (*self.states, *other.states),
            tuple(newest.values()),
            (*self.outgoing, *other.outgoing),
        )


class Alerts:
    def __init__(
        self, settings: AlertSettings, channels: tuple[Channel, ...], memory: Memory
    ) -> None:
        self._states = dict(memory.states)
        self._book = Book(
            {incident.id: incident for incident in memory.incidents}, memory.next_incident
        )
        self._past = {incident.id: incident for incident in memory.recent}
        self._quiet = Quiet(silences=memory.silences)
        self._streaks: dict[tuple[str, str], Counter[Kind]] = {}
        self._kinds = looks.causes(self._states.values(), self._book)
        self._latest: dict[str, Outcome] = {}
        self._windows = Windows()
        self.change(settings, channels)

    def change(self, settings: AlertSettings, channels: tuple[Channel, ...]) -> None:
        """What is believed stays believed."""
        self._settings = settings
        self._channels = channels
        self.language = language(settings.language)
        self._policies = policies(settings)
        self._rules = default_rules(settings)
        self._lengths = {each.within for each in self._policies.values() if each.within}
        self._quiet = replace(self._quiet, maintenance=settings.maintenance)

    def needs_since(self, now: datetime) -> datetime:
        """From when on `seed` wants every result: as far as windows and suspicions reach back."""
        window = max(self._lengths, default=timedelta(0))
        suspected = (
            state.since - _STORED_AS_MS
            for state in self._states.values()
            if state.phase is Phase.SUSPECT and state.since
        )
        return min([now - window, *suspected])

    @property
    def summary(self) -> str:
        """How many incidents are open, for somebody far away."""
        number = len(self._book.open)
        return "all is well" if not number else f"{number} open incidents"

    @property
    def is_blind(self) -> bool:
        """Whether we could not see of late; then it may be that we cannot tell either."""
        return any(
            each.severity is Severity.MONITOR and not each.cause
            for each in self._book.open.values()
        )

    def seed(self, results: Iterable[Result]) -> None:
        """What the store knows of before: it is known, not judged again. Oldest first."""
        for result in results:
            self._see(result)
            for rule in self._rules:
                state = self._states.get((result.check, rule.name))
                if state and state.phase is Phase.SUSPECT and state.since:
                    counts = result.at >= state.since - _STORED_AS_MS
                    verdict = self._verdict(rule, result) if counts else Verdict.NONE
                    self._count_streak(rule, state, verdict, result)

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

    def warn_of_budget(self, service: str, why: str, at: datetime) -> tuple[Outgoing, ...]:
        return self.notice(notices.budget_warning(service, why, self.language), at)

    def judge(self, result: Result) -> Changes:
        """Let every rule judge one result. Synchronous: no other result can come in between."""
        self._see(result)
        changes = Changes()
        for rule in self._rules:
            verdict = self._verdict(rule, result)
            if verdict is Verdict.BAD or self._is_moved(result.check, rule.name):
                changes += self._apply(rule, result, verdict)
        return changes

    def _is_moved(self, check: str, rule: str) -> bool:
        """Elsewhere than UP, where nothing but a bad verdict changes anything."""
        state = self._states.get((check, rule))
        return state is not None and state.phase is not Phase.UP

    def in_maintenance(self, check: str, at: datetime) -> Maintenance | None:
        return self._quiet.in_maintenance(check, at)

    def suspects(self, check: str) -> bool:
        """Whether some rule has seen something bad and does not believe it yet."""
        return any(
            (state := self._states.get((check, rule.name))) and state.phase is Phase.SUSPECT
            for rule in self._rules
        )

    def _see(self, result: Result) -> None:
        self._latest[result.check] = result.outcome
        muted = self.in_maintenance(result.check, result.at) is not None
        self._windows.add(result, self._lengths, in_maintenance=muted)

    def _window(self, rule: Rule, result: Result) -> Rollup:
        within = self._policies[rule.name].within
        return self._windows.look(result.check, within) if within else NOTHING

    def _verdict(self, rule: Rule, result: Result) -> Verdict:
        return self._policies[rule.name].judge(result, self._window(rule, result))

    def _apply(self, rule: Rule, result: Result, verdict: Verdict) -> Changes:
        before = self._states.get((result.check, rule.name)) or AlertState(
            check=result.check, rule=rule.name
        )
        state, events = step(rule, before, verdict, result.at)
        self._count_streak(rule, state, verdict, result)
        changes = self._react(rule, state, verdict, result, before)
        for event in events:
            changes = self._happened(rule, event, result, before)
        if changes.incidents and state.phase in _BELIEVED:
            state = replace(state, incident=changes.incidents[-1].id)
        if state == before:
            return changes
        self._states[result.check, rule.name] = state
        return replace(changes, states=(state,))

    def _happened(self, rule: Rule, event: Event, result: Result, before: AlertState) -> Changes:
        if rule.notice:
            return self._noticed(rule, event, result)
        if isinstance(event, Fired):
            return self._fired(rule, event, result)
        return self._resolved(event, before, result.at)

    def _noticed(self, rule: Rule, event: Event, result: Result) -> Changes:
        """Once for all checks of a service."""
        service = service_of(event.check)
        known = any(
            state.rule == rule.name and state.phase in _BELIEVED and service_of(check) == service
            for (check, _), state in self._states.items()
        )
        if known or isinstance(event, Resolved):
            return Changes()
        why = self._policies[rule.name].why(result, self._window(rule, result))
        text = notices.budget_spent(service, why.message, self.language)
        return Changes(outgoing=self.notice(text, result.at))

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
        incident = self._book.open.get(before.incident or 0)
        if verdict is not Verdict.BAD or before.phase not in _BELIEVED or not incident:
            return Changes()
        failure = self._policies[rule.name].why(result, self._window(rule, result))
        incident = incidents.count(incident, failure)
        known = self._kinds.get((state.check, rule.name), failure.kind)
        if known is not failure.kind:
            incident = incidents.change_cause(incident, state.check, result.at, failure)
        self._kinds[state.check, rule.name] = failure.kind
        return self._keep(incident)

    def _fired(self, rule: Rule, event: Fired, result: Result) -> Changes:
        failure = self._policies[rule.name].why(result, self._window(rule, result))
        muted = self._why_muted(rule, event, result.at)
        found = incidents.home(self._book, event, rule, muted.by if muted else None)
        if found:
            incident = incidents.join(found, event.check, event.at, failure)
            incident = self._grown(found, incident, result.at)
            changes = Changes()
        else:
            begun = incidents.begin(self._book, event, rule, failure)
            incident, changes = self._begun(begun, event, rule, muted, result.at)
        streak = self._streaks.pop((event.check, rule.name), Counter({failure.kind: 1}))
        for kind, runs in streak.items():
            incident = incidents.count(incident, Failure(kind, ""), runs)
        self._kinds[event.check, rule.name] = failure.kind
        return changes + self._keep(incident)

    def _begun(
        self, incident: Incident, event: Fired, rule: Rule, muted: Muted | None, now: datetime
    ) -> tuple[Incident, Changes]:
        """Told, or not, or told as one that comes and goes."""
        flaps = muted is not None and muted.by is Mute.FLAPPING
        series = (flapping.going_on if flaps else flapping.beginning)(self._kin(), event, rule)
        if series and (flaps or muted is None):
            return self._flaps(replace(incident, series=series), muted, now)
        if muted:
            return replace(incidents.muted(incident, muted, now), announced=False), Changes()
        incident = incidents.told(incident, now, self._settings.remind)
        return incident, Changes(outgoing=self._tell(Announcement.OPENED, incident, now))

    def _flaps(
        self, incident: Incident, muted: Muted | None, now: datetime
    ) -> tuple[Incident, Changes]:
        """The newest incident carries the series; the first one of it that is not told says so."""
        changes = Changes()
        for each in self._kin():
            if flapping.is_on(each) and set(each.endpoints) & set(incident.endpoints):
                assert each.series is not None
                changes += self._keep(replace(each, series=replace(each.series, ended=now)))
        why = Muted(Mute.FLAPPING, REASONS[Mute.FLAPPING])
        incident = replace(incidents.muted(incident, why, now), announced=False)
        if muted is None:
            changes += Changes(outgoing=self._tell(Announcement.FLAPPING, incident, now))
        return incident, changes

    def _kin(self) -> list[Incident]:
        return [*self._past.values(), *self._book.open.values()]

    def _why_muted(self, rule: Rule, event: Fired, now: datetime) -> Muted | None:
        if asked := self._quiet.over(event.check, now):
            return asked
        slow = rule.severity is Severity.DEGRADED and not rule.cause
        if slow and incidents.is_down(self._book, endpoint_of(event.check)):
            return Muted(Mute.DOWN, REASONS[Mute.DOWN])
        if flapping.going_on(self._kin(), event, rule):
            return Muted(Mute.FLAPPING, REASONS[Mute.FLAPPING])
        return None

    def _grown(self, before: Incident, after: Incident, now: datetime) -> Incident:
        """People were told of fewer base URLs, and may have been sent to one that is bad now."""
        told = before.told_at
        wide = after.severity in {Severity.DOWN, Severity.DEGRADED} and not after.muted
        new = set(after.endpoints) - set(before.endpoints)
        if not (wide and told and new and after.update_at is None):
            return after
        rendered = now <= told + self._settings.wait  # it will still be in the first message
        return after if rendered else replace(after, update_at=told + UPDATE_AFTER)

    def _resolved(self, event: Resolved, before: AlertState, now: datetime) -> Changes:
        incident = self._book.open.get(before.incident or 0)
        if incident is None:
            return Changes()
        incident = incidents.leave(incident, event.check, event.at)
        if incident.closed and incident.series and flapping.is_on(incident):
            incident = replace(incident, series=flapping.added(incident.series, incident))
        kept = self._keep(incident)
        if incident.closed is None or not incident.announced:
            return kept
        return replace(kept, outgoing=self._tell(Announcement.RESOLVED, incident, now))

    def _keep(self, incident: Incident) -> Changes:
        self._book = self._book.put(incident)
        if incident.closed:
            self._past[incident.id] = incident
        return Changes(incidents=(incident,))

    def remind(self, now: datetime) -> Changes:
        """What time alone brings: mutes that begin or end, reminders, the calm after a storm."""
        changes = Changes()
        for incident in list(self._book.open.values()):
            changes += self._look_at(incident, now)
        for incident in list(self._past.values()):
            changes += self._calmed(incident, now)
        self._past = looks.still_needed(self._past, now)
        return changes

    def _look_at(self, incident: Incident, now: datetime) -> Changes:
        muted = self._still_muted(incident, now)
        if muted:
            if incident.muted is muted.by:
                return Changes()
            return self._keep(incidents.muted(incident, muted, now))
        if not incident.announced:
            return self._told_at_last(incident, now)
        if incident.muted or (incident.remind_at and incident.remind_at <= now):
            return self._reminded(incident, now)
        if incident.update_at and incident.update_at <= now:
            grown = replace(incident, update_at=None)
            rows = self._tell(Announcement.UPDATE, grown, now)
            return self._keep(grown) + Changes(outgoing=rows)
        return Changes()

    def _still_muted(self, incident: Incident, now: datetime) -> Muted | None:
        if asked := self._quiet.over_all(incident, now):
            return asked
        if incident.announced:
            return None
        if flapping.is_on(incident) and not flapping.is_calm(incident, now):
            return Muted(Mute.FLAPPING, REASONS[Mute.FLAPPING])
        slow = incident.severity is Severity.DEGRADED and not incident.cause
        if slow and all(incidents.is_down(self._book, endpoint_of(c)) for c in incident.active):
            return Muted(Mute.DOWN, REASONS[Mute.DOWN])
        return None

    def _told_at_last(self, incident: Incident, now: datetime) -> Changes:
        """Kept silent, and it outlasts the reason."""
        told = incidents.told(incident, now, self._settings.remind)
        if told.series and flapping.is_on(told):
            told = replace(told, series=replace(told.series, ended=now))
        rows = self._tell(Announcement.OPENED, told, now, wait=False)
        return self._keep(told) + Changes(outgoing=rows)

    def _reminded(self, incident: Incident, now: datetime) -> Changes:
        if incident.acked:
            return self._keep(replace(incident, muted=None, remind_at=None))
        told = incidents.reminded(replace(incident, muted=None), now, self._settings.remind)
        rows = self._tell(Announcement.REMINDER, told, now, wait=False)
        return self._keep(told) + Changes(outgoing=rows)

    def _calmed(self, incident: Incident, now: datetime) -> Changes:
        if not flapping.is_on(incident) or not flapping.is_calm(incident, now):
            return Changes()
        assert incident.series is not None
        calm = replace(incident, series=replace(incident.series, ended=now))
        return self._keep(calm) + Changes(
            outgoing=self._tell(Announcement.CALM, calm, now, wait=False)
        )

    def silence(self, silence: Silence, now: datetime) -> Changes:
        """From now on; ending one is a silence until now."""
        self._quiet = self._quiet.silenced(silence, now)
        return self.remind(now)

    def ack(self, number: int, at: datetime, text: str = "") -> Changes:
        """Somebody knows of it: no more reminders. Twice is once."""
        incident = self._book.open.get(number)
        if incident is None or incident.acked:
            return Changes()
        return self._keep(incidents.acked(incident, at, text))

    def note(self, number: int, at: datetime, text: str, stored: Incident | None = None) -> Changes:
        """A person's words in the timeline; `stored` is an incident that is over. Twice is once."""
        incident = self._book.open.get(number) or self._past.get(number) or stored
        if incident is None:
            return Changes()
        if any(entry.at == at and entry.text == text for entry in incident.timeline):
            return Changes()
        noted = incidents.annotated(incident, at, text)
        kept = number in self._book.open or number in self._past
        return self._keep(noted) if kept else Changes(incidents=(noted,))

    def forget(self, known: Iterable[str], now: datetime) -> Changes:
        """Checks that left the config can no longer recover: let go of them, without a message."""
        known = set(known)
        for check in self._latest.keys() - known:
            del self._latest[check]
        self._windows.forget(known)
        rules = {rule.name for rule in self._rules}
        gone = {key for key in self._states if key[0] not in known or key[1] not in rules}
        changes = Changes()
        for key in sorted(gone):
            state = self._states.pop(key)
            incident = self._book.open.get(state.incident or 0)
            if incident and state.check in incident.active:
                changes += self._keep(incidents.leave(incident, state.check, now))
            changes += Changes(states=(AlertState(check=state.check, rule=state.rule),))
        return changes

    def working(self, service: str) -> tuple[str, ...]:
        """Endpoint paths (`service/endpoint`) that answer now, those without any fault first."""
        return looks.working(service, self._latest, self._states.values())

    def downtime(self, incident: Incident, now: datetime) -> timedelta:
        """How long its base URLs were down this month (UTC), maintenance aside."""
        return looks.downtime(incident, self._kin(), self._settings.maintenance, now)

    def _tell(
        self, what: Announcement, incident: Incident, at: datetime, *, wait: bool = True
    ) -> tuple[Outgoing, ...]:
        storm = wait and looks.is_storm(self._states.values(), self._latest, at)
        held = self._settings.wait * (1 + storm) if wait else timedelta(0)
        return tuple(
            Outgoing(
                channel=channel.id,
                what=what,
                severity=incident.severity,
                incident=incident.id,
                created=at,
                not_before=at + held,
            )
            for channel in self._channels
            if _wants(channel, incident.severity, incident.service)
        )


def _wants(channel: Channel, severity: Severity, service: str | None) -> bool:
    return severity in channel.only and (
        not channel.services or service is None or service in channel.services
    )
