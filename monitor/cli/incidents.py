"""`monitor incidents`: show what went wrong."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from monitor.cli.agent_states import snapshot_with_agents
from monitor.cli.console import (
    COLOURS,
    iso_time,
    plain_table,
    show,
    show_json,
    stdout,
    utc_time,
)
from monitor.cli.options import (
    AsJson,
    ConfigPath,
    Since,
    Until,
    incident_number,
    load,
    time_range,
)
from monitor.cli.time_range import TimeArgument
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.incident_gaps import gaps
from monitor.language import ENGLISH
from monitor.model import (
    EntryKind,
    Gap,
    Incident,
    MonitorError,
    Outcome,
    Snapshot,
    TimelineEntry,
)
from monitor.model.duration import format_duration
from monitor.model.result_json import failure_document
from monitor.store import Store

_NINETY_DAYS = TimeArgument("90d", timedelta(days=90))
_ENTRY_WORDS = {
    EntryKind.OPENED: "began",
    EntryKind.JOINED: "spread",
    EntryKind.WIDENED: "from more places",
    EntryKind.NARROWED: "from fewer places",
    EntryKind.CAUSE: "changed",
    EntryKind.LEFT: "better",
    EntryKind.RESOLVED: "resolved",
    EntryKind.REMINDED: "reminded",
    EntryKind.MUTED: "muted",
    EntryKind.HEARD_LATE: "heard later",
    EntryKind.ACKED: "acknowledged",
    EntryKind.NOTE: "note",
}


def command(
    which: Annotated[
        int | None,
        typer.Argument(
            parser=incident_number,
            metavar="N",
            help="The number of an incident, to see its timeline.",
            show_default=False,
        ),
    ] = None,
    path: ConfigPath = None,
    since: Since = _NINETY_DAYS,
    until: Until = None,
    still: Annotated[
        bool, typer.Option("--open", help="Only incidents that are not over.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what went wrong: open incidents and past ones, or the timeline of one."""
    loaded, now = load(path, secrets=Secrets.NONE), SystemClock().now()
    if which is not None:
        incident = read_incident(loaded, which)
        if as_json:
            show_json(full_document(incident, gaps_of(loaded, [incident])))
        else:
            lasts_until, unmeasured = watched_until(loaded, now), gaps_of(loaded, [incident])
            show(timeline(incident, lasts_until, loaded.places(ENGLISH), unmeasured))
        return
    first, last = time_range(since, until)
    # Without --until also what lies in the future: a clock that was set back is no reason to hide it.
    incidents = read_incidents(loaded, since=first, until=last if until else None, only_open=still)
    if as_json:
        unmeasured = gaps_of(loaded, incidents)
        show_json({"incidents": [full_document(incident, unmeasured) for incident in incidents]})
    elif incidents:
        stdout().print(table(incidents, watched_until(loaded, now), gaps_of(loaded, incidents)))
    else:
        typer.echo("No incident goes on." if still else "No incident of that time is known.")


def watched_until(config: Config, now: datetime) -> datetime:
    """Return the last proof that a daemon was alive: how an open incident went on after it is not known."""
    with closing(Store.read_only(config.store)) as reader:
        last = reader.last_seen()
    return min(now, last) if last else now


def read_incidents(
    config: Config, *, since: datetime | None, until: datetime | None, only_open: bool
) -> tuple[Incident, ...]:
    """Return the incidents of a time, newest first."""
    with closing(Store.read_only(config.store)) as reader:
        incidents = reader.incidents(since=since, until=until)
    return tuple(incident for incident in incidents if not only_open or incident.closed is None)


def read_incident(config: Config, number: int) -> Incident:
    """Raises MonitorError where the store has no such incident."""
    with closing(Store.read_only(config.store)) as reader:
        incident = reader.incident(number)
    if incident is None:
        raise MonitorError(f"there is no incident #{number}; `monitor incidents` lists them")
    return incident


def gaps_of(
    config: Config, incidents: Collection[Incident], snapshot: Snapshot | None = None
) -> dict[int, Gap]:
    """Return which of them are not measured now, by the rule of the page.

    The store is read where no `snapshot` is given that holds the agents.
    """
    if all(incident.closed for incident in incidents):
        return {}
    if snapshot is None:
        snapshot = snapshot_with_agents(config, SystemClock().now(), whole=False)
    return gaps(incidents, snapshot, config.checks, config.vantage, config.vantages)


def table(incidents: Iterable[Incident], until: datetime, unmeasured: Mapping[int, Gap]) -> Table:
    """Make the list of incidents; the open ones have lasted `until` then, as far as is known."""
    rows = plain_table("incident", "since (UTC)", "lasted", "severity", "checks", "why")
    for incident in incidents:
        rows.add_row(
            f"#{incident.id}",
            utc_time(incident.opened),
            _length(incident, until, unmeasured.get(incident.id)),
            Text(
                incident.severity.value, style="dim" if incident.closed else COLOURS[Outcome.DOWN]
            ),
            Text(", ".join(incident.checks)),
            Text("; ".join(_reasons(incident))),
        )
    return rows


def timeline(
    incident: Incident,
    until: datetime,
    places: Mapping[str, str],
    unmeasured: Mapping[int, Gap],
) -> Iterator[Table | Text | str]:
    """Tell an incident; `places` are the names of the vantages."""
    why = ENGLISH.reasons(incident.kinds)
    yield Text(f"#{incident.id} {incident.severity.value}: {why}", style="bold")
    gap = unmeasured.get(incident.id)
    yield Text(f"{utc_time(incident.opened)} UTC, lasted {_length(incident, until, gap)}")
    if gap:
        since = f"{utc_time(gap.since)} UTC" if gap.since else ""
        yield Text(f"{ENGLISH.unmeasured(gap.kinds, since)} Before:")
    for reason in _reasons(incident):
        yield Text(reason)
    for kind in incident.kinds:
        is_past = incident.closed is not None or gap is not None
        what = kind.row.was if is_past else kind.row.what
        remedy = "" if incident.closed else kind.row.remedy
        yield Text(f"{what} {remedy}".rstrip())
    runs = ", ".join(f"{kind} {count}" for kind, count in incident.failed_runs.items())
    yield Text(f"failed runs: {runs or 'none counted'}")
    yield ""
    rows = plain_table("at (UTC)", "what", "check", "why")
    for entry in incident.account:
        what = _ENTRY_WORDS[entry.what]
        rows.add_row(utc_time(entry.at), what, Text(entry.check or ""), Text(_why(entry, places)))
    yield rows


def _reasons(incident: Incident) -> list[str]:
    """Return `bad_gateway: got 502`, or one of each base URL where they fail for different reasons."""
    if len(incident.kinds) == 1:
        return [f"{incident.failure.kind.value}: {incident.failure.message}"]
    return [
        f"{path.partition('/')[2]}: {failure.kind.value}: {failure.message}"
        for path, failure in incident.reasons.items()
    ]


def _why(entry: TimelineEntry, places: Mapping[str, str]) -> str:
    place = f"from {places.get(entry.vantage, entry.vantage)}" if entry.vantage else ""
    kind = entry.kind.value if entry.kind else ""
    return ": ".join(part for part in (place, kind, entry.text) if part)


def _length(incident: Incident, until: datetime, gap: Gap | None) -> str:
    length = format_duration(max(timedelta(0), (incident.closed or until) - incident.opened))
    if incident.closed:
        return length
    return f"{length}, not measured now" if gap else f"{length}, open"


def document(incident: Incident, unmeasured: Mapping[int, Gap] | None = None) -> dict[str, Any]:
    """Describe an incident without its timeline; `measured` is there where it was asked which ones are not, `unmeasured`."""
    measured = {} if unmeasured is None else {"measured": incident.id not in unmeasured}
    return measured | {
        "id": incident.id,
        "service": incident.service,
        "severity": incident.severity.value,
        "opened": iso_time(incident.opened),
        "closed": incident.closed and iso_time(incident.closed),
        "checks": list(incident.checks),
        "failure": failure_document(incident.failure),
        "reasons": {path: failure_document(why) for path, why in incident.reasons.items()},
    }


def full_document(
    incident: Incident, unmeasured: Mapping[int, Gap] | None = None
) -> dict[str, Any]:
    """Describe an incident with its timeline, oldest entry first."""
    return document(incident, unmeasured) | {
        "active": sorted(incident.active),
        "partial": sorted(incident.partial & incident.active),
        "bad_from": {check: list(places) for check, places in incident.bad_from.items()},
        "failed_runs": dict(incident.failed_runs),
        "timeline": [
            {
                "at": iso_time(entry.at),
                "what": entry.what.value,
                "check": entry.check,
                "kind": entry.kind and entry.kind.value,
                "text": entry.text,
                "vantage": entry.vantage or None,
            }
            for entry in incident.account
        ],
    }
