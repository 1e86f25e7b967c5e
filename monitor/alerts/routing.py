"""Says who hears of what, and when: one row of the outbox for each channel that wants it. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.alerts.channel_format import holds_events, takes_acknowledgement
from monitor.alerts.incidents import endpoint_of, service_of
from monitor.model import (
    AlertState,
    Channel,
    Incident,
    Notice,
    NotificationType,
    OutboxMessage,
    Phase,
    Severity,
    Webhook,
)

_AT_ONCE = timedelta(0)
_BEGINNINGS = {NotificationType.OPENED, NotificationType.FLAPPING}
_GOING_ON = {*_BEGINNINGS, NotificationType.UPDATE, NotificationType.REMINDER}
_STORM_SERVICES = 3
_STORM_WITHIN = timedelta(minutes=2)


def messages(
    channels: Iterable[Channel],
    news: NotificationType | None,
    incident: Incident,
    at: datetime,
    hold: timedelta = _AT_ONCE,
) -> tuple[OutboxMessage, ...]:
    """Return a row for each channel that hears this news of an incident; none where `news` is None.

    `hold` is how long they wait for other news.
    """
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
        if _hears(channel, news, incident)
    )


def _hears(channel: Channel, news: NotificationType, incident: Incident) -> bool:
    """Say whether a channel hears the news: of what it was told, whatever comes of it, and no end of anything else."""
    if news not in _BEGINNINGS and channel.id in incident.told_to:
        return True
    if news not in _GOING_ON:
        return False
    is_first = channel.escalate_after is None
    return is_first and wants(channel, incident.severity, incident.service)


def with_channels_told(
    channels: Iterable[Channel], news: NotificationType | None, incident: Incident
) -> Incident:
    """Return the incident with the channels that are told by this news that it goes on."""
    if news not in _GOING_ON:
        return incident
    hearing = {channel.id for channel in channels if _hears(channel, news, incident)}
    return replace(incident, told_to=incident.told_to | hearing)


def heard_of_series(
    channels: Iterable[Channel], past: Iterable[Incident], event: int
) -> frozenset[str]:
    """Return the channels that were told of this series, and so hear of its end."""
    told_to = {
        name
        for incident in past
        if incident.series and incident.event == event
        for name in incident.told_to
    }
    return frozenset(channel.id for channel in channels if channel.id in told_to)


def escalated(
    channels: Iterable[Channel], incident: Incident, now: datetime
) -> tuple[Incident, tuple[OutboxMessage, ...]]:
    """Tell the channels that wait of an incident that lasts, was told, and that nobody acknowledged."""
    told_at = incident.told_at
    if not incident.announced or incident.closed or incident.acked or incident.muted or not told_at:
        return incident, ()
    late = [
        channel
        for channel in channels
        if channel.escalate_after
        and channel.id not in incident.told_to
        and wants(channel, incident.severity, incident.service)
        and told_at + channel.escalate_after <= now
    ]
    more = frozenset(channel.id for channel in late)
    at_once = [replace(channel, escalate_after=None) for channel in late]
    rows = messages(at_once, NotificationType.OPENED, incident, now)
    return replace(incident, told_to=incident.told_to | more), rows


def notices(channels: Iterable[Channel], notice: Notice, at: datetime) -> tuple[OutboxMessage, ...]:
    """Return what is told about the monitor itself, for each channel that wants to hear of it.

    A channel that waits for escalation hears it only where there is no other one to tell.
    """
    wanting = [
        channel
        for channel in channels
        if wants(channel, Severity.MONITOR, None) and channel.id not in notice.but
    ]
    first = [channel for channel in wanting if channel.escalate_after is None]
    return tuple(
        OutboxMessage(
            channel=channel.id,
            what=notice.what,
            severity=Severity.MONITOR,
            incident=None,
            created=at,
            not_before=at,
            text=notice.text,
            event=notice.event,
        )
        for channel in first or wanting
    )


def ended_by_start(
    channels: Iterable[Channel], begun: Iterable[OutboxMessage], text: str, at: datetime
) -> tuple[OutboxMessage, ...]:
    """End the events of an earlier daemon's own trouble, which the channels still hold."""
    holding = {channel.id for channel in event_channels(channels)}
    return tuple(
        replace(
            row,
            id=0,
            what=NotificationType.RESOLVED,
            created=at,
            not_before=at,
            attempts=0,
            last_error="",
            text=text,
        )
        for row in begun
        if row.channel in holding
    )


def event_channels(channels: Iterable[Channel]) -> tuple[Channel, ...]:
    """Return those that hold events, and so must be told of every end."""
    return tuple(filter(holds_events, channels))


def acknowledgements(
    channels: Iterable[Channel], incident: Incident, at: datetime
) -> tuple[OutboxMessage, ...]:
    """Say that somebody knows of it, to the channels that keep that."""
    can = filter(takes_acknowledgement, channels)
    return messages(can, NotificationType.ACKNOWLEDGED, incident, at)


def wants(channel: Channel | Webhook, severity: Severity, service: str | None) -> bool:
    return severity in channel.only and (
        not channel.services or service is None or service in channel.services
    )


def is_storm(states: Iterable[AlertState], checks: Iterable[str], now: datetime) -> bool:
    """Say whether most base URLs of three services or more began to fail just now: that has one cause.

    `checks` are all that are watched.
    """
    hit: dict[str, set[str]] = {}
    for state in states:
        is_fresh = state.since and now - state.since <= _STORM_WITHIN
        if state.rule == "down" and is_fresh and state.phase in {Phase.SUSPECT, Phase.BAD}:
            hit.setdefault(service_of(state.check), set()).add(endpoint_of(state.check))
    if len(hit) < _STORM_SERVICES:
        return False
    watched: dict[str, set[str]] = {}
    for check in checks:
        watched.setdefault(service_of(check), set()).add(endpoint_of(check))
    mostly_hit = [
        service for service, bad in hit.items() if 2 * len(bad) > len(watched.get(service, bad))
    ]
    return len(mostly_hit) >= _STORM_SERVICES
