"""The hardened HTTP client: bounded in time and size, and every break becomes a value."""

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from functools import partial
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
    Phase,
    StreamWatcher,
    TransportError,
)
from monitor.probes.wire.connect import connect
from monitor.probes.wire.decompress import Decoder
from monitor.probes.wire.http_proxy import TunnelError, credentials, error_by_proxy_status
from monitor.probes.wire.loop_lag import LagMeter, LoopLag
from monitor.probes.wire.pool_resolver import PoolResolver, Resolve, system_resolve
from monitor.probes.wire.session import (
    BrokeError,
    make_context,
    make_session,
    proxy_arguments,
    route_through,
)
from monitor.probes.wire.trace import Route, Trace, current
from monitor.probes.wire.tracing_hooks import TracedResolver
from monitor.probes.wire.transport_error import phase_of, transport_error_of

_CONNECT_CAP_S = 10.0
"""Look-up, TCP and TLS together: a connection that takes longer serves nobody."""
_LATER_S = 0.25
"""So much later than a stream's watch would, we may give it up."""


@dataclass(slots=True)
class _Heard:
    """What has come so far, so that a break loses none of it."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    ttfb: float | None = None
    chunks: list[Chunk] = field(default_factory=list)
    error: TransportError | None = None
    gives_up_ms: float | None = None


class Client:
    """A `Sender`. One session per trust setting and proxy, one fresh connection per request.

    `resolve` stands in for `getaddrinfo`, e.g. to point names at loopback.
    """

    def __init__(self, resolve: Resolve = system_resolve) -> None:
        self._resolve = resolve
        self._resolver: PoolResolver | None = None
        self._sessions: dict[tuple[Path | None, Proxy | None], aiohttp.ClientSession] = {}
        self._contexts: dict[Path | None, ssl.SSLContext] = {}
        self._lag = LagMeter()

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

    async def send(self, ask: HttpRequest, watch: StreamWatcher | None = None) -> Exchange:
        """Never raises for what an endpoint does; `aiohttp.InvalidURL` for a URL that is none."""
        session = self._session(ask.ca_file, ask.proxy)
        encrypted = ask.url.startswith("https:")
        way = route_through(ask.proxy, tunnels=encrypted)
        limit = ask.timeout.total_seconds()
        with self._lag.watch() as lag:
            guard = asyncio.timeout(min(limit, _CONNECT_CAP_S))
            end = asyncio.get_running_loop().time() + limit
            trace = Trace(lambda: guard.reschedule(end), encrypted=encrypted, way=way)
            heard = _Heard()
            token = current.set(trace)
            try:
                async with guard:
                    await _converse(session, ask, watch, trace, heard, guard, end)
            except TimeoutError:
                heard.error = _timed_out(trace, heard)
            except aiohttp.InvalidURL:
                raise
            except (BrokeError, TunnelError, aiohttp.ClientError, BadHttpMessage, OSError) as exc:
                heard.error = transport_error_of(exc, trace, answered=heard.status is not None)
            finally:
                current.reset(token)
        return _exchange(trace, heard, lag)

    async def dial(self, dial: ConnectRequest) -> Exchange:
        """A connection alone. Never raises for what an endpoint does."""
        resolver, context = self._names(), self._context(dial.ca_file)
        with self._lag.watch() as lag:
            way = route_through(dial.proxy, tunnels=True)
            trace = Trace(lambda: None, encrypted=dial.encrypted, way=way)
            heard = _Heard()
            token = current.set(trace)
            try:
                async with asyncio.timeout(min(dial.timeout.total_seconds(), _CONNECT_CAP_S)):
                    await connect(dial, resolver, context)
            except TimeoutError:
                heard.error = _timed_out(trace, heard)
            except (OSError, TunnelError) as exc:
                heard.error = transport_error_of(exc, trace, answered=False)
            finally:
                current.reset(token)
        return _exchange(trace, heard, lag)

    def _session(self, ca_file: Path | None, proxy: Proxy | None) -> aiohttp.ClientSession:
        key = (ca_file, proxy)
        if key not in self._sessions:
            self._sessions[key] = make_session(self._names(), self._context(ca_file), proxy)
        return self._sessions[key]

    def _names(self) -> TracedResolver:
        self._resolver = self._resolver or PoolResolver(self._resolve)
        return TracedResolver(self._resolver)

    def _context(self, ca_file: Path | None) -> ssl.SSLContext:
        if ca_file not in self._contexts:
            self._contexts[ca_file] = make_context(ca_file)
        return self._contexts[ca_file]


async def _converse(
    session: aiohttp.ClientSession,
    ask: HttpRequest,
    watch: StreamWatcher | None,
    trace: Trace,
    heard: _Heard,
    guard: asyncio.Timeout,
    end: float,
) -> None:
    headers = CIMultiDict({"Accept-Encoding": "identity", "User-Agent": "monitor"})
    headers.update(ask.headers)
    if ask.proxy is not None and trace.way is Route.RELAYED:
        headers.update(credentials(ask.proxy))
    async with session.request(
        ask.method,
        ask.url,
        data=ask.body,
        headers=headers,
        allow_redirects=False,
        read_bufsize=min(65536, ask.max_body),
        **proxy_arguments(ask.proxy),
    ) as response:
        heard.ttfb = trace.since_start(trace.stamp())
        heard.status = response.status
        for name, value in response.headers.items():
            heard.headers.setdefault(name.lower(), value)
        trace.on_closed = partial(_hang_up, response.content)
        decoder = Decoder(heard.headers.get("content-encoding", ""), ask.max_body)
        _wait_for_watch(watch, trace, heard, guard, end)
        async for data in response.content.iter_any():
            chunk = Chunk(trace.since_start(trace.stamp()), decoder.feed(data))
            heard.chunks.append(chunk)
            if watch is not None:
                watch.feed(chunk)
            if decoder.full:
                heard.error = TransportError(
                    Phase.BODY, ErrorType.TOO_LARGE, f"over {ask.max_body} bytes"
                )
                response.close()
                return
            _wait_for_watch(watch, trace, heard, guard, end)
    if trace.way is Route.RELAYED and heard.status == 407:
        heard.error = error_by_proxy_status(407)
    if trace.was_reset:  # aiohttp takes it for the end of a body that has no length
        heard.error = TransportError(Phase.BODY, ErrorType.RESET)


def _hang_up(content: aiohttp.StreamReader) -> None:
    """Broken framing makes aiohttp close the connection, but nobody tells who waits for the body."""
    if not content.is_eof() and content.exception() is None:
        content.set_exception(BadHttpMessage("broken framing"))


def _wait_for_watch(
    watch: StreamWatcher | None, trace: Trace, heard: _Heard, guard: asyncio.Timeout, end: float
) -> None:
    """Move the alarm to whichever comes first, the watch's patience or the timeout.

    Not for every piece of a stream, which costs much: it may ring a little later than that.
    """
    if watch is None:
        return
    heard.gives_up_ms = watch.deadline_ms()
    alarm = end
    if heard.gives_up_ms is not None:
        wait_s = (heard.gives_up_ms - trace.since_start(time.monotonic_ns())) / 1000
        alarm = min(end, asyncio.get_running_loop().time() + wait_s)
    rings = guard.when()
    if rings is None or not alarm <= rings <= alarm + _LATER_S:
        guard.reschedule(min(end, alarm + _LATER_S))


def _timed_out(trace: Trace, heard: _Heard) -> TransportError:
    stage = phase_of(trace, answered=heard.status is not None)
    if stage is Phase.PROXY and trace.told_proxy:
        stage = Phase.CONNECT  # proxies answer when the endpoint has
    now = trace.since_start(time.monotonic_ns())
    gave_up = heard.gives_up_ms is not None and now >= heard.gives_up_ms
    what = ErrorType.GAVE_UP if gave_up else ErrorType.TIMEOUT
    return TransportError(stage, what, f"after {now / 1000:.1f} s")


def _exchange(trace: Trace, heard: _Heard, lag: LoopLag) -> Exchange:
    attempt = trace.attempt
    ended = trace.stamp() if heard.status and heard.error is None else time.monotonic_ns()
    ready = trace.connected and (not trace.encrypted or trace.tls_end is not None)
    return Exchange(
        timings=Timings(
            dns=_between(trace.dns_start, trace.dns_end),
            connect=_between(attempt.start, attempt.end) if attempt else None,
            tls=_between(trace.tls_start, trace.tls_end),
            ttfb=heard.ttfb,
            total=trace.since_start(ended),
        ),
        error=heard.error,
        status=heard.status,
        headers=heard.headers,
        chunks=tuple(heard.chunks),
        remote_ip=attempt.address if attempt and trace.way is Route.DIRECT else None,
        cert_expires=trace.cert_expires,
        lag_ms=lag.worst_ms,
        lag_total_ms=lag.total_ms,
        sent_ms=trace.since_start(trace.sent) if ready and trace.sent is not None else None,
    )


def _between(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else (end - start) / 1e6
