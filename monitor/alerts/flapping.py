"""Tells what comes and goes as one thing: that it does, and how it ended. Pure.

A base URL (for account trouble a service) flaps when its fourth incident of one severity begins
within an hour. From then on its incidents are kept and not told, until nothing has begun or ended
for half an hour.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.alerts import incidents
from monitor.alerts.incidents import Book, endpoint_of, service_of
from monitor.model import Fired, FlapSeries, Incident, Mute, Rule, Severity

MANY = 4
WITHIN = timedelta(hours=1)
CALM = timedelta(minutes=30)


def series(
    past: Iterable[Incident], fired: Fired, rule: Rule, muted: Mute | None
) -> FlapSeries | None:
    """Return the series that an incident which begins now belongs to, counted in; None where it has none."""
    if muted is Mute.FLAPPING:
        return going_on(past, fired, rule)
    return beginning(past, fired, rule) if muted is None else None


def going_on(past: Iterable[Incident], fired: Fired, rule: Rule) -> FlapSeries | None:
    """Return the series that an incident which begins now adds to, counted in."""
    newest = max(_kin(past, fired, rule), key=lambda incident: incident.id, default=None)
    if newest is None or newest.series is None or not is_on(newest):
        return None
    return replace(newest.series, incidents=newest.series.incidents + 1)


def beginning(past: Iterable[Incident], fired: Fired, rule: Rule) -> FlapSeries | None:
    """Return the series that an incident which begins now makes of those before it, counted in."""
    recent = [
        incident
        for incident in _kin(past, fired, rule)
        if fired.at - incident.opened < WITHIN
        and incident.series is None
        and incident.muted is None
    ]
    return _begun(recent) if len(recent) >= MANY - 1 else None


def swept_along(book: Book, fired: Fired, rule: Rule, muted: Mute | None) -> Incident | None:
    """Return the incident of others that break at the same moment as a base URL that comes and goes.

    What breaks together has one cause, whether it flapped before or not.
    """
    mixes = {None: Mute.FLAPPING, Mute.FLAPPING: None}
    return incidents.home(book, fired, rule, mixes[muted]) if muted in mixes else None


def _kin(past: Iterable[Incident], fired: Fired, rule: Rule) -> list[Incident]:
    return [incident for incident in past if is_kin(incident, fired.check, rule)]


def is_on(incident: Incident) -> bool:
    """Say whether it carries a series that goes on."""
    return incident.series is not None and incident.series.ended is None


def is_kin(incident: Incident, check: str, rule: Rule) -> bool:
    """Say whether a check that is bad by this rule would belong to the same series as an incident."""
    if not incidents.is_of_rule(incident, rule):
        return False
    if rule.severity in {Severity.ACCOUNT, Severity.MONITOR}:
        return incident.service in {None, service_of(check)}
    return endpoint_of(check) in incident.endpoints


def _begun(recent: list[Incident]) -> FlapSeries:
    begun = FlapSeries(since=min(incident.opened for incident in recent), incidents=1)
    for incident in recent:
        begun = added(replace(begun, incidents=begun.incidents + 1), incident)
    return begun


def added(before: FlapSeries, incident: Incident) -> FlapSeries:
    """Return the series with what a closed incident of it has cost."""
    if incident.closed is None:
        return before
    runs = Counter(before.failed_runs) + Counter(incident.failed_runs)
    downtime = before.downtime + (incident.closed - incident.opened)
    return replace(before, downtime=downtime, failed_runs=dict(runs))


def is_calm(incident: Incident, now: datetime) -> bool:
    """Say whether nothing has begun or ended for so long that a series is over."""
    return now - (incident.closed or incident.opened) >= CALM
