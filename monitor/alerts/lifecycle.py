"""What time alone does to an incident: mutes that begin or end, reminders, calm. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.alerts import flapping, incidents
from monitor.alerts.incidents import Book, endpoint_of
from monitor.alerts.mute import REASONS, Muted, Quiet
from monitor.model import Incident, Mute, NotificationType, Severity

UPDATE_AFTER = timedelta(minutes=5)
"""People hear that an incident has grown so long after they heard of it, not at each step."""


@dataclass(frozen=True, slots=True)
class Passed:
    """The incident as it is now, and what is told of it, if anything."""

    incident: Incident
    what: NotificationType | None = None


def look_at(
    incident: Incident, now: datetime, *, quiet: Quiet, book: Book, remind: timedelta
) -> Passed | None:
    """Of one that is open; None where nothing changed."""
    if muted := _still_muted(incident, now, quiet, book):
        same = incident.muted is muted.by
        return None if same else Passed(incidents.muted(incident, muted, now))
    if not incident.announced:
        return _told_at_last(incident, now, remind)
    if incident.muted or (incident.remind_at and incident.remind_at <= now):
        return _reminded(incident, now, remind)
    if incident.update_at and incident.update_at <= now:
        return Passed(replace(incident, update_at=None), NotificationType.UPDATE)
    return None


def calmed(incident: Incident, now: datetime) -> Passed | None:
    """Of one that is over, and was the last of those that came and went."""
    if not flapping.is_calm(incident, now):
        return None
    return Passed(ended(incident, now), NotificationType.CALM)


def grown(before: Incident, after: Incident, now: datetime, wait: timedelta) -> Incident:
    """People were told of fewer base URLs, and may have been sent to one that is bad now."""
    told = before.told_at
    wide = after.severity in {Severity.DOWN, Severity.DEGRADED} and not after.muted
    new = set(after.endpoints) - set(before.endpoints)
    if not (wide and told and new and after.update_at is None):
        return after
    rendered = now <= told + wait  # it will still be in the first message
    return after if rendered else replace(after, update_at=told + UPDATE_AFTER)


def _still_muted(incident: Incident, now: datetime, quiet: Quiet, book: Book) -> Muted | None:
    if asked := quiet.over_all(incident, now):
        return asked
    if incident.announced:
        return None
    if flapping.is_on(incident) and not flapping.is_calm(incident, now):
        return Muted(Mute.FLAPPING, REASONS[Mute.FLAPPING])
    slow = incident.severity is Severity.DEGRADED and not incident.cause
    if slow and all(incidents.is_down(book, endpoint_of(check)) for check in incident.active):
        return Muted(Mute.DOWN, REASONS[Mute.DOWN])
    return None


def _told_at_last(incident: Incident, now: datetime, remind: timedelta) -> Passed:
    """Kept silent, and it outlasts the reason."""
    told = incidents.told(incident, now, remind)
    return Passed(ended(told, now), NotificationType.OPENED)


def _reminded(incident: Incident, now: datetime, remind: timedelta) -> Passed:
    if incident.acked:
        return Passed(replace(incident, muted=None, remind_at=None))
    told = incidents.reminded(replace(incident, muted=None), now, remind)
    return Passed(told, NotificationType.REMINDER)


def ended(incident: Incident, now: datetime) -> Incident:
    """The series that it may carry goes on no longer."""
    if incident.series is None or not flapping.is_on(incident):
        return incident
    return replace(incident, series=replace(incident.series, ended=now))
