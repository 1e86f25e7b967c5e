"""What comes and goes is told as one thing: that it does, and how it ended. Pure.

A base URL (for account trouble a service) flaps when its fourth incident of one severity begins
within an hour. From then on its incidents are kept and not told, until nothing has begun or ended
for half an hour.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.alerts.incidents import endpoint_of, service_of
from monitor.model import Fired, FlapSeries, Incident, Rule, Severity

MANY = 4
WITHIN = timedelta(hours=1)
CALM = timedelta(minutes=30)


def going_on(past: Iterable[Incident], fired: Fired, rule: Rule) -> FlapSeries | None:
    """The series that an incident which begins now adds to, counted in."""
    newest = max(_kin(past, fired, rule), key=lambda each: each.id, default=None)
    if newest is None or newest.series is None or not is_on(newest):
        return None
    return replace(newest.series, incidents=newest.series.incidents + 1)


def beginning(past: Iterable[Incident], fired: Fired, rule: Rule) -> FlapSeries | None:
    """The series that an incident which begins now makes of those before it, counted in."""
    recent = [
        each
        for each in _kin(past, fired, rule)
        if fired.at - each.opened < WITHIN and each.series is None and each.muted is None
    ]
    return _begun(recent) if len(recent) >= MANY - 1 else None


def _kin(past: Iterable[Incident], fired: Fired, rule: Rule) -> list[Incident]:
    return [each for each in past if is_kin(each, fired.check, rule)]


def is_on(incident: Incident) -> bool:
    return incident.series is not None and incident.series.ended is None


def is_kin(incident: Incident, check: str, rule: Rule) -> bool:
    if incident.severity is not rule.severity or incident.cause != rule.cause:
        return False
    if rule.severity in {Severity.ACCOUNT, Severity.MONITOR}:
        return incident.service in {None, service_of(check)}
    return endpoint_of(check) in incident.endpoints


def _begun(recent: list[Incident]) -> FlapSeries:
    series = FlapSeries(since=min(each.opened for each in recent), incidents=1)
    for each in recent:
        series = added(replace(series, incidents=series.incidents + 1), each)
    return series


def added(series: FlapSeries, incident: Incident) -> FlapSeries:
    """With what a closed incident of it has cost."""
    if incident.closed is None:
        return series
    runs = Counter(series.failed_runs) + Counter(incident.failed_runs)
    downtime = series.downtime + (incident.closed - incident.opened)
    return replace(series, downtime=downtime, failed_runs=dict(runs))


def is_calm(incident: Incident, now: datetime) -> bool:
    return now - (incident.closed or incident.opened) >= CALM
