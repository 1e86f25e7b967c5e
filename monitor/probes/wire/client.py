"""Sends one request within bounds of time and size, and returns every break of the connection as a value."""

import asyncio
import contextlib
import math
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage
from multidict import CIMultiDict

from monitor.model import Proxy, Timings
from monitor.probes.exchange import (
    Chunk,
    ConnectRequest,
    ErrorType,
    Exchange,
    HttpRequest,
    StreamWatcher,
    TransportError,
    TransportPhase,
)
from monitor.probes.wire.connect import open_connection
from monitor.probes.wire.decompress import Decoder
from monitor.probes.wire.http_proxy import TunnelError, credentials, error_by_proxy_status
from monitor.probes.wire.loop_lag import LagMeter, LoopLag
from monitor.probes.wire.resolver import PoolResolver, Resolve, system_resolve
from monitor.probes.wire.session import (
    BrokeError,
    NotUpgradedError,
    make_context,
    make_session,
    proxy_arguments,
    route_through,
)
from monitor.probes.wire.trace import Route, Trace, current
from monitor.probes.wire.transport_error import phase_of, transport_error_of
from monitor.probes.wire.work_budget import WorkBudget, current_budget

_CONNECT_CAP_S = 10.0
"""Limit for look-up, TCP and TLS together: nobody waits longer for a connection."""
_MOST_SPENT = 10_000
_FIRST_MESSAGE_S = 5.0
"""Limit for the first message of a WebSocket: servers greet at once, or not at all."""
_GOODBYE_S = 1.0
_NO_HANDSHAKE = {
    "Invalid upgrade header": "another Upgrade than to a WebSocket",
    "Invalid connection header": "another Connection than Upgrade",
    "Invalid challenge response": "a Sec-WebSocket-Accept that does not belong to our key",
}
"""What aiohttp finds wrong with a handshake -> the same in our words."""
_ASKED_EVERY_S = 1.0
"""How often a watcher is asked. It reads then what has come, which costs the less the more it is; a deadline that it
names is kept to the moment.
"""


@dataclass(slots=True)
class _Received:
    """Collects what has come so far, so that a break loses none of it."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    ttfb: float | None = None
    chunks: list[Chunk] = field(default_factory=list)
    error: TransportError | None = None


class _Deadline:
    """Ends a run at its limit, or when the watcher of its stream has waited too long for content."""

    def __init__(self, limit_s: float, watch: StreamWatcher | None) -> None:
        self._began = asyncio.get_running_loop().time()
        self.end = self._began + limit_s
        """By the event loop's clock, like the times of `guard`."""
        self.guard = asyncio.timeout(min(limit_s, _CONNECT_CAP_S))
        self._watch = watch
        self._timer: asyncio.TimerHandle | None = None

    def on_connected(self) -> None:
        self.guard.reschedule(self.end)

    def ask_watcher(self) -> None:
        """Ask now and then by when the next content must come, and end the run where it has not."""
        if self._watch is None or self.guard.expired():
            return
        loop = asyncio.get_running_loop()
        now, due = loop.time(), self._watcher_due()
        if due <= now:
            self.guard.reschedule(now)
        else:
            self._timer = loop.call_at(min(due, now + _ASKED_EVERY_S), self.ask_watcher)

    def is_watcher_due(self) -> bool:
        """Say whether the watcher has waited too long."""
        return self._watcher_due() <= asyncio.get_running_loop().time()

    def _watcher_due(self) -> float:
        due_ms = None if self._watch is None else self._watch.deadline_ms()
        return math.inf if due_ms is None else self._began + due_ms / 1000

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Client:
    """Implements `Sender` with one session per trust setting and proxy, and a fresh connection per request.

    `resolve` stands in for `getaddrinfo`, e.g. to point names at loopback.
    """

    def __init__(self, resolve: Resolve = system_resolve) -> None:
        self._resolve = resolve
        self._resolver: PoolResolver | None = None
        self._sessions: dict[tuple[Path | None, Proxy | None], aiohttp.ClientSession] = {}
        self._contexts: dict[Path | None, ssl.SSLContext] = {}
        self._lag = LagMeter()
        self._spent: dict[str, WorkBudget] = {}
        """Budgets that were used up, by URL, for the next run there."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        self._lag.close()
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
        if self._resolver is not None:
            await self._resolver.close()
            self._resolver = None

    async def send(self, request: HttpRequest, watch: StreamWatcher | None = None) -> Exchange:
        """Send one request; what an endpoint does never raises. Raises `aiohttp.InvalidURL` for a bad URL."""
        session = self._session(request.ca_file, request.proxy)
        encrypted = request.url.startswith("https:")
        route = route_through(request.proxy, tunnels=encrypted)
        with self._lag.watch() as lag:
            deadline = _Deadline(request.timeout.total_seconds(), watch)
            spent = self._spent.pop(request.url, None)
            budget = spent.successor() if spent else WorkBudget()
            trace = Trace(deadline.on_connected, encrypted=encrypted, route=route, budget=budget)
            received = _Received()
            token, spends = current.set(trace), current_budget.set(trace.budget)
            try:
                async with deadline.guard:
                    if request.upgrade:
                        await _open_websocket(session, request, trace, received, deadline)
                    else:
                        await _converse(session, request, watch, trace, received, deadline)
            except TimeoutError:
                received.error = _timed_out(trace, received, deadline)
            except aiohttp.InvalidURL:
                raise
            except (BrokeError, TunnelError, aiohttp.ClientError, BadHttpMessage, OSError) as exc:
                received.error = transport_error_of(
                    exc, trace, answered=received.status is not None
                )
            finally:
                deadline.close()
                current.reset(token)
                current_budget.reset(spends)
                if budget.is_spent and len(self._spent) < _MOST_SPENT:
                    self._spent[request.url] = budget
        return _exchange(trace, received, lag)

    async def connect(self, request: ConnectRequest) -> Exchange:
        """Open and close a connection without a request; what an endpoint does never raises."""
        resolver, context = self._names(), self._context(request.ca_file)
        with self._lag.watch() as lag:
            route = route_through(request.proxy, tunnels=True)
            trace = Trace(lambda: None, encrypted=request.encrypted, route=route)
            received = _Received()
            token = current.set(trace)
            try:
                async with asyncio.timeout(min(request.timeout.total_seconds(), _CONNECT_CAP_S)):
                    await open_connection(request, resolver, context)
            except TimeoutError:
                received.error = _timed_out(trace, received)
            except (OSError, TunnelError) as exc:
                received.error = transport_error_of(exc, trace, answered=False)
            finally:
                current.reset(token)
        return _exchange(trace, received, lag)

    def _session(self, ca_file: Path | None, proxy: Proxy | None) -> aiohttp.ClientSession:
        key = (ca_file, proxy)
        if key not in self._sessions:
            self._sessions[key] = make_session(self._names(), self._context(ca_file), proxy)
        return self._sessions[key]

    def _names(self) -> PoolResolver:
        self._resolver = self._resolver or PoolResolver(self._resolve)
        return self._resolver

    def _context(self, ca_file: Path | None) -> ssl.SSLContext:
        if ca_file not in self._contexts:
            self._contexts[ca_file] = make_context(ca_file)
        return self._contexts[ca_file]


async def _converse(
    session: aiohttp.ClientSession,
    request: HttpRequest,
    watch: StreamWatcher | None,
    trace: Trace,
    received: _Received,
    deadline: _Deadline,
) -> None:
    async with session.request(
        request.method,
        request.url,
        data=request.body,
        headers=_headers(request, trace),
        allow_redirects=False,
        read_bufsize=min(65536, request.max_body),
        **proxy_arguments(request.proxy),
    ) as response:
        await _take_answer(response, request, watch, trace, received, deadline)


async def _open_websocket(
    session: aiohttp.ClientSession,
    request: HttpRequest,
    trace: Trace,
    received: _Received,
    deadline: _Deadline,
) -> None:
    """Shake hands, wait a moment for the first message, and say goodbye."""
    try:
        socket = await session.ws_connect(
            request.url,
            headers=_headers(request, trace),
            timeout=aiohttp.ClientWSTimeout(ws_close=_GOODBYE_S),
            max_msg_size=request.max_body,
            **proxy_arguments(request.proxy),
        )
    except NotUpgradedError as exc:
        async with exc.response as response:
            await _take_answer(response, request, None, trace, received, deadline)
        return
    except aiohttp.WSServerHandshakeError as exc:
        _note_head(exc.status, exc.headers, trace, received)
        why = _NO_HANDSHAKE.get(exc.message, exc.message)
        received.error = TransportError(TransportPhase.HEADERS, ErrorType.PROTOCOL, why)
        return
    _note_head(HTTPStatus.SWITCHING_PROTOCOLS, None, trace, received)
    try:
        await _take_message(socket, trace, received, deadline.end)
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await socket.close()


async def _take_message(
    socket: aiohttp.ClientWebSocketResponse, trace: Trace, received: _Received, end: float
) -> None:
    """Wait for the first message, but not so long that no time for a goodbye is left."""
    left_s = end - asyncio.get_running_loop().time() - _GOODBYE_S
    if left_s <= 0:
        return
    try:
        message = await socket.receive(min(left_s, _FIRST_MESSAGE_S))
    except TimeoutError:
        return
    match message.type:
        case aiohttp.WSMsgType.TEXT:
            data = message.data.encode("utf-8", "replace")
        case aiohttp.WSMsgType.BINARY:
            data = message.data
        case aiohttp.WSMsgType.ERROR:
            is_large = getattr(message.data, "code", None) == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
            what = ErrorType.TOO_LARGE if is_large else ErrorType.PROTOCOL
            received.error = TransportError(TransportPhase.BODY, what)
            return
        case _:
            why = f"{socket.close_code} {message.extra or ''}".strip()
            received.error = TransportError(TransportPhase.BODY, ErrorType.CLOSED, why)
            return
    received.chunks.append(Chunk(trace.since_start(trace.stamp()), data))


def _headers(request: HttpRequest, trace: Trace) -> CIMultiDict[str]:
    headers = CIMultiDict({"Accept-Encoding": "identity", "User-Agent": "monitor"})
    headers.update(request.headers)
    if request.proxy is not None and trace.route is Route.RELAYED:
        headers.update(credentials(request.proxy))
    return headers


def _note_head(
    status: int, headers: Mapping[str, str] | None, trace: Trace, received: _Received
) -> None:
    received.ttfb = trace.since_start(trace.stamp())
    received.status = status
    trace.budget.has_answer = True
    for name, value in (headers or {}).items():
        received.headers.setdefault(name.lower(), value)


async def _take_answer(
    response: aiohttp.ClientResponse,
    request: HttpRequest,
    watch: StreamWatcher | None,
    trace: Trace,
    received: _Received,
    deadline: _Deadline,
) -> None:
    """Note the head of an answer, and read its body."""
    _note_head(response.status, response.headers, trace, received)
    trace.on_closed = partial(_hang_up, response.content)
    decoder = Decoder(received.headers.get("content-encoding", ""), request.max_body)
    deadline.ask_watcher()
    received.error = await _read_body(response.content, watch, trace, received, decoder)
    if received.error is not None:
        response.close()
    if trace.route is Route.RELAYED and received.status == 407:
        received.error = error_by_proxy_status(407)
    if trace.was_reset:  # aiohttp takes it for the end of a body that has no length
        received.error = TransportError(TransportPhase.BODY, ErrorType.RESET)


async def _read_body(
    content: aiohttp.StreamReader,
    watch: StreamWatcher | None,
    trace: Trace,
    received: _Received,
    decoder: Decoder,
) -> TransportError | None:
    """Read a body to its end, or to the first reason to give it up, which it returns."""
    budget, content_bytes = trace.budget, 0
    while data := await content.readany():
        at_ms, begin = trace.since_start(trace.stamp()), 0
        while begin < len(data):  # a heap in slices, between which others have their turn
            began = budget.clock()
            part = data[begin : begin + budget.slice_bytes]
            begin += len(part)
            content_bytes += len(part)
            chunk = Chunk(at_ms, decoder.feed(part))
            received.chunks.append(chunk)
            if watch is not None:
                watch.feed(chunk)
            framing = budget.take_framing(content_bytes)
            wait_s = budget.spend(budget.clock() - began + framing)
            error = _beyond_bounds(decoder, budget, content_bytes)
            if error is not None:
                return error
            if wait_s or begin < len(data):
                await asyncio.sleep(wait_s)
    if watch is None and decoder.is_cut:
        why = "an encoding that ends too early"
        return TransportError(TransportPhase.BODY, ErrorType.ENCODING, why)
    return None


def _beyond_bounds(
    decoder: Decoder, budget: WorkBudget, content_bytes: int
) -> TransportError | None:
    """Return why no more of a body is read; None for one that keeps to all bounds so far."""
    if decoder.error is not None:
        return TransportError(TransportPhase.BODY, ErrorType.ENCODING, decoder.error)
    if decoder.full:
        why = f"over {decoder.limit} bytes"
        return TransportError(TransportPhase.BODY, ErrorType.TOO_LARGE, why)
    if budget.is_flood or budget.is_mere_framing(content_bytes):
        why = "more work than content"
        return TransportError(TransportPhase.BODY, ErrorType.TOO_LARGE, why)
    return None


def _hang_up(content: aiohttp.StreamReader) -> None:
    """Wake whoever waits for the body: aiohttp closes the connection on broken framing, and tells nobody."""
    if not content.is_eof() and content.exception() is None:
        content.set_exception(BadHttpMessage("broken framing"))


def _timed_out(
    trace: Trace, received: _Received, deadline: _Deadline | None = None
) -> TransportError:
    answered = received.status is not None
    phase = phase_of(trace, answered=answered)
    if phase is TransportPhase.PROXY and trace.told_proxy:
        phase = TransportPhase.CONNECT  # proxies answer when the endpoint has
    now = trace.since_start(time.monotonic_ns())
    gave_up = answered and deadline is not None and deadline.is_watcher_due()
    what = ErrorType.GAVE_UP if gave_up else ErrorType.TIMEOUT
    return TransportError(phase, what, f"after {now / 1000:.1f} s")


def _exchange(trace: Trace, received: _Received, lag: LoopLag) -> Exchange:
    attempt = trace.attempt
    ended = trace.stamp() if received.status and received.error is None else time.monotonic_ns()
    return Exchange(
        timings=Timings(
            dns=_between(trace.dns_start, trace.dns_end),
            connect=_between(attempt.start, attempt.end) if attempt else None,
            tls=_between(trace.tls_start, trace.tls_end),
            ttfb=received.ttfb,
            total=trace.since_start(ended),
        ),
        error=received.error,
        status=received.status,
        headers=received.headers,
        chunks=tuple(received.chunks),
        remote_ip=attempt.address if attempt and trace.route is Route.DIRECT else None,
        cert_expires=trace.cert_expires,
        cert_lifetime=trace.cert_lifetime,
        lag_ms=lag.worst_ms,
        lag_total_ms=lag.total_ms,
    )


def _between(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else (end - start) / 1e6
