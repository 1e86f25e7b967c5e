"""Maintenance as the page shows it: what goes on, and what comes next. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from monitor.model import Maintenance
from monitor.page import formatting
from monitor.page.view_models import MaintenanceView, ServiceView

AHEAD = timedelta(days=7)


def paused_now(known: Sequence[Maintenance], path: str, now: datetime) -> bool:
    return any(each.covers(path) and each.window_at(now) for each in known)


def works(
    known: Sequence[Maintenance], services: Sequence[ServiceView], now: datetime
) -> tuple[MaintenanceView, ...]:
    """Of each the window that is open, else the next within a week; what goes on first."""
    found = [work for each in known for work in _next(each, services, now)]
    return tuple(sorted(found, key=lambda work: (not work.active, work.window)))


def _next(
    maintenance: Maintenance, services: Sequence[ServiceView], now: datetime
) -> Iterator[MaintenanceView]:
    """Nothing where it covers only what is not public."""
    endpoints = [endpoint for service in services for endpoint in service.endpoints]
    covered = [endpoint for endpoint in endpoints if maintenance.covers(endpoint.path)]
    windows = maintenance.windows(now, now + AHEAD)
    if not covered or not windows:
        return
    yield MaintenanceView(
        id=maintenance.id,
        title=formatting.name(maintenance.title, maintenance.id),
        window=windows[0],
        active=windows[0].holds(now),
        endpoints=tuple(endpoint.path for endpoint in covered),
        names=tuple(endpoint.name for endpoint in covered),
        whole=len(covered) == len(endpoints),
    )
