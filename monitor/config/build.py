"""Checked tables -> the frozen `Config`. Complaints are collected, never raised on the way."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config.complaints import unknown
from monitor.config.maintenance import maintenance
from monitor.config.page_settings import page
from monitor.config.parse_tables import Tables
from monitor.config.proxies import parse_proxy
from monitor.config.services import ServiceBuilder
from monitor.config.tables import ChannelTable, MonitorTable, budget_of
from monitor.diagnosis import DiagnosisSettings, parse_resolver
from monitor.model import (
    AlertSettings,
    Channel,
    Check,
    DailyBudget,
    HistorySettings,
    Maintenance,
    PageSettings,
    Price,
    Secret,
    Service,
    Severity,
)

_TOKEN_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    path: Path
    vantage: str
    store: str
    listen: tuple[str, int] | None
    heartbeat: Secret | None
    diagnosis: DiagnosisSettings
    page: PageSettings
    alerts: AlertSettings
    history: HistorySettings
    channels: tuple[Channel, ...]
    services: tuple[Service, ...]
    checks: tuple[Check, ...]
    prices: Mapping[str, Price]
    budgets: Mapping[str, DailyBudget]
    maintenance: tuple[Maintenance, ...]
    secrets: tuple[Secret, ...] = field(repr=False)
    """All that must never be printed."""


def build(tables: Tables, path: Path, state: Path, secrets: list[Secret]) -> Config:
    """Still complete where complaints were left: the caller refuses it then."""
    services: list[Service] = []
    checks: list[Check] = []
    for service_id, table in tables.service.items():
        builder = ServiceBuilder(tables, service_id, table, path.parent)
        services.append(builder.service())
        made = builder.checks(services[-1])
        checks.extend(check for check in made if not check.endpoint.retired)
    _check_money(tables, checks)
    prices = {
        model: Price(table.per_million_in, table.per_million_out, table.currency)
        for model, table in tables.price.items()
    }
    planned = tuple(
        maintenance(tables, name, table, services) for name, table in tables.maintenance.items()
    )
    return Config(
        path=path,
        vantage=tables.monitor.vantage,
        store=_store(tables.monitor.store, state),
        listen=_listen(tables.monitor.listen),
        heartbeat=Secret(tables.monitor.heartbeat) if tables.monitor.heartbeat else None,
        diagnosis=_diagnosis(tables.monitor),
        page=page(tables, path.parent, state, prices),
        alerts=AlertSettings(
            **tables.alerts.model_dump(),
            policies=tuple(tables.policies.values()),
            maintenance=planned,
        ),
        history=HistorySettings(**tables.history.model_dump()),
        channels=tuple(_channel(tables, name, table) for name, table in tables.channel.items()),
        services=tuple(services),
        checks=tuple(checks),
        prices=prices,
        budgets={
            name: budget for name, table in tables.service.items() if (budget := budget_of(table))
        },
        maintenance=planned,
        secrets=(*secrets, *_more_secrets(tables, services)),
    )


def _diagnosis(table: MonitorTable) -> DiagnosisSettings:
    return DiagnosisSettings(
        resolvers=tuple(map(parse_resolver, table.resolvers)),
        controls=None if table.controls == "off" else table.controls,
    )


def _check_money(tables: Tables, checks: list[Check]) -> None:
    """A budget in money cannot be kept without the price of every model that costs."""
    for name, table in tables.service.items():
        budget = budget_of(table)
        if budget is None or budget.money is None:
            continue
        used = {
            check.model
            for check in checks
            if check.service == name and check.probe.paid and check.model
        }
        for model in sorted(used):
            price = tables.price.get(model)
            if price is None and model in tables.named["price"]:
                continue  # it is there, and has its own complaint
            if price is None:
                tables.complain(
                    ("service", name, "budget_per_day"),
                    f'is in money, so it needs [price."{model}"]',
                )
            elif price.currency != budget.currency:
                tables.complain(
                    ("price", model, "currency"),
                    f"is {price.currency}, but the budget is in {budget.currency}",
                )


def _channel(tables: Tables, name: str, table: ChannelTable) -> Channel:
    for service in table.services:
        if service not in tables.named["service"]:
            what = unknown(service, tables.named["service"], f'service "{service}"')
            tables.complain(("channel", name, "services"), what)
    return Channel(
        id=name,
        url=Secret(table.url),
        telegram_api=table.telegram_api,
        proxy=Secret(table.proxy) if table.proxy else None,
        only=frozenset(table.only) or frozenset(Severity),
        services=frozenset(table.services),
    )


def _more_secrets(tables: Tables, services: list[Service]) -> Iterator[Secret]:
    """Header values, logins of proxies, and a channel's address as a whole and in its parts: most carry a token.

    A resolver's path may be a customer's number.
    """
    for service in services:
        for endpoint in service.endpoints:
            yield from (value for _, value in endpoint.headers)
            if endpoint.proxy and endpoint.proxy.login:
                yield endpoint.proxy.login
                yield Secret(endpoint.proxy.login.reveal().partition(":")[2])
    if tables.monitor.heartbeat:
        yield Secret(tables.monitor.heartbeat)
        yield from map(Secret, _parts(tables.monitor.heartbeat))
    for table in tables.channel.values():
        yield Secret(table.url)
        yield from map(Secret, _parts(table.url))
        login = parse_proxy(table.proxy).login if table.proxy else None
        if login:
            yield login
            yield Secret(login.reveal().partition(":")[2])
    for resolver in tables.monitor.resolvers:
        if "://" in resolver:
            yield from map(Secret, _parts(resolver.removesuffix("/dns-query")))


def _parts(url: str) -> Iterator[str]:
    """User, password, path and query of an address, but not its host: that one may be said."""
    rest = url.split("://", 1)[-1]
    user, at, rest = rest.rpartition("@")
    host, _, tail = rest.partition("/")
    words = re.split(r"[/:?&=,]", f"{user}/{tail}" if at else tail)
    yield from (word for word in words if len(word) >= _TOKEN_LENGTH)
    if len(host) >= _TOKEN_LENGTH and "." not in host:  # tgram://TOKEN/CHAT: the host is the token
        yield host


def _store(url: str, state: Path) -> str:
    return f"sqlite:///{state / url.removeprefix('sqlite:///')}"


def _listen(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if text else None
