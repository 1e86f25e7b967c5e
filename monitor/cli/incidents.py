"""`monitor incidents`: what happened, and one of them as a timeline."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor.cli.words import COLOURS
from monitor.config import Config
from monitor.model import EntryKind, Incident, MonitorError, Outcome, TimelineEntry
from monitor.model.duration import format_duration
from monitor.model.result_json import failure_document
from monitor.store import Store

_SAID = {
    EntryKind.OPENED: "began",
    EntryKind.JOINED: "spread",
    EntryKind.CAUSE: "changed",
    EntryKind.LEFT: "better",
    EntryKind.RESOLVED: "resolved",
    EntryKind.REMINDED: "reminded",
    EntryKind.MUTED: "muted",
    EntryKind.NOTE: "note",
}


def listed(
    config: Config, *, since: datetime | None, until: datetime | None, still: bool
) -> tuple[Incident, ...]:
    """Newest first; `still` leaves out those that are over."""
    with closing(Store.read_only(config.store)) as reader:
        found = reader.incidents(since=since, until=until)
    return tuple(each for each in found if not still or each.closed is None)


def one(config: Config, number: int) -> Incident:
    with closing(Store.read_only(config.store)) as reader:
        found = reader.incident(number)
    if found is None:
        raise MonitorError(f"there is no incident #{number}; `monitor incidents` lists them")
    return found


def table(incidents: Iterable[Incident], now: datetime) -> Table:
    shown = Table(
        "incident", "since (UTC)", "lasted", "severity", "checks", "why", box=None, pad_edge=False
    )
    for each in incidents:
        shown.add_row(
            f"#{each.id}",
            _moment(each.opened),
            _lasted(each, now),
            Text(each.severity.value, style="dim" if each.closed else COLOURS[Outcome.DOWN]),
            Text(", ".join(each.checks)),
            Text(f"{each.failure.kind.value}: {each.failure.message}"),
        )
    return shown


def timeline(incident: Incident, now: datetime) -> Iterator[Table | Text | str]:
    words = incident.failure.kind.row.words
    yield Text(f"#{incident.id} {incident.severity.value}: {words.label}", style="bold")
    yield Text(f"{_moment(incident.opened)} UTC, lasted {_lasted(incident, now)}")
    yield Text(f"{words.what} {words.remedy}")
    runs = ", ".join(f"{kind} {count}" for kind, count in incident.failed_runs.items())
    yield Text(f"failed runs: {runs or 'none counted'}")
    yield ""
    shown = Table("at (UTC)", "what", "check", "why", box=None, pad_edge=False)
    for entry in incident.timeline:
        shown.add_row(_moment(entry.at), _SAID[entry.what], Text(entry.check or ""), Text(_why(entry)))  # fmt: skip
    yield shown


def _why(entry: TimelineEntry) -> str:
    return ": ".join(part for part in (entry.kind.value if entry.kind else "", entry.text) if part)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _lasted(incident: Incident, now: datetime) -> str:
    length = format_duration((incident.closed or now) - incident.opened)
    return length if incident.closed else f"{length}, open"


def document(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "service": incident.service,
        "severity": incident.severity.value,
        "opened": _utc(incident.opened),
        "closed": incident.closed and _utc(incident.closed),
        "checks": list(incident.checks),
        "failure": failure_document(incident.failure),
    }


def whole(incident: Incident) -> dict[str, Any]:
    """With what happened, oldest first."""
    return document(incident) | {
        "active": sorted(incident.active),
        "failed_runs": dict(incident.failed_runs),
        "timeline": [
            {
                "at": _utc(entry.at),
                "what": entry.what.value,
                "check": entry.check,
                "kind": entry.kind and entry.kind.value,
                "text": entry.text,
            }
            for entry in incident.timeline
        ],
    }


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
