"""The hub: takes what agents push into the store, remembers who was heard, and notices what is odd.

Only a daemon with `[vantage.ID]` tables imports it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from operator import attrgetter

from aiohttp import web

from monitor.agent.clock_offset import NOTICE_MS
from monitor.agent.ingest import AgentApi, Heard, HubSettings, IngestCounts
from monitor.agent.signature import load_key, load_or_make
from monitor.alerts import AlertEngine, Context, self_alerts
from monitor.clock import Clock
from monitor.config import Config
from monitor.config.addresses import SERVERS
from monitor.config.agent_document import agent_document
from monitor.cycle import is_declared_limit
from monitor.logs import RepeatFilter
from monitor.model import (
    AgentState,
    MonitorError,
    Notice,
    Redactor,
    RunRecord,
    Vantage,
    place_state,
)
from monitor.model.dealing import agent_id
from monitor.store import Store
from monitor.store.agents import newest_results, states
from monitor.store.small_tables import note

SILENT = "silent_vantages"
"""The store's name for the vantages that were told as silent: JSON, when each was heard last."""
_AGAIN_S = 4 * 3600.0
_LOOKS_S = 60.0
"""Whoever looks more seldom was stopped in between, and heard nobody."""
KEY_FILE = "hub.key"
"""The hub's own key, in the folder of its state: it signs what agents are told to probe."""
PUBLIC_KEY = "hub_key"
"""The store's name for the public half of it."""


def must_have_key(config: Config) -> None:
    """Raise MonitorError where agents believe another key than ours, and other machines share the store.

    The store has the public half of the key that agents believe. A hub whose store is a file is the only one, and
    makes itself a new key.
    """
    if not config.store.startswith(SERVERS):
        return
    public = Store.noted(config.store, PUBLIC_KEY, vantage=config.vantage)
    path = config.state / KEY_FILE
    try:
        own = load_key(path).public
    except FileNotFoundError:
        own = ""
    if public is not None and own != public:
        what = "holds another key" if own else "is missing"
        raise MonitorError(
            f"{path} {what}, and agents believe nothing that another key has signed; copy it from the hub "
            f"that leads or led last, or from a backup. Where it is lost, remove the row {PUBLIC_KEY} of the table key_value in the database: "
            "then this hub begins with a key of its own, and each agent is to be added anew"
        )


class Hub:
    def __init__(
        self,
        config: Config,
        redact: Redactor,
        *,
        store: Store,
        clock: Clock,
        alerts: AlertEngine,
        on_run: Callable[[RunRecord], None],
        run_now: Callable[[str], None],
    ) -> None:
        """Raises MonitorError where the hub's own key cannot be read or made."""
        self._store, self._clock, self._alerts = store, clock, alerts
        self._on_run, self._run_now = on_run, run_now
        self._config = config
        self._notices: list[tuple[str, str]] = []
        self._repeats = RepeatFilter()
        self._told: dict[tuple[str, str], float] = {}
        self._silent: dict[str, datetime] = {}
        """Those that were told as silent, and when each was heard last."""
        self._heard_at: dict[str, float] = {}
        self._looked = self._listens_since = clock.monotonic()
        self._agents: dict[str, AgentState] = {}
        """What is known of each agent, by public key."""
        self.states = store.agents
        """What is known of each place by its agents, by vantage; snapshots have it too."""
        key = load_or_make(config.state / KEY_FILE)
        self._public_key = key.public
        self._api = AgentApi(
            store,
            key=key,
            clock=clock,
            settings=self._settings(config, redact),
            on_heard=self._heard,
            doubted=self._doubted,
        )

    async def load(self) -> None:
        """Recall who was heard, and who was told as silent, before this daemon began. Raises StoreError."""
        self._store.keep(values=((PUBLIC_KEY, self._public_key),))
        keys = {vantage.id: vantage.public_keys for vantage in self._config.vantages}
        agents = await self._store.ask(lambda connection: states(connection, keys))
        self._api.recall(agents)
        for state in agents:  # those that were heard last come last
            self._know(state)
        for state in self.known.values():
            self._alerts.voters.hear(state.vantage, state.heard, blind=state.blind)
        others, checks = [*self.known], {check.key for check in self._config.checks}
        for result in await self._store.ask(lambda connection: newest_results(connection, others)):
            if result.check in checks:
                self._alerts.voters.see(result)
        own = self._config.vantage
        silent = await self._store.ask(lambda connection: note(connection, own, SILENT))
        self._silent = {
            vantage: datetime.fromisoformat(heard)
            for vantage, heard in json.loads(silent or "{}").items()
        }

    def change(self, config: Config, redact: Redactor) -> None:
        """Take and hand out by another configuration from now on."""
        self._config = config
        self._store.watch(vantage.id for vantage in config.vantages)
        self._api.change(self._settings(config, redact))
        keys = {(vantage.id, key) for vantage in config.vantages for key in vantage.public_keys}
        agents = [state for state in self._agents.values() if (state.vantage, state.key) in keys]
        self._agents.clear()  # who was removed and comes again is another one
        for state in agents:
            self._know(state)
        for vantage in self.states.keys() - {state.vantage for state in agents}:
            del self.states[vantage]

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

    def take_notices(self, context: Context) -> list[Notice]:
        """Return what people should know of the agents, each once; `remembered` goes with them."""
        language = context.language
        names = {vantage.id: vantage.name(language.code) for vantage in self._config.vantages}
        odd, self._notices = self._notices, []
        notices = [
            Notice(self_alerts.agent_notice(what, names.get(vantage, vantage), language))
            for what, vantage in odd
        ]
        watched = {vantage.id: vantage for vantage in self._config.vantages if not vantage.sleeps}
        return [
            *notices,
            *self._ended_silences(watched, names, context),
            *self._begun_silences(watched, names, context),
        ]

    def _know(self, state: AgentState) -> AgentState:
        """Take what an agent said, the newest that was heard, and return what is known of its place."""
        self._agents.pop(state.key, None)
        live = self._api.live(state.vantage)
        others = (
            other
            for other in self._agents.values()
            if other.vantage == state.vantage and agent_id(other.key) in live
        )
        self.states[state.vantage] = place = place_state(state, [*others])
        self._agents[state.key] = state
        return place

    @property
    def remembered(self) -> tuple[tuple[str, str], ...]:
        """Return what the store keeps of what was told, by name."""
        silent = {vantage: heard.isoformat() for vantage, heard in self._silent.items()}
        return ((SILENT, json.dumps(silent)),)

    @property
    def events(self) -> frozenset[str]:
        """Return the events that go on: a start does not end them."""
        return frozenset(map(self_alerts.silence_event, self._silent))

    def _ended_silences(
        self, watched: Mapping[str, Vantage], names: Mapping[str, str], context: Context
    ) -> Iterator[Notice]:
        """Yield the end of what was told: it is heard again, or nobody waits for it."""
        for vantage, heard in [*self._silent.items()]:
            state, name = self.states.get(vantage), names.get(vantage, vantage)
            if vantage not in watched:
                text = self_alerts.waited_for_no_more(name, context.language)
            elif state is not None and state.heard != heard:
                text = self_alerts.heard_again(name, state.heard - heard, context)
            else:
                continue
            del self._silent[vantage]
            yield self_alerts.ends(self_alerts.silence_event(vantage), text)

    def _begun_silences(
        self, watched: Mapping[str, Vantage], names: Mapping[str, str], context: Context
    ) -> Iterator[Notice]:
        """Yield who is not heard any more.

        Only time counts in which this hub could hear: it ran, its network and its store worked.
        """
        monotonic = self._clock.monotonic()
        was_stopped = monotonic - self._looked > _LOOKS_S
        if was_stopped or self._alerts.is_blind or self._store.trouble:
            self._listens_since = monotonic
        self._looked = monotonic
        for vantage, settings in watched.items():
            since = max(self._heard_at.get(vantage, self._listens_since), self._listens_since)
            patience = settings.silent_after(self._config.checks) + self_alerts.SILENT_FOR
            is_told = vantage in self._silent or vantage not in self.states
            if is_told or monotonic - since <= patience.total_seconds():
                continue
            heard = self._silent[vantage] = self.states[vantage].heard
            text = self_alerts.not_heard(names[vantage], heard, context)
            yield self_alerts.begins(self_alerts.silence_event(vantage), text)

    def _settings(self, config: Config, redact: Redactor) -> HubSettings:
        return HubSettings(
            vantages={vantage.id: vantage for vantage in config.vantages},
            documents={vantage.id: agent_document(config, vantage) for vantage in config.vantages},
            checks={check.key: check for check in config.checks},
            kept=config.history.raw,
            redact=redact,
            in_maintenance=self._in_maintenance,
        )

    def _in_maintenance(self, check: str, at: datetime) -> bool:
        return self._alerts.in_maintenance(check, at) is not None

    def _judge(self, heard: Heard, state: AgentState) -> None:
        """Let the alerts judge what a vantage has seen, oldest first; they leave out what comes late.

        `state` is that of the place, whose agents speak for it.
        """
        now = self._clock.now()
        before = {key for key in self._turning if self._alerts.doubted_by(key, now)}
        changes = self._alerts.hear(state.vantage, now, blind=state.blind)
        checks = {check.key: check for check in self._config.checks}
        for run in sorted(heard.fresh, key=attrgetter("result.at")):
            result = run.result
            if result.check in checks and not is_declared_limit(checks[result.check], result):
                changes += self._alerts.judge(result, now)
            self._on_run(run)
        if changes:
            self._store.keep(changes.incidents, changes.outgoing, changes.states)
        for key in sorted({result.result.check for result in heard.fresh} & self._turning - before):
            if self._alerts.doubted_by(key, now) - {self._config.vantage}:
                self._run_now(key)

    @property
    def _turning(self) -> set[str]:
        """Return the checks that several vantages run in turn."""
        return {check.key for check in self._config.checks if check.turns}

    def _doubted(self, vantage: Vantage) -> list[str]:
        """Return what a vantage is to look at although it is not its turn."""
        now = self._clock.now()
        return [
            check.key
            for check in self._config.checks
            if vantage.id in check.turns and self._alerts.doubted_by(check.key, now)
        ]

    def _heard(self, heard: Heard) -> None:
        """Remember a batch and judge it; it is committed already."""
        state = heard.state
        if heard.is_other_stream:
            self._notice("two_agents", state.vantage)
            return
        before = self._agents.get(state.key)
        self._judge(heard, self._know(state))
        self._heard_at[state.vantage] = self._clock.monotonic()
        is_off = abs(state.offset_ms or 0) > NOTICE_MS
        if self._repeats.is_news(f"clock {state.key}", "off" if is_off else None):
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
