"""GET and HEAD, over aiohttp's own HTTP, with nothing of it to be seen from outside."""

import asyncio
import gzip
import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from aiohttp import HttpVersion10, HttpVersion11, web

from monitor.model import MonitorError
from monitor.web.connection_limits import (
    ConnectionLimiter,
    LimitedConnection,
    Limits,
    is_private_address,
)
from monitor.web.static_files import ServedFile, StaticFiles

log = logging.getLogger(__name__)

Health = Callable[[], str | None]
"""Why the daemon is not well, or None."""
Report = Callable[[str], tuple[bytes, str]]
"""The metrics and their content type, for what the client accepts."""

KEEPALIVE_S = 15.0
CHUNK_BYTES = 64 * 1024
"""Written at a time, so that a slow reader costs no more memory than that."""
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Server": "monitor",
}
_VERSIONS = {HttpVersion10, HttpVersion11}
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


class WebServer:
    """Serves `folder` on `host:port` until closed."""

    def __init__(
        self,
        folder: Path,
        host: str,
        port: int,
        health: Health,
        report: Report,
        *,
        limits: Limits = Limits(),  # noqa: B008  # frozen
    ) -> None:
        self._files = StaticFiles(folder)
        self._host, self._port = host, port
        self._health, self._report = health, report
        self._limiter = ConnectionLimiter(limits)
        self._http: _Http
        self._server: asyncio.Server | None = None

    def change(self, folder: Path, report: Report) -> None:
        """Sets what is served from now on."""
        self._files.folder, self._report = folder, report

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._http = _Http(self._answer)
        try:
            self._server = await loop.create_server(
                lambda: LimitedConnection(self._http(), self._limiter),
                self._host,
                self._port,
                reuse_address=True,
            )
        except (OSError, UnicodeError) as error:  # a host such as "a..b" is no name at all
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
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server:
            self._server.close()
            await self._http.shutdown(2.0)
            await self._server.wait_closed()
            self._server = None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.transport.get_protocol() if request.transport else None
        if isinstance(connection, LimitedConnection):
            connection.request_complete()
        if request.version not in _VERSIONS:
            return _text(505, "HTTP/1.1 is spoken here\n")
        if request.method not in {"GET", "HEAD"}:
            return _text(405, "read only\n", {"Allow": "GET, HEAD"})
        path = request.path.removeprefix("/")
        if path == "healthz":
            return self._healthz(request)
        if path == "metrics":
            return self._metrics(request)
        return await self._file(request, path)

    def _healthz(self, request: web.BaseRequest) -> web.Response:
        """Strangers hear whether, neighbours why."""
        trouble = self._health()
        why = trouble if _is_private(request) else trouble and "not well"
        return _text(503 if trouble else 200, f"{why or 'ok'}\n", {"Cache-Control": "no-store"})

    def _metrics(self, request: web.BaseRequest) -> web.Response:
        """They speak of private services too, so to neighbours only."""
        if not _is_private(request):
            return _text(404, "not found\n")
        body, kind = self._report(request.headers.get("Accept", ""))
        headers = {"Content-Type": kind, "Cache-Control": "no-store", **_SECURITY_HEADERS}
        if _takes_gzip(request):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def _file(self, request: web.BaseRequest, asked: str) -> web.StreamResponse:
        path, status = self._files.locate(asked), 200
        if path is None:
            path, status = self._files.not_found(asked), 404
        if path is None:
            return _text(404, "not found\n")
        if path.is_dir():  # without the slash, relative links would point one level up
            return _text(302, "", {"Location": f"./{quote(asked.rsplit('/', 1)[-1])}/"})
        try:
            file = await asyncio.to_thread(self._files.read, path)
        except OSError:
            return _text(404, "not found\n")
        return await _send(request, file, status)


async def _send(request: web.BaseRequest, file: ServedFile, status: int) -> web.StreamResponse:
    zipped = file.zipped if _takes_gzip(request) else None
    body = file.plain if zipped is None else zipped
    tag = f'"{file.tag}"' if zipped is None else f'"{file.tag}-gz"'
    headers = {**file.headers, **_SECURITY_HEADERS, "ETag": tag, "Vary": "Accept-Encoding"}
    if status == 200 and _is_known(request.headers.get("If-None-Match", ""), tag):
        return web.Response(
            status=304, headers={k: v for k, v in headers.items() if k != "Content-Type"}
        )
    if zipped is not None:
        headers["Content-Encoding"] = "gzip"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(body)
    await response.prepare(request)
    if request.method == "GET":
        for start in range(0, len(body), CHUNK_BYTES):
            await response.write(body[start : start + CHUNK_BYTES])
    await response.write_eof()
    return response


def _takes_gzip(request: web.BaseRequest) -> bool:
    """`gzip;q=0` is a refusal."""
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _is_known(if_none_match: str, tag: str) -> bool:
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in known or tag in known


def _is_private(request: web.BaseRequest) -> bool:
    """A proxy that forwards for somebody else is not the one who asks."""
    return is_private_address(request.remote) and not any(
        name in request.headers for name in _FORWARDED
    )


def _text(status: int, text: str, more: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text, headers={**_SECURITY_HEADERS, **(more or {})})


class _Handler(web.RequestHandler):
    """Its own words for a request that cannot be read: aiohttp's name its version and quote it."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it quotes what was sent
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        if status >= 500:
            log.error("event=internal loop=web", exc_info=exc)
        response = _text(status, "bad request\n" if status < 500 else "internal error\n")
        response.force_close()
        return response


class _Http(web.Server):
    def __call__(self) -> _Handler:
        return _Handler(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # none at all, as its own runner says it
            keepalive_timeout=KEEPALIVE_S,
            auto_decompress=False,
            lingering_time=2.0,
        )
