"""An agent: the daemon without page and channels, which probes what its hub says and pushes what it finds.

It keeps three files in the folder of its state: `agent.key`, the one line that the hub printed; `agent.json`, what
the hub said last, by which it starts where the hub is away; and `agent.db`, its store with the buffer.
"""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from monitor.agent.hub_client import FetchedConfig, HubAwayError, HubClient
from monitor.agent.invitation import Invitation, read_invitation
from monitor.agent.push import AgentReport, Pusher
from monitor.agent.signature import TAG_LENGTH, digest, read_secret, write_secret
from monitor.agent.wire import SentRun, encode_run
from monitor.clock import Clock, SystemClock
from monitor.config import Config
from monitor.config.agent_document import read_agent_document
from monitor.daemon.app import Daemon, Role
from monitor.daemon.components import Components
from monitor.daemon.dependencies import Listeners
from monitor.logs import RepeatFilter, quoted
from monitor.model import NO_SPEND, AgentSettings, Check, ConfigError, Result, RunRecord
from monitor.probes.wire.resolver import Resolve, system_resolve
from monitor.schedule import whose_turn
from monitor.store.push_buffer import PushBuffer

log = logging.getLogger(__name__)
KEY_FILE, CONFIG_FILE = "agent.key", "agent.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_RETRY_S = 10.0
_RELOAD_LOOKS, _LOOK_S = 200, 0.1


def known_invitation(state: Path) -> Invitation | None:
    """Return the invitation that is kept in a folder; None where there is none. Raises KeyUnusableError."""
    try:
        return read_invitation(read_secret(state / KEY_FILE))
    except FileNotFoundError:
        return None


def keep_invitation(state: Path, invitation: Invitation) -> None:
    """Keep an invitation in a file of its owner's alone. Raises KeyUnusableError."""
    write_secret(state / KEY_FILE, invitation.line + "\n")


@dataclass(kw_only=True)
class Agent:
    """One agent's life: wait for a first configuration, then probe and push until it is stopped."""

    invitation: Invitation
    settings: AgentSettings
    state: Path
    env: Mapping[str, str]
    clock: Clock = field(default_factory=SystemClock)
    resolve: Resolve = system_resolve
    """Stands in for `getaddrinfo` in probes and diagnosis."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    daemon: Daemon | None = field(default=None, init=False)
    _pusher: Pusher | None = field(default=None, init=False)
    _doubted: frozenset[str] = field(default=frozenset(), init=False)
    """Checks that the hub wants to be looked at although it is the turn of another vantage."""

    @property
    def path(self) -> Path:
        """Return where the hub's last word is kept."""
        return self.state / CONFIG_FILE

    async def run(self) -> None:
        """Run until a signal comes. Raises MonitorError where the store cannot be used."""
        client = HubClient(
            self.invitation,
            hubs=self.settings.hubs,
            proxy=self.settings.proxy,
            clock=self.clock,
        )
        try:
            await self._run(client)
        finally:
            await client.close()

    async def _run(self, client: HubClient) -> None:
        config = await self._first_config(client)
        buffer = PushBuffer(_encode, most_bytes=self.settings.buffer, boot=boot_id())

        def loops(
            daemon: Daemon, components: Components
        ) -> Mapping[str, Coroutine[None, None, None]]:
            self._pusher = Pusher(
                client,
                daemon.store,
                buffer,
                clock=self.clock,
                report=partial(_report, daemon, components),
                config_tag=_tag(self.path),
                on_config=partial(self._take_config, daemon, components),
                on_doubt=partial(self._doubt, components),
            )
            components.schedule.is_turn = self._is_turn
            components.schedule.begins_soon = config.deal is None
            return {"push": self._pusher.run(daemon.stop)}

        self.daemon = Daemon(
            config,
            env=self.env,
            clock=self.clock,
            listeners=Listeners(on_result=self._saw),
            role=Role(read=self.read, publishes=False, also=buffer.append, loops=loops),
            resolve=self.resolve,
            stop=self.stop,
        )
        await self.daemon.run()

    def _is_turn(self, check: Check, at: datetime) -> bool:
        if not check.turns or check.key in self._doubted:
            return True
        return whose_turn(check, at, check.turns) == self.invitation.vantage

    def _doubt(self, components: Components, doubted: frozenset[str]) -> None:
        """Look at once at what another vantage has begun to see otherwise."""
        new, self._doubted = doubted - self._doubted, doubted
        for key in sorted(new):
            if not components.alerts.doubted_by(key, self.clock.now()):
                components.schedule.run_now(key)

    def _saw(self, result: Result) -> None:
        if self._pusher:
            self._pusher.saw(result)

    def read(self, path: Path) -> Config:
        """Read the configuration that is kept. Raises ConfigError."""
        document = read_agent_document(path.read_bytes(), path=path, env=self.env)
        for endpoint, why in document.left_out.items():
            log.warning("event=left_out endpoint=%s why=%s", endpoint, quoted(f"{why} is not here"))
        return document.config

    async def _first_config(self, client: HubClient) -> Config:
        """Ask the hub; where it is away, what it said last holds. Without that, ask until it answers."""
        repeats = RepeatFilter()
        while True:
            why = await self._ask(client)
            if self.path.exists():
                try:
                    return self.read(self.path)
                except (ConfigError, ValueError, LookupError) as error:
                    why = f"the configuration cannot be used: {error}"
            if repeats.is_news("config", why):
                log.error("event=no_config why=%s", quoted(why))
            await asyncio.sleep(_RETRY_S)

    async def _ask(self, client: HubClient) -> str | None:
        """Fetch what is newer than the file; say why not."""
        try:
            fetched = await client.config(_tag(self.path))
        except HubAwayError as error:
            log.warning("event=hub_away why=%s", quoted(error))
            return str(error)
        if fetched is not None:
            self._keep(fetched)
        return None

    def _keep(self, fetched: FetchedConfig) -> None:
        write_secret(self.path, fetched.body.decode())

    async def _take_config(
        self, daemon: Daemon, components: Components, fetched: FetchedConfig
    ) -> bool:
        """Begin to probe by another configuration, if it can be used; else go on with the one that there is.

        Return once it is run by, where the hub must know which checks we have let go.
        """
        try:
            config = read_agent_document(fetched.body, path=self.path, env=self.env).config
        except (ConfigError, ValueError, LookupError) as error:
            log.error("event=config_refused why=%s", quoted(error))  # noqa: TRY400  # it says why
            return False
        self._keep(fetched)
        components.schedule.begins_soon = config.deal is None
        daemon.reload_requested.set()
        if config.deal is not None:
            await self._until_run_by(daemon, config.deal)
        return True

    async def _until_run_by(self, daemon: Daemon, deal: str) -> None:
        """Wait until a reload is done, for a while."""
        for _ in range(_RELOAD_LOOKS):
            if daemon.deps.config.deal == deal or daemon.stop.is_set():
                return
            await asyncio.sleep(_LOOK_S)


def boot_id() -> str:
    """Return a name of the time since the machine has started; of this process where the machine has none."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return f"process-{os.getpid()}-{time.monotonic_ns()}"


def _tag(path: Path) -> str:
    """Return the tag of the configuration that is kept."""
    try:
        return digest(path.read_bytes())[:TAG_LENGTH]
    except OSError:
        return ""


def _encode(entry: RunRecord) -> bytes:
    sent = SentRun(result=entry.result, evidence=entry.evidence, missed=entry.missed)
    return encode_run(sent)


def _report(daemon: Daemon, components: Components) -> AgentReport:
    """Say what was spent today and, while it may still be news, yesterday."""
    today, ledger = daemon.clock.now().date(), components.cycle.ledger
    spend = {
        (day, service.id): spent
        for day in (today - timedelta(days=1), today)
        for service in daemon.deps.config.services
        if (spent := ledger.spent(service.id, day)) != NO_SPEND
    }
    deal = daemon.deps.config.deal
    return AgentReport(blind=components.alerts.is_blind, deal=deal, spend=spend)
