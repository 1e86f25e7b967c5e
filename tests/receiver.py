"""A program that takes events over real HTTP, and answers as a test wants."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from listening import listening

from monitor.model import Secret, Webhook

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass
class Receiver:
    """`answers` are given first, each once; then 204."""

    url: str = ""
    answers: list[web.Response] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers by their names in lower case, and body."""

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.path, headers, await request.read()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.requests]

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.requests]

    def webhook(self, name: str = "gateway", **more: Any) -> Webhook:
        return Webhook(id=name, url=Secret(f"{self.url}/{name}"), secret=Secret(SECRET), **more)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.take)
    async with listening(app) as receiver.url:
        yield receiver
