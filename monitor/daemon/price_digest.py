"""Gathers once a day what changed in the catalogues that `prices` checks of this vantage read."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from monitor.alerts import Context
from monitor.alerts.catalogue_digest import CatalogueNews, catalogue_digest, last_time_to_tell
from monitor.config import Config
from monitor.model import CatalogueChange, Check, Habit, Notice
from monitor.probes.answer.nearest_model import nearest_model

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class PriceDigest:
    """Knows until when changes were told; `told_until` is to be stored with what is told."""

    def __init__(self, told_until: datetime | None) -> None:
        self.told_until = told_until or _BEGINNING

    def take(self, config: Config, habits: Mapping[str, Habit], context: Context) -> Notice | None:
        """Return what to tell now: the changes since the last time, where it is time and there are any."""
        self.told_until = min(self.told_until, context.now)  # a clock that was set back
        if self.told_until >= last_time_to_tell(context.now, context.timezone):
            return None
        since, self.told_until = self.told_until, context.now
        text = catalogue_digest(_news(config, habits, since), context)
        return None if text is None else Notice(text)


def _news(config: Config, habits: Mapping[str, Habit], since: datetime) -> Iterator[CatalogueNews]:
    services = {service.id: service.name for service in config.services}
    for check in config.checks:
        habit = habits.get(check.key)
        changes = habit.catalogue.changes_since(since) if habit else ()
        if habit is None or not changes:
            continue
        names = habit.catalogue.names
        yield CatalogueNews(
            service=services[check.service],
            endpoint=check.endpoint.name,
            changes=changes,
            nearest={
                model: nearest_model(model, names)
                for model in _asked(config, check) & _gone(changes) - names
            },
        )


def _asked(config: Config, check: Check) -> frozenset[str]:
    """Return the models that checks of the same base URL ask."""
    beside = (other for other in config.checks if other.endpoint.path == check.endpoint.path)
    return frozenset(other.model for other in beside if other.model)


def _gone(changes: tuple[CatalogueChange, ...]) -> frozenset[str]:
    return frozenset(change.name for change in changes if change.after is None)
