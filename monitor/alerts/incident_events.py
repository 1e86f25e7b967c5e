"""Says which event a change of an incident is, and which webhooks hear of it. Pure.

A webhook hears each event by itself, in order, from `opened` to `ended`. What people are not told
because of a silence, maintenance or a base URL that is down altogether is not begun for webhooks either;
what comes and goes is, for a program must act on each time. What was begun is followed to its end.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from monitor.alerts.incidents import endpoint_of
from monitor.alerts.routing import wants
from monitor.model import (
    Incident,
    Mute,
    NotificationType,
    OutboxMessage,
    Severity,
    Webhook,
    WebhookEvent,
)

Describe = Callable[[WebhookEvent, Incident, datetime], str]
"""Returns the JSON document of an event."""


def with_webhooks_told(webhooks: Iterable[Webhook], incident: Incident, now: datetime) -> Incident:
    """Return the incident with the webhooks that hear of it from now on, if any do."""
    hearing = {webhook.target for webhook in webhooks if _begins(webhook, incident, now)}
    if hearing <= incident.told_to:
        return incident
    return replace(incident, told_to=incident.told_to | hearing)


def _begins(webhook: Webhook, incident: Incident, now: datetime) -> bool:
    is_told = incident.muted in {None, Mute.FLAPPING} and incident.closed is None
    if not is_told or not wants(webhook, incident.severity, incident.service):
        return False
    if webhook.escalate_after is None:
        return True
    told_at = incident.told_at
    return (
        told_at is not None
        and incident.announced
        and incident.acked is None
        and told_at + webhook.escalate_after <= now
    )


def event_rows(
    webhooks: Iterable[Webhook],
    before: Incident | None,
    after: Incident,
    now: datetime,
    describe: Describe,
) -> tuple[OutboxMessage, ...]:
    """Return one row for each webhook that hears of the change; None before is a new incident."""
    heard_before = before.told_to if before else frozenset[str]()
    documents: dict[WebhookEvent, str] = {}
    rows = []
    for webhook in webhooks:
        if webhook.target not in after.told_to:
            continue
        event = _event(before if webhook.target in heard_before else None, after)
        if event is None or event not in webhook.events:
            continue
        if event not in documents:
            documents[event] = describe(event, after, now)
        rows.append(event_row(webhook, after.severity, after.id, documents[event], now))
    return tuple(rows)


def event_row(
    webhook: Webhook, severity: Severity, incident: int | None, document: str, now: datetime
) -> OutboxMessage:
    return OutboxMessage(
        channel=webhook.target,
        what=NotificationType.EVENT,
        severity=severity,
        incident=incident,
        created=now,
        not_before=now,
        text=document,
    )


def _event(before: Incident | None, after: Incident) -> WebhookEvent | None:
    """Return what an incident's change is to a webhook; None before: it heard nothing of it so far."""
    is_blind = after.severity is Severity.MONITOR and not after.cause
    if before is None:
        return WebhookEvent.BLIND if is_blind else WebhookEvent.OPENED
    if after.closed:
        ended = WebhookEvent.BLIND_ENDED if is_blind else WebhookEvent.ENDED
        return None if before.closed else ended
    if after.acked and not before.acked:
        return WebhookEvent.ACKNOWLEDGED
    if is_blind or _facts(before) == _facts(after):
        return None
    return WebhookEvent.CHANGED


def _facts(incident: Incident) -> tuple[object, ...]:
    """Return what a program acts on: which base URLs are bad, from where, how, and whether people are told."""
    bad = frozenset(map(endpoint_of, incident.active))
    bad_from = frozenset(
        (endpoint_of(check), place)
        for check in incident.active
        for place in incident.bad_from.get(check, ())
    )
    return (
        bad,
        bad_from,
        incident.endpoints,
        incident.severity,
        tuple(failure.kind for failure in incident.reasons.values()),
        incident.muted,
    )
