"""Reload on SIGHUP: read the configuration, prepare whatever may fail, then swap, which cannot.

Unchanged checks keep their schedule and their alert states, removed ones keep their history,
added and changed ones start within seconds. A configuration that cannot be used changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from monitor import logs
from monitor.alerts import Notifier, self_alerts
from monitor.clock import Clock
from monitor.config import Config
from monitor.daemon.components import (
    Components,
    make_metrics_server,
    make_web,
)
from monitor.daemon.dependencies import Dependencies
from monitor.daemon.systemd import sd_notify
from monitor.daemon.telegram_bots import sent_by_apprise
from monitor.model import Complaint, ConfigError, MonitorError, Notice, Redactor, StoreError
from monitor.store import store_name
from monitor.web import MetricsServer, WebServer

if TYPE_CHECKING:
    from monitor.daemon.hub import Hub

Server = WebServer | MetricsServer
log = logging.getLogger(__name__)

NOTE = "reload"
"""The store's name for how the last reload went: when, `good` or `bad`, and what changed."""


class Reloader:
    def __init__(
        self, deps: Dependencies, components: Components, read: Callable[[Path], Config]
    ) -> None:
        """`read` makes the configuration of the file at a path."""
        self._deps, self._components, self._read = deps, components, read
        self._last_refusal = ""

    async def reload(self) -> Dependencies:
        """Return what the daemon is made from now on: new dependencies, or the ones that it had."""
        _notify_reloading(self._deps.clock)
        try:
            outcome = f"good {await self._swap()}"
            await self._accept()
        except MonitorError as error:
            outcome = f"bad {error}"
            await self._refuse(error)
        except Exception as error:
            log.exception("event=internal loop=reload")
            outcome = f"bad internal: {type(error).__name__}; the log has it"
        finally:
            sd_notify("READY=1")
        try:
            await self._deps.store.note(NOTE, f"{self._deps.clock.now().isoformat()} {outcome}")
        except StoreError as error:
            log.warning('event=store_trouble why="%s"', error)
        return self._deps

    async def _swap(self) -> str:
        config = await asyncio.to_thread(self._read, self._deps.config.path)
        _must_stay(self._deps.config, config)
        secrets = {*self._deps.config.secrets, *config.secrets}
        deps = replace(self._deps, config=config, redact=Redactor(secrets))
        notifier = await asyncio.to_thread(
            Notifier, sent_by_apprise(config), deps.redact, self._components.moved_chats
        )
        hub = await self._components.prepare_hub(deps)
        await self._listen(deps, hub)
        logs.learn(deps.redact)
        changed = self._components.change(deps, notifier, hub)
        self._deps = deps
        summary = f"new={len(changed.new)} gone={len(changed.gone)} changed={len(changed.changed)}"
        log.info("event=reloaded checks=%d %s", len(config.checks), summary)
        await forget_removed(deps, self._components)
        return summary

    async def _listen(self, deps: Dependencies, hub: "Hub | None") -> None:
        """Move the page's server and that of the metrics: both, or neither where an address is taken."""
        components = self._components
        web, metrics = components.web, components.metrics_server
        if deps.config.listen != self._deps.config.listen:
            web = make_web(deps, components.schedule, hub)
        if deps.config.metrics != self._deps.config.metrics:
            metrics = make_metrics_server(
                deps, components.schedule, components.cycle.ledger, components.alerts, hub
            )
        before, after = (components.web, components.metrics_server), (web, metrics)
        await _replace(
            [server for server in before if server and server not in after],
            [server for server in after if server and server not in before],
        )
        components.web, components.metrics_server = after

    async def _accept(self) -> None:
        """Tell people that a configuration is in force, where they were told that one was refused."""
        if not self._last_refusal:
            return
        self._last_refusal = ""
        say = self._components.alerts.language
        title = say.gettext("monitor: the new configuration is in force")
        await self._tell(self_alerts.ends(self_alerts.CONFIGURATION, f"✅ {title}"))

    async def _refuse(self, error: MonitorError) -> None:
        """Tell people once, until the complaint is another one."""
        complaints = (
            error.complaints if isinstance(error, ConfigError) else (Complaint("", str(error)),)
        )
        for complaint in complaints:
            log.error('event=reload_refused why="%s"', complaint)
        if str(error) == self._last_refusal:
            return
        self._last_refusal = str(error)
        text = self_alerts.refused(complaints, self._components.alerts.language)
        await self._tell(self_alerts.begins(self_alerts.CONFIGURATION, self._deps.redact(text)))

    async def _tell(self, notice: Notice) -> None:
        rows = self._components.alerts.notice(notice, self._deps.clock.now())
        try:
            await self._deps.store.save(outgoing=rows)
        except StoreError as trouble:
            log.warning('event=store_trouble why="%s"', trouble)


def _must_stay(old: Config, new: Config) -> None:
    """Refuse changes of what the history depends on and of what the store was opened with."""
    complaints: list[Complaint] = []
    if old.vantage != new.vantage:
        what = f"was {old.vantage}, is {new.vantage}; restart the daemon to change it; "
        remedy = "another id begins a new history, `vantage_name` changes what people read"
        complaints.append(Complaint("monitor.vantage", what + remedy))
    if old.store != new.store:
        what = f"was {store_name(old.store)}, is {store_name(new.store)}"
        complaints.append(Complaint("monitor.store", f"{what}; restart the daemon to change it"))
    if complaints:
        raise ConfigError(tuple(complaints))


def _notify_reloading(clock: Clock) -> None:
    sd_notify(f"RELOADING=1\nMONOTONIC_USEC={clock.monotonic() * 1e6:.0f}")


async def forget_removed(deps: Dependencies, components: Components) -> None:
    """Drop alert states of checks, and readers of channels, that left the config. Raises StoreError."""
    known = {check.key for check in deps.config.checks}
    changes = components.alerts.forget(known, deps.clock.now())
    if changes.states:
        await deps.store.save(changes.incidents, changes.outgoing, changes.states)
    channels = {channel.id for channel in deps.config.channels if channel.subscribers}
    left = {subscriber.channel for subscriber in await deps.store.subscribers()} - channels
    if left:
        log.warning("event=subscribers_forgotten channels=%s", ",".join(sorted(left)))
        await deps.store.keep_subscribers(channels)


async def _replace(old: Collection[Server], new: Collection[Server]) -> None:
    """Start the new servers, then close the old ones. Raises MonitorError; the old ones then serve as before.

    An old one that holds the port of a new one is closed first.
    """
    ports = {server.asked_port for server in new}
    in_the_way = [server for server in old if server.asked_port in ports]
    for server in in_the_way:
        await server.close()
    try:
        for server in new:
            await server.start()
    except MonitorError:
        for server in new:
            await server.close()
        for server in in_the_way:
            await server.start()
        raise
    for server in old:
        await server.close()
