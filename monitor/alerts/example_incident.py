"""Makes an incident that never was, to show people and channels what a real one would send. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from monitor.alerts.message_parts import Context
from monitor.model import (
    Failure,
    FailureKind,
    Incident,
    Message,
    NotificationType,
    OutboxMessage,
    Severity,
)

NUMBER = 0
"""No real incident has it, so that no event of a real one is touched."""
_LASTED = timedelta(minutes=3)
_FAILURES = {
    Severity.DOWN: Failure(FailureKind.BAD_GATEWAY, "got HTTP 502, want 200"),
    Severity.DEGRADED: Failure(
        FailureKind.TRUNCATED, "got a stream that was cut off after 12 pieces, want all of it"
    ),
}


def example_incident(check: str, severity: Severity, now: datetime) -> Incident:
    """Make an incident of a check, `service/endpoint/probe`, that goes on for three minutes."""
    failure = _FAILURES[severity]
    return Incident(
        id=NUMBER,
        service=check.partition("/")[0],
        severity=severity,
        opened=now - _LASTED,
        failure=failure,
        checks=(check,),
        active=frozenset({check}),
        failed_runs={failure.kind.value: 3},
    )


def example_end(incident: Incident, now: datetime) -> Incident:
    return replace(incident, closed=now, active=frozenset())


def example_row(channel: str, incident: Incident, now: datetime) -> OutboxMessage:
    """Make what the outbox would hold of it."""
    return OutboxMessage(
        channel=channel,
        what=NotificationType.RESOLVED if incident.closed else NotificationType.OPENED,
        severity=incident.severity,
        incident=incident.id,
        created=now,
        not_before=now,
    )


def as_test(message: Message, context: Context) -> Message:
    """Mark a message of an example in its title, and say at its end that nothing was measured."""
    note = context.say("This is a test: nothing of it was measured.")
    return replace(
        message,
        title=context.say("[TEST] %(title)s", title=message.title),
        body=f"{message.body}\n{note}",
        short="",
        incidents=(),
    )


def plain_test(context: Context) -> Message:
    """Make a notice. A channel that holds events begins one with it and ends that at once."""
    return Message(
        context.say("Test message from monitor"),
        context.say("If you can read this, alerts reach you here. Nothing is wrong."),
        event=f"{context.vantage}/test",
    )
