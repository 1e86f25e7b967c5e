"""Log lines of incidents: one when an incident opens, changes or closes."""

import logging

from monitor.logs import quoted
from monitor.model import EntryKind, Incident, TimelineEntry

log = logging.getLogger(__name__)


def log_incident(before: Incident | None, after: Incident) -> None:
    """Log what is new in the timeline; a run that was only counted is no news."""
    known = before.timeline if before else ()
    for entry in after.timeline:
        if entry not in known:
            _write(after, entry)


def _write(incident: Incident, entry: TimelineEntry) -> None:
    length = entry.at - incident.opened
    parts = {
        "number": incident.id,
        "what": entry.what.value,
        "severity": incident.severity.value,
        "service": incident.service,
        "check": entry.check,
        "kind": entry.kind and entry.kind.value,
        "open_s": round(length.total_seconds()) if entry.what is EntryKind.RESOLVED else None,
        "why": quoted(entry.text) if entry.text else None,
    }
    level = logging.WARNING if entry.what is EntryKind.OPENED else logging.INFO
    log.log(
        level,
        "event=incident %s",
        " ".join(f"{key}={value}" for key, value in parts.items() if value is not None),
    )
