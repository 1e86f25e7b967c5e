"""Tells a Telegram bot what it may know of the daemon, and does what it asks: see monitor/telegram/operations.py."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

from monitor.alerts import AlertEngine
from monitor.alerts.moved_chats import MovedChats
from monitor.clock import Clock
from monitor.config import Config
from monitor.daemon import BOTS
from monitor.daemon.operator_requests import OperatorRequests
from monitor.language import Language
from monitor.model import (
    Check,
    Notice,
    OperatorRequest,
    RequestKind,
    Result,
)
from monitor.page import PageView, Site, view
from monitor.publisher import Publisher
from monitor.store import Store

PICKUP = timedelta(seconds=20)
"""How long a check may wait for its turn, beside the time that the run itself may take."""
LOOK_S = 0.5


class BotOperations:
    def __init__(
        self,
        channel: str,
        config: Config,
        *,
        store: Store,
        clock: Clock,
        alerts: AlertEngine,
        requests: OperatorRequests,
        publisher: Publisher,
        moved: MovedChats,
        states: dict[str, dict[str, str | None]],
    ) -> None:
        """`states` is what `BOTS` holds, shared by the bots of all channels."""
        self.store, self.carry_out = store, requests.carry_out
        self.timezone, self.checks = config.alerts.timezone, config.checks
        self._channel, self._clock = channel, clock
        self._alerts, self._publisher = alerts, publisher
        self._moved, self._states = moved, states

    @property
    def language(self) -> Language:
        return self._alerts.language

    @property
    def waiting(self) -> int:
        return sum(self.store.undelivered.values())

    async def page(self) -> PageView:
        """Look at everything, also at what the page does not show."""
        site = self._publisher.site
        services = tuple(replace(service, public=True) for service in site.services)
        settings = replace(site.settings, hosts=True)
        return await self._view(replace(site, services=services, settings=settings), self.language)

    async def public_page(self, language: Language) -> PageView:
        return await self._view(self._publisher.site, language)

    async def _view(self, site: Site, language: Language) -> PageView:
        site = replace(site, settings=replace(site.settings, languages=(language.code,)))
        snapshot = await self.store.snapshot(self._clock.now())
        page, _ = await asyncio.to_thread(view, site, snapshot, self._publisher.picks)
        return page

    async def run_check(self, check: Check) -> Result | None:
        now = self._clock.now()
        request = OperatorRequest(at=now, what=RequestKind.CHECK, target=check.key)
        await self.carry_out(request)
        patience = (check.probe.timeout * 2 + PICKUP).total_seconds()
        for _ in range(round(patience / LOOK_S)):
            results = await self.store.results(check.key, since=now)
            if results:
                return results[0]
            await asyncio.sleep(LOOK_S)
        return None

    def current_chat(self, chat: int) -> int:
        return int(self._moved.current(str(chat)))

    async def follow_group(self, before: int, after: int) -> None:
        await self._moved.learn(self._channel, str(before), str(after))

    async def notice(self, text: str) -> None:
        await self.store.save(outgoing=self._alerts.notice(Notice(text), self._clock.now()))

    async def report(self, trouble: str | None) -> None:
        since = self._clock.now().isoformat(timespec="seconds")
        self._states[self._channel] = {"since": since, "trouble": trouble}
        await self.store.note(BOTS, json.dumps(self._states))
