"""Reads what Uptime Kuma keeps: its backup (JSON of version 1), or the same shape as `kuma_database` makes it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from monitor.imports import apprise_address as address
from monitor.imports.apprise_address import Fields, of_fields
from monitor.imports.fields import (
    as_list,
    as_table,
    flag,
    number,
    parsed,
    seconds,
    tables,
    text,
    typed,
)
from monitor.imports.http_requests import (
    AskedByHttp,
    connect_check,
    http_check,
    proxy_address,
    statuses,
)
from monitor.imports.imported import (
    Collector,
    Imported,
    ImportedChannel,
    ImportedWindow,
    name_of,
    shown,
)
from monitor.model.config_text import slug

_USUAL_INTERVAL = timedelta(seconds=60)
_SHARE_OF_INTERVAL = 0.8
"""The time-out of a monitor that has none of its own, as a share of its interval."""
_HTTP_TYPES = frozenset({"http", "keyword", "json-query"})
_CONTENT_TYPES = {
    "": "application/json",
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "text/xml; charset=utf-8",
}
_DOTTED = re.compile(r"\$?\.?([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\[\d+\])*)")
_RANGE = re.compile(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?")
_ASKS_NOTHING = {
    "ping": "a ping (ICMP) is not asked here; watch a port instead, with a probe `tcp`",
    "tailscale-ping": "a ping is not asked here; watch a port instead, with a probe `tcp`",
    "globalping": "other people's probes are not asked; an agent in another place sees from there (docs/vantages.md)",
    "dns": "a DNS record is not asked by itself; each run measures `dns`, and `[monitor] resolvers` compares what"
    " resolvers say when a path fails",
    "push": "nobody pushes here: every check asks by itself; `[monitor] heartbeat` is for the monitor's own life",
    "docker": "containers are not watched, only what is reached by an address",
    "manual": "a state that people set by hand is not kept",
    "websocket-upgrade": "a WebSocket is asked only of an LLM's API, by the probe `realtime`",
    "real-browser": "pages are not opened in a browser; the probe `http` asks for a page and a text in it",
}
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def is_backup(value: object) -> bool:
    """Say whether a JSON document is a backup of Uptime Kuma."""
    return isinstance(value, dict) and "monitorList" in value


def read_kuma(document: Mapping[str, Any], file: str) -> Imported:
    """Make checks, channels and windows of a backup. `file` names it in remarks."""
    return _Backup(document, file).read()


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    parent: str


class _Backup:
    def __init__(self, document: Mapping[str, Any], file: str) -> None:
        self._document, self._file = document, file
        self._all = Collector("Uptime Kuma")
        self._monitors = tables(document.get("monitorList"))
        self._groups = {
            text(monitor.get("id")): _Group(text(monitor.get("name")), text(monitor.get("parent")))
            for monitor in self._monitors
            if monitor.get("type") == "group"
        }
        self._proxies = {
            text(proxy.get("id")): proxy for proxy in tables(document.get("proxyList"))
        }
        self._retries: set[int] = set()

    def read(self) -> Imported:
        for monitor in self._monitors:
            if monitor.get("type") != "group":
                self._read_monitor(monitor)
        self._read_channels()
        for window in tables(self._document.get("maintenanceList")):
            self._read_window(window)
        pages = tables(self._document.get("statusPageList"))
        if len(pages) == 1 and (title := name_of(pages[0].get("title"), "")):
            self._all.page["title"] = title
        elif pages:
            names = ", ".join(shown(page.get("title")) for page in pages[:10])
            self._all.remark(
                self._file, f"it has {len(pages)} status pages ({names}), and here is one"
            )
        self._remark_once()
        return self._all.imported()

    def _place(self, monitor: Mapping[str, Any]) -> str:
        name = shown(monitor.get("name"))
        return f"{self._file}: monitor {shown(monitor.get('id'), 20)} {name}"

    def _read_monitor(self, monitor: Mapping[str, Any]) -> None:
        kind, place = text(monitor.get("type")), self._place(monitor)
        if flag(monitor.get("upsideDown")):
            what = "is upside down (good when it fails), which nothing is here; it is left out"
            self._all.remark(place, what)
        elif kind in _HTTP_TYPES:
            self._read_http(monitor, place)
        elif kind == "port":
            host, port = text(monitor.get("hostname")), number(monitor.get("port"))
            connect_check(self._asked(monitor, place), host, int(port or 0), self._all)
            self._count_retries(monitor)
        else:
            why = _ASKS_NOTHING.get(kind, f"its type {shown(kind)} is not asked here")
            self._all.remark(place, f"is left out: {why}")

    def _asked(self, monitor: Mapping[str, Any], place: str) -> AskedByHttp:
        every = seconds(monitor.get("interval")) or _USUAL_INTERVAL
        timeout = seconds(monitor.get("timeout")) or every * _SHARE_OF_INTERVAL
        return AskedByHttp(
            source=text(monitor.get("id")) or place,
            place=place,
            name=text(monitor.get("name")),
            url=text(monitor.get("url")),
            group=self._group(monitor),
            every=every,
            timeout=timedelta(seconds=max(round(timeout.total_seconds()), 1)),
            paused=not flag(monitor.get("active", True)),
            tags=_tags(monitor),
        )

    def _group(self, monitor: Mapping[str, Any]) -> str:
        """Return the name of the group above it, else the heading that a status page shows it under."""
        parent = self._groups.get(text(monitor.get("parent")))
        return name_of(parent.name if parent else monitor.get("statusPageGroup"), "")

    def _read_http(self, monitor: Mapping[str, Any], place: str) -> None:
        remark = self._all.remark
        if flag(monitor.get("ignoreTls")):
            what = "it ignored certificates, and here they are verified; name the CA of your own as `ca_file`"
            remark(place, what)
        method = text(monitor.get("method")).upper() or "GET"
        body = text(monitor.get("body"))
        headers = _headers(monitor.get("headers"))
        if headers is None:
            remark(place, "its headers are not carried over: they are no JSON object")
            headers = {}
        asks = body if body.strip() and method not in {"GET", "HEAD"} else ""
        if asks and "content-type" not in {name.lower() for name in headers}:
            encoding = text(monitor.get("httpBodyEncoding"))
            headers["Content-Type"] = _CONTENT_TYPES.get(encoding, "application/json")
        asked = replace(
            self._asked(monitor, place),
            method=method,
            headers=headers,
            body=asks,
            statuses=self._statuses(monitor, place),
            contains=self._keyword(monitor, place),
            json=self._json(monitor, place),
            proxy=self._proxy(monitor, place),
        )
        http_check(self._with_login(asked, monitor), self._all)
        self._count_retries(monitor)

    def _with_login(self, asked: AskedByHttp, monitor: Mapping[str, Any]) -> AskedByHttp:
        method = text(monitor.get("authMethod"))
        user, password = text(monitor.get("basic_auth_user")), text(monitor.get("basic_auth_pass"))
        if method == "basic" or (not method and user):
            return replace(asked, basic=(user, password))
        if method == "bearer":
            return replace(asked, bearer=text(monitor.get("bearer_token")))
        if method and method != "null":
            what = f"its login ({shown(method)}) is not carried over: a key, a header or a password is sent here"
            self._all.remark(asked.place, what)
        return asked

    def _statuses(self, monitor: Mapping[str, Any], place: str) -> frozenset[int] | None:
        ranges = []
        for wanted in as_list(monitor.get("accepted_statuscodes")) or ["200-299"]:
            match = _RANGE.fullmatch(text(wanted))
            if match:
                low = int(match[1])
                ranges.append((low, int(match[2] or low)))
            else:
                self._all.remark(place, f"the accepted status {shown(wanted)} is not carried over")
        return statuses(ranges) or None

    def _keyword(self, monitor: Mapping[str, Any], place: str) -> str:
        keyword = text(monitor.get("keyword"))
        if monitor.get("type") != "keyword" or not keyword:
            return ""
        if flag(monitor.get("invertKeyword")):
            what = f"that {shown(keyword)} must not be there is not carried over: `contains` wants a text"
            self._all.remark(place, what)
            return ""
        return keyword

    def _json(self, monitor: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        if monitor.get("type") != "json-query":
            return {}
        path, wanted = text(monitor.get("jsonPath")), monitor.get("expectedValue")
        operator = text(monitor.get("jsonPathOperator")) or "=="
        simple = _DOTTED.fullmatch(path.strip())
        if operator != "==" or not simple or not isinstance(wanted, str | int | float | bool):
            what = (
                f"its JSON query {shown(path)} {shown(operator)} is not carried over: `json` wants one value by a"
                ' dotted path, such as { "data.ok" = true }'
            )
            self._all.remark(place, what)
            return {}
        dotted = simple[1].replace("[", ".").replace("]", "")
        return {dotted: typed(wanted)}

    def _proxy(self, monitor: Mapping[str, Any], place: str) -> str | None:
        id_ = text(monitor.get("proxyId"))
        if not id_ or id_ == "0":
            return None
        proxy = self._proxies.get(id_)
        if proxy is None:
            what = "its proxy is not carried over: the file does not hold it; write it as `proxy` of the base URL"
            self._all.remark(place, what)
            return None
        if not flag(proxy.get("active", True)):
            return None
        protocol, host = text(proxy.get("protocol")), text(proxy.get("host"))
        port = int(number(proxy.get("port")) or 0)
        scheme = {"http": "http", "socks": "socks5", "socks5": "socks5", "socks5h": "socks5"}.get(
            protocol
        )
        if scheme is None or not re.fullmatch(r"[\w.:-]+", host) or not 0 < port < 65_536:
            what = f"its proxy ({shown(protocol)}) is not carried over: want HTTP or SOCKS5"
            self._all.remark(place, what)
            return None
        login = None
        if flag(proxy.get("auth")):
            login = text(proxy.get("username")), text(proxy.get("password"))
        return proxy_address(self._all, scheme, host, port, login)

    def _count_retries(self, monitor: Mapping[str, Any]) -> None:
        self._retries.add(int(min(max(number(monitor.get("maxretries")) or 0, 0), 1000)))

    def _remark_once(self) -> None:
        """Say what is one setting here and one of each monitor there, and what differs for all."""
        remark = self._all.remark
        if not self._all.checks:
            return
        if len(self._retries) == 1 and (retries := next(iter(self._retries))) < 100:
            self._all.alerts["after"] = retries + 1
        elif self._retries:
            few, many = min(self._retries), max(self._retries)
            told = "at the first failure" if many == 0 else f"after {few} to {many} retries"
            remark(
                self._file,
                f"it told {told}, and here `[alerts] after` says for all how many bad runs in a row are told, 3",
            )
        if any(number(monitor.get("resendInterval")) for monitor in self._monitors):
            remark(
                self._file,
                "when it told again is not carried over: `[alerts] remind` says it for all",
            )
        if any(check.kind == "http" for check in self._all.checks):
            remark(
                self._file,
                "Uptime Kuma follows redirects, and here one is `unexpected_redirect`: `monitor once` shows which"
                " addresses redirect; write the one that they lead to",
            )

    # --- channels -------------------------------------------------------------------------------------

    def _read_channels(self) -> None:
        users: dict[str, set[str]] = {}
        for monitor in self._monitors:
            for id_, wanted in _notifications(monitor.get("notificationIDList")):
                if wanted:
                    users.setdefault(id_, set()).add(text(monitor.get("id")))
        for notification in tables(self._document.get("notificationList")):
            self._read_channel(notification, users)

    def _read_channel(self, notification: Mapping[str, Any], users: Mapping[str, set[str]]) -> None:
        id_ = text(notification.get("id"))
        place = f"{self._file}: notification {shown(notification.get('id'), 20)} {shown(notification.get('name'))}"
        sources = users.get(id_, set()) & {check.source for check in self._all.checks}
        if not sources:
            self._all.remark(place, "is left out: no monitor that is carried over tells it")
            return
        config = _config(notification)
        kind = text(config.get("type"))
        name = name_of(notification.get("name"), kind or "channel")
        writer = _CHANNELS.get(kind)
        url = None
        if writer is not None:
            hint = slug(name) or kind

            def keep(value: str, what: str) -> str:
                return self._all.secret(value, hint, what)

            url = writer(keep, {key: _field(value) for key, value in config.items()})
        if url is None:
            self._all.remark(place, _no_channel(kind, is_known=writer is not None))
            return
        api = text(config.get("telegramServerUrl")) if kind == "telegram" else ""
        self._all.channels.append(
            ImportedChannel(
                place=place,
                name=name,
                url=url,
                telegram_api=address.own_telegram_api(api),
                sources=frozenset(sources),
            )
        )

    # --- maintenance ----------------------------------------------------------------------------------

    def _read_window(self, window: Mapping[str, Any]) -> None:
        place = (
            f"{self._file}: maintenance {shown(window.get('id'), 20)} {shown(window.get('title'))}"
        )
        if not flag(window.get("active", True)):
            self._all.remark(place, "is left out: it is not active")
            return
        zone = text(window.get("timezone"))
        if zone in {"", "SAME_AS_SERVER"}:
            zone = text(self._document.get("serverTimezone")) or "UTC"
        made = list(_windows(window))
        if not made:
            what = (
                f"its strategy {shown(window.get('strategy'))} is not carried over: a window here is once, or on days of"
                " the week, or on one of the first 28 days of the month"
            )
            self._all.remark(place, what)
        monitors = as_list(window.get("monitorIDs"))
        sources = frozenset(map(text, monitors)) if monitors else None
        for keys in made:
            name = name_of(window.get("title"), "Maintenance")
            self._all.windows.append(
                ImportedWindow(
                    place=place, name=name, keys={**keys, "timezone": zone}, sources=sources
                )
            )


def _windows(window: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the times of our tables that mean the same as a maintenance there."""
    strategy = text(window.get("strategy"))
    if strategy == "single":
        first, last = text(window.get("start_date")), text(window.get("end_date"))
        if first and last:
            yield {"from": first.replace(" ", "T"), "until": last.replace(" ", "T")}
        return
    begins = re.match(r"(\d{1,2}):(\d{2})", text(window.get("start_time")))
    ends = re.match(r"(\d{1,2}):(\d{2})", text(window.get("end_time")))
    if not begins or not ends:
        return
    minutes = (int(ends[1]) * 60 + int(ends[2]) - int(begins[1]) * 60 - int(begins[2])) % 1440
    at = f"{int(begins[1]):02}:{begins[2]}"
    lasts = f"{minutes or 1440}m"
    if strategy == "recurring-interval" and number(window.get("interval_day")) == 1:
        yield {"every": f"day {at}", "for": lasts}
    elif strategy == "recurring-weekday":
        days = [number(day) for day in _json_list(window.get("weekdays"))]
        names = [_WEEKDAYS[int(day) % 7] for day in days if day is not None and 0 <= day <= 7]
        if names:
            yield {"every": f"{','.join(dict.fromkeys(names))} {at}", "for": lasts}
    elif strategy == "recurring-day-of-month":
        days = [number(day) for day in _json_list(window.get("days_of_month"))]
        if all(day is not None and 1 <= day <= 28 for day in days):
            yield from ({"every": f"month {int(day or 1)} {at}", "for": lasts} for day in days)


def _json_list(value: object) -> list[Any]:
    return as_list(parsed(value) if isinstance(value, str) else value)


def _headers(value: object) -> dict[str, str] | None:
    """Return headers, which are kept as the text of a JSON object; None where they are no such thing."""
    if value in (None, ""):
        return {}
    found = parsed(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        return None
    return {name: text(item) for name, item in as_table(found).items() if text(item)}


def _tags(monitor: Mapping[str, Any]) -> tuple[str, ...]:
    names = (name_of(tag.get("name"), "")[:40] for tag in tables(monitor.get("tags")))
    return tuple(dict.fromkeys(filter(None, names)))[:6]


def _notifications(value: object) -> Iterator[tuple[str, bool]]:
    for id_, wanted in as_table(value).items():
        yield id_, flag(wanted)


def _config(notification: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a notification: a text of JSON, or in some files already read."""
    config = notification.get("config")
    found = as_table(parsed(config) if isinstance(config, str) else config)
    return found or notification


def _field(value: object) -> str:
    return "true" if value is True else text(value)


def _no_channel(kind: str, *, is_known: bool) -> str:
    if kind == "webhook":
        return (
            "is not carried over: its receiver reads the JSON of Uptime Kuma; `[webhook.ID]` posts events of another"
            " form (docs/webhooks.md)"
        )
    if kind == "PagerDuty":
        return (
            "is not carried over: Apprise wants an API key beside the integration key; write"
            " pagerduty://${INTEGRATION_KEY}@${API_KEY}"
        )
    if is_known:
        return f"is not carried over: its fields do not make an address of {shown(kind)}; see docs/channels.md"
    return f"is not carried over: no address is known for {shown(kind)}; Apprise may have one (docs/channels.md)"


def _email(keep: address.Keep, fields: Fields) -> str | None:
    port = number(fields.get("smtpPort"))
    user, password = fields.get("smtpUsername", ""), fields.get("smtpPassword", "")
    is_open = fields.get("smtpIgnoreSTARTTLS") == "true"
    mode = "ssl" if fields.get("smtpSecure") == "true" else "insecure" if is_open else "starttls"
    return address.email(
        keep,
        host=fields.get("smtpHost", ""),
        port=int(port) if port and 0 < port < 65_536 else None,
        sender=fields.get("smtpFrom", ""),
        to=fields.get("smtpTo", ""),
        login=(user, password) if user and password else None,
        mode=mode,
    )


def _ntfy(keep: address.Keep, fields: Fields) -> str | None:
    method = fields.get("ntfyAuthenticationMethod", "")
    user, password = fields.get("ntfyusername", ""), fields.get("ntfypassword", "")
    return address.ntfy(
        keep,
        fields.get("ntfyserverurl", ""),
        fields.get("ntfytopic", ""),
        fields.get("ntfyaccesstoken", "") if method == "accessToken" else "",
        (user, password) if method == "usernamePassword" or (not method and user) else None,
    )


_CHANNELS: Mapping[str, address.Writer] = {
    "telegram": of_fields(
        address.telegram, "telegramBotToken", "telegramChatID", "telegramMessageThreadID"
    ),
    "discord": of_fields(address.discord, "discordWebhookUrl", "threadId"),
    "slack": of_fields(address.slack, "slackwebhookURL"),
    "apprise": of_fields(address.own_address, "appriseURL"),
    "DingDing": of_fields(address.dingtalk, "webHookUrl", "secretKey"),
    "Feishu": of_fields(address.feishu, "feishuWebHookUrl"),
    "WeCom": of_fields(address.wecom, "weComBotKey"),
    "Bark": of_fields(address.bark, "barkEndpoint"),
    "ServerChan": of_fields(address.serverchan, "serverChanSendKey"),
    "PushPlus": of_fields(address.pushplus, "pushPlusSendKey"),
    "ntfy": _ntfy,
    "gotify": of_fields(address.gotify, "gotifyserverurl", "gotifyapplicationToken"),
    "smtp": _email,
    "teams": of_fields(address.teams, "webhookUrl"),
    "pushover": of_fields(address.pushover, "pushoveruserkey", "pushoverapptoken"),
    "matrix": of_fields(address.matrix, "homeserverUrl", "accessToken", "internalRoomId"),
    "mattermost": of_fields(address.mattermost, "mattermostWebhookUrl"),
    "rocket.chat": of_fields(address.rocket_chat, "rocketwebhookURL"),
    "GoogleChat": of_fields(address.google_chat, "googleChatWebhookURL"),
    "pushbullet": of_fields(address.pushbullet, "pushbulletAccessToken"),
    "Opsgenie": of_fields(address.opsgenie, "opsgenieApiKey", "opsgenieRegion"),
}
"""Writes a channel's address, by the type of notification."""
