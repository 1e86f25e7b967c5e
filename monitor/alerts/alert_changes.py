"""Holds what one step of the alert engine changes."""

from dataclasses import dataclass

from monitor.model import AlertState, Incident, OutboxMessage


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """Holds all that one step of the engine changes, to be committed together."""

    states: tuple[AlertState, ...] = ()
    incidents: tuple[Incident, ...] = ()
    outgoing: tuple[OutboxMessage, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.states or self.incidents or self.outgoing)

    def __add__(self, other: "AlertChanges") -> "AlertChanges":
        """Put two together; of an incident that is in both, the later version stays."""
        if not other:
            return self
        newest = {incident.id: incident for incident in (*self.incidents, *other.incidents)}
        return AlertChanges(
            (*self.states, *other.states),
            tuple(newest.values()),
            (*self.outgoing, *other.outgoing),
        )


NO_CHANGES = AlertChanges()
