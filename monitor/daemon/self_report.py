"""Says how the daemon itself is: its health, and what it reports as metrics."""

from collections import Counter
from typing import TYPE_CHECKING

from monitor import __version__
from monitor.alerts import AlertEngine
from monitor.budget import BudgetLedger
from monitor.daemon.dependencies import Dependencies
from monitor.metrics import MonitorState
from monitor.schedule import Schedule
from monitor.web import MetricsReport

if TYPE_CHECKING:
    from monitor.daemon.hub import Hub


def health(deps: Dependencies, schedule: Schedule) -> str | None:
    """Return why somebody should look, or None."""
    return f"store: {deps.store.trouble}" if deps.store.trouble else hung(deps, schedule)


def hung(deps: Dependencies, schedule: Schedule) -> str | None:
    """Return what only a restart would mend, or None."""
    return schedule.trouble() or deps.store_watchdog.trouble()


def metrics_report(
    deps: Dependencies,
    schedule: Schedule,
    ledger: BudgetLedger,
    alerts: AlertEngine,
    hub: "Hub | None",
) -> MetricsReport:
    return lambda accepts: deps.metrics.report(
        monitor_state(deps, schedule, ledger, alerts, hub), accepts
    )


def monitor_state(
    deps: Dependencies,
    schedule: Schedule,
    ledger: BudgetLedger,
    alerts: AlertEngine,
    hub: "Hub | None",
) -> MonitorState:
    config, now = deps.config, deps.clock.now()
    today = now.date()
    waiting = dict.fromkeys(config.targets, 0)
    return MonitorState(
        version=__version__,
        vantage=config.vantage,
        checks=config.checks,
        trouble=health(deps, schedule),
        waiting=waiting | dict(deps.store.undelivered),
        spent={
            **{
                (service.id, config.vantage): ledger.spent(service.id, today)
                for service in config.services
            },
            **{
                (service, vantage): spent
                for vantage, services in deps.store.spent_elsewhere(today).items()
                for service, spent in services.items()
            },
        },
        used=ledger.used(today),
        currency=config.page.currency,
        dropped=deps.store.dropped,
        incidents=Counter(
            (incident.service or "", incident.severity.value)
            for incident in alerts.open_incidents
            if incident.announced and not incident.muted
        ),
        vantages=config.vantages,
        silent={
            vantage.id for vantage in config.vantages if not alerts.voters.is_heard(vantage.id, now)
        },
        agents=hub.known if hub else {},
        ingested=hub.counts.results if hub else {},
        repeated=hub.counts.repeated if hub else {},
        refused=hub.counts.refused if hub else {},
    )
