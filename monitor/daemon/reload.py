"""SIGHUP: read the configuration again, prepare whatever may fail, then swap, which cannot.

Unchanged checks keep their beat and what is believed of them, removed ones keep their history,
added and changed ones start within seconds. A configuration that cannot be used changes nothing.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from monitor import logs
from monitor.alerts import Notifier
from monitor.clock import Clock
from monitor.config import Config, load
from monitor.daemon.build import Kit, Parts, web_of
from monitor.daemon.systemd import tell_systemd
from monitor.model import Complaint, ConfigError, MonitorError, Redactor, StoreError
from monitor.web import WebServer

log = logging.getLogger(__name__)

NOTE = "reload"
"""Under this name the store holds how the last reload went: when, `good` or `bad`, and what."""


class Reloader:
    def __init__(self, kit: Kit, parts: Parts, env: Mapping[str, str]) -> None:
        self._kit, self._parts, self._env = kit, parts, env
        self._told = ""

    async def reload(self) -> Kit:
        """What the daemon is made from now on: the new kit, or the one it had."""
        _tell_reloading(self._kit.clock)
        try:
            said = f"good {await self._swap()}"
            self._told = ""
        except MonitorError as error:
            said = f"bad {error}"
            await self._refuse(error)
        except Exception as error:
            log.exception("event=internal loop=reload")
            said = f"bad internal: {type(error).__name__}; the log has it"
        finally:
            tell_systemd("READY=1")
        try:
            await self._kit.store.note(NOTE, f"{self._kit.clock.now().isoformat()} {said}")
        except StoreError as error:
            log.warning('event=store_trouble why="%s"', error)
        return self._kit

    async def _swap(self) -> str:
        config = await asyncio.to_thread(load, self._kit.config.path, self._env)
        _must_stay(self._kit.config, config)
        secrets = {*self._kit.config.secrets, *config.secrets}
        kit = replace(self._kit, config=config, redact=Redactor(secrets))
        notifier = await asyncio.to_thread(Notifier, config.channels, kit.redact)
        await self._listen(kit)
        logs.learn(kit.redact)
        changed = self._parts.change(kit, notifier)
        self._kit = kit
        said = f"new={len(changed.new)} gone={len(changed.gone)} changed={len(changed.changed)}"
        log.info("event=reloaded checks=%d %s", len(config.checks), said)
        await forget(kit, self._parts)
        return said

    async def _listen(self, kit: Kit) -> None:
        """The one step that may fail half-way: the new address is taken before the old one is left."""
        if kit.config.listen == self._kit.config.listen:
            return
        old, new = self._parts.web, web_of(kit, self._parts.schedule, self._parts.cycle.ledger)
        if old and new and old.asked_port == new.asked_port:
            await self._take_over(old, new)
        else:
            if new:
                await new.start()
            if old:
                await old.close()
        self._parts.web = new

    async def _take_over(self, old: WebServer, new: WebServer) -> None:
        """The same port on another host may be in the way of itself."""
        await old.close()
        try:
            await new.start()
        except MonitorError:
            await old.start()
            raise

    async def _refuse(self, error: MonitorError) -> None:
        """Told once, until the complaint is another one."""
        complaints = (
            error.complaints if isinstance(error, ConfigError) else (Complaint("", str(error)),)
        )
        for each in complaints:
            log.error('event=reload_refused why="%s"', each)
        if str(error) == self._told:
            return
        self._told = str(error)
        lines = ["👁 monitor: the new configuration was refused", "The old one stays in force."]
        text = "\n".join([*lines, *map(str, complaints)])
        rows = self._parts.alerts.notice(self._kit.redact(text), self._kit.clock.now())
        try:
            await self._kit.store.save(outgoing=rows)
        except StoreError as trouble:
            log.warning('event=store_trouble why="%s"', trouble)


def _must_stay(old: Config, new: Config) -> None:
    """What history hangs on, and what the store was opened with."""
    fixed = (("monitor.vantage", old.vantage, new.vantage), ("monitor.store", old.store, new.store))
    complaints = tuple(
        Complaint(where, f"was {before}, is {after}; restart the daemon to change it")
        for where, before, after in fixed
        if before != after
    )
    if complaints:
        raise ConfigError(complaints)


def _tell_reloading(clock: Clock) -> None:
    tell_systemd(f"RELOADING=1\nMONOTONIC_USEC={clock.monotonic() * 1e6:.0f}")


async def forget(kit: Kit, parts: Parts) -> None:
    """What left the config can no longer recover. Raises StoreError."""
    known = {check.key for check in kit.config.checks}
    changes = parts.alerts.forget(known, kit.clock.now())
    if changes.states:
        await kit.store.save(changes.incidents, changes.outgoing, changes.states)
