"""The composition root: every part built from the config, each given only what it needs."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

from monitor import __version__
from monitor.alerts import AlertEngine, Context, Notifier
from monitor.budget import BudgetLedger
from monitor.clock import Clock
from monitor.config import Config
from monitor.courier import Courier
from monitor.cycle import Ask, Cycle
from monitor.daemon.publish_command import PublishCommand
from monitor.daemon.systemd import StoreWatchdog
from monitor.diagnosis import PathDiagnosis
from monitor.metrics import Metrics, Reading
from monitor.model import (
    Check,
    Endpoint,
    FailureKind,
    Habit,
    Incident,
    Message,
    OutboxMessage,
    Redactor,
    RestartState,
    Result,
)
from monitor.probes import Client, attempt
from monitor.publisher import Publisher
from monitor.schedule import Changed, Due, Run, Schedule
from monitor.store import Store
from monitor.web import Report, WebServer


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who else wants to know, on the loop's thread: the demo's live table."""

    on_result: Callable[[Result], None] = lambda _: None
    on_message: Callable[[OutboxMessage, Message], None] = lambda *_: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What nearly every part is made from."""

    config: Config
    clock: Clock
    rng: Random
    redact: Redactor
    store: Store
    pulse: StoreWatchdog
    metrics: Metrics
    listeners: Listeners


@dataclass(slots=True, kw_only=True)
class Parts:
    """The living ones, which outlast a reload; `client` and `web` may be replaced by it."""

    client: Client
    doctor: PathDiagnosis
    alerts: AlertEngine
    cycle: Cycle
    schedule: Schedule
    courier: Courier
    publisher: Publisher
    carrier: PublishCommand
    web: WebServer | None
    retired: list[tuple[Client, frozenset[asyncio.Task[None]]]] = field(default_factory=list)

    @classmethod
    def build(cls, kit: Kit, memory: RestartState) -> "Parts":
        config, clock = kit.config, kit.clock
        client = Client()
        alerts = AlertEngine(config.alerts, config.channels, memory)
        doctor = doctor_of(config, clock, kit.redact)
        cycle = _cycle(kit, client, alerts, memory, doctor)
        schedule = Schedule(_tick(kit, cycle), clock)
        carrier = PublishCommand(config.page, clock=clock, redact=kit.redact, report=kit.store.note)
        publisher = Publisher(
            kit.store, config.services, config.checks, config.page,
            clock=clock, vantage=config.vantage, version=__version__,
            maintenance=config.maintenance, carrier=carrier,
        )  # fmt: skip
        return cls(
            client=client,
            doctor=doctor,
            alerts=alerts,
            cycle=cycle,
            schedule=schedule,
            courier=_courier(kit, alerts),
            publisher=publisher,
            carrier=carrier,
            web=web_of(kit, schedule, cycle.ledger),
        )

    def change(self, kit: Kit, notifier: Notifier) -> Changed:
        """Everything of another config at once, so that no run sees half of it. Cannot fail."""
        config = kit.config
        before, self.client = self.client, Client()
        self.retired.append((before, self.schedule.running()))
        self.cycle.ask = ask_of(kit, self.client)
        self.doctor.change(config.diagnosis, _endpoints(config), kit.redact)
        self.cycle.ledger.change(config.services, config.budgets, config.prices)
        self.alerts.change(config.alerts, config.channels)
        self.courier.change(notifier.send, partial(_context, kit, self.alerts))
        self.publisher.change(config.services, config.checks, config.page, config.maintenance)
        self.carrier.change(config.page)
        if self.web:
            self.web.change(config.page.dir, _report(kit, self.schedule, self.cycle.ledger))
        changed = self.schedule.change(config.checks)
        self.cycle.backoff.forget(changed.gone | changed.changed)
        return changed

    async def close_retired(self) -> None:
        """Clients that a reload replaced, once the runs that they carry have ended."""
        for client, runs in [*self.retired]:
            if all(run.done() for run in runs):
                self.retired.remove((client, runs))
                await client.close()

    async def close(self) -> None:
        await self.carrier.close()
        for client in [self.client, *(client for client, _ in self.retired)]:
            await client.close()
        await self.doctor.close()
        if self.web:
            await self.web.close()


def _endpoints(config: Config) -> tuple[Endpoint, ...]:
    return tuple(endpoint for service in config.services for endpoint in service.endpoints)


def doctor_of(config: Config, clock: Clock, redact: Redactor) -> PathDiagnosis:
    return PathDiagnosis(config.diagnosis, _endpoints(config), clock=clock, redact=redact)


def _cycle(
    kit: Kit, client: Client, alerts: AlertEngine, memory: RestartState, doctor: PathDiagnosis
) -> Cycle:
    config = kit.config
    today = kit.clock.now().date()
    spent = {(service, today): amount for service, amount in memory.spent_today.items()}
    habits: Mapping[str, Habit] = memory.habits
    return Cycle(
        ask=ask_of(kit, client),
        store=kit.store,
        alerts=alerts,
        ledger=BudgetLedger(config.services, config.budgets, config.prices, spent),
        clock=kit.clock,
        vantage=config.vantage,
        explain=doctor,
        habits=dict(habits),
        rng=kit.rng,
        on_result=_listener(kit),
    )


def _tick(kit: Kit, cycle: Cycle) -> Run:
    async def tick(check: Check, due: Due) -> float | None:
        kit.metrics.due(check.key, due.missed)
        return await cycle.tick(check, due)

    return tick


def _listener(kit: Kit) -> Callable[[Result], None]:
    def heard(result: Result) -> None:
        kit.metrics.ran(result)
        kit.listeners.on_result(result)

    return heard


def ask_of(kit: Kit, client: Client) -> Ask:
    return partial(
        attempt,
        client=client,
        clock=kit.clock,
        rng=kit.rng,
        vantage=kit.config.vantage,
        redact=kit.redact,
    )


def _courier(kit: Kit, alerts: AlertEngine) -> Courier:
    config = kit.config
    courier = Courier(
        kit.store,
        Notifier(config.channels, kit.redact).send,
        partial(_context, kit, alerts),
        clock=kit.clock,
        rng=kit.rng,
        on_message=kit.listeners.on_message,
        is_blind=lambda: alerts.is_blind,
    )
    loop = asyncio.get_running_loop()

    def committed() -> None:
        loop.call_soon_threadsafe(courier.wake)

    kit.store.on_commit(committed)
    return courier


def _context(kit: Kit, alerts: AlertEngine, incident: Incident | None) -> Context:
    config = kit.config
    endpoints = {
        endpoint.path: (endpoint.name, endpoint.url)
        for service in config.services
        for endpoint in service.endpoints
    }
    cutting = {
        endpoint.path for service in config.services for endpoint in service.endpoints
        if endpoint.cut_after
    }  # fmt: skip
    working = alerts.working(incident.service) if incident and incident.service else ()
    bad = {check.rsplit("/", 1)[0] for check in incident.active} if incident else set()
    if incident and incident.failure.kind is FailureKind.EDGE_TIMEOUT:
        working = tuple(sorted(working, key=lambda path: path in cutting))
    return Context(
        now=kit.clock.now(),
        services={service.id: service.name for service in config.services},
        endpoints=endpoints,
        working=tuple(
            endpoints[path][1] for path in working if path in endpoints and path not in bad
        ),
        page_url=config.page.url,
        downtime=alerts.downtime(incident, kit.clock.now()) if incident else None,
        durable=kit.store.trouble is None,
        language=alerts.language,
    )


def web_of(kit: Kit, schedule: Schedule, ledger: BudgetLedger) -> WebServer | None:
    if kit.config.listen is None:
        return None
    host, port = kit.config.listen
    return WebServer(
        kit.config.page.dir,
        host,
        port,
        lambda: health(kit, schedule),
        _report(kit, schedule, ledger),
    )


def _report(kit: Kit, schedule: Schedule, ledger: BudgetLedger) -> Report:
    return lambda accepts: kit.metrics.report(_reading(kit, schedule, ledger), accepts)


def _reading(kit: Kit, schedule: Schedule, ledger: BudgetLedger) -> Reading:
    config, today = kit.config, kit.clock.now().date()
    waiting = {channel.id: 0 for channel in config.channels}
    return Reading(
        version=__version__,
        vantage=config.vantage,
        checks=config.checks,
        trouble=health(kit, schedule),
        waiting=waiting | dict(kit.store.undelivered),
        spent={service.id: ledger.spent(service.id, today) for service in config.services},
        used=ledger.used(today),
        currency=config.page.currency,
        dropped=kit.store.dropped,
    )


def health(kit: Kit, schedule: Schedule) -> str | None:
    """Why somebody should look, or None."""
    return f"store: {kit.store.trouble}" if kit.store.trouble else hung(kit, schedule)


def hung(kit: Kit, schedule: Schedule) -> str | None:
    """What only starting again would mend, or None."""
    return schedule.trouble() or kit.pulse.trouble()
