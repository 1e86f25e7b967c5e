"""Composition root and lifecycle: build, start, wait for a signal, drain.

`run` builds every part from the config and hands each only what it needs; nothing else in the
house knows all of them.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from random import Random, SystemRandom

from monitor import __version__
from monitor.alerts import Alerts, Context, Notifier
from monitor.budget import Ledger
from monitor.clock import Clock, SystemClock
from monitor.config import Config
from monitor.courier import Courier
from monitor.cycle import Cycle
from monitor.model import Habit, Incident, Memory, Message, Outgoing, Redactor, Result, StoreError
from monitor.probes import Client, attempt
from monitor.publisher import Publisher
from monitor.schedule import Schedule
from monitor.store import Store
from monitor.web import Web

log = logging.getLogger(__name__)

DRAIN = timedelta(seconds=20)
"""How long a stop waits for running probes before it cuts them off."""
PUBLISH = timedelta(seconds=10)
PRUNE = timedelta(minutes=10)
ALIVE = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who else wants to know, on the loop's thread: the demo's live table."""

    on_result: Callable[[Result], None] = lambda _: None
    on_message: Callable[[Outgoing, Message], None] = lambda *_: None


class Daemon:
    def __init__(
        self,
        config: Config,
        *,
        clock: Clock | None = None,
        rng: Random | None = None,
        listeners: Listeners | None = None,
        publish_every: timedelta = PUBLISH,
    ) -> None:
        self.config = config
        self.clock = clock or SystemClock()
        self.rng = rng or SystemRandom()
        self.listeners = listeners or Listeners()
        self.publish_every = publish_every
        self.stop = asyncio.Event()
        self.redact = Redactor(config.secrets)
        self.store = Store(config.store, clock=self.clock, vantage=config.vantage)

    async def run(self) -> None:
        """Until `stop` is set or a signal comes; raises MonitorError if it cannot start."""
        self.store.open()
        try:
            memory = self.store.recall()
            parts = Parts.build(self, memory)
            await self._forget(parts)
            async with _signals(self.stop):
                await self._live(parts, memory)
        finally:
            await self.store.close()
            log.info("event=stopped")

    async def _live(self, parts: "Parts", memory: Memory) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(parts.client.close)
            if parts.web:
                await parts.web.start()
                stack.push_async_callback(parts.web.close)
            loops = self._start(parts, memory)
            tell_systemd("READY=1")
            log.info("event=started version=%s checks=%d", __version__, len(self.config.checks))
            await self.stop.wait()
            tell_systemd("STOPPING=1")
            await self._drain(parts, loops)

    def _start(self, parts: "Parts", memory: Memory) -> list[asyncio.Task[None]]:
        _quiet_collector()
        parts.schedule.start(self.config.checks, memory.last_asked)
        loops = [
            asyncio.create_task(parts.courier.run(self.stop), name="courier"),
            asyncio.create_task(
                parts.publisher.run(self.stop, self.publish_every), name="publisher"
            ),
            asyncio.create_task(self._keep_house(parts), name="housekeeping"),
        ]
        for loop in loops:
            loop.add_done_callback(self._loop_ended)
        return loops

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        """A loop that dies takes the daemon with it: better restarted than half alive."""
        if task.cancelled() or self.stop.is_set():
            return
        log.critical("event=loop_ended loop=%s", task.get_name(), exc_info=task.exception())
        self.stop.set()

    async def _keep_house(self, parts: "Parts") -> None:
        """Proof of life, reminders and retention, off the probes' path."""
        pruned = self.clock.monotonic() - PRUNE.total_seconds() / 2
        while not self.stop.is_set():
            now = self.clock.now()
            self.store.heartbeat(now)
            with _store_may_fail():
                await self._remind(parts, now)
                if self.clock.monotonic() - pruned >= PRUNE.total_seconds():
                    pruned = self.clock.monotonic()
                    await self.store.prune(now, self.config.history)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), ALIVE.total_seconds())

    async def _forget(self, parts: "Parts") -> None:
        """What left the config since the last run can no longer recover."""
        known = {check.key for check in self.config.checks}
        changes = parts.alerts.forget(known, self.clock.now())
        if changes.states:
            with _store_may_fail():
                await self.store.save(changes.incidents, changes.outgoing, changes.states)

    async def _remind(self, parts: "Parts", now: datetime) -> None:
        changes = parts.alerts.remind(now)
        if changes.incidents or changes.outgoing:
            await self.store.save(changes.incidents, changes.outgoing)

    async def _drain(self, parts: "Parts", loops: list[asyncio.Task[None]]) -> None:
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
        await parts.courier.deliver_due()
        try:
            await parts.publisher.publish(stopped=True)
        except OSError as error:
            log.error('event=last_page_not_written why="%s"', error.strerror)  # noqa: TRY400

    def health(self, schedule: Schedule) -> str | None:
        """Why somebody should look, or None."""
        if self.store.trouble:
            return f"store: {self.store.trouble}"
        return schedule.trouble()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    client: Client
    alerts: Alerts
    schedule: Schedule
    courier: Courier
    publisher: Publisher
    web: Web | None

    @classmethod
    def build(cls, daemon: Daemon, memory: Memory) -> "Parts":
        config, clock = daemon.config, daemon.clock
        client = Client()
        alerts = Alerts(config.alerts, config.channels, memory)
        cycle = _cycle(daemon, client, alerts, memory)
        schedule = Schedule(cycle.tick, clock)
        publisher = Publisher(
            daemon.store, config.services, config.checks, config.page,
            clock=clock, vantage=config.vantage, version=__version__,
        )  # fmt: skip
        return cls(
            client=client,
            alerts=alerts,
            schedule=schedule,
            courier=_courier(daemon, alerts),
            publisher=publisher,
            web=_web(daemon, schedule),
        )


def _cycle(daemon: Daemon, client: Client, alerts: Alerts, memory: Memory) -> Cycle:
    config = daemon.config
    today = daemon.clock.now().date()
    spent = {(service, today): amount for service, amount in memory.spent_today.items()}
    habits: Mapping[str, Habit] = memory.habits
    return Cycle(
        ask=partial(
            attempt,
            client=client,
            clock=daemon.clock,
            rng=daemon.rng,
            vantage=config.vantage,
            redact=daemon.redact,
        ),
        store=daemon.store,
        alerts=alerts,
        ledger=Ledger(config.services, config.budgets, config.prices, spent),
        clock=daemon.clock,
        vantage=config.vantage,
        habits=dict(habits),
        on_result=daemon.listeners.on_result,
    )


def _courier(daemon: Daemon, alerts: Alerts) -> Courier:
    config = daemon.config
    courier = Courier(
        daemon.store,
        Notifier(config.channels, daemon.redact).send,
        partial(_context, daemon, alerts),
        clock=daemon.clock,
        rng=daemon.rng,
        on_message=daemon.listeners.on_message,
    )
    loop = asyncio.get_running_loop()

    def committed() -> None:
        loop.call_soon_threadsafe(courier.wake)

    daemon.store.on_commit(committed)
    return courier


def _context(daemon: Daemon, alerts: Alerts, incident: Incident | None) -> Context:
    config = daemon.config
    endpoints = {
        endpoint.path: (endpoint.name, endpoint.url)
        for service in config.services
        for endpoint in service.endpoints
    }
    working = alerts.working(incident.service) if incident and incident.service else ()
    return Context(
        now=daemon.clock.now(),
        services={service.id: service.name for service in config.services},
        endpoints=endpoints,
        working=tuple(endpoints[path][1] for path in working if path in endpoints),
        page_url=config.page.url,
    )


def _web(daemon: Daemon, schedule: Schedule) -> Web | None:
    if daemon.config.listen is None:
        return None
    host, port = daemon.config.listen
    return Web(daemon.config.page.dir, host, port, lambda: daemon.health(schedule))


@contextlib.contextmanager
def _store_may_fail() -> Iterator[None]:
    """A broken disk stops neither probes nor messages: what was handed over waits in memory."""
    try:
        yield
    except StoreError as error:
        log.warning('event=store_trouble why="%s"', error)


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


def tell_systemd(state: str) -> None:
    """sd_notify(3): a datagram to $NOTIFY_SOCKET, where there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
