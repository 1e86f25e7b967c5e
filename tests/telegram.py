"""A Bot API server over real HTTP that checks what it gets and breaks when it is told to."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape

from aiohttp import web
from listening import listening

TOKEN = "123456789:" + "AbCdEfGhIj" * 3 + "AbCdE"
CHAT = "4242"
_TAGS = re.compile(r"</?(?:b|strong|i|em|u|s|code|pre|a)(?:\s[^<>]*)?>")
LIMIT = 4096


@dataclass
class Telegram:
    """`faults` are acted one a request: `429 17`, `500`, `drop`, `hang`, `accept then drop`,
    `ok false 9`, `portal`."""

    url: str = ""
    messages: list[str] = field(default_factory=list)
    faults: deque[str] = field(default_factory=deque)
    asked: int = 0
    heard: list[dict[str, object]] = field(default_factory=list)
    """Updates that `getUpdates` gives."""
    down: bool = False

    async def send_message(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if request.match_info["token"] != TOKEN:
            return _refusal(401, "Unauthorized")
        body = (
            await request.json()
            if request.content_type == "application/json"
            else dict(await request.post())
        )
        fault = "500" if self.down else self.faults.popleft() if self.faults else ""
        if fault.startswith("429"):
            return _too_many(int(fault.split()[1]))
        if fault == "500":
            return _refusal(500, "Internal Server Error")
        if fault.startswith("ok false"):
            return _denial(int(fault.split()[2]))
        if fault == "portal":
            return web.Response(text="<html>Please log in to this network</html>")
        if fault == "drop":
            return _hang_up(request)
        if fault == "hang":
            await asyncio.sleep(60)
        return self._take(request, body, fault)

    async def get_updates(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN:
            return _refusal(401, "Unauthorized")
        return web.json_response({"ok": True, "result": self.heard})

    def _take(
        self, request: web.Request, body: dict[str, object], fault: str
    ) -> web.StreamResponse:
        if str(body.get("chat_id")) != CHAT:
            return _refusal(400, "Bad Request: chat not found")
        text = str(body.get("text", ""))
        if str(body.get("parse_mode", "")).upper() == "HTML":
            bare = _TAGS.sub("", text)
            if re.search(r"<|>|&(?!(?:lt|gt|amp|quot|nbsp|emsp|ensp|#\d+);)", bare):
                return _refusal(400, "Bad Request: can't parse entities")
            text = unescape(bare)
        if not text.strip():
            return _refusal(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > LIMIT:
            return _refusal(400, "Bad Request: message is too long")
        self.messages.append(text)
        if fault == "accept then drop":
            return _hang_up(request)
        return web.json_response({"ok": True, "result": {"message_id": len(self.messages)}})


def _refusal(status: int, description: str) -> web.Response:
    return web.json_response(
        {"ok": False, "error_code": status, "description": description}, status=status
    )


def _too_many(seconds: int) -> web.Response:
    return web.json_response(
        {
            "ok": False,
            "error_code": 429,
            "description": f"Too Many Requests: retry after {seconds}",
            "parameters": {"retry_after": seconds},
        },
        status=429,
    )


def _denial(seconds: int) -> web.Response:
    """A refusal with the status of a success, as some mirrors of the API give it."""
    return web.json_response(
        {
            "ok": False,
            "description": "Too Many Requests",
            "parameters": {"retry_after": seconds},
        }
    )


def _hang_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def telegram(fake: Telegram | None = None) -> AsyncIterator[Telegram]:
    fake = fake or Telegram()
    app = web.Application()
    app.router.add_post("/bot{token}/sendMessage", fake.send_message)
    app.router.add_get("/bot{token}/getUpdates", fake.get_updates)
    async with listening(app) as fake.url:
        yield fake
