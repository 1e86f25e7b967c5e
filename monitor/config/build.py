"""Makes the frozen `Config` of checked tables. Complaints are collected, never raised on the way."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

from monitor.alerts.channel_proofs import UNTRIED
from monitor.alerts.policies import BurnRate
from monitor.config.addresses import SERVERS, read_proxy
from monitor.config.complaints import unknown
from monitor.config.env_references import KeyPath
from monitor.config.parse_tables import ParsedTables
from monitor.config.service_builder import ServiceBuilder
from monitor.config.tables import MaintenanceTable, MonitorTable
from monitor.config.telegram_channels import check_telegram
from monitor.diagnosis import DiagnosisSettings, parse_resolver
from monitor.language import Language
from monitor.model import (
    LOCAL,
    AgentSettings,
    AlertSettings,
    Channel,
    Check,
    Complaint,
    DailyBudget,
    Endpoint,
    HistorySettings,
    Maintenance,
    MaintenanceWindow,
    Names,
    OtlpSettings,
    PageSettings,
    Price,
    Recurrence,
    Secret,
    Service,
    Vantage,
    VerdictSettings,
    Webhook,
    in_turn,
    name_in,
    turns_of,
)
from monitor.model.duration import format_duration
from monitor.model.telegram_address import one_by_one
from monitor.probes.probe import ProbeSettings

_TOKEN_LENGTH = 8
_LARGEST_FILE = 300_000
"""Bytes of a stylesheet or logo: every reader loads it."""
_LOGO_ENDINGS = (".svg", ".png", ".webp", ".jpg", ".jpeg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    path: Path
    state: Path
    """The folder of what the daemon writes."""
    document: Mapping[str, Any] = field(repr=False)
    """The file as it stands, no reference resolved."""
    vantage: str
    vantage_names: Names
    """The names of the daemon's own vantage, by language."""
    store: str = field(repr=False)
    listen: tuple[str, int] | None
    metrics: tuple[str, int] | None
    otlp: OtlpSettings | None
    heartbeat: Secret | None
    diagnosis: DiagnosisSettings
    page: PageSettings
    alerts: AlertSettings
    history: HistorySettings
    channels: tuple[Channel, ...]
    webhooks: tuple[Webhook, ...]
    services: tuple[Service, ...]
    checks: tuple[Check, ...]
    prices: Mapping[str, Price]
    budgets: Mapping[str, DailyBudget]
    maintenance: tuple[Maintenance, ...]
    vantages: tuple[Vantage, ...]
    """The places whose agents may push; with none of them the daemon is no hub."""
    verdict: VerdictSettings
    agent: AgentSettings | None
    """The way to the hub, on a machine that probes for one."""
    warnings: tuple[Complaint, ...]
    """What is understood and hardly meant, each with its remedy."""
    secrets: tuple[Secret, ...] = field(repr=False)
    """Everything that must never be printed."""
    deal: str | None = None
    """By what `checks` were dealt to this agent, as `dealing.deal_text` writes it; None where nobody shares them."""

    def places(self, language: Language) -> dict[str, str]:
        """Return the name of each vantage for people, the daemon's own first."""
        own = name_in(language.code, self.vantage_names, self.vantage)
        if own == LOCAL:
            own = language.gettext("the monitor's location")
        return {self.vantage: own} | {
            vantage.id: vantage.name(language.code) for vantage in self.vantages
        }

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the base URLs of all services, in the order of the file."""
        return tuple(endpoint for service in self.services for endpoint in service.endpoints)

    @property
    def targets(self) -> tuple[str, ...]:
        """Return all that messages go to: receivers by their id, webhooks as `webhook.ID`."""
        receivers = (receiver.id for receiver in self.receivers)
        return (*receivers, *(webhook.target for webhook in self.webhooks))

    @property
    def receivers(self) -> tuple[Channel, ...]:
        """Return what is told by itself, so that none holds up another: a channel, or each of its Telegram chats.

        The first chat has the id of the channel, the second `ID+2`. No id of a channel has a plus.
        """
        return tuple(
            replace(
                channel, id=f"{channel.id}+{place}" if place > 1 else channel.id, url=Secret(url)
            )
            for channel in self.channels
            for place, url in enumerate(one_by_one(channel.url.reveal()), 1)
        )


def build(
    tables: ParsedTables,
    path: Path,
    state: Path,
    secrets: list[Secret],
    *,
    document: Mapping[str, Any] | None = None,
) -> Config:
    """Make the configuration. `document` is the file as it stands, no reference resolved.
    Where complaints were left it is complete all the same; the caller refuses it then.
    """
    services: list[Service] = []
    checks: list[Check] = []
    for service_id, table in tables.service.items():
        builder = ServiceBuilder(tables, service_id, table, path.parent)
        services.append(builder.service())
        checks.extend(check for check in builder.checks(services[-1]) if not check.endpoint.retired)
    vantages = tuple(_vantage(tables, name) for name in tables.vantage)
    own = tables.monitor.vantage
    checks = [in_turn(check, turns_of(own, vantages, check.service)) for check in checks]
    if tables.vantage and not tables.monitor.listen:
        what = 'is "", so that no agent can push; want an address such as "127.0.0.1:8080"'
        tables.complain(("monitor", "listen"), what)
    prices = {model: Price(**dict(table)) for model, table in tables.price.items()}
    _check_money(tables, checks, prices)
    _warn_of_few_runs(tables, checks)
    channels = tuple(_channel(tables, name) for name in tables.channel)
    webhooks = tuple(_webhook(tables, name) for name in tables.webhook)
    if channels and all(channel.escalate_after for channel in channels):
        what = (
            "on every channel means that nobody hears of an incident at once; leave one without it"
        )
        tables.warn(("channel", channels[0].id, "escalate_after"), what)
    check_telegram(tables, channels)
    planned = tuple(
        _maintenance(tables, name, table, services) for name, table in tables.maintenance.items()
    )
    agent = AgentSettings(**dict(tables.agent)) if tables.agent else None
    if agent and agent.proxy:
        secrets.extend(_login_secrets(agent.proxy.login))
    return Config(
        path=path,
        state=state,
        document=document or {},
        vantage=tables.monitor.vantage,
        vantage_names=tables.monitor.vantage_name,
        store=_store(tables.monitor.store, state),
        listen=_listen(tables.monitor.listen),
        metrics=_listen(tables.monitor.metrics),
        otlp=_otlp(tables.monitor),
        heartbeat=Secret(tables.monitor.heartbeat) if tables.monitor.heartbeat else None,
        diagnosis=_diagnosis(tables.monitor),
        page=_page(tables, path.parent, state, prices),
        alerts=AlertSettings(
            **dict(tables.alerts), policies=tuple(tables.policies.values()), maintenance=planned
        ),
        history=HistorySettings(**dict(tables.history)),
        channels=channels,
        webhooks=webhooks,
        services=tuple(services),
        checks=tuple(checks),
        prices=prices,
        budgets={
            name: table.budget_per_day
            for name, table in tables.service.items()
            if table.budget_per_day
        },
        maintenance=planned,
        vantages=vantages,
        verdict=_verdict(tables),
        agent=agent,
        warnings=(*tables.misuses, *tables.warnings),
        secrets=(*secrets, *_more_secrets(tables, checks, services, channels, webhooks)),
    )


def _otlp(table: MonitorTable) -> OtlpSettings | None:
    return OtlpSettings(**dict(table.otlp)) if table.otlp else None


def _diagnosis(table: MonitorTable) -> DiagnosisSettings:
    return DiagnosisSettings(
        resolvers=tuple(map(parse_resolver, table.resolvers)),
        controls=None if table.controls == "off" else table.controls,
    )


def _check_money(tables: ParsedTables, checks: list[Check], prices: Mapping[str, Price]) -> None:
    """Complain of a budget in money where a model that costs has no price: it could not be kept."""
    for name, table in tables.service.items():
        budget = table.budget_per_day
        if budget is None or budget.money is None:
            continue
        used = {
            check.model
            for check in checks
            if check.service == name and check.probe.paid and check.model
        }
        for model in sorted(used):
            price = prices.get(model)
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


def _warn_of_few_runs(tables: ParsedTables, checks: list[Check]) -> None:
    """Warn of checks that run so seldom that a burn rate never says anything of them."""
    for name, policy in tables.policies.items():
        if not isinstance(policy, BurnRate):
            continue
        blind = [check.key for check in checks if not policy.sees(check.every)]
        if blind:
            more = f" and {len(blind) - 1} more" if len(blind) > 1 else ""
            what = (
                f"says nothing of {blind[0]}{more}: fewer than {policy.at_least} runs within"
                f" {format_duration(policy.short)}; make `short` longer, or ask more often"
            )
            tables.warn(("alerts", name, "short"), what)


def _channel(tables: ParsedTables, name: str) -> Channel:
    channel = Channel(id=name, **dict(tables.channel[name]))
    schema = channel.url.reveal().partition("://")[0].strip().lower()
    if schema in UNTRIED:
        what = f"nobody has tried whether {schema}:// carries an alert; see what `monitor test-alert` does"
        tables.warn(("channel", name, "url"), what)
    _check_services(tables, channel.services, ("channel", name, "services"))
    return channel


def _webhook(tables: ParsedTables, name: str) -> Webhook:
    webhook = Webhook(id=name, **dict(tables.webhook[name]))
    _check_services(tables, webhook.services, ("webhook", name, "services"))
    return webhook


def _check_services(tables: ParsedTables, named: Iterable[str], place: KeyPath) -> None:
    known = tables.named["service"]
    for service in sorted(set(named) - known):
        tables.complain(place, unknown(service, known, f'service "{service}"'))


# --- several vantages ------------------------------------------------------------------------------


def _vantage(tables: ParsedTables, name: str) -> Vantage:
    vantage, place = Vantage(id=name, **dict(tables.vantage[name])), ("vantage", name)
    if name == tables.monitor.vantage:
        what = (
            "is the vantage of this daemon itself (see [monitor]); give the other place another id"
        )
        tables.complain(place, what)
    if len(set(vantage.public_keys)) < len(vantage.public_keys):
        tables.complain((*place, "key"), "has a key twice; each agent has one of its own")
    keys = {name: {*dict(other)["public_keys"]} for name, other in tables.vantage.items()}
    same = [name for name in keys if keys[name] & keys[vantage.id]]
    if same[0] != name:
        what = f"is the key of [vantage.{same[0]}] too; run `monitor agent add` for each place"
        tables.complain((*place, "key"), what)
    _check_services(tables, vantage.services, (*place, "services"))
    return vantage


def _verdict(tables: ParsedTables) -> VerdictSettings:
    verdict, places = VerdictSettings(**dict(tables.verdict)), len(tables.vantage) + 1
    if isinstance(verdict.quorum, int) and verdict.quorum > places:
        what = f"got {verdict.quorum}, want at most {places}: there are no more vantages"
        tables.complain(("verdict", "quorum"), what)
    return verdict


# --- the page's files -----------------------------------------------------------------------------


def _page(
    tables: ParsedTables, folder: Path, state: Path, prices: Mapping[str, Price]
) -> PageSettings:
    """Make the page's settings. `folder` holds the configuration, `state` what is written."""
    page = PageSettings(**dict(tables.page))
    return replace(
        page,
        dir=state / page.dir,
        css=_file(tables, "css", folder, page.css, (".css",)),
        logo=_file(tables, "logo", folder, page.logo, _LOGO_ENDINGS),
        currency=next((price.currency for price in prices.values()), page.currency),
    )


def _file(
    tables: ParsedTables, key: str, folder: Path, path: Path | None, endings: tuple[str, ...]
) -> Path | None:
    if path is None:
        return None
    path = folder / path
    if trouble := _trouble_with(path, endings):
        tables.complain(("page", key), trouble)
    return path


def _trouble_with(path: Path, endings: tuple[str, ...]) -> str | None:
    if path.suffix.lower() not in endings:
        return f"got {path.name}, want a file that ends in {' or '.join(endings)}"
    try:
        if not path.is_file():
            return f"there is no file {path}"
        with path.open("rb"):
            size = path.stat().st_size
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {getattr(error, 'strerror', error)}"
    if size > _LARGEST_FILE:
        return f"{path.name} has {size} bytes, want at most {_LARGEST_FILE}"
    return None


# --- what must never be printed -------------------------------------------------------------------


def _more_secrets(
    tables: ParsedTables,
    checks: Iterable[Check],
    services: Iterable[Service],
    channels: Iterable[Channel],
    webhooks: Iterable[Webhook],
) -> Iterator[Secret]:
    """Find header values, logins of proxies, and addresses that carry a token, whole and in parts.

    The path of a resolver may be a customer's number.
    """
    yield from _secrets_of_monitor(tables.monitor)
    yield from _secrets_of_store(tables.monitor.store)
    yield from _secrets_of_probes(checks)
    for service in services:
        for endpoint in service.endpoints:
            yield from (value for _, value in endpoint.headers)
            if endpoint.proxy:
                yield from _login_secrets(endpoint.proxy.login)
    for channel in channels:
        yield channel.url
        yield from map(Secret, address_parts(channel.url.reveal()))
        if channel.proxy:
            yield from _login_secrets(read_proxy(channel.proxy.reveal()).login)
    for webhook in webhooks:
        yield from _secrets_of(webhook)


def _secrets_of_monitor(monitor: MonitorTable) -> Iterator[Secret]:
    if otlp := _otlp(monitor):
        yield from (value for _, value in otlp.headers)
    if monitor.heartbeat:
        yield Secret(monitor.heartbeat)
        yield from map(Secret, address_parts(monitor.heartbeat))
    for resolver in monitor.resolvers:
        if "://" in resolver:
            yield from map(Secret, address_parts(resolver.removesuffix("/dns-query")))


def _secrets_of_probes(checks: Iterable[Check]) -> Iterator[Secret]:
    for check in checks:
        if isinstance(check.probe, ProbeSettings):
            yield from check.probe.own_secrets()


def _secrets_of(webhook: Webhook) -> Iterator[Secret]:
    yield from (webhook.url, webhook.secret)
    yield Secret(webhook.secret.reveal().removeprefix("whsec_"))
    yield from map(Secret, address_parts(webhook.url.reveal()))
    if webhook.proxy:
        yield from _login_secrets(read_proxy(webhook.proxy.reveal()).login)


def _secrets_of_store(url: str) -> Iterator[Secret]:
    """Return the password of a server, as it is written and as it is meant."""
    if url.startswith(SERVERS):
        parts = urlsplit(url)
        passwords = [parts.password or "", *parse_qs(parts.query).get("password", [])]
        yield from (
            Secret(form) for password in passwords for form in {password, unquote(password)}
        )


def _login_secrets(login: Secret | None) -> Iterator[Secret]:
    """Return `user:password` and the password alone."""
    if login:
        yield login
        yield Secret(login.reveal().partition(":")[2])


def address_parts(url: str) -> Iterator[str]:
    """Return user, password, path and query of an address; its host may be said."""
    rest = url.split("://", 1)[-1]
    user, at, rest = rest.rpartition("@")
    host, _, tail = rest.partition("/")
    words = re.split(r"[/:?&=,]", f"{user}/{tail}" if at else tail)
    yield from (word for word in words if len(word) >= _TOKEN_LENGTH)
    if len(host) >= _TOKEN_LENGTH and "." not in host:  # tgram://TOKEN/CHAT: the host is the token
        yield host


def _store(url: str, state: Path) -> str:
    if url.startswith(SERVERS):
        return url
    return f"sqlite:///{state / url.removeprefix('sqlite:///')}"


def _listen(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if text else None


# --- maintenance ----------------------------------------------------------------------------------


def _maintenance(
    tables: ParsedTables, name: str, table: MaintenanceTable, services: Iterable[Service]
) -> Maintenance:
    place = ("maintenance", name)
    services = tuple(services)
    _must_be_there(tables, place, "services", table.services, {service.id for service in services})
    paths = {endpoint.path for service in services for endpoint in service.endpoints}
    _must_be_there(tables, place, "endpoints", table.endpoints, paths)
    return Maintenance(
        id=name,
        title=table.title or name,
        services=frozenset(table.services),
        endpoints=frozenset(table.endpoints),
        once=_once(tables, place, table),
        recurring=_recurring(tables, place, table),
    )


def _must_be_there(
    tables: ParsedTables, place: tuple[str, ...], key: str, wanted: tuple[str, ...], known: set[str]
) -> None:
    for name in sorted(set(wanted) - known):
        if name.split("/")[0] in tables.named["service"] and key == "services":
            continue  # it has its own complaint
        tables.complain((*place, key), unknown(name, known, f'{key.removesuffix("s")} "{name}"'))


def _once(
    tables: ParsedTables, place: tuple[str, ...], table: MaintenanceTable
) -> MaintenanceWindow | None:
    recurs = table.every is not None or table.lasts is not None
    if (table.begins is None) != (table.until is None) and not recurs:
        missing = "until" if table.until is None else "from"
        _complain_of_missing(tables, (*place, missing), "is missing; want both from and until")
    if table.begins is None or table.until is None:
        return None
    window = MaintenanceWindow(
        _utc(table.begins, table.timezone, 0), _utc(table.until, table.timezone, 1)
    )
    if window.end <= window.start:
        tables.complain((*place, "until"), "want a moment after from")
    return window


def _complain_of_missing(tables: ParsedTables, place: tuple[str, ...], what: str) -> None:
    """Complain of a missing key, unless it is there and was left out for a complaint of its own."""
    if ".".join(place) not in {complaint.where for complaint in tables.complaints}:
        tables.complain(place, what)


def _utc(moment: datetime, zone: ZoneInfo, fold: int) -> datetime:
    """Return a moment in UTC. Where an hour happens twice, a window begins in the first and ends in the second.

    A moment that a change of the clocks skips comes as much later as they were put forward.
    """
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    local = moment.replace(tzinfo=zone, fold=fold)
    exists = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment
    return (local if exists else local.replace(fold=0)).astimezone(UTC)


def _recurring(
    tables: ParsedTables, place: tuple[str, ...], table: MaintenanceTable
) -> Recurrence | None:
    if table.every is None and table.lasts is None:
        if table.begins is None and table.until is None:
            tables.complain(place, "want from and until, or every and for")
        return None
    if table.begins is not None or table.until is not None:
        tables.complain(place, "want either from and until, or every and for")
    if table.every is None or table.lasts is None:
        missing = "every" if table.every is None else "for"
        _complain_of_missing(tables, (*place, missing), "is missing; want both every and for")
        return None
    if table.lasts >= table.every.shortest_gap:
        tables.complain((*place, "for"), "is so long that the next one begins before it ends")
    return Recurrence(
        at=table.every.at,
        zone=table.timezone,
        lasts=table.lasts,
        weekdays=table.every.weekdays,
        day=table.every.day,
    )
