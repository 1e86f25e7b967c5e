"""The lifecycle: build, start, wait for a signal, drain. What is built stands in build.py."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from random import Random, SystemRandom

from monitor import __version__
from monitor.alerts import self_alerts
from monitor.clock import Clock, SystemClock
from monitor.config import Config
from monitor.daemon.build import Kit, Listeners, Parts, health, hung
from monitor.daemon.deadman_switch import DeadMansSwitch
from monitor.daemon.operator_requests import OperatorRequests
from monitor.daemon.reload import Reloader, forget
from monitor.daemon.self_monitor import SelfMonitor
from monitor.daemon.systemd import StoreWatchdog, beat, tell_systemd
from monitor.logs import RepeatFilter
from monitor.metrics import Metrics
from monitor.model import Redactor, RestartState, StoreError
from monitor.store import Store

log = logging.getLogger(__name__)

DRAIN = timedelta(seconds=20)
"""How long a stop waits for running probes before it cuts them off."""
LAST_WORDS = timedelta(seconds=5)
"""How long it then waits for messages to be delivered."""
PUBLISH = timedelta(seconds=10)
PRUNE = timedelta(minutes=10)
ALIVE = timedelta(seconds=15)


class Daemon:
    def __init__(
        self,
        config: Config,
        *,
        env: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        rng: Random | None = None,
        listeners: Listeners | None = None,
        publish_every: timedelta = PUBLISH,
    ) -> None:
        clock = clock or SystemClock()
        self.env = env
        self.clock = clock
        self.publish_every = publish_every
        self.stop = asyncio.Event()
        self.reread = asyncio.Event()
        self.store = Store(
            config.store, clock=clock, vantage=config.vantage, history=config.history
        )
        self.watchman = SelfMonitor(self.store, clock)
        self.kit = Kit(
            config=config,
            clock=clock,
            rng=rng or SystemRandom(),
            redact=Redactor(config.secrets),
            store=self.store,
            pulse=StoreWatchdog(clock),
            metrics=Metrics(),
            listeners=listeners or Listeners(),
        )

    async def run(self) -> None:
        """Until `stop` is set or a signal comes; raises MonitorError if it cannot start."""
        # Before others find us by our store; SIGTERM still ends a start at once.
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reread.set)
        self.store.open()
        try:
            memory = self.store.recall()
            parts = Parts.build(self.kit, memory)
            await self._forget(parts)
            await self._remember(parts, memory)
            async with _signals(self.stop):
                await self._live(parts, memory)
        finally:
            await self.store.close()
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
            log.info("event=stopped")

    async def _live(self, parts: Parts, memory: RestartState) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(parts.close)
            if parts.web:
                await parts.web.start()
            loops = self._start(parts, memory)
            tell_systemd("READY=1")
            log.info("event=started version=%s checks=%d", __version__, len(self.kit.config.checks))
            await self.stop.wait()
            tell_systemd("STOPPING=1")
            await self._drain(parts, loops)

    def _start(self, parts: Parts, memory: RestartState) -> list[asyncio.Task[None]]:
        _quiet_collector()
        parts.schedule.start(self.kit.config.checks, memory.last_asked)
        loops = [
            asyncio.create_task(parts.courier.run(self.stop), name="courier"),
            asyncio.create_task(
                parts.publisher.run(self.stop, self.publish_every), name="publisher"
            ),
            asyncio.create_task(self._keep_house(parts), name="housekeeping"),
            asyncio.create_task(
                OperatorRequests(self.store, parts.alerts, self.clock).run(self.stop),
                name="mailbox",
            ),
            asyncio.create_task(self._heart(parts).run(self.stop), name="heart"),
            asyncio.create_task(self._reload_when_asked(parts), name="reload"),
            asyncio.create_task(self._prove_life(parts), name="pulse"),
            asyncio.create_task(self._feel_lag(), name="lag"),
        ]
        for loop in loops:
            loop.add_done_callback(self._loop_ended)
        return loops

    def _heart(self, parts: Parts) -> DeadMansSwitch:
        return DeadMansSwitch(
            url=lambda: self.kit.config.heartbeat,
            trouble=lambda: health(self.kit, parts.schedule),
            oldest=lambda: self.store.oldest_message(each.id for each in self.kit.config.channels),
            summary=lambda: f"{len(self.kit.config.checks)} checks, {parts.alerts.summary}",
            clock=self.clock,
        )

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        """A loop that dies takes the daemon with it: better restarted than half alive."""
        if task.cancelled() or self.stop.is_set():
            return
        log.critical("event=loop_ended loop=%s", task.get_name(), exc_info=task.exception())
        self.stop.set()

    async def _reload_when_asked(self, parts: Parts) -> None:
        reloader = Reloader(self.kit, parts, self.env)
        while not self.stop.is_set():
            asked = asyncio.create_task(self.reread.wait())
            stopped = asyncio.create_task(self.stop.wait())
            await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            stopped.cancel()
            if self.reread.is_set() and not self.stop.is_set():
                self.reread.clear()
                self.kit = await reloader.reload()
                _quiet_collector()

    async def _keep_house(self, parts: Parts) -> None:
        """Proof of life, reminders and retention, off the probes' path."""
        told = RepeatFilter()
        pruned = self.clock.monotonic() - PRUNE.total_seconds() / 2
        while not self.stop.is_set():
            now = self.clock.now()
            self.store.heartbeat(now)
            await self._watch_ourselves(parts, now)
            with _store_may_fail(told):
                await self._remind(parts, now)
                await parts.close_retired()
                if self.clock.monotonic() - pruned >= PRUNE.total_seconds():
                    pruned = self.clock.monotonic()
                    await self.store.prune(now, self.kit.config.history)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), ALIVE.total_seconds())

    async def _prove_life(self, parts: Parts) -> None:
        """Says nothing where only starting again would help: then systemd does that."""
        asked, told = asyncio.create_task(self._feel_store()), RepeatFilter()
        while not self.stop.is_set():
            if asked.done():
                asked = asyncio.create_task(self._feel_store())
            trouble = hung(self.kit, parts.schedule)
            part = trouble.partition(":")[0] if trouble else None  # for how long is no news
            if told.is_news("hung", part):
                log.critical('event=hung why="%s"', trouble)
            if trouble is None:
                status = health(self.kit, parts.schedule) or "all goes on"
                tell_systemd(f"WATCHDOG=1\nSTATUS={len(self.kit.config.checks)} checks, {status}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), beat(self.env).total_seconds())
        asked.cancel()

    async def _feel_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.stop.is_set():
            due = loop.time() + 1
            await asyncio.sleep(1)
            self.kit.metrics.lagged(max(0.0, loop.time() - due))

    async def _feel_store(self) -> None:
        with contextlib.suppress(StoreError):
            await self.store.flush()
        self.kit.pulse.answered()

    async def _forget(self, parts: Parts) -> None:
        with _store_may_fail():
            await forget(self.kit, parts)

    async def _remember(self, parts: Parts, memory: RestartState) -> None:
        """What the store knows of before, and what people should know of the time between."""
        now, known = self.clock.now(), {check.key for check in self.kit.config.checks}
        with _store_may_fail():
            since = parts.alerts.needs_since(now)
            latest = [each.latest for each in (await self.store.snapshot(now)).checks.values()]
            recent = await self.store.results_since(since)
            old = (each for each in latest if each and each.at < since)
            parts.alerts.seed(each for each in (*old, *recent) if each.check in known)
        text = self_alerts.started(memory, now, parts.alerts.language)
        if text:
            log.warning('event=gap why="%s"', text.splitlines()[0])
            await self._notify(parts, text, now)

    async def _notify(
        self, parts: Parts, text: str, now: datetime, but: frozenset[str] = frozenset()
    ) -> None:
        """Also while nothing can be stored: then it is told from memory."""
        with _store_may_fail():
            await self.store.save(outgoing=parts.alerts.notice(text, now, but))

    async def _watch_ourselves(self, parts: Parts, now: datetime) -> None:
        channels = [channel.id for channel in self.kit.config.channels]
        news = self.watchman.news(parts.schedule.trouble(), channels, now, parts.alerts.language)
        for text, but in news:
            await self._notify(parts, text, now, but)

    async def _remind(self, parts: Parts, now: datetime) -> None:
        changes = parts.alerts.remind(now)
        if changes.incidents or changes.outgoing:
            await self.store.save(changes.incidents, changes.outgoing)

    async def _drain(self, parts: Parts, loops: list[asyncio.Task[None]]) -> None:
        """Probes first, so that what they found is still committed, told and shown."""
        cut = await parts.schedule.drain(DRAIN)
        log.info(
            "event=drained cut_off=%d late=%d missed=%d",
            cut,
            parts.schedule.late,
            parts.schedule.missed,
        )
        await _finish(loops)
        with _store_may_fail():
            await self.store.flush()
        with _store_may_fail(), contextlib.suppress(TimeoutError):  # the rest after the next start
            await asyncio.wait_for(
                parts.courier.deliver_due(at_once=True), LAST_WORDS.total_seconds()
            )
        with _store_may_fail():
            await _last_page(parts)


async def _last_page(parts: Parts) -> None:
    try:
        await parts.publisher.publish(stopped=True)
    except OSError as error:
        log.error('event=last_page_not_written why="%s"', error.strerror)  # noqa: TRY400


@contextlib.contextmanager
def _store_may_fail(told: RepeatFilter | None = None) -> Iterator[None]:
    """A broken disk stops neither probes nor messages: what was handed over waits in memory."""
    try:
        yield
    except StoreError as error:
        level = logging.WARNING if told is None else told.level("store", str(error), logging.DEBUG)
        log.log(level, 'event=store_trouble why="%s"', error)
    else:
        if told:
            told.is_news("store", None)


@contextlib.asynccontextmanager
async def _signals(stop: asyncio.Event) -> AsyncIterator[None]:
    """The first SIGTERM or SIGINT stops politely; a second one finds Python's own handler again."""
    loop = asyncio.get_running_loop()

    def polite(number: signal.Signals) -> None:
        log.info("event=signal name=%s", number.name)
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, polite, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _finish(loops: list[asyncio.Task[None]]) -> None:
    """They end by themselves once `stop` is set; what hangs is cut off."""
    _, late = await asyncio.wait(loops, timeout=10)
    for task in late:
        task.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


def _quiet_collector() -> None:
    """Full collections over everything imported are the largest error of a timing: leave it out."""
    gc.collect()
    gc.freeze()
