"""A relay on a real socket that answers as the test says, on every path, and remembers its calls."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from aiohttp import web
from listening import listening

from monitor.model import Check, Endpoint, FailureKind, Habit, Secret
from monitor.probes import PROBES
from monitor.probes.probe import Finding, Run
from monitor.probes.wire.client import Client

KEY = "the-key"


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answering = Callable[[web.Request, Asked], Awaitable[web.StreamResponse]]


@dataclass
class Relay:
    client: Client
    answering: Answering | None = None
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        is_form = request.content_type.startswith("multipart/")
        body = b"" if is_form else await request.read()  # a form is left for the test to parse
        asked = Asked(request.path_qs, dict(request.headers), body)
        self.asked.append(asked)
        assert self.answering is not None
        return await self.answering(request, asked)

    async def ask(
        self,
        kind: str,
        habit: Habit = Habit(),  # noqa: B008
        seed: int = 7,
        peers: tuple[tuple[str, Habit], ...] = (),
        **settings: Any,
    ) -> Finding:
        probe = PROBES[kind](**settings)
        endpoint = Endpoint(id="e", service="s", url=self.url, name="E", key=Secret(KEY))
        model = getattr(probe, "model", None) or "model-x"
        check = Check(service="s", endpoint=endpoint, probe=probe, model=model)
        now = datetime(2026, 11, 24, 12, tzinfo=UTC)
        run = Run(
            check=check,
            habit=habit,
            client=self.client,
            rng=Random(seed),
            now=now,
            peers=peers,
        )
        return await probe.run(run)


@contextlib.asynccontextmanager
async def relaying() -> AsyncIterator[Relay]:
    async with Client() as client:
        relay = Relay(client)
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", relay.handle)
        async with listening(app) as relay.url:
            yield relay


def plain(body: Any, status: int = 200, kind: str = "application/json") -> Answering:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def answering(_request: web.Request, _asked: Asked) -> web.StreamResponse:
        return web.Response(body=data, status=status, headers={"Content-Type": kind})

    return answering


def streaming(*parts: bytes | float, cut: bool = False, stays_s: float = 0.0) -> Answering:
    """Answer with a stream that writes bytes and sleeps seconds, and may cut the connection at its end."""

    async def answering(request: web.Request, _asked: Asked) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in parts:
            if isinstance(part, bytes):
                await response.write(part)
            else:
                await asyncio.sleep(part)
        if cut and request.transport is not None:
            request.transport.abort()
        await asyncio.sleep(stays_s)
        return response

    return answering


def event(value: Any, name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(value)}\n\n".encode()


def kind_of(finding: Finding) -> FailureKind | None:
    return finding.failure and finding.failure.kind
