"""Log lines of incidents: one when an incident opens, changes or closes."""

import logging
from collections.abc import Iterable

from monitor.logs import quoted
from monitor.model import EntryKind, Incident, TimelineEntry

log = logging.getLogger(__name__)
_REMEMBERED = 1000


class IncidentLog:
    """Remembers what it has logged of the newest incidents, so that counted runs are no news."""

    def __init__(self, known: Iterable[Incident] = ()) -> None:
        self._logged: dict[int, tuple[TimelineEntry, ...]] = {
            incident.id: incident.timeline for incident in known
        }

    def note(self, incident: Incident) -> None:
        """Log each entry of its timeline that was not logged before."""
        logged = self._logged.pop(incident.id, ())
        for entry in incident.timeline:
            if entry not in logged:
                _write(incident, entry)
        self._logged[incident.id] = incident.timeline
        while len(self._logged) > _REMEMBERED:
            del self._logged[next(iter(self._logged))]


def _write(incident: Incident, entry: TimelineEntry) -> None:
    parts = {
        "number": incident.id,
        "what": entry.what.value,
        "severity": incident.severity.value,
        "service": incident.service,
        "check": entry.check,
        "kind": entry.kind and entry.kind.value,
        "open_s": round((entry.at - incident.opened).total_seconds())
        if entry.what is EntryKind.RESOLVED
        else None,
        "why": quoted(entry.text) if entry.text else None,
    }
    level = logging.WARNING if entry.what is EntryKind.OPENED else logging.INFO
    log.log(
        level,
        "event=incident %s",
        " ".join(f"{key}={value}" for key, value in parts.items() if value is not None),
    )
