"""Who hears of what: one row of the outbox for each channel that wants it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.model import Channel, Incident, NotificationType, OutboxMessage, Severity

_AT_ONCE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Audience:
    channels: tuple[Channel, ...] = ()

    def tell(
        self, what: NotificationType, incident: Incident, at: datetime, held: timedelta = _AT_ONCE
    ) -> tuple[OutboxMessage, ...]:
        """`held` is how long it waits for other news."""
        return tuple(
            OutboxMessage(
                channel=channel.id,
                what=what,
                severity=incident.severity,
                incident=incident.id,
                created=at,
                not_before=at + held,
            )
            for channel in self.channels
            if wants(channel, incident.severity, incident.service)
        )

    def notice(
        self, text: str, at: datetime, but: frozenset[str] = frozenset()
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
            for channel in self.channels
            if wants(channel, Severity.MONITOR, None) and channel.id not in but
        )


def wants(channel: Channel, severity: Severity, service: str | None) -> bool:
    return severity in channel.only and (
        not channel.services or service is None or service in channel.services
    )
