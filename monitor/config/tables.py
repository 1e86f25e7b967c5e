"""The tables of monitor.toml as pydantic models; their JSON Schema is made from the same.

Where a table becomes one frozen value (`AlertSettings`, `Endpoint`, a policy …), its keys, defaults and
descriptions are the fields of that value which have a `help`; `table_of` adds how each is written in the
file. A key whose feature is not built is not here, so it is unknown.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StrictBool, StrictInt
from pydantic import Field as Key
from pydantic import create_model as new_model

from monitor.alerts.policies import POLICIES
from monitor.config.addresses import (
    BaseUrl,
    ChannelProxy,
    Controls,
    EndpointProxy,
    HeartbeatUrl,
    HubUrl,
    Links,
    Listen,
    OtlpUrl,
    PublicUrl,
    ResolverAddress,
    StoreUrl,
    WebhookProxy,
    WebhookUrl,
)
from monitor.config.values import (
    Budget,
    ChannelUrl,
    Endpoints,
    Events,
    Every,
    Kept,
    Label,
    Languages,
    ModelName,
    Moment,
    Money,
    Names,
    Note,
    NotNegative,
    OnlySeverities,
    PathText,
    Positive,
    Probes,
    PublicKeys,
    SecretText,
    Share,
    Size,
    Title,
    Variables,
    Wait,
    WebhookSecret,
    Zone,
)
from monitor.model import (
    LOCAL,
    AgentSettings,
    AlertSettings,
    Channel,
    Endpoint,
    HistorySettings,
    PageSettings,
    Policy,
    Price,
    Publishing,
    Service,
    Vantage,
    VerdictSettings,
    Webhook,
)
from monitor.model.vantage import Paid
from monitor.probes import PROBES
from monitor.probes.own_request import Headers


class Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


_WRITTEN: Mapping[object, Any] = {
    bool: StrictBool,
    float: Share,
    int: StrictInt,
    str: str,
    timedelta: Positive,
    timedelta | None: Positive | None,
    Path | None: Path | None,
}
"""How a field of a type is written in the file, unless its table says otherwise."""


def table_of(value: type, name: str, /, **written: Any) -> type[Table]:
    """Make the table whose keys are the fields of the dataclass `value` that have a `help`.

    `written` holds the type of a key as it stands in the file, where that does not follow from the
    field's own; or that type and its default in the file.
    """
    keys: dict[str, Any] = {}
    for field in key_fields(value):
        spelling = written.pop(field.name, None) or _WRITTEN.get(field.type)
        assert spelling, f"{name} must say how `{field.name}`, {field.type}, is written in the file"
        default = ... if field.default is MISSING else field.default
        if isinstance(spelling, tuple):
            spelling, default = spelling
        keys[field.name] = (
            spelling,
            Key(default, alias=field.metadata.get("key"), description=field.metadata["help"]),
        )
    assert not written, f"{value.__name__} has no keys {', '.join(written)}"
    return new_model(name, __base__=Table, **keys)


def key_fields(value: type) -> list[Field[Any]]:
    """Return the fields of a dataclass that are keys of its table."""
    return [field for field in fields(cast("Any", value)) if field.metadata.get("help")]


def keys_of(model: type[BaseModel]) -> frozenset[str]:
    """Return the keys of a table as they stand in the file."""
    return frozenset(field.alias or name for name, field in model.model_fields.items())


def _default_of(value: type, name: str) -> Any:
    return next(field.default for field in fields(value) if field.name == name)


class OtlpTable(Table):
    url: OtlpUrl = Key(description="the receiver; /v1/metrics is added")
    headers: Headers = Key({}, description='sent with each push, such as "Bearer ${NAME}"')


def _table_of_url(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class MonitorTable(Table):
    vantage: str = Key(
        LOCAL, min_length=1, max_length=40, description="where this daemon probes from"
    )
    vantage_name: Names = Key((), description="shown to people instead of `vantage`")
    store: StoreUrl = Key("sqlite:///monitor.db", description="history")
    listen: Listen = Key("127.0.0.1:8080", description='the small server, "" is off')
    metrics: Listen = Key(
        "", description='where /metrics and the reasons of /healthz are, e.g. "127.0.0.1:9090"'
    )
    otlp: Annotated[
        OtlpTable | None,
        BeforeValidator(_table_of_url, json_schema_input_type=OtlpTable | str | None),
    ] = Key(None, description="an OpenTelemetry receiver that metrics are pushed to, or a table")
    heartbeat: HeartbeatUrl | None = Key(
        None, description="pinged each minute while all goes well, e.g. at healthchecks.io"
    )
    controls: Controls = Key(
        (), description='URLs that show whether our own network works; "off"; [] is other hosts'
    )
    resolvers: tuple[ResolverAddress, ...] = Key(
        (), description='to compare DNS with, e.g. "https://1.1.1.1/dns-query" or "9.9.9.9"'
    )


PublishTable = table_of(
    Publishing,
    "PublishTable",
    command=Annotated[str, Key(min_length=1)],
    cache=NotNegative,
    env=(Variables, {}),
)


def _table_of_command(value: Any) -> Any:
    return {"command": value} if isinstance(value, str) else value


def _publishing(table: Table | None) -> Publishing | None:
    return Publishing(**dict(table)) if table else None


PageTable = table_of(
    PageSettings,
    "PageTable",
    dir=PathText,
    url=PublicUrl | None,
    title=Title,
    note=(Note, ()),
    languages=Languages,
    publish=Annotated[
        PublishTable | None,
        BeforeValidator(_table_of_command, json_schema_input_type=PublishTable | str | None),
        AfterValidator(_publishing),
    ],
    links=(Links, {}),
)
_Limit = Annotated[StrictInt, Key(ge=1, le=100)]
AlertsTable = table_of(
    AlertSettings,
    "AlertsTable",
    after=_Limit,
    recover=_Limit,
    language=Literal["en", "zh-CN"],
    timezone=Zone,
    wait=Wait,
)
POLICY_TABLES: Mapping[str, type[Table]] = {
    name: table_of(policy, f"{policy.__name__}Table")
    for name, policy in POLICIES.items()
    if key_fields(policy)
}
"""`[alerts.NAME]`: the limits of a policy."""


def policy_of(name: str, table: Table) -> Policy:
    """Make the policy of a table. Raises ValueError, with the remedy in its text, for limits that do not fit together."""
    return POLICIES[name](**dict(table))


HistoryTable = table_of(
    HistorySettings,
    "HistoryTable",
    raw=Kept,
    hours=Kept,
    days=Kept,
    evidence=Kept,
    max_size=Size | None,
)
ChannelTable = table_of(
    Channel,
    "ChannelTable",
    url=ChannelUrl,
    telegram_api=PublicUrl | None,
    proxy=ChannelProxy | None,
    only=(OnlySeverities, ()),
    services=Annotated[tuple[str, ...], AfterValidator(frozenset)],
    allow=Annotated[tuple[StrictInt, ...], AfterValidator(frozenset)] | None,
)
WebhookTable = table_of(
    Webhook,
    "WebhookTable",
    url=WebhookUrl,
    secret=WebhookSecret,
    events=(Events, ()),
    only=(OnlySeverities, ()),
    services=Annotated[tuple[str, ...], AfterValidator(frozenset)],
    proxy=WebhookProxy | None,
)
PriceTable = table_of(
    Price,
    "PriceTable",
    per_million_in=Money,
    per_million_out=Money,
    per_million_cached=Money | None,
    currency=Annotated[str, Key(pattern="^[A-Z]{3}$")],
)
VantageTable = table_of(
    Vantage,
    "VantageTable",
    names=(Names, ()),
    public_keys=PublicKeys,
    services=Annotated[tuple[str, ...], AfterValidator(frozenset)],
    paid=Paid,
)
VerdictTable = table_of(
    VerdictSettings,
    "VerdictTable",
    quorum=Literal["majority", "any", "all"] | Annotated[StrictInt, Key(ge=1, le=1000)],
    partial=NotNegative,
)
AgentTable = table_of(
    AgentSettings,
    "AgentTable",
    hubs=Annotated[tuple[HubUrl, ...], Key(min_length=1)],
    proxy=EndpointProxy | None,
    buffer=(Size, "64MB"),
)
EndpointTable = table_of(
    Endpoint,
    "EndpointTable",
    url=BaseUrl,
    name=(Annotated[str, Key(max_length=80)] | None, None),
    key=SecretText | None,
    proxy=EndpointProxy | None,
    headers=(Headers, {}),
    tags=Annotated[tuple[Label, ...], Key(max_length=6)],
)


class MaintenanceTable(Table):
    """Either `from` and `until`, or `every` and `for`."""

    title: Title | None = Key(None, description="shown to people; without one the id")
    services: tuple[str, ...] = Key((), description="ids of services")
    endpoints: tuple[str, ...] = Key((), description='base URLs, as "service/endpoint"')
    begins: Moment | None = Key(None, alias="from", description="a date and time")
    until: Moment | None = Key(None, description="a date and time")
    every: Every | None = Key(None, description='"day 03:00", "sunday 03:00", "month 1 03:00"')
    lasts: Positive | None = Key(None, alias="for", description="how long each lasts")
    timezone: Zone = Key(
        ZoneInfo("UTC"), description="of times that name none, such as Asia/Shanghai"
    )


class ServiceTable(Table):
    """A service. It takes any endpoint or probe key too, as a default for those that know it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str | None = Key(None, max_length=80, description="shown instead of the id")
    key: str | None = Key(None, description='"${NAME}" or "file:PATH"')
    model: ModelName | None = Key(None, description="what paid probes ask for")
    endpoints: Endpoints = Key(min_length=1, description="id = base URL, or a table")
    probes: Probes | None = Key(None, description="id = interval, or a table")
    budget_per_day: Budget | None = Key(None, description='"500k tokens" or "0.50 USD"')
    multiplier: Money = Key(_default_of(Service, "multiplier"), description="of the price list")
    public: StrictBool = Key(
        default=_default_of(Service, "public"), description="shown on the page"
    )


TABLES: dict[str, type[Table]] = {
    "monitor": MonitorTable,
    "page": PageTable,
    "alerts": AlertsTable,
    "history": HistoryTable,
    "verdict": VerdictTable,
    "agent": AgentTable,
}
"""Tables that stand alone."""
TABLES_BY_ID: dict[str, type[Table]] = {
    "service": ServiceTable,
    "channel": ChannelTable,
    "webhook": WebhookTable,
    "price": PriceTable,
    "maintenance": MaintenanceTable,
    "vantage": VantageTable,
}
"""Tables by id: `[service.ID]`."""

ENDPOINT_KEYS = keys_of(EndpointTable) - {"url", "name"}
PROBE_KEYS = frozenset(key for kind in PROBES.values() for key in keys_of(kind)) - {"main"}
