"""Says when the recommended base URL of a service has changed, once that has lasted a moment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

STAYS_S = 60.0
"""Seconds that another recommendation must last before it is told."""


@dataclass(frozen=True, slots=True)
class BestChange:
    """Holds the `service/endpoint` that is recommended, before and after; None where nothing is."""

    service: str
    before: str | None
    after: str | None


class BestChanges:
    """Holds what was told last of each service, and since when something else is recommended."""

    def __init__(self, told: Mapping[str, str | None]) -> None:
        self.told = dict(told)
        self._since: dict[str, tuple[str | None, float]] = {}

    def see(self, best: Mapping[str, str | None], monotonic: float) -> tuple[BestChange, ...]:
        """Return the changes to tell now; they count as told. Services that are gone are forgotten."""
        self.told = {service: last for service, last in self.told.items() if service in best}
        changes = []
        for service, endpoint in best.items():
            last = self.told.get(service)
            if endpoint == last:
                self._since.pop(service, None)
                continue
            since = self._since.get(service)
            if since is None or since[0] != endpoint:
                self._since[service] = since = (endpoint, monotonic)
            if monotonic - since[1] >= STAYS_S:
                del self._since[service]
                self.told[service] = endpoint
                changes.append(BestChange(service, last, endpoint))
        return tuple(changes)
