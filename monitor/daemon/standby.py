"""A daemon that waits: another one leads, and this one takes over when it ends, fails or is cut off.

It probes nothing and tells nobody. It follows the history, so that it has it when its turn comes.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from monitor import __version__
from monitor.clock import Clock
from monitor.config import Config
from monitor.daemon.components import must_have_key, page_host
from monitor.daemon.systemd import sd_notify
from monitor.language import language
from monitor.logs import RepeatFilter, quoted
from monitor.metrics import standby_report
from monitor.model import StoreError
from monitor.store import Holder, Store
from monitor.web import MetricsServer, StandbyServer

log = logging.getLogger(__name__)
LOOK_S = 1.0
"""How often it looks whether another daemon still leads, and what that one has written."""

END_S = 3.0
"""How long whoever takes over waits for what it reads just then, before it loads all anew."""


class Standby:
    def __init__(self, config: Config, store: Store, clock: Clock, stop: asyncio.Event) -> None:
        self._config, self._store, self._clock, self._stop = config, store, clock, stop
        self._leader: Holder
        self._metrics: MetricsServer | None = None
        self._trouble: str | None = None
        """Why the store cannot be asked now."""
        self._repeats = RepeatFilter()

    async def wait(self, leader: Holder) -> Holder | None:
        """Wait until nobody leads, and return who did last; None where it was stopped. Raises MonitorError.

        The server of the page says meanwhile what this daemon is.
        """
        await must_have_key(self._config)
        async with contextlib.AsyncExitStack() as stack:
            for server in self._servers():
                await server.start()
                stack.push_async_callback(server.close)
            self._note_leader(leader)
            over = asyncio.Event()
            following = asyncio.create_task(self._follow(over.is_set), name="follow")
            try:
                sd_notify("READY=1")
                is_our_turn = await self._until_nobody_leads()
            finally:
                over.set()
                await self._end(following)
        return self._leader if is_our_turn else None

    async def _until_nobody_leads(self) -> bool:
        """Return True when nobody leads, False when we are to stop."""
        while not self._stop.is_set():
            try:
                leader = await asyncio.to_thread(self._store.leader)
            except StoreError as error:
                self._note_trouble(str(error))
            else:
                self._note_trouble(None)
                if leader is None:
                    return True
                if leader.id != self._leader.id:
                    self._note_leader(leader)
            state = self._trouble or f"{machine(self._leader)} leads"
            sd_notify(f"WATCHDOG=1\nSTATUS=standby, {state}")
            await self._rest()
        return False

    def _note_leader(self, leader: Holder) -> None:
        self._leader = leader
        log.info("event=standby leader=%s", quoted(machine(leader)))
        if self._metrics is not None:
            self._metrics.well = f"standby, {machine(leader)} leads"

    def _note_trouble(self, why: str | None) -> None:
        self._trouble = why
        if self._repeats.is_news("store", why):
            log.warning('event=store_trouble why="%s"', why)

    async def _follow(self, is_over: Callable[[], bool]) -> None:
        """Keep the history in memory up to date until it `is_over`. Where that fails, whoever takes over loads it as after any start."""
        is_first = True
        while not (is_over() or self._stop.is_set()):
            began = self._clock.monotonic()
            try:
                await asyncio.to_thread(self._store.follow, self._leader, is_over)
            except StoreError as error:
                if self._repeats.is_news("follow", str(error)):
                    log.warning("event=not_followed why=%s", quoted(error))
            except Exception:  # to follow saves time, and no more
                log.exception("event=internal loop=follow")
            else:
                self._repeats.is_news("follow", None)
                if is_first and not is_over():
                    seconds = self._clock.monotonic() - began
                    log.info("event=followed seconds=%.1f", seconds)
                    is_first = False
            if not is_over():
                await self._rest()

    async def _end(self, following: asyncio.Task[None]) -> None:
        """Wait for it to end, and no longer than a takeover may: it may stand still where the server or a lock does."""
        await asyncio.wait({following}, timeout=END_S)
        if not following.done():
            log.warning("event=not_followed why=%s", quoted("the store gives no answer"))
            self._store.follow_no_more()
            following.cancel()

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), LOOK_S)

    def _servers(self) -> list[StandbyServer | MetricsServer]:
        config = self._config
        servers: list[StandbyServer | MetricsServer] = []
        if config.listen is not None:
            page = StandbyServer(
                standby_text(config.page.languages),
                config.page.dir,
                *config.listen,
                lambda: self._trouble,
                page_host=page_host(config),
            )
            servers.append(page)
        if config.metrics is not None:
            self._metrics = MetricsServer(
                *config.metrics,
                lambda: self._trouble,
                lambda accepts: standby_report(__version__, config.vantage, accepts),
            )
            servers.append(self._metrics)
        return servers


def standby_text(languages: tuple[str, ...]) -> str:
    """Return what readers of the page get; it names no machine."""
    sentences = (
        language(code).gettext(
            "This is the standby of a monitor: another machine probes now, and has the page."
        )
        for code in languages
    )
    return "".join(f"{sentence}\n" for sentence in sentences)


def machine(leader: Holder) -> str:
    """Return how people are told of a daemon: its process, and where that runs."""
    return f"process {leader.pid}" + (f" on {leader.host}" if leader.host else "")
