"""The tables of monitor.toml as pydantic models; their JSON Schema is made from the same.

A key whose feature is not built is not here, so it is unknown.
"""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt

from monitor.config.addresses import (
    BaseUrl,
    ChannelProxy,
    Controls,
    EndpointProxy,
    HeartbeatUrl,
    Link,
    Listen,
    PublicUrl,
    ResolverAddress,
    StoreUrl,
)
from monitor.config.budgets import parse_budget
from monitor.config.values import (
    BudgetText,
    Every,
    HeaderName,
    HeaderValue,
    Kept,
    Label,
    Languages,
    Moment,
    Money,
    Positive,
    Size,
    VariableName,
    Wait,
    Zone,
)
from monitor.model import DailyBudget, Severity
from monitor.probes import PROBES


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MonitorTable(Table):
    vantage: str = Field(
        "local", min_length=1, max_length=40, description="where this daemon probes from"
    )
    store: StoreUrl = Field("sqlite:///monitor.db", description="history")
    listen: Listen = Field("127.0.0.1:8080", description='the small server, "" is off')
    heartbeat: HeartbeatUrl | None = Field(
        None, description="pinged each minute while all goes well, e.g. at healthchecks.io"
    )
    controls: Controls = Field(
        (), description='URLs that show whether our own network works; "off"; [] is other hosts'
    )
    resolvers: tuple[ResolverAddress, ...] = Field(
        (), description='to compare DNS with, e.g. "https://1.1.1.1/dns-query" or "9.9.9.9"'
    )


class PublishTable(Table):
    command: str = Field(min_length=1, description="run by /bin/sh in the page's folder")
    every: Positive = Field(timedelta(minutes=2), description="at most so often")
    timeout: Positive = Field(timedelta(minutes=2), description="then it is ended")
    cache: Positive | None = Field(
        None, description="how long caches on the way to readers may keep an older page"
    )
    env: dict[VariableName, str] = Field({}, description="variables it gets beside the usual ones")


def _command(value: Any) -> Any:
    return {"command": value} if isinstance(value, str) else value


class PageTable(Table):
    dir: str = Field("page", min_length=1, description="where the page is written")
    url: PublicUrl | None = Field(None, description="its public address, for links")
    title: str = Field("Status", min_length=1, max_length=80, description="what stands on top")
    languages: Languages = Field(("en",), min_length=1, description="the first is the default")
    publish: Annotated[
        PublishTable | None,
        BeforeValidator(_command, json_schema_input_type=PublishTable | str | None),
    ] = Field(None, description="a command that carries the page elsewhere, or a table")
    css: Path | None = Field(None, description="a stylesheet of yours, after ours")
    logo: Path | None = Field(None, description="an .svg, .png, .webp or .jpg beside the title")
    links: dict[Label, Link] = Field({}, description="label = address, below the page")
    hosts: StrictBool = Field(default=True, description="show base URLs")
    models: StrictBool = Field(default=False, description="show which models the probes ask for")
    spend: StrictBool = Field(default=False, description="show what the probes cost")
    errors: StrictBool = Field(default=False, description="show what failing endpoints answered")


class AlertsTable(Table):
    after: StrictInt = Field(
        3, ge=1, le=100, description="bad results in a row before it is believed"
    )
    recover: StrictInt = Field(
        2, ge=1, le=100, description="good results in a row before recovery is believed"
    )
    remind: Positive = Field(timedelta(hours=4), description="how long until the first reminder")
    language: Literal["en", "zh-CN"] = Field("en", description="of the messages")
    wait: Wait = Field(timedelta(seconds=30), description="how long news waits for other news")


class ChannelTable(Table):
    url: str = Field(min_length=1, description="any Apprise URL")
    telegram_api: PublicUrl | None = Field(None, description="an own Bot API server")
    proxy: ChannelProxy | None = Field(None, description="the way out, http:// or socks5://")
    only: tuple[Severity, ...] = Field((), description="severities; none means all")
    services: tuple[str, ...] = Field((), description="ids of services; none means all")


class MaintenanceTable(Table):
    """Either `from` and `until`, or `every` and `for`."""

    title: str = Field("Maintenance", min_length=1, max_length=80, description="shown to people")
    services: tuple[str, ...] = Field((), description="ids of services")
    endpoints: tuple[str, ...] = Field((), description='base URLs, as "service/endpoint"')
    begins: Moment | None = Field(None, alias="from", description="a date and time")
    until: Moment | None = Field(None, description="a date and time")
    every: Every | None = Field(None, description='"day 03:00", "sunday 03:00", "month 1 03:00"')
    lasts: Positive | None = Field(None, alias="for", description="how long each lasts")
    timezone: Zone = Field("UTC", description="of times that name none, such as Asia/Shanghai")


class PriceTable(Table):
    per_million_in: Money = Field(alias="in", description="per million tokens sent")
    per_million_out: Money = Field(alias="out", description="per million tokens answered")
    currency: str = Field("USD", pattern="^[A-Z]{3}$", description="the same everywhere")


class HistoryTable(Table):
    raw: Kept = Field(timedelta(days=30), description="every run")
    hours: Kept = Field(timedelta(days=10), description="counts and percentiles by hour")
    days: Kept = Field(None, description="counts and percentiles by day")
    evidence: Kept = Field(timedelta(days=30), description="what failing runs left")
    max_size: Size | None = Field(None, description='of the store, e.g. "500MB"')


class EndpointTable(Table):
    url: BaseUrl = Field(description="the base URL, with or without a trailing /v1")
    name: str | None = Field(None, max_length=80, description="shown instead of the id")
    key: str | None = Field(None, description='"${NAME}" or "file:PATH"')
    ca_file: Path | None = Field(None, description="trust this CA instead of the system's")
    proxy: EndpointProxy | None = Field(
        None, description="the way out: http://HOST:PORT or socks5://HOST:PORT"
    )
    headers: dict[HeaderName, HeaderValue] = Field({}, description="sent with every request")
    cut_after: Positive | None = Field(None, description="this edge is known to cut longer calls")
    retired: StrictBool = Field(default=False, description="not probed any more; history stays")
    tags: tuple[Label, ...] = Field((), max_length=6, description="shown beside its name")


class ServiceTable(Table):
    """Also takes any endpoint or probe key, as a default for those that know it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str | None = Field(None, max_length=80, description="shown instead of the id")
    key: str | None = Field(None, description='"${NAME}" or "file:PATH"')
    model: str | None = Field(None, max_length=200, description="what paid probes ask for")
    endpoints: dict[str, Any] = Field(min_length=1, description="id = base URL, or a table")
    probes: dict[str, Any] | None = Field(None, description="id = interval, or a table")
    budget_per_day: BudgetText | None = Field(None, description='"500k tokens" or "0.50 USD"')
    multiplier: Money = Field(1.0, description="of the price list")
    public: StrictBool = Field(default=True, description="shown on the page")


TABLES: dict[str, type[Table]] = {
    "monitor": MonitorTable,
    "page": PageTable,
    "alerts": AlertsTable,
    "history": HistoryTable,
}
"""Tables that stand alone."""
TABLES_BY_ID: dict[str, type[Table]] = {
    "service": ServiceTable,
    "channel": ChannelTable,
    "price": PriceTable,
    "maintenance": MaintenanceTable,
}
"""Tables by id: `[service.ID]`."""


def keys_of(model: type[BaseModel]) -> frozenset[str]:
    """The keys of a table as they stand in the file."""
    return frozenset(field.alias or name for name, field in model.model_fields.items())


ENDPOINT_KEYS = keys_of(EndpointTable) - {"url", "name"}
PROBE_KEYS = frozenset(key for kind in PROBES.values() for key in keys_of(kind)) - {"main"}


def budget_of(table: ServiceTable) -> DailyBudget | None:
    return parse_budget(table.budget_per_day) if table.budget_per_day else None
