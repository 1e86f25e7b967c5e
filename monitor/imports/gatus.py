"""Reads the YAML of Gatus: endpoints with their conditions, alerting providers and the maintenance window.

Gatus puts variables of the environment into its file, as `$NAME` or `${NAME}`; here they stay references.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from monitor.imports import apprise_address as address
from monitor.imports.apprise_address import Fields, of_fields
from monitor.imports.fields import as_list, as_table, duration, flag, number, tables, text, typed
from monitor.imports.foreign_files import Source
from monitor.imports.http_requests import (
    FINAL_STATUSES,
    SUCCESSES,
    AskedByHttp,
    connect_check,
    http_check,
)
from monitor.imports.imported import (
    Collector,
    Imported,
    ImportedChannel,
    ImportedWindow,
    name_of,
    shown,
)
from monitor.model.duration import format_duration

_USUAL_INTERVAL = timedelta(minutes=1)
_CONDITION = re.compile(r"\s*(.+?)\s*(==|!=|<=|>=|<|>)\s*(.*?)\s*")
_BODY_PATH = re.compile(r"\[BODY\]\.([\w-]+(?:\.[\w-]+|\[\d+\])*)")
_PATTERN = re.compile(r"pat\(\*([^*]+)\*\)")
_ANY = re.compile(r"any\((.*)\)")
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)\}|([A-Za-z_]\w*))")
_COMPARE: Mapping[str, Callable[[int, float], bool]] = {
    "==": lambda status, wanted: status == wanted,
    "!=": lambda status, wanted: status != wanted,
    "<": lambda status, wanted: status < wanted,
    "<=": lambda status, wanted: status <= wanted,
    ">": lambda status, wanted: status > wanted,
    ">=": lambda status, wanted: status >= wanted,
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def is_gatus(value: object) -> bool:
    """Say whether a YAML document is of Gatus: endpoints in a list, or what only Gatus has beside them."""
    if not isinstance(value, dict):
        return False
    known = {"endpoints", "alerting", "external-endpoints", "suites"}
    return bool(known & value.keys()) and isinstance(value.get("endpoints", []), list)


def read_gatus(files: Iterable[Source]) -> Imported:
    """Make checks, channels and a window of the files, which Gatus puts together as one."""
    return _Files(tuple(files)).read()


@dataclass(slots=True)
class _Wanted:
    """Holds what the conditions of an endpoint want, as far as it can be said here."""

    statuses: frozenset[int] | None = None
    """None while no condition has named any."""
    contains: str = ""
    json: dict[str, Any] = field(default_factory=dict)
    slow: timedelta | None = None


class _Files:
    def __init__(self, files: tuple[Source, ...]) -> None:
        self._files = files
        self._all = Collector("Gatus", keeps_references=True)
        self._told: dict[str, set[str]] = {}
        self._providers: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._thresholds: Counter[tuple[int, int, timedelta | None]] = Counter()

    def read(self) -> Imported:
        for file in self._files:
            alerting = as_table(as_table(file.value).get("alerting"))
            for kind, provider in alerting.items():
                place = file.place(("alerting", kind), f"provider {shown(kind)}")
                self._providers[kind] = place, as_table(provider)
        for file in self._files:
            self._read_file(file)
        self._read_channels()
        self._settle_thresholds()
        return self._all.imported()

    def _read_file(self, file: Source) -> None:
        value = as_table(file.value)
        for number_, endpoint in enumerate(as_list(value.get("endpoints"))):
            if isinstance(endpoint, dict):
                place = file.place(
                    ("endpoints", number_), f"endpoint {shown(endpoint.get('name'))}"
                )
                self._read_endpoint(as_table(endpoint), f"{file.name} {number_}", place)
        for kind, why in (
            ("external-endpoints", "nobody pushes here: every check asks by itself"),
            ("suites", "a chain of requests is not asked; write each that stands alone as `http`"),
        ):
            for number_, item in enumerate(as_list(value.get(kind))):
                name = shown(as_table(item).get("name"))
                place = file.place((kind, number_), f"{kind} {name}")
                self._all.remark(place, f"is left out: {why}")
        if title := name_of(as_table(value.get("ui")).get("title"), ""):
            self._all.page["title"] = title
        place = file.place(("maintenance",), "maintenance")
        self._read_window(value.get("maintenance"), place, None)

    def _read_endpoint(self, endpoint: Mapping[str, Any], source: str, place: str) -> None:
        url = _with_references(text(endpoint.get("url")).strip())
        scheme, _, rest = url.partition("://")
        asked = AskedByHttp(
            source=source,
            place=place,
            name=text(endpoint.get("name")),
            url=url,
            group=name_of(endpoint.get("group"), ""),
            every=duration(endpoint.get("interval")) or _USUAL_INTERVAL,
            timeout=duration(as_table(endpoint.get("client")).get("timeout")),
            paused=endpoint.get("enabled") is False,
        )
        if endpoint.get("dns") or endpoint.get("ssh"):
            what = "a DNS record is" if endpoint.get("dns") else "SSH is"
            self._all.remark(place, f"is left out: {what} not asked here")
            return
        if scheme in {"tcp", "tls"}:
            host, _, port = rest.partition("/")[0].rpartition(":")
            found = int(port) if port.isdecimal() and len(port) < 6 else None
            self._judged(endpoint, place, is_http=False)
            connect_check(asked, host, found, self._all, encrypted=scheme == "tls")
        elif scheme in {"http", "https"}:
            self._read_http(endpoint, asked)
        else:
            what = f"is left out: {shown(f'{scheme}://')} is not asked here; `tcp` tells whether anything listens"
            self._all.remark(place, what)
        if any(check.source == source for check in self._all.checks[-1:]):
            self._read_alerts(endpoint, source, place)
            for window in as_list(endpoint.get("maintenance-windows")):
                self._read_window(window, place, frozenset({source}))

    def _read_http(self, endpoint: Mapping[str, Any], asked: AskedByHttp) -> None:
        client, remark = as_table(endpoint.get("client")), self._all.remark
        if flag(client.get("insecure")):
            remark(
                asked.place,
                "it ignored certificates, and here they are verified; name the CA of your own as `ca_file`",
            )
        for name in ("oauth2", "identity-aware-proxy", "tls", "tunnel"):
            if client.get(name):
                remark(
                    asked.place,
                    f"client.{name} is not carried over: a key or a header is sent here",
                )
        body = _with_references(text(endpoint.get("body")))
        if flag(endpoint.get("graphql")) and body:
            remark(asked.place, "its GraphQL body is not carried over: write it as JSON in `body`")
            body = ""
        proxy = _with_references(text(client.get("proxy-url")))
        wanted = self._judged(endpoint, asked.place, is_http=True)
        method = text(endpoint.get("method")).upper() or "GET"
        headers = {
            name: _with_references(text(value))
            for name, value in as_table(endpoint.get("headers")).items()
        }
        http_check(
            replace(
                asked,
                method=method,
                headers=headers,
                body=body if method not in {"GET", "HEAD"} else "",
                statuses=wanted.statuses,
                contains=wanted.contains,
                json=wanted.json,
                slow=wanted.slow,
                proxy=self._all.secret(proxy, "proxy") if proxy else None,
            ),
            self._all,
        )

    # --- conditions -----------------------------------------------------------------------------------

    def _judged(self, endpoint: Mapping[str, Any], place: str, *, is_http: bool) -> _Wanted:
        wanted = _Wanted()
        for condition in as_list(endpoint.get("conditions")):
            if not _take(_with_references(text(condition)), wanted):
                self._all.remark(
                    place,
                    f"the condition {shown(condition)} is not carried over: it cannot be said here",
                )
        if is_http and wanted.statuses is None:
            self._all.remark(
                place, "no condition names a status, so any was good; here one of 2xx is"
            )
        if wanted.statuses in {SUCCESSES, frozenset()}:
            wanted.statuses = None
        return wanted

    # --- alerts ---------------------------------------------------------------------------------------

    def _read_alerts(self, endpoint: Mapping[str, Any], source: str, place: str) -> None:
        for alert in tables(endpoint.get("alerts")):
            kind = text(alert.get("type"))
            default = as_table(self._providers.get(kind, ("", {}))[1].get("default-alert"))
            both = {**default, **alert}
            if both.get("enabled") is False:
                continue
            self._told.setdefault(kind, set()).add(source)
            after = int(number(both.get("failure-threshold")) or 3)
            recover = int(number(both.get("success-threshold")) or 2)
            self._thresholds[after, recover, duration(both.get("minimum-reminder-interval"))] += 1
            if both.get("provider-override"):
                self._all.remark(
                    place,
                    "its provider-override is not carried over: write a channel with `services`",
                )

    def _read_channels(self) -> None:
        for kind, (place, provider) in self._providers.items():
            sources = self._told.get(kind, set())
            if not sources:
                self._all.remark(place, "is left out: no endpoint that is carried over tells it")
                continue
            fields = {name: _with_references(text(value)) for name, value in provider.items()}
            writer = _CHANNELS.get(kind)

            def keep(value: str, what: str, kind: str = kind) -> str:
                return self._all.secret(value, kind, what)

            url = writer(keep, fields) if writer else None
            if url is None:
                known = (
                    f"its fields make no address of {shown(kind)}"
                    if writer
                    else "no address is known for it"
                )
                self._all.remark(place, f"is not carried over: {known}; see docs/channels.md")
                continue
            if provider.get("overrides"):
                what = (
                    "its overrides are not carried over: write a channel with `services` for each"
                )
                self._all.remark(place, what)
            api = fields.get("api-url", "") if kind == "telegram" else ""
            self._all.channels.append(
                ImportedChannel(
                    place=place,
                    name=kind,
                    url=url,
                    telegram_api=address.own_telegram_api(api),
                    sources=frozenset(sources),
                )
            )

    def _settle_thresholds(self) -> None:
        if not self._thresholds:
            return
        (after, recover, remind), _ = self._thresholds.most_common(1)[0]
        if len(self._thresholds) > 1:
            what = (
                f"alerts differ in their thresholds; `[alerts]` is for all, and has those of most of them: after {after},"
                f" recover {recover}"
            )
            self._all.remark(self._files[0].name, what)
        self._all.alerts["after"] = min(max(after, 1), 100)
        self._all.alerts["recover"] = min(max(recover, 1), 100)
        if remind:
            self._all.alerts["remind"] = format_duration(remind)

    def _read_window(self, window: object, place: str, sources: frozenset[str] | None) -> None:
        table = as_table(window)
        if not table or table.get("enabled") is False:
            return
        at, lasts = _clock(table.get("start")), duration(table.get("duration"))
        days = [day for day in as_list(table.get("every")) if text(day).lower() in _DAYS]
        if at is None or lasts is None:
            self._all.remark(
                place, "its maintenance window is not carried over: want start and duration"
            )
            return
        when = ",".join(text(day).lower()[:3] for day in days) or "day"
        keys = {
            "every": f"{when} {at}",
            "for": format_duration(lasts),
            "timezone": text(table.get("timezone")) or "UTC",
        }
        self._all.windows.append(
            ImportedWindow(place=place, name="Maintenance", keys=keys, sources=sources)
        )


def _take(condition: str, wanted: _Wanted) -> bool:
    """Take up one condition; False where it cannot be said here."""
    parts = _CONDITION.fullmatch(condition)
    if parts is None:
        return False
    left, operator, right = parts.groups()
    if left == "[STATUS]":
        return _take_status(operator, right, wanted)
    if left == "[RESPONSE_TIME]" and operator in {"<", "<="}:
        limit = number(right.removesuffix("ms"))
        if limit is None or not 0 < limit < 10**9:
            return False
        wanted.slow = timedelta(milliseconds=limit)
        return True
    if left == "[BODY]" and operator == "==" and (found := _PATTERN.fullmatch(right)):
        if wanted.contains and wanted.contains != found[1]:
            return False
        wanted.contains = found[1]
        return True
    path = _BODY_PATH.fullmatch(left)
    if path and operator == "==" and not re.match(r"(?:pat|any)\(|\[", right):
        wanted.json[path[1].replace("[", ".").replace("]", "")] = typed(right)
        return True
    return left == "[CERTIFICATE_EXPIRATION]" or (left == "[CONNECTED]" and right == "true")


def _take_status(operator: str, right: str, wanted: _Wanted) -> bool:
    some = _ANY.fullmatch(right)
    figures = [number(part.strip()) for part in (some[1].split(",") if some else [right])]
    if any(figure is None for figure in figures) or (some and operator not in {"==", "!="}):
        return False
    known = FINAL_STATUSES | {int(figure) for figure in figures if figure and 100 <= figure <= 599}
    tests = [
        {status for status in known if _COMPARE[operator](status, figure or 0)}
        for figure in figures
    ]
    good = set.intersection(*tests) if operator == "!=" else set.union(*tests)
    before = known if wanted.statuses is None else wanted.statuses
    wanted.statuses = frozenset(before & good)
    return True


def _with_references(value: str) -> str:
    """Write each variable as our configuration does, and `$$` as the dollar that it stands for."""

    def written(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        return f"${{{name}}}" if name else "$"

    return _VARIABLE.sub(written, value)


def _clock(value: object) -> str | None:
    """Return `23:00`; YAML 1.1 reads one without quotes as a number of minutes."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1440:
        return f"{value // 60:02}:{value % 60:02}"
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", text(value))
    return f"{int(found[1]):02}:{found[2]}" if found else None


def _email(keep: address.Keep, fields: Fields) -> str | None:
    port, password = number(fields.get("port")), fields.get("password", "")
    user = fields.get("username", "") or fields.get("from", "")
    return address.email(
        keep,
        host=fields.get("host", ""),
        port=int(port) if port and 0 < port < 65_536 else None,
        sender=fields.get("from", ""),
        to=fields.get("to", ""),
        login=(user, password) if password else None,
        mode="ssl" if port == 465 else "starttls",
    )


_CHANNELS: Mapping[str, address.Writer] = {
    "discord": of_fields(address.discord, "webhook-url"),
    "email": _email,
    "googlechat": of_fields(address.google_chat, "webhook-url"),
    "gotify": of_fields(address.gotify, "server-url", "token"),
    "matrix": of_fields(address.matrix, "server-url", "access-token", "internal-room-id"),
    "mattermost": of_fields(address.mattermost, "webhook-url"),
    "ntfy": of_fields(address.ntfy, "url", "topic", "token"),
    "opsgenie": of_fields(address.opsgenie, "api-key"),
    "pushover": of_fields(address.pushover, "user-key", "application-token"),
    "rocketchat": of_fields(address.rocket_chat, "webhook-url"),
    "slack": of_fields(address.slack, "webhook-url"),
    "teams-workflows": of_fields(address.teams, "webhook-url"),
    "telegram": of_fields(address.telegram, "token", "id", "topic-id"),
}
"""Writes a channel's address, by the name of the provider."""
