"""The composition root builds every part from the config, and gives each only what it needs."""

import asyncio
import json
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor import __version__
from monitor.alerts import (
    AlertEngine,
    Alternatives,
    Notifier,
    QuorumSettings,
    VoterSettings,
    certificate_days,
)
from monitor.alerts.best_changes import BestChanges
from monitor.alerts.moved_chats import MovedChats
from monitor.alerts.self_alerts import group_moved
from monitor.budget import BudgetLedger
from monitor.clock import Clock
from monitor.config import Config
from monitor.courier import Courier, no_webhooks
from monitor.cycle import Ask, Cycle
from monitor.daemon.bot_operations import BotOperations
from monitor.daemon.dependencies import Dependencies
from monitor.daemon.message_context import alternatives_to, context_of, service_names
from monitor.daemon.operator_requests import OperatorRequests
from monitor.daemon.price_digest import PriceDigest
from monitor.daemon.publish_command import PublishCommand
from monitor.daemon.self_report import health, metrics_report
from monitor.daemon.telegram_bots import TelegramBots, audience, sent_by_apprise
from monitor.diagnosis.path_diagnosis import PathDiagnosis
from monitor.logs import log_incident
from monitor.model import (
    Channel,
    Check,
    Habit,
    Incident,
    Notice,
    Redactor,
    RestartState,
    Result,
    RunRecord,
    StoreError,
)
from monitor.probes import attempt
from monitor.probes.wire.client import Client
from monitor.probes.wire.resolver import Resolve, system_resolve
from monitor.publisher import Publisher, no_listener
from monitor.schedule import Due, RunCheck, Schedule, ScheduleChange, whose_turn
from monitor.store import Store
from monitor.store.small_tables import MOVED_CHATS
from monitor.web import MetricsServer, WebServer

if TYPE_CHECKING:
    from monitor.daemon.hub import Hub
    from monitor.daemon.webhooks import Webhooks

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Components:
    """Holds the running parts. They outlast a reload, which may replace `client` and the servers."""

    client: Client
    path_diagnosis: PathDiagnosis
    alerts: AlertEngine
    cycle: Cycle
    schedule: Schedule
    courier: Courier
    moved_chats: MovedChats
    publisher: Publisher
    publish_command: PublishCommand
    operator_requests: OperatorRequests
    bots: TelegramBots
    web: WebServer | None
    metrics_server: MetricsServer | None
    hub: "Hub | None"
    """What takes the results of agents, where there are any."""
    best_changes: BestChanges
    """What webhooks heard last of the best base URL of each service."""
    price_digest: PriceDigest
    webhooks: "Webhooks | None" = None
    retired: list[tuple[Client, frozenset[asyncio.Task[None]]]] = field(default_factory=list)

    @classmethod
    def build(cls, deps: Dependencies, memory: RestartState) -> "Components":
        config, clock = deps.config, deps.clock
        client = Client(deps.resolve)
        alerts = AlertEngine(
            config.alerts,
            audience(config),
            memory,
            on_incident=log_incident,
            clock_set_by=deps.clock_steps.total,
            voting=voting_of(config),
        )
        path_diagnosis = make_path_diagnosis(config, clock, deps.redact, deps.resolve)
        cycle = _cycle(deps, client, alerts, memory, path_diagnosis)
        moved = MovedChats(memory.moved_chats)
        moved.on_move = partial(tell_of_move, deps.store, clock, alerts, moved)
        schedule = Schedule(_tick(deps, cycle), clock)
        schedule.is_turn = partial(is_hubs_turn, alerts)
        schedule.on_resume = deps.store_watchdog.answered
        publish_command = PublishCommand(
            config.page, clock=clock, redact=deps.redact, report=deps.store.note
        )
        publisher = Publisher(
            deps.store,
            config.services,
            config.checks,
            config.page,
            clock=clock,
            vantage=config.vantage,
            version=__version__,
            maintenance=config.maintenance,
            vantage_names=config.vantage_names,
            vantages=config.vantages,
            upload=publish_command,
            habits=lambda: cycle.habits,
        )

        def check_now(key: str) -> None:
            cycle.backoff.forget([key])
            schedule.run_now(key)

        requests = OperatorRequests(deps.store, alerts, clock, check_now)
        bots = _bots(deps, alerts, requests, publisher, moved)
        requests.on_change = bots.renew_buttons
        bots.change(config, Notifier(sent_by_apprise(config), deps.redact, moved))
        hub = make_hub(deps, alerts, schedule)
        components = cls(
            client=client,
            path_diagnosis=path_diagnosis,
            alerts=alerts,
            cycle=cycle,
            schedule=schedule,
            courier=_courier(deps, alerts, bots),
            moved_chats=moved,
            publisher=publisher,
            publish_command=publish_command,
            operator_requests=requests,
            bots=bots,
            web=make_web(deps, schedule, hub),
            metrics_server=make_metrics_server(deps, schedule, cycle.ledger, alerts, hub),
            hub=hub,
            best_changes=BestChanges(memory.told_best),
            price_digest=PriceDigest(memory.told_prices),
        )
        alerts.service_names = service_names(config)
        components.use_webhooks(deps)
        return components

    def use_webhooks(self, deps: Dependencies) -> None:
        """Serve the webhooks of the configuration from now on, if it has any."""
        old, self.webhooks = self.webhooks, None
        if deps.config.webhooks:
            self.webhooks = _make_webhooks(deps, self.alerts, self.best_changes)
            self.alerts.use_webhooks(deps.config.webhooks, self.webhooks.describe)
            self.publisher.on_best = self.webhooks.on_best
            self.courier.send_event = self.webhooks.sender.send
        elif old:
            self.alerts.use_webhooks((), lambda *_: "")
            self.publisher.on_best = no_listener
            self.courier.send_event = no_webhooks

    @property
    def gone_webhooks(self) -> Collection[str]:
        """Return the webhooks whose receivers said that they are gone for good."""
        return self.webhooks.sender.gone if self.webhooks else ()

    def change(
        self, deps: Dependencies, notifier: Notifier, hub: "Hub | None" = None
    ) -> ScheduleChange:
        """Swap to another config at once, so that no run sees half of it. Cannot fail.

        `hub` is what `prepare_hub` has made of the config.
        """
        config = deps.config
        self.hub = hub
        old_client, self.client = self.client, Client(deps.resolve)
        self.retired.append((old_client, self.schedule.running()))
        self.cycle.ask = make_ask(deps, self.client)
        self.cycle.peers_of, self.cycle.checks_beside = _peers(deps), _beside(deps)
        self.path_diagnosis.change(config.diagnosis, config.endpoints, deps.redact)
        self.cycle.ledger.change(config.services, config.budgets, config.prices)
        self.alerts.change(config.alerts, audience(config), voting_of(config))
        self.alerts.service_names = service_names(config)
        self.bots.change(config, notifier)
        self.courier.change(self.bots, partial(context_of, deps, self.alerts))
        self.use_webhooks(deps)
        deps.answers.change(config.checks)
        self.publisher.change(
            config.services,
            config.checks,
            config.page,
            config.maintenance,
            config.vantage_names,
            config.vantages,
        )
        self.publish_command.change(config.page)
        if self.hub:
            self.hub.change(config, deps.redact)
        if self.web:
            self.web.change(config.page.dir, page_host(config))
            self.web.answer_agents(self.hub.respond if self.hub else None)
        if self.metrics_server:
            report = metrics_report(deps, self.schedule, self.cycle.ledger, self.alerts, self.hub)
            self.metrics_server.change(report)
        changed = self.schedule.change(config.checks)
        self.cycle.backoff.forget(changed.gone | changed.changed)
        return changed

    async def prepare_hub(self, deps: Dependencies) -> "Hub | None":
        """Return the hub that another config needs: the one that there is, a new one, or none.

        One that has told of a silence stays, to tell its end. Raises MonitorError.
        """
        is_needed = deps.config.vantages or (self.hub and self.hub.events)
        if self.hub is None:
            await must_have_key(deps.config)
        hub = self.hub if self.hub and is_needed else make_hub(deps, self.alerts, self.schedule)
        if hub is not None and hub is not self.hub:
            await hub.load()
        return hub

    @property
    def servers(self) -> list[WebServer | MetricsServer]:
        return [server for server in (self.web, self.metrics_server) if server]

    async def close_retired(self) -> None:
        """Close clients that a reload replaced, once the runs that they carry have ended."""
        for client, runs in [*self.retired]:
            if all(run.done() for run in runs):
                self.retired.remove((client, runs))
                await client.close()

    async def close(self) -> None:
        await self.bots.close()
        await self.publish_command.close()
        for client in [self.client, *(client for client, _ in self.retired)]:
            await client.close()
        await self.path_diagnosis.close()
        for server in self.servers:
            await server.close()


def voting_of(config: Config) -> QuorumSettings:
    """Return by which vantages, and how, beliefs become one."""
    verdict = config.verdict
    return QuorumSettings(
        own=config.vantage,
        places={
            vantage.id: VoterSettings(
                main=vantage.main,
                silent=vantage.silent_after(config.checks),
            )
            for vantage in config.vantages
        },
        quorum=verdict.quorum,
        partial=verdict.partial,
        late=verdict.late,
        intervals={check.key: check.every for check in config.checks},
    )


def make_path_diagnosis(
    config: Config, clock: Clock, redact: Redactor, resolve: Resolve = system_resolve
) -> PathDiagnosis:
    return PathDiagnosis(
        config.diagnosis, config.endpoints, clock=clock, redact=redact, resolve=resolve
    )


def _cycle(
    deps: Dependencies,
    client: Client,
    alerts: AlertEngine,
    memory: RestartState,
    path_diagnosis: PathDiagnosis,
) -> Cycle:
    config = deps.config
    today = deps.clock.now().date()
    spent = {(service, today): amount for service, amount in memory.spent_today.items()}
    habits: Mapping[str, Habit] = memory.habits
    return Cycle(
        ask=make_ask(deps, client),
        store=deps.store,
        alerts=alerts,
        ledger=BudgetLedger(config.services, config.budgets, config.prices, spent),
        clock=deps.clock,
        vantage=config.vantage,
        peers_of=_peers(deps),
        checks_beside=_beside(deps),
        explain=path_diagnosis,
        habits=dict(habits),
        rng=deps.rng,
        on_result=_listener(deps),
        clock_set_by=deps.clock_steps.total,
    )


def _peers(deps: Dependencies) -> Callable[[Check], list[Check]]:
    """Return what finds the checks that ask the same of a service's other base URLs."""

    def peers_of(check: Check) -> list[Check]:
        return [
            peer
            for peer in deps.config.checks
            if (peer.service, peer.probe.id, peer.model)
            == (check.service, check.probe.id, check.model)
            and peer.key != check.key
        ]

    return peers_of


def _beside(deps: Dependencies) -> Callable[[Check], list[Check]]:
    """Return what finds the other checks of a base URL."""

    def checks_beside(check: Check) -> list[Check]:
        return [
            other
            for other in deps.config.checks
            if other.endpoint.path == check.endpoint.path and other.key != check.key
        ]

    return checks_beside


def _tick(deps: Dependencies, cycle: Cycle) -> RunCheck:
    async def tick(check: Check, due: Due) -> float | None:
        if deps.store.lost:
            return None  # another daemon probes
        deps.metrics.due(check.key, deps.config.vantage, due.missed)
        return await cycle.tick(check, due)

    return tick


def _listener(deps: Dependencies) -> Callable[[Result], None]:
    def on_result(result: Result) -> None:
        deps.metrics.ran(result)
        deps.answers.add(result)
        deps.listeners.on_result(result)

    return on_result


def make_ask(deps: Dependencies, client: Client) -> Ask:
    return partial(
        attempt,
        client=client,
        clock=deps.clock,
        rng=deps.rng,
        vantage=deps.config.vantage,
        redact=deps.redact,
        cert_days=certificate_days(deps.config.alerts),
    )


def _bots(
    deps: Dependencies,
    alerts: AlertEngine,
    requests: OperatorRequests,
    publisher: Publisher,
    moved: MovedChats,
) -> TelegramBots:
    states: dict[str, dict[str, str | None]] = {}

    def operations(channel: Channel, config: Config) -> BotOperations:
        return BotOperations(
            channel.id,
            config,
            store=deps.store,
            clock=deps.clock,
            alerts=alerts,
            requests=requests,
            publisher=publisher,
            moved=moved,
            states=states,
        )

    return TelegramBots(operations, deps.clock, deps.rng)


async def tell_of_move(
    store: Store, clock: Clock, alerts: AlertEngine, moved: MovedChats, *move: str
) -> None:
    """Keep the new number of a group, and tell the operator to write it into the configuration."""
    channel, before, after = move
    log.warning("event=group_moved channel=%s before=%s after=%s", channel, before, after)
    notice = Notice(group_moved(channel, before, after, alerts.language))
    try:
        await store.note(MOVED_CHATS, json.dumps(moved.known))
        await store.save(outgoing=alerts.notice(notice, clock.now()))
    except StoreError as trouble:
        log.warning('event=store_trouble why="%s"', trouble)


def _courier(deps: Dependencies, alerts: AlertEngine, bots: TelegramBots) -> Courier:
    courier = Courier(
        deps.store,
        bots,
        partial(context_of, deps, alerts),
        clock=deps.clock,
        rng=deps.rng,
        on_message=deps.listeners.on_message,
        is_blind=lambda: alerts.is_blind,
        may_send=lambda: deps.store.lost is None,
    )
    loop = asyncio.get_running_loop()

    def on_commit() -> None:
        loop.call_soon_threadsafe(courier.wake)

    deps.store.on_commit(on_commit)
    return courier


def _make_webhooks(deps: Dependencies, alerts: AlertEngine, best: BestChanges) -> "Webhooks":
    from monitor.daemon.webhooks import Webhooks  # noqa: PLC0415  # only where there is one

    endpoints = {endpoint.path: endpoint for endpoint in deps.config.endpoints}

    def instead(incident: Incident) -> Alternatives:
        return alternatives_to(deps, alerts, incident, endpoints)

    def silent(incident: Incident) -> Collection[str]:
        return alerts.voters.silent_accusers(incident, deps.clock.now())

    return Webhooks(
        deps.config, deps.store, deps.clock, deps.redact, best, instead=instead, silent=silent
    )


def is_hubs_turn(alerts: AlertEngine, check: Check, at: datetime) -> bool:
    """Say whether the hub runs a check now: in its turn, in that of a vantage that cannot, and while one is in doubt."""
    if not check.turns or alerts.doubted_by(check.key, at):
        return True
    able = {
        place for place in check.turns if alerts.voters.counts(check.key, place, at, measured=True)
    }
    return whose_turn(check, at, able) == check.turns[0]


async def must_have_key(config: Config) -> None:
    """Raise MonitorError where agents would believe nothing of this daemon as their hub."""
    if config.vantages:
        from monitor.daemon import hub  # noqa: PLC0415  # a daemon without agents loads nothing of it

        await asyncio.to_thread(hub.must_have_key, config)


def make_hub(deps: Dependencies, alerts: AlertEngine, schedule: Schedule) -> "Hub | None":
    """Return what takes the results of agents; None where no vantage may push. Raises MonitorError."""
    if not deps.config.vantages:
        return None
    from monitor.daemon.hub import Hub  # noqa: PLC0415  # a daemon without agents loads nothing of it

    def on_run(run: RunRecord) -> None:
        deps.metrics.heard(run)
        deps.answers.add(run.result)
        deps.listeners.on_result(run.result)

    return Hub(
        deps.config,
        deps.redact,
        store=deps.store,
        clock=deps.clock,
        alerts=alerts,
        on_run=on_run,
        run_now=schedule.run_now,
    )


def make_web(deps: Dependencies, schedule: Schedule, hub: "Hub | None") -> WebServer | None:
    if deps.config.listen is None:
        return None
    host, port = deps.config.listen
    server = WebServer(
        deps.config.page.dir,
        host,
        port,
        lambda: health(deps, schedule),
        page_host=page_host(deps.config),
    )
    server.answer_agents(hub.respond if hub else None)
    return server


def page_host(config: Config) -> str | None:
    return urlsplit(config.page.url or "").hostname


def make_metrics_server(
    deps: Dependencies,
    schedule: Schedule,
    ledger: BudgetLedger,
    alerts: AlertEngine,
    hub: "Hub | None",
) -> MetricsServer | None:
    if deps.config.metrics is None:
        return None
    host, port = deps.config.metrics
    return MetricsServer(
        host,
        port,
        lambda: health(deps, schedule),
        metrics_report(deps, schedule, ledger, alerts, hub),
    )
