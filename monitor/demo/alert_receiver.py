"""The receiver of the demo's alerts: takes what Apprise posts and keeps the latest messages."""

from collections import deque
from typing import Any

from aiohttp import web

from monitor.demo.certificates import HOST

_MAX_MESSAGES = 100


class AlertReceiver:
    """Takes a message by `POST /`, and lists what came by `GET /`, oldest first."""

    def __init__(self) -> None:
        self.received: deque[dict[str, Any]] = deque(maxlen=_MAX_MESSAGES)
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Start to listen, and return the port."""
        app = web.Application()
        app.router.add_post("/", self._take)
        app.router.add_get("/", self._list)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, HOST, 0).start()
        port: int = runner.addresses[0][1]
        return port

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        try:
            message = await request.json()
        except ValueError:
            return web.json_response({"error": "want JSON"}, status=400)
        if not isinstance(message, dict):
            return web.json_response({"error": "want a JSON object"}, status=400)
        self.received.append({name: message.get(name) for name in ("title", "message", "type")})
        return web.json_response({"ok": True})

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response(list(self.received))
