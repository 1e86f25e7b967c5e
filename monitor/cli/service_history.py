"""Says what changed at a service: its models, prices and the form of its answers, and what went wrong."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from monitor.cli import incidents
from monitor.cli.console import iso_time, plain_table, utc_time
from monitor.config import Config
from monitor.model import Gap, Incident
from monitor.probes.kinds.models import ModelsProbe
from monitor.probes.kinds.prices import PricesProbe
from monitor.store import Store

_TOGETHER = timedelta(hours=2)
"""What base URLs were found to have changed alike within so long is told as one change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """Holds what one run found otherwise than before."""

    at: datetime
    check: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHistory:
    """Holds what changed and went wrong at a service in a range of time."""

    service: str
    since: datetime
    until: datetime
    changes: tuple[ServiceChange, ...]
    """Oldest first."""
    incidents: tuple[Incident, ...]
    """Oldest first."""
    watched_until: datetime
    unmeasured: Mapping[int, Gap]
    """By number: the open incidents of which nothing is measured now."""


def read_service_history(
    config: Config, service: str, since: datetime, until: datetime, now: datetime
) -> ServiceHistory:
    checks = [check for check in config.checks if check.service == service]
    priced = {check.endpoint.path for check in checks if check.probe.kind == PricesProbe.kind}
    doubled = {  # of models both tell; `prices` has seen it twice
        check.key
        for check in checks
        if check.probe.kind == ModelsProbe.kind and check.endpoint.path in priced
    }
    with closing(Store.read_only(config.store, vantage=config.vantage)) as reader:
        changes = [
            ServiceChange(at=at, check=check, what=evidence.note)
            for check, at, evidence in reader.each_evidence(since=since, until=until)
            if evidence.is_change and check.startswith(f"{service}/") and check not in doubled
        ]
        troubles = reader.incidents(since=since, until=until)
    return ServiceHistory(
        service=service,
        since=since,
        until=until,
        changes=tuple(sorted(changes, key=lambda change: change.at)),
        incidents=tuple(one for one in reversed(troubles) if one.service == service),
        watched_until=incidents.watched_until(config, now),
        unmeasured=incidents.gaps_of(config, troubles),
    )


def document(history: ServiceHistory) -> dict[str, Any]:
    return {
        "service": history.service,
        "since": iso_time(history.since, "milliseconds"),
        "until": iso_time(history.until, "milliseconds"),
        "changes": [
            {
                "at": iso_time(change.at, "milliseconds"),
                "check": change.check,
                "what": change.what,
            }
            for change in history.changes
        ],
        "incidents": [
            incidents.document(incident, history.unmeasured) for incident in history.incidents
        ],
    }


def tables(history: ServiceHistory) -> Iterator[Table | Text | str]:
    title = f"{history.service}, {utc_time(history.since)} to {utc_time(history.until)} UTC"
    yield Text(title, style="bold")
    yield _change_table(history.changes) if history.changes else "No change was noted in that time."
    yield ""
    if history.incidents:
        yield incidents.table(history.incidents, history.watched_until, history.unmeasured)
    else:
        yield "No incident of that time is known."


def _change_table(changes: Iterable[ServiceChange]) -> Table:
    rows = plain_table("at (UTC)", "changed", "what")
    for alike in _together(changes):
        names = dict.fromkeys(change.check.partition("/")[2] for change in alike)
        rows.add_row(utc_time(alike[0].at), Text(", ".join(names)), Text(alike[0].what))
    return rows


def _together(changes: Iterable[ServiceChange]) -> list[list[ServiceChange]]:
    groups: list[list[ServiceChange]] = []
    newest: dict[str, list[ServiceChange]] = {}
    for change in changes:
        group = newest.get(change.what)
        if group is None or change.at - group[0].at > _TOGETHER:
            group = newest[change.what] = []
            groups.append(group)
        group.append(change)
    return groups
