"""An on-call channel holds one event for each incident, in the state of that incident."""

from collections.abc import Iterator

from seen import Law, Seen
from truth import HOUR

from monitor.model import Incident


def _key(incident: Incident) -> str:
    """Of the event that it is told as: its own, or that of the series in which it comes and goes."""
    return f"local/{incident.service or 'monitor'}/{incident.event}"


def the_state_on_call_is_the_state_of_the_incidents(seen: Seen) -> Iterator[str]:
    """At the end of a quiet time exactly those events are open whose incidents go on and were told.

    What comes and goes may have done so within the last hour.
    """
    open_events = {key for key, page in seen.history.pages.items() if page.ended is None}
    going_on = {
        _key(incident): incident
        for incident in seen.incidents
        if incident.closed is None and incident.announced
    }
    coming = {
        _key(incident)
        for incident in seen.incidents
        if incident.series and (seen.history.decided[incident.id][1] or 0.0) > seen.end - HOUR
    }
    for key in open_events - going_on.keys() - coming:
        yield f"{key} is open on call, and no incident that was told goes on"
    for key in going_on.keys() - open_events:
        yield f"#{going_on[key].id} goes on, and its event {key} is not open on call"


def an_event_is_resolved_when_its_incident_ends(seen: Seen) -> Iterator[str]:
    """No event ends while the incident that opened it goes on."""
    ends: dict[str, float | None] = {}
    for incident in seen.incidents:
        ended, key = seen.history.decided[incident.id][1], _key(incident)
        before = ends.get(key, 0.0)
        ends[key] = None if ended is None or before is None else max(before, ended)
    for key, page in seen.history.pages.items():
        ended = ends.get(key)
        if page.ended is not None and ended is not None and page.ended < ended - 1.0:
            yield f"{key} ended on call at {page.ended:.0f} s, its incident at {ended:.0f} s"


LAWS: tuple[Law, ...] = (
    the_state_on_call_is_the_state_of_the_incidents,
    an_event_is_resolved_when_its_incident_ends,
)
