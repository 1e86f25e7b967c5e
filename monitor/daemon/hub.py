"""The hub: takes what agents push into the store, remembers who was heard, and notices what is odd.

Only a daemon with `[vantage.ID]` tables imports it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from aiohttp import web

from monitor.agent.clock_offset import NOTICE_MS
from monitor.agent.ingest import AgentApi, Heard, HubSettings, IngestCounts
from monitor.agent.signature import load_or_make
from monitor.alerts import self_alerts
from monitor.clock import Clock
from monitor.config import Config
from monitor.config.agent_document import agent_document
from monitor.language import Language
from monitor.logs import RepeatFilter
from monitor.model import AgentState, Redactor
from monitor.store import Store
from monitor.store.agents import states

KEY_FILE = "hub.key"
"""The hub's own key, in the folder of its state: it signs what agents are told to probe."""
InMaintenance = Callable[[str, datetime], bool]


class Hub:
    def __init__(
        self,
        config: Config,
        redact: Redactor,
        *,
        store: Store,
        clock: Clock,
        in_maintenance: InMaintenance,
    ) -> None:
        """Raises MonitorError where the hub's own key cannot be read or made."""
        self._store, self._clock, self._in_maintenance = store, clock, in_maintenance
        self._config = config
        self._notices: list[tuple[str, str]] = []
        self._repeats = RepeatFilter()
        self._given_up: dict[str, tuple[int, int]] = {}
        self.states: dict[str, AgentState] = {}
        """What is known of each agent, by vantage."""
        self._api = AgentApi(
            store,
            key=load_or_make(config.state / KEY_FILE),
            clock=clock,
            settings=self._settings(config, redact),
            on_heard=self._heard,
        )

    async def load(self) -> None:
        """Recall who was heard before this daemon began. Raises StoreError."""
        self.states = {state.vantage: state for state in await self._store.ask(states)}

    def change(self, config: Config, redact: Redactor) -> None:
        """Take and hand out by another configuration from now on."""
        self._config = config
        self._store.watch(vantage.id for vantage in config.vantages)
        self._api.change(self._settings(config, redact))

    async def respond(
        self, request: web.BaseRequest, path: str, allow: Callable[[int], None]
    ) -> web.StreamResponse:
        return await self._api.respond(request, path, allow)

    @property
    def counts(self) -> IngestCounts:
        return self._api.counts

    @property
    def known(self) -> Mapping[str, AgentState]:
        """Return what is known of the agents of the configuration that have been heard."""
        return {
            vantage.id: self.states[vantage.id]
            for vantage in self._config.vantages
            if vantage.id in self.states
        }

    def take_notices(self, language: Language) -> list[str]:
        """Return what people should know of the agents, each once."""
        names = {vantage.id: vantage.name(language.code) for vantage in self._config.vantages}
        notices, self._notices = self._notices, []
        return [
            self_alerts.agent_notice(what, names.get(vantage, vantage), language)
            for what, vantage in notices
        ]

    def _settings(self, config: Config, redact: Redactor) -> HubSettings:
        return HubSettings(
            vantages={vantage.id: vantage for vantage in config.vantages},
            documents={
                vantage.id: agent_document(config.document, vantage) for vantage in config.vantages
            },
            checks={check.key: check for check in config.checks},
            kept=config.history.raw,
            redact=redact,
            in_maintenance=self._in_maintenance,
        )

    def _heard(self, heard: Heard) -> None:
        """Remember a batch. What several vantages make of a check is to be judged here, of `heard.fresh`."""
        state = heard.state
        if heard.is_other_stream:
            self._notice("two_agents", state.vantage, "yes")
            return
        before = self.states.get(state.vantage)
        self.states[state.vantage] = state
        if before is not None and before.stream == state.stream:
            self._notice("two_agents", state.vantage, None)
        is_off = abs(state.offset_ms or 0) > NOTICE_MS
        self._notice("clock", state.vantage, "yes" if is_off else None)
        dropped, refused = self._given_up.get(state.vantage, (0, 0))
        if state.dropped > dropped:
            self._notices.append(("dropped", state.vantage))
        if state.refused > refused:
            self._notices.append(("refused", state.vantage))
        self._given_up[state.vantage] = state.dropped, state.refused

    def _notice(self, what: str, vantage: str, failure: str | None) -> None:
        if self._repeats.is_news(f"{what} {vantage}", failure):
            self._notices.append((what, vantage))
