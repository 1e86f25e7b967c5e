"""Checked tables -> services, endpoints, checks. Complaints are collected, never raised on the way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from monitor.config.complaints import complaints_of, unknown
from monitor.config.tables import (
    ENDPOINT_KEYS,
    PROBE_KEYS,
    TABLES,
    TABLES_BY_ID,
    AlertsTable,
    ChannelTable,
    EndpointTable,
    HistoryTable,
    MonitorTable,
    PageTable,
    PriceTable,
    ServiceTable,
    budget_of,
    keys_of,
)
from monitor.model import (
    AlertSettings,
    Budget,
    Channel,
    Check,
    Complaint,
    Endpoint,
    HistorySettings,
    PageSettings,
    Price,
    Secret,
    Service,
    Severity,
)
from monitor.probes import PROBES
from monitor.probes.probe import ProbeSettings

_ID = re.compile(r"[a-z0-9-]+")
Place = tuple[str, ...]
T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    path: Path
    vantage: str
    store: str
    listen: tuple[str, int] | None
    page: PageSettings
    alerts: AlertSettings
    history: HistorySettings
    channels: tuple[Channel, ...]
    services: tuple[Service, ...]
    checks: tuple[Check, ...]
    prices: Mapping[str, Price]
    budgets: Mapping[str, Budget]
    secrets: tuple[Secret, ...] = field(repr=False)
    """All that must never be printed."""


@dataclass
class Tables:
    """Every table of a document that could be read; what could not left a complaint instead."""

    complaints: list[Complaint]
    monitor: MonitorTable = field(default_factory=MonitorTable)
    page: PageTable = field(default_factory=PageTable)
    alerts: AlertsTable = field(default_factory=AlertsTable)
    history: HistoryTable = field(default_factory=HistoryTable)
    service: dict[str, ServiceTable] = field(default_factory=dict)
    channel: dict[str, ChannelTable] = field(default_factory=dict)
    price: dict[str, PriceTable] = field(default_factory=dict)

    def complain(self, place: Place, what: str) -> None:
        self.complaints.append(Complaint(".".join(place), what))

    def read(self, model: type[T], value: Any, place: Place) -> T | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self.complaints.extend(complaints_of(error, place, model))
            return None

    def read_all(self, document: Mapping[str, Any]) -> None:
        for name, value in document.items():
            if name in TABLES:
                if (table := self.read(TABLES[name], value, (name,))) is not None:
                    setattr(self, name, table)
            elif name in TABLES_BY_ID:
                self._read_by_id(name, value)
            else:
                self.complain((name,), unknown(name, (*TABLES, *TABLES_BY_ID), "table"))
        if not document.get("service"):
            self.complain(
                ("service",), "is missing; add a table such as [service.ohmygpt] with endpoints"
            )

    def _read_by_id(self, name: str, value: Any) -> None:
        if not isinstance(value, dict):
            self.complain((name,), f"want tables such as [{name}.ID]")
            return
        for key, item in value.items():
            if name != "price":
                self.check_id(key, (name, key))
            if (table := self.read(TABLES_BY_ID[name], item, (name, key))) is not None:
                getattr(self, name)[key] = table

    def check_id(self, name: str, place: Place) -> None:
        if not _ID.fullmatch(name):
            self.complain(
                place,
                f'got the id "{name}", want only a-z, 0-9 and "-"; a name for people goes into `name`',
            )


def build(tables: Tables, path: Path, state: Path, secrets: list[Secret]) -> Config:
    """Still complete where complaints were left: the caller refuses it then."""
    services, checks = [], []
    for service_id, table in tables.service.items():
        builder = ServiceBuilder(tables, service_id, table, path.parent)
        services.append(builder.service())
        checks.extend(builder.checks(services[-1]))
    _check_money(tables, checks)
    return Config(
        path=path,
        vantage=tables.monitor.vantage,
        store=_store(tables.monitor.store, state),
        listen=_listen(tables.monitor.listen),
        page=_page(tables.page, state),
        alerts=AlertSettings(**tables.alerts.model_dump()),
        history=HistorySettings(**tables.history.model_dump()),
        channels=tuple(_channel(tables, name, table) for name, table in tables.channel.items()),
        services=tuple(services),
        checks=tuple(checks),
        prices={
            model: Price(table.per_million_in, table.per_million_out, table.currency)
            for model, table in tables.price.items()
        },
        budgets={
            name: budget for name, table in tables.service.items() if (budget := budget_of(table))
        },
        secrets=tuple(secrets),
    )


@dataclass
class ServiceBuilder:
    tables: Tables
    id: str
    table: ServiceTable
    folder: Path

    @property
    def place(self) -> Place:
        return ("service", self.id)

    def service(self) -> Service:
        self._check_defaults()
        endpoints = (self._endpoint(name, value) for name, value in self.table.endpoints.items())
        return Service(
            id=self.id,
            name=self.table.name or self.id,
            endpoints=tuple(endpoint for endpoint in endpoints if endpoint),
            model=self.table.model,
            multiplier=self.table.multiplier,
            public=self.table.public,
        )

    def _check_defaults(self) -> None:
        known = ENDPOINT_KEYS | PROBE_KEYS
        for name in self._defaults.keys() - known:
            self.tables.complain((*self.place, name), unknown(name, known | keys_of(ServiceTable)))

    @property
    def _defaults(self) -> dict[str, Any]:
        return dict(self.table.model_extra or {})

    def _endpoint(self, name: str, value: Any) -> Endpoint | None:
        place = (*self.place, "endpoints", name)
        self.tables.check_id(name, place)
        own = {"url": value} if isinstance(value, str) else value
        if not isinstance(own, dict):
            self.tables.complain(place, "want a base URL, or a table with `url`")
            return None
        defaults = {key: item for key, item in self._defaults.items() if key in ENDPOINT_KEYS}
        if self.table.key is not None:
            defaults["key"] = self.table.key
        table = self.tables.read(EndpointTable, defaults | own, place)
        return self._noun(name, table, place) if table else None

    def _noun(self, name: str, table: EndpointTable, place: Place) -> Endpoint:
        ca_file = table.ca_file and self.folder / table.ca_file
        if ca_file and not ca_file.is_file():
            self.tables.complain((*place, "ca_file"), f"there is no file {ca_file}")
        return Endpoint(
            id=name,
            service=self.id,
            url=table.url,
            name=table.name or name,
            key=Secret(table.key) if table.key else None,
            ca_file=ca_file,
            headers=tuple((header, Secret(value)) for header, value in table.headers.items()),
            cut_after=table.cut_after,
        )

    def checks(self, service: Service) -> list[Check]:
        probes = self._probes()
        if sum(probe.main for probe in probes) > 1:
            self.tables.complain((*self.place, "probes"), "more than one has main = true; keep one")
        return [
            Check(service=self.id, endpoint=endpoint, probe=probe, model=self._model(probe))
            for endpoint in service.endpoints
            for probe in probes
        ]

    def _probes(self) -> list[ProbeSettings]:
        given = self.table.probes if self.table.probes is not None else self._usual()
        if not given:
            self.tables.complain(
                (*self.place, "probes"), 'is empty; write for example models = "1m"'
            )
        return [probe for name, value in given.items() if (probe := self._probe(name, value))]

    def _usual(self) -> dict[str, Any]:
        """Without `probes`: what is free, and a short chat where a model is named."""
        if self.table.model:
            return {"models": {}, "chat": {}}
        return {"models": {}} if "key" in self.table.model_fields_set else {"http": {}}

    def _probe(self, name: str, value: Any) -> ProbeSettings | None:
        place = (*self.place, "probes", name)
        self.tables.check_id(name, place)
        own = {"every": value} if isinstance(value, str) else value
        if not isinstance(own, dict):
            self.tables.complain(place, 'want an interval such as "5m", or a table with `every`')
            return None
        kind = own.get("kind", name)
        settings = PROBES.get(kind) if isinstance(kind, str) else None
        if settings is None:
            where = (*place, "kind") if "kind" in own else place
            self.tables.complain(where, unknown(str(kind), PROBES, "probe kind"))
            return None
        return self._settings(settings, name, own, place)

    def _settings(
        self, settings: type[ProbeSettings], name: str, own: dict[str, Any], place: Place
    ) -> ProbeSettings | None:
        defaults = {key: item for key, item in self._defaults.items() if key in keys_of(settings)}
        table = defaults | {key: item for key, item in own.items() if key != "kind"}
        probe = self.tables.read(settings, table, place)
        if probe is None:
            return None
        if probe.every.total_seconds() < 1:
            self.tables.complain((*place, "every"), 'want at least "1s"')
        if probe.timeout.total_seconds() <= 0:
            self.tables.complain((*place, "timeout"), "want a duration longer than nothing")
        if probe.needs_model and not self._model(probe):
            self.tables.complain(place, f"needs a model; add model to [service.{self.id}]")
        return probe.named(name)

    def _model(self, probe: ProbeSettings) -> str | None:
        """What a check asks for; None for a kind that asks for no model."""
        if "model" not in type(probe).model_fields:
            return None
        return getattr(probe, "model", None) or self.table.model


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
        if service not in tables.service:
            tables.complain(
                ("channel", name, "services"),
                unknown(service, tables.service, f'service "{service}"'),
            )
    return Channel(
        id=name,
        url=Secret(table.url),
        telegram_api=table.telegram_api,
        only=frozenset(table.only) or frozenset(Severity),
        services=frozenset(table.services),
    )


def _page(table: PageTable, state: Path) -> PageSettings:
    return PageSettings(
        dir=state / table.dir, url=table.url, title=table.title, languages=table.languages
    )


def _store(url: str, state: Path) -> str:
    return f"sqlite:///{state / url.removeprefix('sqlite:///')}"


def _listen(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if text else None
