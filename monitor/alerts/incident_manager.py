"""The incidents that are open, those that are over and still needed, and what is told of each. No IO."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.alerts import flapping, incidents, lifecycle, queries
from monitor.alerts.changes import AlertChanges
from monitor.alerts.incidents import Book, endpoint_of
from monitor.alerts.lifecycle import Passed
from monitor.alerts.mute import REASONS, Muted, Quiet
from monitor.alerts.routing import Audience
from monitor.model import (
    AlertSettings,
    Channel,
    Failure,
    FailureKind,
    Fired,
    Incident,
    Maintenance,
    Mute,
    NotificationType,
    OutboxMessage,
    Resolved,
    RestartState,
    Rule,
    Severity,
    Silence,
)


class IncidentManager:
    def __init__(self, memory: RestartState, is_storm: Callable[[datetime], bool]) -> None:
        self.book = Book(
            {incident.id: incident for incident in memory.incidents}, memory.next_incident
        )
        self._past = {incident.id: incident for incident in memory.recent}
        self._unquiet = {each.id for each in memory.recent if flapping.is_on(each)}
        """Of those that are over: what came and went, and is not known to be calm."""
        self._quiet = Quiet(silences=memory.silences)
        self._is_storm = is_storm

    def change(self, settings: AlertSettings, channels: tuple[Channel, ...]) -> None:
        self._settings = settings
        self.audience = Audience(channels)
        self._quiet = replace(self._quiet, maintenance=settings.maintenance)

    def in_maintenance(self, check: str, at: datetime) -> Maintenance | None:
        return self._quiet.in_maintenance(check, at)

    def fired(
        self, rule: Rule, event: Fired, failure: Failure, runs: Counter[FailureKind], now: datetime
    ) -> AlertChanges:
        """A check is believed bad, after so many failed runs: one incident more, or one that grows."""
        muted = self._why_muted(rule, event, now)
        by = muted.by if muted else None
        if found := incidents.home(self.book, event, rule, by):
            incident = incidents.join(found, event.check, event.at, failure)
            incident = lifecycle.grown(found, incident, now, self._settings.wait)
            changes = AlertChanges()
        elif others := self._swept_along(event, rule, by):
            joined = incidents.join(others, event.check, event.at, failure)
            ended = self._end_series(event, rule, now, but=others.id)
            incident, changes = self._told_with_others(others, joined, now)
            changes = ended + changes
        else:
            begun = incidents.begin(self.book, event, rule, failure)
            incident, changes = self._begun(begun, event, rule, muted, now)
        for kind, number in runs.items():
            incident = incidents.count(incident, Failure(kind, ""), number)
        return changes + self._keep(incident)

    def bad_again(
        self, number: int, check: str, failure: Failure, at: datetime, *, is_new: bool
    ) -> AlertChanges:
        """A bad run inside an incident: counted, and noted where its cause `is_new`."""
        incident = self.book.open.get(number)
        if incident is None:
            return AlertChanges()
        incident = incidents.count(incident, failure)
        if is_new:
            incident = incidents.change_cause(incident, check, at, failure)
        return self._keep(incident)

    def resolved(self, event: Resolved, number: int, now: datetime) -> AlertChanges:
        incident = self.book.open.get(number)
        if incident is None:
            return AlertChanges()
        incident = incidents.leave(incident, event.check, event.at)
        if incident.closed and incident.series and flapping.is_on(incident):
            incident = replace(incident, series=flapping.added(incident.series, incident))
        kept = self._keep(incident)
        if incident.closed is None or not incident.announced:
            return kept
        return replace(kept, outgoing=self._news(NotificationType.RESOLVED, incident, now))

    def gone(self, check: str, number: int, now: datetime) -> AlertChanges:
        """A check that nobody asks any more leaves its incident, without a message."""
        incident = self.book.open.get(number)
        if incident is None or check not in incident.active:
            return AlertChanges()
        return self._keep(incidents.leave(incident, check, now))

    def remind(self, now: datetime) -> AlertChanges:
        """What time alone brings: mutes that begin or end, reminders, the calm after a storm."""
        changes = AlertChanges()
        for incident in list(self.book.open.values()):
            remind = self._settings.remind
            passed = lifecycle.look_at(
                incident, now, quiet=self._quiet, book=self.book, remind=remind
            )
            changes += self._passed(passed, now)
        for number in sorted(self._unquiet):
            changes += self._passed(lifecycle.calmed(self._past[number], now), now)
        return changes

    def silence(self, silence: Silence, now: datetime) -> AlertChanges:
        """From now on; ending one is a silence until now."""
        self._quiet = self._quiet.silenced(silence, now)
        return self.remind(now)

    def ack(self, number: int, at: datetime, text: str = "") -> AlertChanges:
        """Somebody knows of it: no more reminders. Twice is once."""
        incident = self.book.open.get(number)
        if incident is None or incident.acked:
            return AlertChanges()
        return self._keep(incidents.acked(incident, at, text))

    def note(
        self, number: int, at: datetime, text: str, stored: Incident | None = None
    ) -> AlertChanges:
        """A person's words in the timeline; `stored` is an incident that is over. Twice is once."""
        incident = self.book.open.get(number) or self._past.get(number) or stored
        if incident is None:
            return AlertChanges()
        if any(entry.at == at and entry.text == text for entry in incident.timeline):
            return AlertChanges()
        noted = incidents.annotated(incident, at, text)
        kept = number in self.book.open or number in self._past
        return self._keep(noted) if kept else AlertChanges(incidents=(noted,))

    def downtime(self, incident: Incident, now: datetime) -> timedelta:
        return queries.downtime(incident, self._kin(), self._settings.maintenance, now)

    def _begun(
        self, incident: Incident, event: Fired, rule: Rule, muted: Muted | None, now: datetime
    ) -> tuple[Incident, AlertChanges]:
        """Told, or not, or told as one that comes and goes."""
        flaps = muted is not None and muted.by is Mute.FLAPPING
        series = (flapping.going_on if flaps else flapping.beginning)(self._kin(), event, rule)
        if series and (flaps or muted is None):
            return self._flaps(replace(incident, series=series), event, rule, muted, now)
        if muted:
            return replace(incidents.muted(incident, muted, now), announced=False), AlertChanges()
        incident = incidents.told(incident, now, self._settings.remind)
        return incident, AlertChanges(outgoing=self._news(NotificationType.OPENED, incident, now))

    def _flaps(
        self, incident: Incident, event: Fired, rule: Rule, muted: Muted | None, now: datetime
    ) -> tuple[Incident, AlertChanges]:
        """The newest incident carries the series; the first one of it that is not told says so."""
        changes = self._end_series(event, rule, now)
        why = Muted(Mute.FLAPPING, REASONS[Mute.FLAPPING])
        incident = replace(incidents.muted(incident, why, now), announced=False)
        if muted is None:
            changes += AlertChanges(outgoing=self._news(NotificationType.FLAPPING, incident, now))
        return incident, changes

    def _swept_along(self, event: Fired, rule: Rule, by: Mute | None) -> Incident | None:
        """What comes and goes by itself, and others, break at one moment: that has one cause."""
        mixes = {None: Mute.FLAPPING, Mute.FLAPPING: None}
        return incidents.home(self.book, event, rule, mixes[by]) if by in mixes else None

    def _told_with_others(
        self, before: Incident, joined: Incident, now: datetime
    ) -> tuple[Incident, AlertChanges]:
        """In their one message, which ends what was told of coming and going."""
        joined = lifecycle.ended(joined, now)
        if before.announced:
            return lifecycle.grown(before, joined, now, self._settings.wait), AlertChanges()
        told = incidents.told(joined, now, self._settings.remind)
        return told, AlertChanges(outgoing=self._news(NotificationType.OPENED, told, now))

    def _end_series(
        self, event: Fired, rule: Rule, now: datetime, but: int | None = None
    ) -> AlertChanges:
        changes = AlertChanges()
        for each in self._kin():
            if flapping.is_on(each) and flapping.is_kin(each, event.check, rule) and each.id != but:
                changes += self._keep(lifecycle.ended(each, now))
        return changes

    def _why_muted(self, rule: Rule, event: Fired, now: datetime) -> Muted | None:
        if asked := self._quiet.over(event.check, now):
            return asked
        slow = rule.severity is Severity.DEGRADED and not rule.cause
        if slow and incidents.is_down(self.book, endpoint_of(event.check)):
            return Muted(Mute.DOWN, REASONS[Mute.DOWN])
        if flapping.going_on(self._kin(), event, rule):
            return Muted(Mute.FLAPPING, REASONS[Mute.FLAPPING])
        return None

    def _kin(self) -> list[Incident]:
        return [*self._past.values(), *self.book.open.values()]

    def _keep(self, incident: Incident) -> AlertChanges:
        self.book = self.book.put(incident)
        if incident.closed:
            past = {**self._past, incident.id: incident}
            self._past = queries.still_needed(past, incident.closed)
            self._unquiet = {number for number, each in self._past.items() if flapping.is_on(each)}
        return AlertChanges(incidents=(incident,))

    def _passed(self, passed: Passed | None, now: datetime) -> AlertChanges:
        """What time brought waits for no other news: it has waited."""
        if passed is None:
            return AlertChanges()
        rows = self.audience.tell(passed.what, passed.incident, now) if passed.what else ()
        return self._keep(passed.incident) + AlertChanges(outgoing=rows)

    def _news(
        self, what: NotificationType, incident: Incident, at: datetime
    ) -> tuple[OutboxMessage, ...]:
        held = self._settings.wait * (1 + self._is_storm(at))
        return self.audience.tell(what, incident, at, held)
