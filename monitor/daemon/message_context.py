"""Gathers what a message about an incident must know beside the incident, as it is now."""

from collections.abc import Mapping

from monitor.alerts import AlertEngine, Alternatives, Context, find_alternatives
from monitor.config import Config
from monitor.daemon.dependencies import Dependencies
from monitor.model import Endpoint, Incident
from monitor.ranking import covered


def service_names(config: Config) -> dict[str, str]:
    return {service.id: service.name for service in config.services}


def context_of(deps: Dependencies, alerts: AlertEngine, incident: Incident | None) -> Context:
    config, now = deps.config, deps.clock.now()
    endpoints = {endpoint.path: endpoint for endpoint in config.endpoints}
    return Context(
        now=now,
        services=service_names(config),
        endpoints={path: (endpoint.name, endpoint.url) for path, endpoint in endpoints.items()},
        alternatives=alternatives_to(deps, alerts, incident, endpoints),
        unmeasured=alerts.unmeasured(incident, now) if incident else {},
        page_url=config.page.url,
        downtime=alerts.downtime(incident, now) if incident else None,
        durable=deps.store.trouble is None,
        vantage=config.vantage,
        places=config.places(alerts.language),
        well_from=alerts.seen_well_from(incident, now) if incident else (),
        silent=alerts.voters.silent_accusers(incident, now) if incident else {},
        use_from=_reader_of(deps, alerts, incident),
        language=alerts.language,
        timezone=config.alerts.timezone,
    )


def _reader_of(deps: Dependencies, alerts: AlertEngine, incident: Incident | None) -> str | None:
    """Return the other vantage whose users need an alternative; None where the daemon's own speaks for all."""
    if incident is None or not incident.is_partial or deps.config.vantage in incident.places:
        return None
    mains = {vantage.id for vantage in deps.config.vantages if vantage.main}
    silent = alerts.voters.silent_accusers(incident, deps.clock.now())
    return min(
        incident.places,
        key=lambda place: (place in silent, place not in mains, place),
        default=None,
    )


def alternatives_to(
    deps: Dependencies,
    alerts: AlertEngine,
    incident: Incident | None,
    endpoints: Mapping[str, Endpoint],
) -> Alternatives:
    if incident is None or incident.service is None:
        return Alternatives()
    now, vantage = deps.clock.now(), _reader_of(deps, alerts, incident) or deps.config.vantage
    answers = deps.answers.of_service(incident.service, now, vantage)
    return find_alternatives(
        incident,
        endpoints,
        answers,
        covered(alerts.open_incidents, vantage),
        now,
        streaming={path for path in answers if deps.answers.streams(path)},
        paused={path for path in answers if alerts.in_maintenance(path, now)},
    )
