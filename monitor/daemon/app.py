"""The lifecycle of the daemon: build, start, wait for a signal, drain. components.py builds the parts."""

import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from monitor import __version__
from monitor.alerts import Context, self_alerts
from monitor.clock import Clock, ClockSteps, SystemClock
from monitor.config import Config, load
from monitor.daemon import STARTED, start_note
from monitor.daemon.components import Components, must_have_key
from monitor.daemon.deadman_switch import DeadMansSwitch
from monitor.daemon.dependencies import Dependencies, Listeners
from monitor.daemon.metrics_push import MetricsPush
from monitor.daemon.reload import Reloader, forget_removed
from monitor.daemon.self_monitor import SelfMonitor
from monitor.daemon.self_report import health, hung, monitor_state
from monitor.daemon.standby import Standby, machine
from monitor.daemon.systemd import StoreWatchdog, sd_notify, watchdog_interval
from monitor.logs import RepeatFilter, quoted
from monitor.metrics import Metrics, MetricsSnapshot
from monitor.model import Notice, Redactor, RestartState, StoreError
from monitor.probes.wire.resolver import Resolve, system_resolve
from monitor.ranking import RecentAnswers
from monitor.store import AlsoWritten, Holder, InUseError, Store
from monitor.store.small_tables import TOLD_PRICES

if TYPE_CHECKING:
    from monitor.daemon.hub import Hub

log = logging.getLogger(__name__)

DRAIN = timedelta(seconds=20)
"""How long a stop waits for running probes before it cuts them off."""
LAST_DELIVERY = timedelta(seconds=5)
"""How long it then waits for messages to be delivered."""
PUBLISH_INTERVAL = timedelta(seconds=10)
PRUNE_INTERVAL = timedelta(minutes=10)
HOUSEKEEPING_INTERVAL = timedelta(seconds=15)
LEASE_LOOK_S, HOUR_S = 0.25, 3600.0
LAST_WORDS_S = 5.0
"""How long a daemon that leads no more waits for its store to be closed, before it ends all the same."""
GC_THRESHOLDS = 2000, 10, 100
"""A full collection takes 0.1 s with a thousand checks, and Python would have one every few seconds."""
CHECKS_PER_GC_THRESHOLD = 20
"""With more than two thousand checks full collections, which take seconds then, come the more seldom."""
SWITCH_INTERVAL_S = 0.0001
"""How long another thread may compute before the event loop goes on: a fiftieth of what Python takes, because a
run asks so some twenty times, and a page that is rendered shall make none late."""


RECENT = timedelta(minutes=30)
"""So far back a start looks for answers, by which alerts rank base URLs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Says what a daemon does beside probing and remembering. The usual one shows a page; an agent pushes."""

    read: Callable[[Path], Config] | None = None
    """Reads the configuration anew; None reads monitor.toml."""
    publishes: bool = True
    also: AlsoWritten | None = None
    """Called within each transaction that writes runs, with them."""
    loops: Callable[["Daemon", Components], Mapping[str, Coroutine[None, None, None]]] = lambda *_: {}
    """Makes further loops, by the names under which they are watched; they run as long as the daemon."""


class Daemon:
    """Opens the store, runs every loop until it is told to stop or to reload, and closes all in order."""

    def __init__(
        self,
        config: Config,
        *,
        env: Mapping[str, str] = os.environ,
        clock: Clock | None = None,
        rng: Random | None = None,
        listeners: Listeners | None = None,
        publish_every: timedelta = PUBLISH_INTERVAL,
        role: Role = Role(),  # frozen
        resolve: Resolve = system_resolve,
        stop: asyncio.Event | None = None,
    ) -> None:
        """`stop` ends it; several daemons of one process may have the same. `resolve` stands in for `getaddrinfo`."""
        clock = clock or SystemClock()
        self.env = env
        self.clock = clock
        self.publish_every = publish_every
        self.role = role
        self.stop = stop or asyncio.Event()
        self.reload_requested = asyncio.Event()
        self.store = Store(
            config.store,
            clock=clock,
            vantage=config.vantage,
            history=config.history,
            others=(vantage.id for vantage in config.vantages),
            also=role.also,
        )
        self.self_monitor = SelfMonitor(self.store, clock)
        self._standby = Standby(config, self.store, clock, self.stop)
        self._before: Holder | None = None
        """The daemon that we waited for, and took over from."""
        self.deps = Dependencies(
            config=config,
            clock=clock,
            rng=rng or SystemRandom(),
            redact=Redactor(config.secrets),
            store=self.store,
            store_watchdog=StoreWatchdog(clock),
            metrics=Metrics(clock),
            listeners=listeners or Listeners(),
            answers=RecentAnswers(config.checks),
            clock_steps=ClockSteps(clock),
            resolve=resolve,
        )

    async def run(self) -> None:
        """Run until `stop` is set or a signal comes; raises MonitorError if it cannot start."""
        # Before others find us by our store; SIGTERM still ends a start at once.
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload_requested.set)
        if not await self._claim_store():
            return
        try:
            state = self.store.recall()
            components = Components.build(self.deps, state)
            await self._forget_removed(components)
            if components.hub:
                await components.hub.load()
            await self._restore_state(components, state)
            async with _signals(self.stop):
                await self._run_components(components, state)
        finally:
            await self._close_store()
            faulthandler.cancel_dump_traceback_later()
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
            log.info("event=stopped")

    async def _claim_store(self) -> bool:
        """Claim the store; where another daemon leads and may be followed, wait for it. False where we were stopped."""
        opened = False
        try:
            while not opened:
                leader = await asyncio.to_thread(self.store.leader)
                if leader is not None:
                    async with _signals(self.stop):
                        self._before = await self._standby.wait(leader)
                    if self._before is None:
                        log.info("event=stopped")
                        return False
                await must_have_key(self.deps.config)
                opened = self._has_opened()
        finally:
            if not opened:
                self.store.wait_no_more()
        self.deps.store_watchdog.answered()  # nobody asked it while we waited
        if self._before:
            log.warning("event=takes_over from=%s", quoted(machine(self._before)))
        return True

    def _has_opened(self) -> bool:
        """Open the store; False where another daemon that we can wait for was quicker."""
        try:
            self.store.open()
        except InUseError:
            if not self.store.has_lease:
                raise
            return False
        return True

    async def _run_components(self, components: Components, state: RestartState) -> None:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(components.close)
            for server in components.servers:
                await server.start()
            lost = asyncio.create_task(self._until_lost(), name="lease")
            loops = self._start(components, state)
            sd_notify("READY=1")
            loops.append(asyncio.create_task(self._note_start(), name="start"))
            await self.stop.wait()
            sd_notify("STOPPING=1")
            draining = asyncio.create_task(self._drain(components, loops), name="drain")
            if not lost.done():
                await asyncio.wait({draining, lost}, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                draining.cancel()
                await self._step_down(components, loops)
                raise StoreError(self.store.lost or "")
            lost.cancel()
            await draining

    async def _note_start(self) -> None:
        """Leave in the store who leads since when. It may wait for a server that hangs, and nothing else waits for that."""
        with _log_store_errors():
            note = start_note(os.getpid(), self.clock.now(), self.store.claim_id)
            await self.store.note(STARTED, note)
        log.info("event=started version=%s checks=%d", __version__, len(self.deps.config.checks))

    def _start(self, components: Components, state: RestartState) -> list[asyncio.Task[None]]:
        _freeze_garbage_collector()
        young, middle, old = GC_THRESHOLDS
        seldom = len(self.deps.config.checks) // CHECKS_PER_GC_THRESHOLD
        gc.set_threshold(young, middle, max(old, seldom))
        self.store.on_load = gc.freeze  # else the history is looked through each time
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        components.schedule.start(self.deps.config.checks, state.last_asked)
        components.bots.start()
        loops = [
            asyncio.create_task(components.courier.run(self.stop), name="courier"),
            asyncio.create_task(self._housekeeping(components), name="housekeeping"),
            asyncio.create_task(
                components.operator_requests.run(self.stop), name="operator_requests"
            ),
            asyncio.create_task(
                self._deadman_switch(components).run(self.stop), name="deadman_switch"
            ),
            asyncio.create_task(self._metrics_push(components).run(self.stop), name="metrics_push"),
            asyncio.create_task(self._reload_when_requested(components), name="reload"),
            asyncio.create_task(self._watchdog(components), name="watchdog"),
            asyncio.create_task(self._measure_loop_lag(), name="loop_lag"),
            *(
                asyncio.create_task(loop, name=name)
                for name, loop in self.role.loops(self, components).items()
            ),
        ]
        if self.role.publishes:
            publishing = components.publisher.run(self.stop, self.publish_every, self.store.changes)
            loops.append(asyncio.create_task(publishing, name="publisher"))
        for loop in loops:
            loop.add_done_callback(self._loop_ended)
        return loops

    def _deadman_switch(self, components: Components) -> DeadMansSwitch:
        return DeadMansSwitch(
            url=lambda: self.deps.config.heartbeat,
            trouble=lambda: health(self.deps, components.schedule),
            oldest=lambda: self.store.oldest_message(
                receiver.id for receiver in self.deps.config.receivers
            ),
            summary=lambda: f"{len(self.deps.config.checks)} checks, {components.alerts.summary}",
            clock=self.clock,
        )

    def _metrics_push(self, components: Components) -> MetricsPush:
        def snapshot() -> MetricsSnapshot:
            parts = components.schedule, components.cycle.ledger, components.alerts, components.hub
            return self.deps.metrics.snapshot(monitor_state(self.deps, *parts))

        return MetricsPush(
            lambda: self.deps.config.otlp,
            snapshot,
            self.deps.config.vantage,
            clock=self.clock,
            report=self.store.note,
        )

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        """End the daemon with a loop that died: better restarted than half alive."""
        if task.cancelled() or self.stop.is_set():
            return
        log.critical("event=loop_ended loop=%s", task.get_name(), exc_info=task.exception())
        self.stop.set()

    async def _reload_when_requested(self, components: Components) -> None:
        read = self.role.read or partial(load, env=self.env)
        reloader = Reloader(self.deps, components, read)
        while not self.stop.is_set():
            requested = asyncio.create_task(self.reload_requested.wait())
            stopped = asyncio.create_task(self.stop.wait())
            await asyncio.wait({requested, stopped}, return_when=asyncio.FIRST_COMPLETED)
            requested.cancel()
            stopped.cancel()
            if self.reload_requested.is_set() and not self.stop.is_set():
                self.reload_requested.clear()
                self.deps = await reloader.reload()
                _freeze_garbage_collector()

    async def _housekeeping(self, components: Components) -> None:
        """Store proof of life, send reminders and prune old runs, off the probes' path."""
        repeat_filter = RepeatFilter()
        pruned = self.clock.monotonic() - PRUNE_INTERVAL.total_seconds() / 2
        while not self.stop.is_set():
            now = self.clock.now()
            self.store.heartbeat(now)
            await self._alert_about_ourselves(components, now)
            with _log_store_errors(repeat_filter):
                await self._remind(components, now)
                await components.close_retired()
                if self.clock.monotonic() - pruned >= PRUNE_INTERVAL.total_seconds():
                    pruned = self.clock.monotonic()
                    await self.store.prune(now, self.deps.config.history)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), HOUSEKEEPING_INTERVAL.total_seconds())

    async def _watchdog(self, components: Components) -> None:
        """Tell systemd that all is well; silent where only a restart would help, which systemd then does."""
        answer, repeat_filter = asyncio.create_task(self._ask_store()), RepeatFilter()
        while not self.stop.is_set():
            if answer.done():
                answer = asyncio.create_task(self._ask_store())
            trouble = hung(self.deps, components.schedule)
            part = trouble.partition(":")[0] if trouble else None  # how long it lasts is no news
            if repeat_filter.is_news("hung", part):
                log.critical('event=hung why="%s"', trouble)
            if trouble is None:
                status = health(self.deps, components.schedule) or "all goes on"
                sd_notify(f"WATCHDOG=1\nSTATUS={len(self.deps.config.checks)} checks, {status}")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self.stop.wait(), watchdog_interval(self.env).total_seconds()
                )
        answer.cancel()

    async def _measure_loop_lag(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.stop.is_set():
            due = loop.time() + 1
            await asyncio.sleep(1)
            self.deps.metrics.lagged(max(0.0, loop.time() - due))

    async def _ask_store(self) -> None:
        with contextlib.suppress(StoreError):
            await self.store.flush()
        self.deps.store_watchdog.answered()

    async def _forget_removed(self, components: Components) -> None:
        """Forget what left the configuration since the last daemon."""
        with _log_store_errors():
            await forget_removed(self.deps, components)

    async def _restore_state(self, components: Components, state: RestartState) -> None:
        """Give the alerts what the store remembers, and tell people of the time that nobody watched."""
        now, known = self.clock.now(), {check.key for check in self.deps.config.checks}
        with _log_store_errors():
            for_alerts = components.alerts.needs_since(now)
            begin = min(for_alerts, now - RECENT)
            latest = await self.store.latest_results()
            recent = await self.store.results_since(begin)
            for result in (*(last for last in latest if last.at < begin), *recent):
                self.deps.answers.add(result)
            old = (result for result in latest if result.at < for_alerts)
            new = (result for result in recent if result.at >= for_alerts)
            components.alerts.seed(result for result in (*old, *new) if result.check in known)
            if self._before and state.last_seen:
                seen = max((state.last_seen, *(result.at for result in latest)))
                state = replace(state, last_seen=seen)
        with _log_store_errors():
            goes_on = components.hub.events if components.hub else frozenset()
            ended = [row for row in state.begun if row.event not in goes_on]
            await self.store.save(outgoing=components.alerts.end_begun(ended, now))
        before = machine(self._before) if self._before else None
        text = self_alerts.started(state, self._context(components, now), before)
        if text:
            log.warning('event=gap why="%s"', text.splitlines()[0])
            await self._notify(components, Notice(text, self_alerts.STOPPED), now)

    async def _notify(self, components: Components, notice: Notice, now: datetime) -> None:
        """Queue a message; while nothing can be stored it is told from memory."""
        with _log_store_errors():
            await self.store.save(outgoing=components.alerts.notice(notice, now))

    def _context(self, components: Components, now: datetime) -> Context:
        """Return what a message about the monitor itself needs to know."""
        zone = self.deps.config.alerts.timezone
        return Context(now=now, language=components.alerts.language, timezone=zone)

    async def _alert_about_ourselves(self, components: Components, now: datetime) -> None:
        alerts = self.self_monitor.alerts(
            components.schedule.trouble(),
            self.deps.config.targets,
            now,
            components.alerts.language,
            components.gone_webhooks,
        )
        for notice in alerts:
            await self._notify(components, notice, now)
        if components.hub:
            await self._alert_about_agents(components, components.hub, now)
        for pause in components.schedule.take_pauses():
            text = self_alerts.paused(
                pause.begin,
                pause.end,
                self._context(components, now),
                by_clock=pause.by_clock,
            )
            log.warning('event=gap why="%s"', text.splitlines()[0])
            await self._notify(components, Notice(text), now)

    async def _alert_about_agents(self, components: Components, hub: "Hub", now: datetime) -> None:
        notices = hub.take_notices(self._context(components, now))
        for notice in notices:
            log.warning('event=agent_notice why="%s"', notice.text.splitlines()[0])
        rows = tuple(row for notice in notices for row in components.alerts.notice(notice, now))
        if notices:
            with _log_store_errors():
                await self.store.save(outgoing=rows, values=hub.remembered)

    async def _remind(self, components: Components, now: datetime) -> None:
        changes = components.alerts.remind(now)
        if changes:
            await self.store.save(changes.incidents, changes.outgoing, changes.states)
        await self._tell_of_prices(components, now)

    async def _tell_of_prices(self, components: Components, now: datetime) -> None:
        digest, context = components.price_digest, self._context(components, now)
        notice = digest.take(self.deps.config, components.cycle.habits, context)
        if notice:
            rows = components.alerts.notice(notice, now)
            told = (TOLD_PRICES, digest.told_until.isoformat())
            await self.store.save(outgoing=rows, values=(told,))

    async def _until_lost(self) -> None:
        """Say that this loop goes on, until another daemon may lead; then end all. Without end where none ever may."""
        while not (why := self.store.lost):
            self.store.prove_life()
            await asyncio.sleep(LEASE_LOOK_S if self.store.has_lease else HOUR_S)
        log.critical('event=leads_no_more why="%s"', why)
        faulthandler.dump_traceback_later(2 * LAST_WORDS_S, exit=True)  # should we hang
        self.stop.set()

    async def _step_down(self, components: Components, loops: list[asyncio.Task[None]]) -> None:
        """Cut off all that acts: another daemon leads, or may at any moment, and nothing of ours counts any more."""
        for loop in loops:
            loop.cancel()
        components.courier.cut_off()
        await components.schedule.drain(timedelta(0))
        await asyncio.gather(*loops, return_exceptions=True)

    async def _close_store(self) -> None:
        """Close the store. Where it is ours no more nothing is left to write, and we wait for no answer of it for long."""
        closing = asyncio.create_task(self.store.close())
        done, _ = await asyncio.wait({closing}, timeout=LAST_WORDS_S if self.store.lost else None)
        if not done:
            log.critical("event=ended why=%s", quoted("the store gives no answer"))
            logging.shutdown()
            os._exit(1)  # threads that wait for an answer would keep the process for minutes
        await closing

    async def _drain(self, components: Components, loops: list[asyncio.Task[None]]) -> None:
        """End the probes first, so that their results are still committed, told and shown."""
        await components.bots.stop()
        cut = await components.schedule.drain(DRAIN)
        log.info(
            "event=drained cut_off=%d late=%d missed=%d",
            cut,
            components.schedule.late,
            components.schedule.missed,
        )
        await _finish(loops)
        with _log_store_errors():
            await self.store.flush()
        with (
            _log_store_errors(),
            contextlib.suppress(TimeoutError),
        ):  # the rest after the next start
            await asyncio.wait_for(
                components.courier.deliver_due(at_once=True), LAST_DELIVERY.total_seconds()
            )
        if self.role.publishes:
            with _log_store_errors():
                await _publish_last_page(components)


async def _publish_last_page(components: Components) -> None:
    try:
        await components.publisher.publish(stopped=True)
    except OSError as error:
        log.error('event=last_page_not_written why="%s"', error.strerror)  # noqa: TRY400  # the reason says it all


@contextlib.contextmanager
def _log_store_errors(repeat_filter: RepeatFilter | None = None) -> Iterator[None]:
    """Log a StoreError and go on: what was handed to the store waits in memory."""
    try:
        yield
    except StoreError as error:
        level = logging.WARNING
        if repeat_filter is not None:
            level = repeat_filter.level("store", str(error), logging.DEBUG)
        log.log(level, 'event=store_trouble why="%s"', error)
    else:
        if repeat_filter:
            repeat_filter.is_news("store", None)


@contextlib.asynccontextmanager
async def _signals(stop: asyncio.Event) -> AsyncIterator[None]:
    """Let the first SIGTERM or SIGINT set `stop`; a second one finds Python's own handler again."""
    loop = asyncio.get_running_loop()

    def handle(number: signal.Signals) -> None:
        log.info("event=signal name=%s", number.name)
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _finish(loops: list[asyncio.Task[None]]) -> None:
    """Wait for loops to end by themselves once `stop` is set, and cancel what hangs."""
    _, late = await asyncio.wait(loops, timeout=10)
    for task in late:
        task.cancel()
    await asyncio.gather(*loops, return_exceptions=True)


def _freeze_garbage_collector() -> None:
    """Leave out of later collections all that exists: full ones are the largest error of a timing."""
    gc.collect()
    gc.freeze()
