"""The tables of monitor.toml as pydantic models; their JSON Schema is made from the same.

A key whose feature is not built is not here, so it is unknown.
"""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    WithJsonSchema,
)

from monitor.config.budgets import parse_budget
from monitor.config.proxies import check_channel_proxy, check_proxy
from monitor.config.recurring import parse_every, zone_of
from monitor.diagnosis import parse_resolver
from monitor.model import Budget, Severity
from monitor.model.duration import parse_duration
from monitor.probes import PROBES
from monitor.probes.probe import Duration

SMALLEST_STORE = 20 * 10**6


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _address(text: str) -> SplitResult:
    """An http(s) address without spaces, user, query or fragment."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # the property raises
    except ValueError:
        raise ValueError("want an address such as https://api.example.com") from None
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or re.search(r"[\s\x00-\x1f]", text)
    ):
        raise ValueError(
            f'got "{_hidden(text)}", want an address that begins with https:// or http://'
        )
    if "@" in parts.netloc:
        raise ValueError("want no user or password in the address; put the key in `key`")
    if "?" in text or "#" in text:
        raise ValueError(f'got "{_hidden(text)}", want an address without "?" or "#"')
    return parts


def _hidden(text: str) -> str:
    """Scheme and host: a path, a query or a user may be secret."""
    scheme, sign, rest = text.partition("://")
    return f"{scheme}{sign}{re.split(r'[/?#]', rest)[0].rsplit('@', 1)[-1]}"[:80]


def _base_url(text: str) -> str:
    """Without a trailing slash or `/v1`: both forms mean the same base URL."""
    _address(text)
    return text.rstrip("/").removesuffix("/v1").rstrip("/")


def _public_url(text: str) -> str:
    _address(text)
    return text.rstrip("/")


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Each in its first place."""
    return tuple(dict.fromkeys(values))


def _link(text: str) -> str:
    if not re.fullmatch(r"(https?://|mailto:)[^\s\x00-\x1f]+", text):
        raise ValueError(f'got "{text[:80]}", want an address that begins with https:// or mailto:')
    return text


def _heartbeat(text: str) -> str:
    """The address is the secret, so nothing of it is quoted; some carry a query."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # the property raises
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"\s", text):
        raise ValueError("want an address to ping, that begins with https:// or http://")
    return text


def _listen(text: str) -> str:
    host, sign, port = text.rpartition(":")
    if text and not (sign and host and port.isascii() and port.isdigit() and int(port) < 65_536):
        raise ValueError(
            f'got "{text}", want "ADDRESS:PORT" such as "127.0.0.1:8080", or "" for none'
        )
    return text


def _control(text: str) -> str:
    parts = _address(text)
    if parts.path not in {"", "/"}:
        raise ValueError(
            f'got "{_hidden(text)}" and a path, want a host such as https://example.com'
        )
    return text.rstrip("/")


def _resolver(text: str) -> str:
    parse_resolver(text)
    return text


def _controls(value: Any) -> Any:
    if isinstance(value, str) and value != "off":
        raise ValueError(f'got "{value[:60]}", want a list of URLs, or "off"')
    return value


def _store(text: str) -> str:
    if not text.startswith("sqlite:///") or text == "sqlite:///" or "\0" in text:
        raise ValueError(
            f'got "{_hidden(text)}", want "sqlite:///PATH" such as "sqlite:///monitor.db"'
        )
    return text


def _kept(value: Any) -> Any:
    """A duration, or "forever", which is None from here on."""
    if value is None or value == "forever":
        return None
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004  # pydantic collects ValueErrors only
            f'got {str(value).lower()[:40]}, want a duration such as "30d", or "forever"'
        )
    return _positive(parse_duration(value))


def _size(value: Any) -> int:
    """Bytes of "500MB" or "2GB"; decimal, as disks are sold."""
    found = re.fullmatch(r"(\d{1,6}) ?(MB|GB|TB)", value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f'got {str(value)[:40]}, want a size such as "500MB" or "2GB"')
    size = int(found[1]) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[found[2]]
    if size < SMALLEST_STORE:
        raise ValueError(f"got {value}, want at least {SMALLEST_STORE // 10**6}MB")
    return size


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", text):
        raise ValueError("want header names such as X-Relay-Group")
    return text


def _header_value(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("want a header value of one line")
    return text


def _moment(value: Any) -> Any:
    """As TOML writes it, in quotes or not; a number is no date here."""
    if isinstance(value, str | datetime):
        return value
    raise ValueError(
        f"got {str(value)[:40]}, want a date and time such as 2026-12-01T22:00:00+08:00"
    )


def _wait(value: timedelta) -> timedelta:
    if value > timedelta(minutes=10):
        raise ValueError("want at most 10m: alerts are to be told soon")
    return value


def _share(value: Any) -> Any:
    """A number, or a share as people write it: `"30%"`."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,3}(?:\.\d+)?%", value):
        return float(value[:-1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(  # noqa: TRY004  # pydantic collects ValueErrors only
            f'got "{str(value)[:40]}", want a number, or a share such as "30%"'
        )
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("want a duration longer than nothing")
    return value


Label = Annotated[str, Field(min_length=1, max_length=40)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Kept = Annotated[timedelta | None, BeforeValidator(_kept)]
Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "examples": ["500MB", "2GB"]}),
]
Positive = Annotated[Duration, AfterValidator(_positive)]
BudgetText = Annotated[str, AfterValidator(lambda text: (parse_budget(text), text)[1])]
Money = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
Controls = Annotated[
    tuple[Annotated[str, AfterValidator(_control)], ...] | Literal["off"],
    BeforeValidator(_controls),
]
HeaderName = Annotated[str, AfterValidator(_header_name)]
Wait = Annotated[Duration, AfterValidator(_wait)]
Share = Annotated[float, BeforeValidator(_share)]
Every = Annotated[str, AfterValidator(lambda text: (parse_every(text), text)[1])]
Zone = Annotated[str, AfterValidator(lambda text: (zone_of(text), text)[1])]
Moment = Annotated[datetime, BeforeValidator(_moment)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]


class MonitorTable(Table):
    vantage: str = Field(
        "local", min_length=1, max_length=40, description="where this daemon probes from"
    )
    store: Annotated[str, AfterValidator(_store)] = Field(
        "sqlite:///monitor.db", description="history"
    )
    listen: Annotated[str, AfterValidator(_listen)] = Field(
        "127.0.0.1:8080", description='the small server, "" is off'
    )
    heartbeat: Annotated[str, AfterValidator(_heartbeat)] | None = Field(
        None, description="pinged each minute while all goes well, e.g. at healthchecks.io"
    )
    controls: Controls = Field(
        (), description='URLs that show whether our own network works; "off"; [] is other hosts'
    )
    resolvers: tuple[Annotated[str, AfterValidator(_resolver)], ...] = Field(
        (), description='to compare DNS with, e.g. "https://1.1.1.1/dns-query" or "9.9.9.9"'
    )


class PublishTable(Table):
    command: str = Field(min_length=1, description="run by /bin/sh in the page's folder")
    every: Positive = Field(timedelta(minutes=2), description="at most so often")
    timeout: Positive = Field(timedelta(minutes=2), description="then it is ended")
    cache: Positive | None = Field(
        None, description="how long caches on the way to readers may keep an older page"
    )


def _command(value: Any) -> Any:
    return {"command": value} if isinstance(value, str) else value


class PageTable(Table):
    dir: str = Field("page", min_length=1, description="where the page is written")
    url: Annotated[str, AfterValidator(_public_url)] | None = Field(
        None, description="its public address, for links"
    )
    title: str = Field("Status", min_length=1, max_length=80, description="what stands on top")
    languages: Annotated[tuple[Literal["en", "zh-CN"], ...], AfterValidator(_once)] = Field(
        ("en",), min_length=1, description="the first is the default"
    )
    publish: Annotated[
        PublishTable | None,
        BeforeValidator(_command, json_schema_input_type=PublishTable | str | None),
    ] = Field(None, description="a command that carries the page elsewhere, or a table")
    css: Path | None = Field(None, description="a stylesheet of yours, after ours")
    logo: Path | None = Field(None, description="an .svg, .png, .webp or .jpg beside the title")
    links: dict[Label, Annotated[str, AfterValidator(_link)]] = Field(
        {}, description="label = address, below the page"
    )
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
    telegram_api: Annotated[str, AfterValidator(_public_url)] | None = Field(
        None, description="an own Bot API server"
    )
    proxy: Annotated[str, AfterValidator(check_channel_proxy)] | None = Field(
        None, description="the way out, http:// or socks5://"
    )
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
    hours: Kept = Field(timedelta(days=365), description="counts and percentiles by hour")
    days: Kept = Field(None, description="counts and percentiles by day")
    evidence: Kept = Field(timedelta(days=30), description="what failing runs left")
    max_size: Size | None = Field(None, description='of the store, e.g. "500MB"')


class EndpointTable(Table):
    url: BaseUrl = Field(description="the base URL, with or without a trailing /v1")
    name: str | None = Field(None, max_length=80, description="shown instead of the id")
    key: str | None = Field(None, description='"${NAME}" or "file:PATH"')
    ca_file: Path | None = Field(None, description="trust this CA instead of the system's")
    proxy: Annotated[str, AfterValidator(check_proxy)] | None = Field(
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


def budget_of(table: ServiceTable) -> Budget | None:
    return parse_budget(table.budget_per_day) if table.budget_per_day else None
