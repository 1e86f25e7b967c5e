"""Says what time alone does to an incident: mutes that begin or end, reminders, calm. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.alerts import flapping, incidents, mute
from monitor.alerts.incidents import Book
from monitor.alerts.mute import Quiet
from monitor.model import Incident, NotificationType

UPDATE_AFTER = timedelta(minutes=5)
"""People hear that an incident has grown so long after they heard of it, not at each step."""


@dataclass(frozen=True, slots=True)
class TimedChange:
    """Holds the incident as it is now, and what is told of it, if anything."""

    incident: Incident
    news: NotificationType | None = None


def look_at(
    incident: Incident, now: datetime, *, quiet: Quiet, book: Book, remind: timedelta
) -> TimedChange | None:
    """Return what has changed of an open incident by now; None where nothing has."""
    if muted := mute.still_muted(incident, now, quiet, book):
        if incident.muted is muted.by:
            return None
        return TimedChange(mute.muted(incident, muted, now))
    if not incident.announced:
        return _told_at_last(incident, now, remind)
    if incident.muted or (incident.remind_at and incident.remind_at <= now):
        return _reminded(incident, now, remind)
    if incident.update_at and incident.update_at <= now:
        return TimedChange(incidents.updated(incident), NotificationType.UPDATE)
    return None


def calmed(incident: Incident, now: datetime) -> TimedChange | None:
    """Return the end of a series whose last incident is `incident`, once nothing has come or gone for a while; else None."""
    if not flapping.is_calm(incident, now):
        return None
    return TimedChange(series_ended(incident, now), NotificationType.CALM)


def grown(before: Incident, after: Incident, now: datetime, wait: timedelta) -> Incident:
    """Return `after`, with a time to tell that it has grown: people may have been sent to what is bad now."""
    told = before.told_at
    is_wide = after.severity.is_of_base_urls and not after.muted
    joined = set(after.endpoints) - set(before.endpoints)
    if not (is_wide and told and joined and after.update_at is None):
        return after
    is_in_first_message = now <= told + wait
    return after if is_in_first_message else replace(after, update_at=told + UPDATE_AFTER)


def series_ended(incident: Incident, now: datetime) -> Incident:
    """Return the incident with the end of the series that it carries, if it carries one that goes on."""
    if incident.series is None or not flapping.is_on(incident):
        return incident
    return replace(incident, series=replace(incident.series, ended=now))


def _told_at_last(incident: Incident, now: datetime, remind: timedelta) -> TimedChange:
    """Tell of an incident that was kept silent and outlasts the reason for it."""
    announced = incidents.announced(incident, now, remind)
    return TimedChange(series_ended(announced, now), NotificationType.OPENED)


def _reminded(incident: Incident, now: datetime, remind: timedelta) -> TimedChange:
    if incident.acked:
        return TimedChange(replace(incident, muted=None, remind_at=None))
    told_at = now if incident.muted else incident.told_at
    heard = replace(incident, muted=None, told_at=told_at)
    told = incidents.reminded(heard, now, remind)
    return TimedChange(told, NotificationType.REMINDER)
