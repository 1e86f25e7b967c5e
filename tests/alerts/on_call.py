"""On-call services over real HTTP, each a state machine of events by key, in its own words."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from aiohttp import web
from listening import listening
from requests.adapters import HTTPAdapter

KEY = "k" * 24
OPEN, KNOWN, OVER = "open", "acknowledged", "over"
Read = Callable[[str, Mapping[str, str], Mapping[str, Any]], tuple[str, str]]
"""What a request says, of its path, query and body: the key of an event, and what happens to it."""


@dataclass(frozen=True)
class Service:
    address: str
    read: Read
    takes_acknowledgement: bool = False


def _words(key: str, word: str, **meanings: str) -> Read:
    """A service that names event and happening in two fields of its body."""

    def read(_: str, __: Mapping[str, str], body: Mapping[str, Any]) -> tuple[str, str]:
        return body[key], meanings[str(body.get(word, "none")).lower()]

    return read


def _alert(path: str, query: Mapping[str, str], body: Mapping[str, Any]) -> tuple[str, str]:
    """Opsgenie's API: what is said of an alert by the id of a request is accepted, and finds none."""
    name, _, happening = path.partition("/alerts")[2].strip("/").rpartition("/")
    if not happening:
        return body["alias"], OPEN
    known = {"acknowledge": KNOWN, "close": OVER}[happening]
    return (unquote(name) if query.get("identifierType") == "alias" else "nothing"), known


SERVICES = {
    "pagerduty": Service(
        f"pagerduty://{KEY}@{KEY}",
        _words("dedup_key", "event_action", trigger=OPEN, resolve=OVER),
    ),
    "opsgenie": Service(f"opsgenie://{KEY}", _alert, True),
    "jira": Service(f"jira://{KEY}", _alert, True),
    "squadcast": Service(
        f"squadcast://{'a' * 40}", _words("event_id", "status", trigger=OPEN, resolve=OVER)
    ),
    "incidentio": Service(
        f"incidentio://01GW2G3V0S59R238FAHPDS1R66/{KEY}",
        _words("deduplication_key", "status", firing=OPEN, resolved=OVER),
    ),
    "ilert": Service(
        f"ilert://{KEY}",
        _words("alertKey", "eventType", alert=OPEN, accept=KNOWN, resolve=OVER),
        True,
    ),
    "goalert": Service(
        "goalerts://goalert.example/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        _words("dedup", "action", none=OPEN, close=OVER),
    ),
    "signl4": Service(
        f"signl4://{KEY}",
        _words("X-S4-ExternalID", "X-S4-Status", none=OPEN, acknowledged=KNOWN, resolved=OVER),
        True,
    ),
    "splunk": Service(
        "splunk://routing@12345678-1234-1234-1234-123456789012",
        _words(
            "entity_id",
            "message_type",
            critical=OPEN,
            warning=OPEN,
            acknowledgement=KNOWN,
            recovery=OVER,
        ),
        True,
    ),
    "firehydrant": Service(
        f"firehydrant://{KEY}", _words("idempotency_key", "status", open=OPEN, closed=OVER)
    ),
    "opsimate": Service(
        f"opsimates://{KEY}@opsimate.example", _words("id", "status", firing=OPEN, resolved=OVER)
    ),
    "pagertree": Service(
        "pagertree://int_abcdefghij",
        _words("id", "event_type", create=OPEN, acknowledge=KNOWN, resolve=OVER),
        True,
    ),
}


@dataclass
class OnCall:
    """Holds what happened to each event, in order, and the bodies of all requests."""

    read: Read
    events: dict[str, list[str]] = field(default_factory=dict)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    fails: int = 0
    """So many requests are refused first."""

    async def take(self, request: web.Request) -> web.Response:
        if self.fails:
            self.fails -= 1
            return web.Response(status=500)
        body = json.loads(await request.text() or "{}")
        key, happening = self.read(request.raw_path.partition("?")[0], request.query, body)
        self.events.setdefault(key, []).append(happening)
        self.bodies.append(body)
        return web.json_response({"requestId": "r-1", "status": "success"})


@asynccontextmanager
async def on_call(name: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OnCall]:
    """Stands where the internet would be: whatever host is asked, this one answers."""
    service = OnCall(SERVICES[name].read)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", service.take)
    async with listening(app) as url:
        original = HTTPAdapter.send

        def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            asked = urlsplit(request.url)
            query = f"?{asked.query}" if asked.query else ""
            request.url = f"{url}{asked.path}{query}"
            return original(self, request, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(HTTPAdapter, "send", send)
            yield service
