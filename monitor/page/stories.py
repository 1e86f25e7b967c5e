"""Incidents as the page tells them: plain words only, no text from an endpoint. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.model import EntryKind, Incident, Severity, TimelineEntry
from monitor.model.failure import Kind
from monitor.model.words import WHOSE, WORDS, in_sentence
from monitor.page import words
from monitor.page.states import State

STATES = {
    Severity.DOWN: State.MAJOR,
    Severity.DEGRADED: State.DEGRADED,
    Severity.ACCOUNT: State.UNKNOWN,
    Severity.MONITOR: State.UNKNOWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    label: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    id: int
    title: str
    state: State
    severity: Severity
    phase: str
    opened: datetime
    closed: datetime | None
    lasted: str
    label: str
    text: str
    remedy: str
    endpoints: tuple[str, ...]
    """`service/endpoint`."""
    instead: str | None
    updates: tuple[Update, ...]
    """Newest first."""
    failed: tuple[tuple[str, int], ...]


def story(
    incident: Incident, names: Mapping[str, str], instead: str | None, now: datetime
) -> Story:
    """`names` maps a service and each `service/endpoint` to its name."""
    kind = incident.failure.kind
    counted = sorted(incident.failed_runs.items(), key=lambda pair: (-pair[1], pair[0]))
    return Story(
        id=incident.id,
        title=_title(incident, names),
        state=STATES[incident.severity],
        severity=incident.severity,
        phase="Resolved" if incident.closed else "Ongoing",
        opened=incident.opened,
        closed=incident.closed,
        lasted=words.duration((incident.closed or now) - incident.opened),
        label=WORDS[kind].label,
        text=f"{WORDS[kind].what} At fault: {WHOSE[kind.fault]}.",
        remedy=WORDS[kind].remedy,
        endpoints=incident.endpoints,
        instead=instead
        if incident.severity in {Severity.DOWN, Severity.DEGRADED} and not incident.closed
        else None,
        updates=tuple(_update(entry, names) for entry in reversed(incident.timeline)),
        failed=tuple((WORDS[Kind(name)].label, runs) for name, runs in counted),
    )


def _title(incident: Incident, names: Mapping[str, str]) -> str:
    label = in_sentence(WORDS[incident.failure.kind].label)
    if incident.service is None:
        return f"We could not see: {label}" if incident.closed else f"We cannot see: {label}"
    paths = incident.endpoints
    if incident.severity is Severity.ACCOUNT:
        return f"{names.get(incident.service, incident.service)}: {label}"
    where = names.get(paths[0], paths[0]) if len(paths) == 1 else f"{len(paths)} base URLs"
    return f"{where}: {label}"


def _update(entry: TimelineEntry, names: Mapping[str, str]) -> Update:
    where = _where(entry, names)
    why = f" {WORDS[entry.kind].what}" if entry.kind else ""
    label, text = {
        EntryKind.OPENED: ("Began", f"{where} failed.{why}"),
        EntryKind.JOINED: ("Spread", f"{where} failed as well.{why}"),
        EntryKind.CAUSE: ("Changed", f"{where} now fails otherwise.{why}"),
        EntryKind.LEFT: ("Better", f"{where} works again."),
        EntryKind.RESOLVED: ("Resolved", "Everything works again."),
        EntryKind.REMINDED: ("Still going on", "The operator was reminded."),
        EntryKind.MUTED: ("Muted", "Messages are muted."),
        EntryKind.NOTE: ("Note", entry.text),
    }[entry.what]
    return Update(label=label, at=entry.at, text=text)


def _where(entry: TimelineEntry, names: Mapping[str, str]) -> str:
    if entry.check is None:
        return "It"
    path, probe = entry.check.rsplit("/", 1)
    return f"{names.get(path, path)} ({words.PROBES.get(probe, probe).lower()})"
