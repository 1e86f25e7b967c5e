"""GET and HEAD, over aiohttp's own HTTP, with nothing of it to be seen from outside."""

import asyncio
import gzip
import logging
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import HttpVersion10, HttpVersion11, web

from monitor.model import MonitorError
from monitor.web.connection_limits import (
    ConnectionLimiter,
    LimitedConnection,
    Limits,
    is_loopback,
    is_trusted_host,
)
from monitor.web.static_files import ServedFile, StaticFiles

log = logging.getLogger(__name__)

Health = Callable[[], str | None]
"""Why the daemon is not well, or None."""
Api = Callable[[web.BaseRequest, str, Callable[[int], None]], Awaitable[web.StreamResponse]]
"""Answers what lies below `API`, by itself; the function lets a connection send more bytes."""
MetricsReport = Callable[[str], tuple[bytes, str]]
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
API = "agent/"
"""Paths that begin so are the agents', where the daemon is a hub."""
FOR_AGENTS = 16
"""Connections that readers cannot take from agents."""
READ_BUFFER = 64 * 1024
"""aiohttp reads on while less than twice as much of a body waits."""
BEFORE_HEADERS = 2 * READ_BUFFER + 256 * 1024
"""So much of a body may come before anybody has looked at its headers: what waits, and all that asyncio reads at once."""
_COME_BACK = {"Retry-After": "5", "Cache-Control": "no-store"}
_VERSIONS = {HttpVersion10, HttpVersion11}


class _HttpServer:
    """Answers GET and HEAD on `host:port` until closed."""

    key = ""
    """The key of the config that says where it listens."""
    well = "ok"
    """The answer of `/healthz` where all is well."""

    def __init__(self, host: str, port: int, limits: Limits) -> None:
        self._host, self._port = host, port
        self.api: Api | None = None
        self._limits, self._limiter = limits, ConnectionLimiter(limits)
        self._http: _Http
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises MonitorError where that is not possible."""
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
                f' choose another address with `{self.key}` in [monitor], or "" for none'
            ) from error
        host = f"[{self._host}]" if ":" in self._host else self._host
        log.info("event=%s url=http://%s:%s/", self.key, host, self.port)

    @property
    def asked_port(self) -> int:
        return self._port

    @property
    def port(self) -> int:
        """Return the real port, also where 0 was asked for."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server:
            self._server.close()
            await self._http.shutdown(2.0)
            await self._server.wait_closed()
            self._server = None

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.transport.get_protocol() if request.transport else None
        connection = protocol if isinstance(protocol, LimitedConnection) else None
        if connection:
            connection.request_complete()
        if request.version not in _VERSIONS:
            return _text(505, "HTTP/1.1 is spoken here\n")
        path = request.path.removeprefix("/")
        is_for_agents = connection is not None and connection.is_for_agents
        if self.api is not None and path.startswith(API):
            answer = await self.api(request, path, connection.allow if connection else _nothing)
            answer.headers.update(_SECURITY_HEADERS)
        elif is_for_agents:
            answer = _text(503, "too many connections\n", {"Retry-After": "1"})
        else:
            return await self._answer_reader(request, path)
        if is_for_agents:
            answer.force_close()
        return answer

    async def _answer_reader(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        if not is_trusted_host(request.headers.get("Host"), self._names()):
            return _text(421, f"unknown host; see `{self.key}` in the documentation\n")
        if request.method not in {"GET", "HEAD"}:
            return _text(405, "read only\n", {"Allow": "GET, HEAD"})
        return await self._respond(request, path)

    def _names(self) -> Collection[str] | None:
        """Return the names by which it may be asked; None: any."""
        return {self._host.lower(), socket.gethostname().lower()}

    async def _respond(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        raise NotImplementedError


class WebServer(_HttpServer):
    """Serves the page's folder, and `/healthz` without a reason: everybody may ask it."""

    key = "listen"

    def __init__(
        self,
        folder: Path,
        host: str,
        port: int,
        health: Health,
        *,
        page_host: str | None = None,
        limits: Limits = Limits(),  # noqa: B008  # frozen
    ) -> None:
        """`page_host` is the name of the page's public address."""
        super().__init__(host, port, limits)
        self._files, self._health = StaticFiles(folder), health
        self._page_host = page_host

    def change(self, folder: Path, page_host: str | None) -> None:
        """Serve another folder from now on."""
        self._files.folder, self._page_host = folder, page_host

    def _names(self) -> Collection[str] | None:
        """Only what listens on this machine alone is hidden from other people's pages by its name."""
        if not is_loopback(self._host):
            return None
        return {*(super()._names() or ()), *([self._page_host] if self._page_host else [])}

    async def _respond(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        if path == "healthz":
            return _healthz("not well" if self._health() else None, self.well)
        return await self._file(request, path)

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

    def answer_agents(self, api: Api | None) -> None:
        """Hand on what agents ask; their names for us and their bodies are the API's business."""
        self.api = api
        most = self._limits.max_received + (BEFORE_HEADERS if api else 0)
        kept = FOR_AGENTS if api else 0
        self._limiter.limits = replace(self._limits, max_received=most, for_agents=kept)


class StandbyServer(WebServer):
    """Says in the place of the page that this daemon waits to take over, and to agents that they should ask another."""

    well = "standby"

    def __init__(self, text: str, *server: Any, **more: Any) -> None:
        """`text` is what readers get; all else is as of the page's server."""
        super().__init__(*server, **more)
        self._text = text
        self.answer_agents(_ask_the_leader)

    async def _file(self, request: web.BaseRequest, asked: str) -> web.StreamResponse:  # noqa: ARG002  # nothing is served
        return _text(503, self._text, _COME_BACK)


async def _ask_the_leader(*_: object) -> web.StreamResponse:
    """Refuse what an agent sends, without having read it."""
    why = "this is the standby, and takes nothing while another hub leads"
    answer = web.json_response({"why": why}, status=503, headers=_COME_BACK)
    answer.force_close()
    return answer


class MetricsServer(_HttpServer):
    """Serves `/metrics`, and `/healthz` with the reason: both speak of private services too."""

    key = "metrics"

    def __init__(
        self,
        host: str,
        port: int,
        health: Health,
        report: MetricsReport,
        *,
        limits: Limits = Limits(),  # noqa: B008  # frozen
    ) -> None:
        super().__init__(host, port, limits)
        self._health, self._report = health, report

    def change(self, report: MetricsReport) -> None:
        """Report by another config from now on."""
        self._report = report

    async def _respond(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        if path == "healthz":
            return _healthz(self._health(), self.well)
        if path != "metrics":
            return _text(404, "not found\n")
        body, kind = self._report(request.headers.get("Accept", ""))
        headers = {"Content-Type": kind, "Cache-Control": "no-store", **_SECURITY_HEADERS}
        if _takes_gzip(request):
            body = await asyncio.to_thread(gzip.compress, body, 1)  # there may be megabytes
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)


def _nothing(_: int) -> None:
    """Allow nothing: the connection has no limits."""


def _healthz(trouble: str | None, well: str) -> web.Response:
    return _text(503 if trouble else 200, f"{trouble or well}\n", {"Cache-Control": "no-store"})


async def _send(request: web.BaseRequest, file: ServedFile, status: int) -> web.StreamResponse:
    zipped = file.zipped if _takes_gzip(request) else None
    body = file.plain if zipped is None else zipped
    tag = f'"{file.tag}"' if zipped is None else f'"{file.tag}-gz"'
    headers = {**file.headers, **_SECURITY_HEADERS, "ETag": tag, "Vary": "Accept-Encoding"}
    if file.is_for_frames:
        del headers["X-Frame-Options"]
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
    """Say whether a reader takes gzip; `gzip;q=0` is a refusal."""
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _is_known(if_none_match: str, tag: str) -> bool:
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in known or tag in known


def _text(status: int, text: str, more: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text, headers={**_SECURITY_HEADERS, **(more or {})})


class _Handler(web.RequestHandler):
    """Answers with our own words for a request that cannot be read: aiohttp's name its version and quote it."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it quotes what was sent
    ) -> web.StreamResponse:
        if request.writer.output_size > 0 or isinstance(exc, ConnectionError):
            raise ConnectionError(
                "a part of the answer is sent already, or nobody is there to read it"
            )
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
            read_bufsize=READ_BUFFER,
            lingering_time=2.0,
        )
