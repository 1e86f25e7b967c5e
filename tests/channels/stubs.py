"""What the stubs of services have in common: one request in, one reply out, faults on demand.

A stub checks what it gets as the service does, by the documentation that its docstring names, and
keeps what it took. Keys are made here, so that no scanner finds one.
"""

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import parse_qs

from aiohttp import web


@dataclass(frozen=True)
class Sent:
    """A request as the service sees it."""

    method: str
    scheme: str
    host: str
    path: str
    raw_path: str
    """As it was sent, percent-encoded."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in small letters."""
    body: bytes

    def json(self) -> Any:
        """The document; a reply of 400 where it is none or is not declared as one."""
        if "json" not in self.headers.get("content-type", ""):
            raise RefusedError(Reply(415, "not declared as JSON"))
        try:
            return json.loads(self.body)
        except ValueError:
            raise RefusedError(Reply(400, "no JSON")) from None

    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any = ""
    """A text, or a JSON document."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        if isinstance(self.body, str):
            kind = "text/html" if self.body.startswith("<") else "text/plain"
            return web.Response(
                status=self.status, text=self.body, content_type=kind, headers=self.headers
            )
        return web.json_response(self.body, status=self.status, headers=self.headers)


class RefusedError(Exception):
    """Leaves the checks of a stub with the reply that the service gives."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.body}")
        self.reply = reply


@dataclass(frozen=True)
class Way:
    """One way in which a service refuses, and what the operator must learn of it."""

    name: str
    reply: Reply
    says: str
    """Words of the service that the reason carries."""
    person: bool = False
    """Trying again does not help before somebody has mended it."""
    wait: float | None = None
    """Seconds that it asks for."""


HTML = "<!DOCTYPE html><html><title>Log in</title>Please log in to this network</html>"
OF_ALL = (
    Way("its gateway is broken", Reply(502, "<html>502 Bad Gateway</html>"), "HTTP 502"),
    Way("it is too busy", Reply(429, "slow down", {"Retry-After": "17"}), "HTTP 429", wait=17),
    Way("it does not know the path", Reply(404, "no such thing"), "no such thing", person=True),
)
"""What any service may answer."""
PORTAL = Way("a captive portal answers", Reply(200, HTML), "a web page answered")


class Stub:
    """One service: hosts, an Apprise address for a channel, and what it takes."""

    schema: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]]
    url: ClassVar[str]
    ways: ClassVar[tuple[Way, ...]] = ()
    promises: ClassVar[bool] = True
    """The form of its success is documented, so that a portal's page cannot pass for it."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        """What people or programs get of it, oldest first."""
        self.sent: list[Sent] = []
        """Every request, oldest first."""
        self.replies: deque[Reply] = deque()
        """Replies that it gives to the next requests that carry a message, in place of taking them."""

    def reply(self, sent: Sent) -> Reply:
        self.sent.append(sent)
        try:
            if self.replies and self.carries(sent):
                return self.replies.popleft()
            return self.take(sent)
        except RefusedError as refused:
            return refused.reply

    def carries(self, sent: Sent) -> bool:
        return True

    def take(self, sent: Sent) -> Reply:
        raise NotImplementedError

    @classmethod
    def all_ways(cls) -> tuple[Way, ...]:
        return (*OF_ALL, *([PORTAL] if cls.promises else []), *cls.ways)


def answering(stubs: tuple[Stub, ...]) -> Callable[[web.Request], Any]:
    """A handler that gives each request to the stub of its host; a stub that is alone gets them all."""
    by_host = {host: stub for stub in stubs for host in stub.hosts}

    async def handle(request: web.Request) -> web.StreamResponse:
        host = request.host.partition(":")[0]
        sent = Sent(
            method=request.method,
            scheme=request.scheme,
            host=host,
            path=request.path,
            raw_path=request.rel_url.raw_path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        stub = stubs[0] if len(stubs) == 1 else by_host[host]
        return stub.reply(sent).response()

    return handle


def need(condition: object, status: int, body: Any) -> None:
    """Refuse with this reply where the condition does not hold."""
    if not condition:
        raise RefusedError(Reply(status, body))
