"""All that one look at the alerts changes: to be committed together. Pure."""

from dataclasses import dataclass

from monitor.model import AlertState, Incident, OutboxMessage


@dataclass(frozen=True, slots=True)
class AlertChanges:
    states: tuple[AlertState, ...] = ()
    incidents: tuple[Incident, ...] = ()
    outgoing: tuple[OutboxMessage, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.states or self.incidents or self.outgoing)

    def __add__(self, other: "AlertChanges") -> "AlertChanges":
        """Each incident once, as the later left it."""
        if not other:
            return self
        newest = {each.id: each for each in (*self.incidents, *other.incidents)}
        return AlertChanges(
            (*self.states, *other.states),
            tuple(newest.values()),
            (*self.outgoing, *other.outgoing),
        )
