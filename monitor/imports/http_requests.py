"""Makes checks of what other programs ask by HTTP or TCP: a probe of an API where it is one, else of the web page."""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, quote, unquote

from monitor.imports.fields import split_address
from monitor.imports.imported import SECRET_NAME, Collector, ImportedCheck, name_of, shown
from monitor.imports.llm_address import LlmCall, listed_model, llm_call
from monitor.model.check import HEADER_NAME, MESSAGE_HEADERS
from monitor.model.config_text import slug

_OF_A_CALL = frozenset({"accept", "content-type", "anthropic-version", "user-agent"})
"""Headers that our probes of an API send by themselves, or in whose place they say who they are."""
_HARMLESS = frozenset({"accept", "accept-language", "cache-control", "content-type", "user-agent"})
_KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")
_BEARER = re.compile(r"bearer\s+(\S+)\s*", re.IGNORECASE)
_SECRET_QUERY = re.compile(rf"[?&]{SECRET_NAME}=", re.IGNORECASE)
_SECRET_FIELD = re.compile(
    rf"(?:\"{SECRET_NAME}\"\s*:|(?:\A|[&\s]){SECRET_NAME}=|<{SECRET_NAME}\b)", re.IGNORECASE
)
"""A field of JSON, a form or XML whose value is secret."""
FINAL_STATUSES = frozenset(status.value for status in HTTPStatus if status.value >= 200)
"""The registered statuses of an answer; those of 1xx come before one."""
SUCCESSES = frozenset(status for status in FINAL_STATUSES if status < 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedByHttp:
    """A request as the other program makes it, and what it wants to be answered."""

    source: str
    place: str
    name: str
    url: str
    group: str = ""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    bearer: str = ""
    basic: tuple[str, str] | None = None
    body: str = ""
    statuses: frozenset[int] | None = None
    """What is good; None for any 2xx."""
    contains: str = ""
    json: Mapping[str, Any] = field(default_factory=dict)
    """Wanted values by dotted path."""
    every: timedelta | None = None
    timeout: timedelta | None = None
    slow: timedelta | None = None
    proxy: str | None = None
    paused: bool = False
    tags: tuple[str, ...] = ()


def statuses(ranges: Iterable[tuple[int, int]]) -> frozenset[int] | None:
    """Return the registered statuses in these ranges, and each that stands alone; None for all of 2xx and no other."""
    wanted: set[int] = set()
    for low, high in ranges:
        alone = {low} if low == high and 100 <= low <= 599 else set()
        wanted |= alone | {status for status in FINAL_STATUSES if low <= status <= high}
    return None if wanted == SUCCESSES else frozenset(wanted)


def http_check(asked: AskedByHttp, collector: Collector) -> None:
    """Add the check of a request; a remark where there can be none."""
    parts = split_address(asked.url)
    if parts is None:
        what = (
            f"the address {shown(asked.url)} is not carried over: want one with https:// or http://"
        )
        collector.remark(asked.place, what)
        return
    _Making(asked, parts, collector).add()


class _Making:
    def __init__(self, asked: AskedByHttp, parts: SplitResult, collector: Collector) -> None:
        self._asked, self._parts, self._collector = asked, parts, collector
        self._hint = slug(asked.group) or slug(parts.hostname or "") or "service"

    def add(self) -> None:
        headers = self._headers()
        call = llm_call(self._parts, self._asked.method.upper(), self._asked.body)
        lower = {name.lower(): value for name, value in headers.items()}
        key = next((found for name in _KEY_HEADERS if (found := _key(name, lower.get(name)))), None)
        if call is not None and self._is_asked_as(call, key):
            self._add_call(call, key, headers)
        else:
            self._add_page(headers)

    def _is_asked_as(self, call: LlmCall, key: str | None) -> bool:
        """Say whether our probe of this API asks the same: a paid call wants a key and a success."""
        statuses = self._asked.statuses
        wants_success = statuses is None or bool(statuses & SUCCESSES)
        if not call.asks_model:
            return wants_success or (key is None and bool((statuses or set()) & {401, 403}))
        return wants_success and key is not None

    def _add_call(self, call: LlmCall, key: str | None, headers: Mapping[str, str]) -> None:
        asked = self._asked
        settings: dict[str, Any] = {}
        model = call.model
        if not call.asks_model and asked.contains:
            model = listed_model(asked.contains)
        if model:
            settings["model"] = self._collector.text(model, self._hint, "model")
        if call.stream is False:
            settings["stream"] = False
        if asked.slow:
            settings["slow"] = asked.slow
        rest = {
            name: value
            for name, value in headers.items()
            if name.lower() not in _OF_A_CALL and not _key(name.lower(), value)
        }
        self._remark_call(call, model)
        self._add(self._address(call.path), call.kind, settings, rest, key)

    def _remark_call(self, call: LlmCall, model: str | None) -> None:
        """Say what the probe does that stands in the place of the request."""
        asked, remark = self._asked, self._collector.remark
        if call.asks_model:
            remark(
                asked.place,
                f"its own question is not carried over: the probe `{call.kind}` asks a new one each time and checks"
                " the answer; `text` and `answer` ask yours"
                + ("; a stream shows the time to the first token" if call.stream is False else ""),
            )
        elif asked.contains and not model:
            remark(
                asked.place,
                f"the keyword {shown(asked.contains)} is not carried over: `models` reads the list itself; name the"
                " model that must be in it as `model`",
            )
        if call.asks_model and asked.contains:
            remark(asked.place, f"the keyword {shown(asked.contains)} is not carried over")
        if asked.json:
            remark(
                asked.place,
                "what its JSON must hold is not carried over: the probe judges the whole answer",
            )

    def _add_page(self, headers: Mapping[str, str]) -> None:
        asked, text = self._asked, self._collector.text
        settings: dict[str, Any] = {}
        method = asked.method.upper()
        if method != "GET":
            settings["method"] = method
        path = self._parts.path or "/"
        if self._parts.query:
            path += f"?{self._parts.query}"
        if path != "/":
            is_secret = bool(_SECRET_QUERY.search(path))
            hints = (self._hint, "path")
            keep = self._collector.secret if is_secret else text
            settings["path"] = keep(path, *hints)
        if asked.statuses is not None:
            codes = sorted(asked.statuses)
            settings["status"] = codes[0] if len(codes) == 1 else codes
        if asked.contains:
            settings["contains"] = text(asked.contains, self._hint, "contains")
        if asked.json:
            settings["json"] = {
                path: text(value, self._hint, "value") if isinstance(value, str) else value
                for path, value in asked.json.items()
            }
        if asked.body:
            keep = self._collector.secret if _SECRET_FIELD.search(asked.body) else text
            settings["body"] = keep(asked.body, self._hint, "body")
        if asked.timeout:
            settings["timeout"] = asked.timeout
        if asked.slow:
            settings["slow"] = asked.slow
        self._add(self._address(""), "http", settings, headers, None)

    def _add(
        self,
        url: str,
        kind: str,
        settings: Mapping[str, Any],
        headers: Mapping[str, str],
        key: str | None,
    ) -> None:
        asked, secret = self._asked, self._collector.secret
        self._collector.checks.append(
            ImportedCheck(
                source=asked.source,
                place=asked.place,
                name=name_of(asked.name, self._parts.hostname or ""),
                url=url,
                kind=kind,
                settings=settings,
                every=asked.every,
                group=asked.group,
                key=None if key is None else secret(key, self._hint, "key"),
                headers={name: self._value(name, value) for name, value in headers.items()},
                proxy=asked.proxy,
                paused=asked.paused,
                tags=asked.tags,
            )
        )

    def _value(self, name: str, value: str) -> str:
        if name.lower() in _HARMLESS:
            return self._collector.text(value, self._hint, name)
        return self._collector.secret(value, self._hint, name)

    def _address(self, path: str) -> str:
        host = self._parts.netloc.rpartition("@")[2]
        return f"{self._parts.scheme}://{host}{path}"

    def _headers(self) -> dict[str, str]:
        """Return the headers to send, with the login of the address or of the other program's own fields."""
        asked, remark = self._asked, self._collector.remark
        kept: dict[str, str] = {}
        for name, value in asked.headers.items():
            one_line = " ".join(value.split())
            if not HEADER_NAME.fullmatch(name):
                remark(
                    asked.place,
                    f"the header {shown(name)} is not carried over: no header has such a name",
                )
            elif name.lower() in MESSAGE_HEADERS:
                remark(
                    asked.place,
                    f"the header {name} is not carried over: each request sets it by itself",
                )
            elif one_line:
                kept[name] = one_line
        lower = {name.lower() for name in kept}
        if asked.bearer and "authorization" not in lower:
            kept["Authorization"] = f"Bearer {asked.bearer}"
        elif (login := asked.basic or _login(self._parts)) and "authorization" not in lower:
            code = base64.b64encode(":".join(login).encode("utf-8", "replace")).decode()
            kept["Authorization"] = f"Basic {code}"
        return kept


def _key(name: str, value: str | None) -> str | None:
    """Return the key that a header carries."""
    if not value:
        return None
    if name == "authorization":
        bearer = _BEARER.fullmatch(value)
        return bearer[1] if bearer else None
    return value if name in _KEY_HEADERS else None


def _login(parts: SplitResult) -> tuple[str, str] | None:
    if "@" not in parts.netloc:
        return None
    return unquote(parts.username or ""), unquote(parts.password or "")


def connect_check(
    asked: AskedByHttp,
    host: str,
    port: int | None,
    collector: Collector,
    *,
    encrypted: bool = False,
) -> None:
    """Add a check that opens a connection, with or without TLS, and asks nothing."""
    host = host.strip().strip("[]")
    if not host or port is None or not 0 < port < 65_536:
        what = "is not carried over: want a host and a port from 1 to 65535"
        collector.remark(asked.place, what)
        return
    address = f"[{host}]" if ":" in host else host
    settings = {"timeout": asked.timeout} if asked.timeout else {}
    collector.checks.append(
        ImportedCheck(
            source=asked.source,
            place=asked.place,
            name=name_of(asked.name, host),
            url=f"{'https' if encrypted else 'http'}://{address}:{port}",
            kind="tls" if encrypted else "tcp",
            settings=settings,
            every=asked.every,
            group=asked.group,
            paused=asked.paused,
            tags=asked.tags,
        )
    )


def proxy_address(
    collector: Collector, scheme: str, host: str, port: int, login: tuple[str, str] | None
) -> str:
    """Return a proxy as the configuration writes it; one with a login is put aside as a secret."""
    if login is None:
        return f"{scheme}://{host}:{port}"
    user, password = (quote(word, safe="") for word in login)
    return collector.secret(f"{scheme}://{user}:{password}@{host}:{port}", "proxy", host)
