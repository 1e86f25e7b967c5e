"""Turns a result into alerts: one result in, all that it changes out. No IO; `_judge_by` has the steps.

What the engine holds is in `AlertChanges` too, so the store can keep a copy, and a restart goes on as
if nothing had happened.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.alerts import (
    downtime,
    flapping,
    incident_events,
    incidents,
    lifecycle,
    machine,
    mute,
    routing,
    self_alerts,
    votes,
)
from monitor.alerts.alert_changes import NO_CHANGES, AlertChanges
from monitor.alerts.failure_streaks import FailureStreaks, last_kinds
from monitor.alerts.flapping import is_on
from monitor.alerts.incident_events import Describe
from monitor.alerts.incidents import Book, service_of
from monitor.alerts.lifecycle import TimedChange
from monitor.alerts.machine import step
from monitor.alerts.measurement_gaps import MeasurementGaps
from monitor.alerts.mute import Muted, Quiet
from monitor.alerts.policies import default_rules, policies
from monitor.alerts.sliding_window import RecentRuns, SlidingWindows
from monitor.alerts.voters import QuorumSettings, Voters
from monitor.alerts.votes import Recount
from monitor.language import language
from monitor.model import (
    NOT_HEARD,
    UNWATCHED,
    AlertSettings,
    AlertState,
    Channel,
    Event,
    Failure,
    Fault,
    Fired,
    Incident,
    Maintenance,
    Notice,
    NotificationType,
    OutboxMessage,
    Outcome,
    Phase,
    Resolved,
    RestartState,
    Result,
    Rule,
    RunHistory,
    Severity,
    Silence,
    Unmeasured,
    Verdict,
    Webhook,
)

_UNHEARD = timedelta(hours=1)
"""What only vantages saw bad that are silent for so long ends, as not known."""
_OF_OUTCOME = {
    Outcome.DOWN: frozenset({Severity.DOWN, Severity.PARTIAL}),
    Outcome.DEGRADED: frozenset({Severity.DEGRADED}),
}
"""What a bad run may be evidence of."""
_STORED_TO = timedelta(milliseconds=2)
"""Times are stored in whole milliseconds, so one that is read again may differ by so much."""
OnIncident = Callable[[Incident | None, Incident], None]
"""Called with an incident before a change, None where it is a new one, and after it."""


ALONE = QuorumSettings()


class AlertEngine:
    def __init__(
        self,
        settings: AlertSettings,
        channels: tuple[Channel, ...],
        memory: RestartState,
        *,
        on_incident: OnIncident = lambda _before, _after: None,
        clock_set_by: Callable[[], timedelta] = timedelta,
        voting: QuorumSettings = ALONE,
    ) -> None:
        """`on_incident` is told of every change of an incident, for the log.

        `clock_set_by` says how far the wall clock has been set forward, all in all; `voting` which
        vantages there are.
        """
        self._clock_set_by, self._followed = clock_set_by, clock_set_by()
        self._on_incident = on_incident
        self._states = dict(memory.states)
        self._gaps = MeasurementGaps()
        self._windows = SlidingWindows()
        self._book = Book(
            {incident.id: incident for incident in memory.incidents}, memory.next_incident
        )
        self._closed = {incident.id: incident for incident in memory.recent}
        self._quiet = Quiet(silences=memory.silences)
        self._streaks = FailureStreaks(last_kinds(self._states.values(), self._book))
        self.service_names: Mapping[str, str] = {}
        """Id -> name, of those that have one."""
        self._webhooks: tuple[Webhook, ...] = ()
        self._describe: Describe = lambda *_: ""
        self.voters = Voters(voting)
        self.change(settings, channels, voting)

    def change(
        self,
        settings: AlertSettings,
        channels: tuple[Channel, ...],
        voting: QuorumSettings = ALONE,
    ) -> None:
        """Take other settings, channels and vantages; what is believed stays believed."""
        self.voters.settings = voting
        self._settings, self._channels = settings, channels
        self.language = language(settings.language)
        self._policies = policies(settings)
        self._rules = default_rules(settings)
        self._lengths = {length for policy in self._policies.values() for length in policy.windows}
        self._quiet = replace(
            self._quiet,
            maintenance=settings.maintenance,
            partial=voting.partial,
            main=voting.main,
        )

    def use_webhooks(self, webhooks: tuple[Webhook, ...], describe: Describe) -> None:
        """Tell these webhooks from now on; `describe` writes an event's document."""
        self._webhooks, self._describe = webhooks, describe

    # --- one result -----------------------------------------------------------------------------

    def hear(self, vantage: str, now: datetime, *, blind: bool) -> AlertChanges:
        """Note that a vantage has pushed, by the clock as it is now; `blind` where its own network fails."""
        changes = self._follow_clock()
        self.voters.hear(vantage, now, blind=blind)
        return changes

    def judge(self, result: Result, now: datetime | None = None) -> AlertChanges:
        """Let every policy judge one result. Synchronous: no other result can come in between.

        A result of another vantage that comes late, by `now`, changes no belief; it may be noted in an incident.
        """
        changes = self._follow_clock()
        self.voters.begin(now or result.at)
        if self.voters.is_late(result, now or result.at):
            return changes + self._heard_late(result)
        self._see(result)
        history = RecentRuns(result, self._windows)
        for rule in self._rules:
            if result.vantage not in self.voters.settings.places or not _is_of_one_vantage(rule):
                changes += self._judge_by(rule, history)
        return changes

    def _heard_late(self, result: Result) -> AlertChanges:
        """Note what a vantage saw bad while it was not heard, in the incident of that time; nobody is told."""
        failure, changes = result.failure, NO_CHANGES
        if failure is None or failure.kind.row.fault not in {Fault.ENDPOINT, Fault.PATH}:
            return changes
        for incident in self._known_incidents():
            if incident.severity not in _OF_OUTCOME.get(result.outcome, ()) or incident.cause:
                continue
            noted = incidents.heard_late(
                incident, result.check, result.at, result.vantage, failure.kind
            )
            if noted == incident:
                continue
            self._on_incident(incident, noted)
            if noted.closed:
                self._closed[noted.id] = noted
            else:
                self._book = self._book.put(noted)
            changes += AlertChanges(incidents=(noted,))
        return changes

    def _has_ended_since(self, rule: Rule, result: Result) -> bool:
        """Say whether a run began before the end of an incident of its check: it is of that one, and opens no other."""
        if self.voters.is_alone or _is_of_one_vantage(rule):
            return False
        return any(
            incident.closed is not None
            and result.at <= incident.closed
            and result.check in incident.checks
            and incidents.is_of_rule(incident, rule)
            for incident in self._closed.values()
        )

    def _judge_by(self, rule: Rule, history: RunHistory) -> AlertChanges:
        result, policy = history.latest, self._policies[rule.name]
        key = (result.check, result.vantage, rule.name)
        before = self._states.get(key)
        is_decided_here = self.voters.is_alone or _is_of_one_vantage(rule)
        number = self._number_of(result.check, rule, before)

        # 1. Judge: is it bad now?
        verdict = policy.judge(history)
        is_calm = verdict is not Verdict.BAD and (before is None or before.phase is Phase.UP)
        if is_calm and (is_decided_here or number is None):
            return NO_CHANGES
        failure = policy.why(history) if verdict is Verdict.BAD else None

        # 2. Step the machine: since when, and is it believed?
        before = before or AlertState(check=result.check, vantage=result.vantage, rule=rule.name)
        state, events = step(rule, before, verdict, result.at)
        own = events[0] if events else None
        if state != before:
            self._states[key] = state
        self._streaks.note(key, state, verdict, result)

        # 3. Vote: what do all vantages together make of it?
        event: Event | Recount | None = own
        if not is_decided_here:
            incident = self._book.open.get(number or 0)
            event = votes.decide(rule, result, own, failure, incident, self._states, self.voters)

        # 4 to 6. Only what is newly believed, over, or bad once more concerns an incident.
        changes = NO_CHANGES
        if isinstance(event, Fired) and failure:
            changes = self._fired(rule, event, failure, result)
        elif isinstance(event, Recount):
            changes = self._recounted(event, number or 0, result.at)
        elif isinstance(event, Resolved):
            changes = self._resolved(event, number or 0, result.at)
        if failure and before.is_believed_bad and before.incident and not changes.incidents:
            changes += self._failed_again(rule, before.incident, result, failure)

        if changes.incidents and state.is_believed_bad:
            state = replace(state, incident=changes.incidents[-1].id)
        if state == before:
            return changes
        self._states[key] = state
        adopted = (other for other in changes.states if other.key != key)
        return replace(changes, states=(*adopted, state))

    def _fired(self, rule: Rule, event: Fired, failure: Failure, result: Result) -> AlertChanges:
        """Take in a check that is newly believed bad: one incident more, or one that grows."""
        now, key = result.at, (event.check, result.vantage, rule.name)
        if rule.notice:
            return self._notice_once(rule, event, failure, now)
        if self._has_ended_since(rule, result):
            return self._heard_late(result)

        # 4. Muted? Only what is muted alike shares an incident.
        past = self._known_incidents()
        muted = mute.why_muted(rule, event, now, quiet=self._quiet, book=self._book, past=past)

        # 5. Place it in an incident.
        incident, news, changes = self._place(rule, event, failure, muted, now)
        incident = routing.with_channels_told(self._channels, news, incident)
        runs = self._streaks.take(key, failure.kind)
        for kind, number in runs.items():
            incident = incidents.count(incident, kind, number)
        changes += self._keep(incident, now)
        changes += self._adopt(event, incident.id, but=result.vantage)

        # 6. Whom to tell?
        return changes + self._tell(news, incident, now)

    def _adopt(self, event: Fired, number: int, but: str) -> AlertChanges:
        """Let the beliefs of the other vantages that see it bad belong to its incident too."""
        keys = ((event.check, place, event.rule) for place in event.bad_from if place != but)
        states = tuple(
            replace(self._states[key], incident=number) for key in keys if key in self._states
        )
        self._states.update((state.key, state) for state in states)
        return AlertChanges(states=states)

    def _place(
        self, rule: Rule, event: Fired, failure: Failure, muted: Muted | None, now: datetime
    ) -> tuple[Incident, NotificationType | None, AlertChanges]:
        """Return the incident with the check in it, what is told of it, and what ends because of it."""
        muted_by = muted.by if muted else None
        before = (
            incidents.same_url(self._book, event, rule, muted_by)
            or incidents.home(self._book, event, rule, muted_by)
            or flapping.swept_along(self._book, event, rule, muted_by)
        )
        if before and before.muted is muted_by:
            joined = _joined(before, event, failure)
            grown = lifecycle.grown(before, joined, now, self._settings.wait)
            return grown, None, NO_CHANGES
        if before:
            # In one message with the others, which ends what was told of coming and going.
            joined = lifecycle.series_ended(_joined(before, event, failure), now)
            ended = self._end_series(event, rule, now, but=before.id)
            ended += self._superseded(ended.incidents, joined, now)
            if before.announced:
                return lifecycle.grown(before, joined, now, self._settings.wait), None, ended
            announced = incidents.announced(joined, now, self._settings.remind)
            return announced, NotificationType.OPENED, ended

        incident = incidents.begin(self._book, event, rule, failure)
        series = flapping.series(self._known_incidents(), event, rule, muted_by)
        if series:
            # The newest incident carries the series; the first one that is not told says so.
            ended = self._end_series(event, rule, now)
            heard = routing.heard_of_series(self._channels, self._known_incidents(), series.event)
            series = replace(series, event=series.event or incident.id)
            incident = replace(incident, series=series, told_to=heard)
            incident = mute.muted(incident, mute.COMES_AND_GOES, now)
            ended += self._superseded(ended.incidents, incident, now)
            news = None if muted else NotificationType.FLAPPING
            return replace(incident, announced=False), news, ended
        if muted:
            incident = mute.muted(incident, muted, now)
            return replace(incident, announced=False), None, NO_CHANGES
        announced = incidents.announced(incident, now, self._settings.remind)
        return announced, NotificationType.OPENED, NO_CHANGES

    def _recounted(self, recount: Recount, number: int, now: datetime) -> AlertChanges:
        """Take in who sees a check bad that stays believed bad: perhaps more vantages than before, or fewer."""
        before = self._book.open[number]
        timed = votes.recounted(before, recount, now)
        if timed.incident == before:
            return NO_CHANGES
        incident = routing.with_channels_told(self._channels, timed.news, timed.incident)
        return self._keep(incident, now) + self._tell(timed.news, incident, now)

    def _resolved(self, event: Resolved, number: int, now: datetime) -> AlertChanges:
        """Take in a check that is believed good again; with the last one its incident ends."""
        incident = self._book.open.get(number)
        if incident is None:
            return NO_CHANGES
        incident = incidents.leave(incident, event.check, event.at)
        if incident.closed and incident.series and flapping.is_on(incident):
            incident = replace(incident, series=flapping.added(incident.series, incident))
        is_news = incident.closed is not None and incident.announced
        news = NotificationType.RESOLVED if is_news else None
        return self._keep(incident, now) + self._tell(news, incident, now)

    def _failed_again(
        self, rule: Rule, number: int, result: Result, failure: Failure
    ) -> AlertChanges:
        """Count one more bad run of an incident, and note its cause where that is a new one."""
        key = (result.check, result.vantage, rule.name)
        is_new = self._streaks.is_new(key, failure.kind)
        incident = self._book.open.get(number)
        if incident is None:
            return NO_CHANGES
        incident = incidents.count(incident, failure.kind)
        if is_new:
            incident = incidents.change_cause(incident, result.check, result.at, failure)
        return self._keep(incident, result.at)

    def _notice_once(
        self, rule: Rule, event: Fired, failure: Failure, now: datetime
    ) -> AlertChanges:
        """Tell it once for all checks of a service, without an incident."""
        service = service_of(event.check)
        is_known = any(
            state.rule == rule.name
            and state.is_believed_bad
            and service_of(state.check) == service
            and state.check != event.check
            for state in self._states.values()
        )
        if is_known:
            return NO_CHANGES
        name = self.service_names.get(service, service)
        text = self_alerts.told_once(failure, name, self.language)
        return AlertChanges(outgoing=self.notice(Notice(text), now))

    # --- time, and what people ask --------------------------------------------------------------

    def remind(self, now: datetime) -> AlertChanges:
        """Apply what time alone brings: mutes that begin or end, reminders, escalation, the calm after a storm."""
        changes = self._follow_clock()
        for incident in list(self._book.open.values()):
            silent = self.voters.silent_for(incident.places, now)
            if silent >= _UNHEARD:
                dropped = incidents.dropped(incident, now, NOT_HEARD)
                news = NotificationType.RESOLVED if dropped.announced else None
                changes += self._keep(dropped, now) + self._tell(news, dropped, now)
            if silent:
                continue
            timed = lifecycle.look_at(
                incident, now, quiet=self._quiet, book=self._book, remind=self._settings.remind
            )
            changes += self._apply(timed, now)
        for incident in list(self._book.open.values()):
            changes += self._escalate(incident, now)
        for number in sorted(self._closed):
            if flapping.is_on(self._closed[number]):
                changes += self._apply(lifecycle.calmed(self._closed[number], now), now)
        return changes

    def _apply(self, timed: TimedChange | None, now: datetime) -> AlertChanges:
        """Apply what time brought. It waits for no other news: it has waited."""
        if timed is None:
            return NO_CHANGES
        incident = routing.with_channels_told(self._channels, timed.news, timed.incident)
        rows = routing.messages(self._channels, timed.news, incident, now)
        return self._keep(incident, now) + AlertChanges(outgoing=rows)

    def _escalate(self, incident: Incident, now: datetime) -> AlertChanges:
        """Tell channels that wait, and webhooks that wait or are new, of what goes on."""
        escalated, rows = routing.escalated(self._channels, incident, now)
        heard = incident_events.with_webhooks_told(self._webhooks, escalated, now)
        if heard == incident:
            return NO_CHANGES
        return self._keep(heard, now) + AlertChanges(outgoing=rows)

    def silence(self, silence: Silence, now: datetime) -> AlertChanges:
        """Silence a target from now on; ending a silence is one until now."""
        self._quiet = self._quiet.silenced(silence, now)
        return self.remind(now)

    def ack(self, number: int, at: datetime, text: str = "") -> AlertChanges:
        """Note that somebody knows of it: no more reminders. Twice is once."""
        incident = self._book.open.get(number)
        if incident is None or incident.acked:
            return NO_CHANGES
        acked = self._keep(incidents.acked(incident, at, text), at)
        if not incident.announced:
            return acked
        rows = routing.acknowledgements(self._channels, acked.incidents[0], at)
        return acked + AlertChanges(outgoing=rows)

    def note(
        self, number: int, at: datetime, text: str, stored: Incident | None = None
    ) -> AlertChanges:
        """Put a person's words into the timeline; `stored` is an incident that is over. Twice is once."""
        incident = self._book.open.get(number) or self._closed.get(number) or stored
        if incident is None:
            return NO_CHANGES
        if any(entry.at == at and entry.text == text for entry in incident.timeline):
            return NO_CHANGES
        noted = incidents.annotated(incident, at, text)
        is_held = number in self._book.open or number in self._closed
        return self._keep(noted, at) if is_held else AlertChanges(incidents=(noted,))

    def notice(self, notice: Notice, at: datetime) -> tuple[OutboxMessage, ...]:
        """Return what is told about the monitor itself, for each channel that wants to hear of it."""
        return routing.notices(self._channels, notice, at)

    def end_begun(self, begun: Iterable[OutboxMessage], at: datetime) -> tuple[OutboxMessage, ...]:
        """End what an earlier daemon told of itself, where a channel still holds it."""
        text = self_alerts.started_again(self.language)
        return routing.ended_by_start(self._channels, begun, text, at)

    def warn_of_budget(self, service: str, why: str, at: datetime) -> tuple[OutboxMessage, ...]:
        name = self.service_names.get(service, service)
        return self.notice(Notice(self_alerts.budget_warning(name, why, self.language)), at)

    # --- what was before, and what leaves -------------------------------------------------------

    def needs_since(self, now: datetime) -> datetime:
        """Return from when on `seed` wants every result: as far as windows and suspicions reach back."""
        window = max(self._lengths, default=timedelta(0))
        suspected = (
            state.since - _STORED_TO
            for state in self._states.values()
            if state.phase is Phase.SUSPECT and state.since
        )
        return min([now - window, *suspected])

    def seed(self, results: Iterable[Result]) -> None:
        """Take in what the store knows, oldest first: it is known, and not judged again."""
        for result in results:
            self._see(result)
            history = RecentRuns(result, self._windows)
            for rule in self._rules:
                key = (result.check, result.vantage, rule.name)
                state = self._states.get(key)
                if state and state.phase is Phase.SUSPECT and state.since:
                    counts = result.at >= state.since - _STORED_TO
                    verdict = self._policies[rule.name].judge(history) if counts else Verdict.NONE
                    self._streaks.note(key, state, verdict, result)

    def forget(self, known: Iterable[str], now: datetime) -> AlertChanges:
        """Let go of checks that left the config; that they are no longer watched ends what was told."""
        known = set(known)
        self._gaps.forget(known)
        self._windows.forget(known)
        self.voters.forget(known)
        rules = {rule.name for rule in self._rules}
        vantages = {*self.voters.vantages}
        gone = {
            (check, vantage, rule)
            for check, vantage, rule in self._states
            if check not in known or vantage not in vantages or rule not in rules
        }
        changes = NO_CHANGES
        for key in sorted(gone):
            state = self._states.pop(key)
            incident = self._book.open.get(state.incident or 0)
            if incident and state.check in incident.active and not self._bad_elsewhere(state):
                is_watched = state.check in known and state.rule in rules
                why = NOT_HEARD if is_watched else UNWATCHED
                incident = incidents.leave(incident, state.check, now, why)
                is_news = incident.closed is not None and incident.announced
                news = NotificationType.RESOLVED if is_news else None
                changes += self._keep(incident, now) + self._tell(news, incident, now)
            calm = AlertState(check=state.check, vantage=state.vantage, rule=state.rule)
            changes += AlertChanges(states=(calm,))
        for incident in self.open_incidents:
            heard = incidents.seen_from_these(incident, vantages)
            if heard != incident:
                changes += self._keep(heard, now)
        return changes

    def _bad_elsewhere(self, state: AlertState) -> bool:
        """Say whether another vantage holds the same incident open for the same check."""
        return any(
            other.incident == state.incident and other.check == state.check
            for other in self._states.values()
        )

    # --- questions ------------------------------------------------------------------------------

    def in_maintenance(self, check: str, at: datetime) -> Maintenance | None:
        return self._quiet.in_maintenance(check, at)

    def suspects(self, check: str) -> bool:
        """Say whether some rule has seen something bad and does not believe it yet.

        Never true of a check that is believed to be down: what is down is no verdict for the other
        rules, so their suspicions would last as long as the outage.
        """
        own = self.voters.settings.own
        down = self._states.get((check, own, "down"))
        if down and down.is_believed_bad:
            return False
        return any(
            (state := self._states.get((check, own, rule.name))) and state.phase is Phase.SUSPECT
            for rule in self._rules
        )

    @property
    def summary(self) -> str:
        """Return how many incidents are open, for somebody far away."""
        number = len(self._book.open)
        return "all is well" if not number else f"{number} open incidents"

    @property
    def is_blind(self) -> bool:
        """Say whether we could not see of late; then it may be that we cannot tell either.

        The first run that measures something again ends it, though its incident goes on until each check has run.
        """
        return not self._gaps.sees and any(
            incident.severity is Severity.MONITOR and not incident.cause
            for incident in self._book.open.values()
        )

    @property
    def open_incidents(self) -> tuple[Incident, ...]:
        return tuple(self._book.open.values())

    def doubted_by(self, check: str, now: datetime) -> frozenset[str]:
        """Return the vantages that begin to see a check otherwise than before; see `Voters`."""
        return self.voters.doubted_by(check, self._rules, self._states, now)

    def seen_well_from(self, incident: Incident, now: datetime) -> tuple[str, ...]:
        """Return the vantages from which all works now that is down from others."""
        if not incident.is_of_path:
            return ()
        rule = next((rule for rule in self._rules if incidents.is_of_rule(incident, rule)), None)
        if rule is None:  # it left the configuration, and its incident is about to end
            return ()
        return votes.seen_well_from(incident, rule, self._states, self.voters, now)

    def unmeasured(self, incident: Incident, now: datetime) -> dict[str, Unmeasured]:
        """Return, by check, what an incident takes for bad, and no vantage can measure now that saw it so."""
        if incident.severity is Severity.MONITOR:
            return {}
        gaps = {
            check: self._gaps.gap(incident, check, self.voters, now) for check in incident.active
        }
        return {check: gap for check, gap in gaps.items() if gap}

    def downtime(self, incident: Incident, now: datetime) -> timedelta:
        """Return how long its base URLs were down this month (UTC), maintenance aside."""
        maintenance = self._settings.maintenance
        return downtime.downtime(incident, self._known_incidents(), maintenance, now)

    # --- what it holds --------------------------------------------------------------------------

    def _see(self, result: Result) -> None:
        self.voters.see(result)
        self._gaps.note(result, is_own=result.vantage == self.voters.settings.own)
        planned = self.in_maintenance(result.check, result.at) is not None
        self._windows.add(result, self._lengths, in_maintenance=planned)

    def _follow_clock(self) -> AlertChanges:
        """Put the times of all that goes on into the new time where the wall clock was set.

        So the length of an incident stays what it was, and reminders come when they would have come.
        """
        total = self._clock_set_by()
        by, self._followed = total - self._followed, total
        if not by:
            return NO_CHANGES
        self.voters.shift(by)
        going_on = [
            incident
            for incident in self._known_incidents()
            if not incident.closed or is_on(incident)
        ]
        changes = AlertChanges(
            incidents=tuple(incidents.shifted(incident, by) for incident in going_on)
        )
        for incident in changes.incidents:
            self._book = self._book.put(incident)
            if incident.closed:
                self._closed[incident.id] = incident
        states = {key: machine.shifted(state, by) for key, state in self._states.items()}
        moved = tuple(state for key, state in states.items() if state != self._states[key])
        self._states = states
        self._gaps.shift(by)
        return replace(changes, states=moved)

    def _number_of(self, check: str, rule: Rule, belief: AlertState | None) -> int | None:
        """Return the incident that a belief belongs to; where others vote, the open one that holds the check, whoever saw it bad."""
        number = belief.incident if belief else None
        if self.voters.is_alone or _is_of_one_vantage(rule):
            return number
        if not self._book.open:
            return None
        keys = ((check, vantage, rule.name) for vantage in self.voters.vantages)
        believed = (self._states[key].incident for key in keys if key in self._states)
        for candidate in (number, *believed):
            incident = self._book.open.get(candidate or 0)
            if incident and check in incident.active:
                return incident.id
        return None

    def _known_incidents(self) -> list[Incident]:
        return [*self._closed.values(), *self._book.open.values()]

    def _keep(self, incident: Incident, now: datetime) -> AlertChanges:
        """Hold an incident as it is now, and return it with what webhooks hear of the change."""
        before = self._book.open.get(incident.id) or self._closed.get(incident.id)
        incident = incident_events.with_webhooks_told(self._webhooks, incident, now)
        self._on_incident(before, incident)
        self._book = self._book.put(incident)
        if incident.closed:
            closed = {**self._closed, incident.id: incident}
            self._closed = downtime.still_needed(closed, incident.closed)
        rows = incident_events.event_rows(self._webhooks, before, incident, now, self._describe)
        return AlertChanges(incidents=(incident,), outgoing=rows)

    def _end_series(
        self, event: Fired, rule: Rule, now: datetime, but: int | None = None
    ) -> AlertChanges:
        """End the series that goes on of the event's base URL, unless incident `but` carries it."""
        changes = NO_CHANGES
        for incident in self._known_incidents():
            is_kin = flapping.is_kin(incident, event.check, rule)
            if is_kin and flapping.is_on(incident) and incident.id != but:
                changes += self._keep(lifecycle.series_ended(incident, now), now)
        return changes

    def _superseded(self, ended: Iterable[Incident], by: Incident, now: datetime) -> AlertChanges:
        """End the events of series that go on as a part of another incident."""
        channels = routing.event_channels(self._channels)
        changes = NO_CHANGES
        for incident in ended:
            if incident.event != by.event:
                rows = routing.messages(channels, NotificationType.RESOLVED, incident, now)
                changes += AlertChanges(outgoing=rows)
        return changes

    def _tell(
        self, news: NotificationType | None, incident: Incident, at: datetime
    ) -> AlertChanges:
        """Return the messages. They wait a little for other news, and twice as long in a storm."""
        if news is None:
            return NO_CHANGES
        is_storm = routing.is_storm(self._states.values(), self._gaps.checks, at)
        hold = self._settings.wait * (1 + is_storm)
        return AlertChanges(outgoing=routing.messages(self._channels, news, incident, at, hold))


def _is_of_one_vantage(rule: Rule) -> bool:
    """Say whether it tells of the monitor itself: what another vantage cannot see is no vote, and no news."""
    return rule.severity is Severity.MONITOR


def _joined(incident: Incident, event: Fired, failure: Failure) -> Incident:
    """Return the incident with the check that is newly believed bad in it."""
    joined = incidents.join(incident, event.check, event.at, failure)
    return incidents.placed(joined, event)
