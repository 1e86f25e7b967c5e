"""Says who hears of what, and when: one row of the outbox for each channel that wants it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from monitor.alerts.incidents import endpoint_of, service_of
from monitor.model import (
    AlertState,
    Channel,
    Incident,
    NotificationType,
    OutboxMessage,
    Outcome,
    Phase,
    Severity,
)

_AT_ONCE = timedelta(0)
_STORM_SERVICES = 3
_STORM_WITHIN = timedelta(minutes=2)


def messages(
    channels: Iterable[Channel],
    news: NotificationType | None,
    incident: Incident,
    at: datetime,
    hold: timedelta = _AT_ONCE,
) -> tuple[OutboxMessage, ...]:
    """`hold` is how long they wait for other news; None is no news."""
    if news is None:
        return ()
    return tuple(
        OutboxMessage(
            channel=channel.id,
            what=news,
            severity=incident.severity,
            incident=incident.id,
            created=at,
            not_before=at + hold,
        )
        for channel in channels
        if wants(channel, incident.severity, incident.service)
    )


def notices(
    channels: Iterable[Channel], text: str, at: datetime, but: frozenset[str] = frozenset()
) -> tuple[OutboxMessage, ...]:
    """About the monitor itself, to whoever wants to hear of it; the first line is the title."""
    return tuple(
        OutboxMessage(
            channel=channel.id,
            what=NotificationType.NOTICE,
            severity=Severity.MONITOR,
            incident=None,
            created=at,
            not_before=at,
            text=text,
        )
        for channel in channels
        if wants(channel, Severity.MONITOR, None) and channel.id not in but
    )


def wants(channel: Channel, severity: Severity, service: str | None) -> bool:
    return severity in channel.only and (
        not channel.services or service is None or service in channel.services
    )


def is_storm(states: Iterable[AlertState], latest: Mapping[str, Outcome], now: datetime) -> bool:
    """Says whether most base URLs of three services or more began to fail just now: that has one cause."""
    hit: dict[str, set[str]] = {}
    for state in states:
        is_fresh = state.since and now - state.since <= _STORM_WITHIN
        if state.rule == "down" and is_fresh and state.phase in {Phase.SUSPECT, Phase.BAD}:
            hit.setdefault(service_of(state.check), set()).add(endpoint_of(state.check))
    if len(hit) < _STORM_SERVICES:
        return False
    watched: dict[str, set[str]] = {}
    for check in latest:
        watched.setdefault(service_of(check), set()).add(endpoint_of(check))
    mostly_hit = [
        service for service, bad in hit.items() if 2 * len(bad) > len(watched.get(service, bad))
    ]
    return len(mostly_hit) >= _STORM_SERVICES
