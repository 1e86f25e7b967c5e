"""The small server for who has no other: the page's files and `/healthz`, read only.

A real web server may serve the same folder; nothing here is needed for the page to work.
"""

import logging
import mimetypes
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from monitor.model import MonitorError

log = logging.getLogger(__name__)

Health = Callable[[], str | None]
"""Why the daemon is not well, or None."""

_HASHED = re.compile(r"\.[0-9a-f]{8,}\.(?:css|js)$")
_TYPES = {
    ".json": "application/json",
    ".atom": "application/atom+xml",
    ".txt": "text/plain",
    ".svg": "image/svg+xml",
}
_OPEN = re.compile(r"^(?:api/|badge[./]|status\.|best\.|(?:[\w-]+/)?feed\.atom$)")
_SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Server": "monitor",
}


class Web:
    """Serves `folder` on `host:port` until closed."""

    def __init__(self, folder: Path, host: str, port: int, health: Health) -> None:
        self.folder = folder
        self._host, self._port = host, port
        self._health = health
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(middlewares=[_safely])
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/{path:.*}", self._file)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, keepalive_timeout=15
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except (OSError, UnicodeError) as error:  # a host such as "a..b" is no name at all
            await self._runner.cleanup()
            why = getattr(error, "strerror", None) or error
            raise MonitorError(
                f"cannot listen on {self._host}:{self._port} ({why});"
                ' choose another address with `listen` in [monitor], or "" for none'
            ) from error
        host = f"[{self._host}]" if ":" in self._host else self._host
        log.info("event=listen url=http://%s:%s/", host, self.port)

    @property
    def asked_port(self) -> int:
        return self._port

    @property
    def port(self) -> int:
        """The real port, also where 0 was asked for."""
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        trouble = self._health()
        return web.Response(text=f"{trouble or 'ok'}\n", status=503 if trouble else 200)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        path = self._find(request.match_info["path"])
        if path is None:
            raise web.HTTPNotFound(text="not found\n")
        if path.is_dir():  # without the slash, relative links would point one level up
            raise web.HTTPFound(f"{request.path.rsplit('/', 1)[-1]}/")
        return web.FileResponse(
            path, headers=_headers(path, path.relative_to(self.folder.resolve()).as_posix())
        )

    def _find(self, asked: str) -> Path | None:
        """The file or folder behind a URL path, never outside `folder`, never a hidden one."""
        if "\0" in asked or any(part.startswith(".") for part in asked.split("/")):
            return None
        root = self.folder.resolve()
        path = (root / asked.lstrip("/")).resolve()
        if not path.is_relative_to(root):
            return None
        if asked == "" or asked.endswith("/"):
            path /= "index.html"
        return path if path.exists() else None


def _headers(path: Path, name: str) -> dict[str, str]:
    kind = (
        _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    )
    headers = {
        "Content-Type": f"{kind}; charset=utf-8" if kind != "image/png" else kind,
        "Cache-Control": "public, max-age=31536000, immutable"
        if _HASHED.search(name)
        else "no-cache",
    }
    if _OPEN.match(name):
        headers["Access-Control-Allow-Origin"] = "*"
    return headers


@web.middleware
async def _safely(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if request.method not in {"GET", "HEAD"}:
        return web.Response(
            status=405, text="read only\n", headers={"Allow": "GET, HEAD", **_SAFETY}
        )
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(_SAFETY)
        raise
    response.headers.update(_SAFETY)
    return response
