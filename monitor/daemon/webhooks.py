"""Tells programs of events: what a document says, when the best base URL changed, and who sends it.

It is imported only where the configuration has a `[webhook.ID]`.
"""

import json
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from monitor.alerts import Alternatives
from monitor.alerts.best_changes import BestChange, BestChanges
from monitor.alerts.event_document import BestFacts, Names, best_document, incident_document
from monitor.alerts.event_json import document_json
from monitor.alerts.incident_events import event_row
from monitor.alerts.webhook_sender import WebhookSender
from monitor.clock import Clock
from monitor.config import Config
from monitor.language import language
from monitor.model import Incident, OutboxMessage, Redactor, Severity, StoreError, WebhookEvent
from monitor.page import PickView
from monitor.store import TOLD_BEST, Store

log = logging.getLogger(__name__)


def names_of(config: Config) -> Names:
    """Return what documents call the things of a configuration."""
    return Names(
        vantage=config.vantage,
        services={service.id: service for service in config.services},
        endpoints={endpoint.path: endpoint for endpoint in config.endpoints},
        vantages=config.places(language(config.alerts.language)),
        page_url=config.page.url,
    )


class Webhooks:
    """Serves one configuration; a reload makes another one, which goes on with the same `best`."""

    def __init__(
        self,
        config: Config,
        store: Store,
        clock: Clock,
        redact: Redactor,
        best: BestChanges,
        *,
        instead: Callable[[Incident], Alternatives],
        silent: Callable[[Incident], Collection[str]],
    ) -> None:
        """`silent` returns the vantages that saw an incident bad and say nothing of it now."""
        self._webhooks, self._store, self._clock = config.webhooks, store, clock
        self._instead, self._silent = instead, silent
        self._names = names_of(config)
        self._best = best
        self.sender = WebhookSender(config.webhooks, redact, clock)

    def describe(self, event: WebhookEvent, incident: Incident, at: datetime) -> str:
        """Return an event's document, as things are now."""
        document = incident_document(
            event, incident, at, self._names, self._instead(incident), self._silent(incident)
        )
        return document_json(document)

    async def on_best(self, best: Mapping[str, PickView | None]) -> None:
        """Tell of a recommendation that has changed and stayed so; keep it with what was told."""
        endpoints = {service: pick.endpoint if pick else None for service, pick in best.items()}
        changes = self._best.see(endpoints, self._clock.monotonic())
        if not changes:
            return
        rows = tuple(row for change in changes for row in self._rows(change, best[change.service]))
        told = json.dumps(self._best.told, sort_keys=True)
        try:
            await self._store.save(outgoing=rows, values=((TOLD_BEST, told),))
        except StoreError as error:  # it waits in memory, and is sent all the same
            log.warning('event=store_trouble why="%s"', error)

    def _rows(self, change: BestChange, pick: PickView | None) -> list[OutboxMessage]:
        hearing = [
            webhook
            for webhook in self._webhooks
            if WebhookEvent.BEST_CHANGED in webhook.events
            and (not webhook.services or change.service in webhook.services)
        ]
        now, endpoint = self._clock.now(), self._names.endpoints.get(change.after or "")
        best = None
        if pick and endpoint:
            best = BestFacts(
                endpoint=endpoint.path,
                name=endpoint.name,
                base_url=endpoint.url,
                median_ms=pick.median_ms,
                flaw=pick.flaw,
            )
        document = best_document(change.service, best, change.before, now, self._names)
        text = document_json(document)
        return [event_row(webhook, Severity.MONITOR, None, text, now) for webhook in hearing]
