"""The hub: takes what agents push into the store, remembers who was heard, and notices what is odd.

Only a daemon with `[vantage.ID]` tables imports it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter

from aiohttp import web

from monitor.agent.clock_offset import NOTICE_MS
from monitor.agent.ingest import AgentApi, Heard, HubSettings, IngestCounts
from monitor.agent.signature import load_or_make
from monitor.alerts import AlertChanges, AlertEngine, self_alerts
from monitor.clock import Clock
from monitor.config import Config
from monitor.config.agent_document import agent_document
from monitor.cycle import is_declared_limit
from monitor.language import Language
from monitor.logs import RepeatFilter
from monitor.model import AgentState, Redactor, Result
from monitor.store import Store
from monitor.store.agents import states

_AGAIN_S = 4 * 3600.0
KEY_FILE = "hub.key"
"""The hub's own key, in the folder of its state: it signs what agents are told to probe."""


class Hub:
    def __init__(
        self,
        config: Config,
        redact: Redactor,
        *,
        store: Store,
        clock: Clock,
        alerts: AlertEngine,
        on_result: Callable[[Result], None],
    ) -> None:
        """Raises MonitorError where the hub's own key cannot be read or made."""
        self._store, self._clock, self._alerts = store, clock, alerts
        self._on_result = on_result
        self._config = config
        self._notices: list[tuple[str, str]] = []
        self._repeats = RepeatFilter()
        self._told: dict[tuple[str, str], float] = {}
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

    def _in_maintenance(self, check: str, at: datetime) -> bool:
        return self._alerts.in_maintenance(check, at) is not None

    def _judge(self, heard: Heard) -> None:
        """Let the alerts judge what a vantage has seen, oldest first; they leave out what comes late."""
        now, changes = self._clock.now(), AlertChanges()
        self._alerts.voters.hear(heard.state.vantage, now, blind=heard.state.blind)
        checks = {check.key: check for check in self._config.checks}
        for result in sorted((entry.result for entry in heard.fresh), key=attrgetter("at")):
            if result.check in checks and not is_declared_limit(checks[result.check], result):
                changes += self._alerts.judge(result, now)
            self._on_result(result)
        if changes:
            self._store.keep(changes.incidents, changes.outgoing, changes.states)

    def _heard(self, heard: Heard) -> None:
        """Remember a batch and judge it; it is committed already."""
        state = heard.state
        if heard.is_other_stream:
            self._notice("two_agents", state.vantage)
            return
        self._judge(heard)
        before = self.states.get(state.vantage)
        self.states[state.vantage] = state
        is_off = abs(state.offset_ms or 0) > NOTICE_MS
        if self._repeats.is_news(f"clock {state.vantage}", "off" if is_off else None):
            self._notices.append(("clock", state.vantage))
        if state.dropped > (before.dropped if before else 0):
            self._notice("dropped", state.vantage)
        if state.refused > (before.refused if before else 0):
            self._notice("refused", state.vantage)

    def _notice(self, what: str, vantage: str) -> None:
        """Tell people what goes on, once in a while."""
        now, told = self._clock.elapsed(), self._told.get((what, vantage))
        if told is None or now - told >= _AGAIN_S:
            self._told[what, vantage] = now
            self._notices.append((what, vantage))
