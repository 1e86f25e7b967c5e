"""Sets aiohttp up without pool, cache, cookies, retries or settings from the environment."""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from monitor.model import Proxy
from monitor.probes.wire.connect import reach
from monitor.probes.wire.http_proxy import credentials
from monitor.probes.wire.resolver import PoolResolver
from monitor.probes.wire.trace import Route, TracedTLS, traced_socket
from monitor.probes.wire.work_budget import BudgetedHandler

_TLS_BUFFER = 32 * 1024
"""Bytes of buffer per open connection; a TLS record has at most 16 KB, asyncio takes 256 KB."""
_LINE = 16 * 1024
_HEADERS = 128


class BrokeError(Exception):
    """Hides a broken connection from aiohttp, which would silently send the request again."""


class NotUpgradedError(Exception):
    """Carries the answer that came where a WebSocket was asked for, which aiohttp would throw away."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        super().__init__(response.status)
        self.response = response


async def _as_it_came(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Return what came of one sending of a request. Raises BrokeError, NotUpgradedError."""
    try:
        response = await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise BrokeError from exc
    if "Sec-WebSocket-Key" in request.headers and response.status != HTTPStatus.SWITCHING_PROTOCOLS:
        raise NotUpgradedError(response)
    return response


class UpgradedResponse(aiohttp.ClientResponse):
    """Reads `Connection: keep-alive, Upgrade` as an upgrade (RFC 6455, 4.1), which aiohttp takes for none."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        options = ",".join(self._headers.getall("Connection", ())).lower().split(",")
        if self.status != HTTPStatus.SWITCHING_PROTOCOLS or "upgrade" not in map(
            str.strip, options
        ):
            return self._headers
        headers = CIMultiDict(self._headers)
        headers["Connection"] = "Upgrade"
        return CIMultiDictProxy(headers)


def make_context(ca_file: Path | None) -> ssl.SSLContext:
    SSLProtocol.max_size = _TLS_BUFFER
    context = ssl.create_default_context(cafile=ca_file)
    context.hostname_checks_common_name = False  # no browser does, and few SDKs
    context.sslobject_class = TracedTLS
    return context


def make_session(
    resolver: PoolResolver, context: ssl.SSLContext, proxy: Proxy | None
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=_connector(resolver, context, proxy),
        cookie_jar=aiohttp.DummyCookieJar(),
        response_class=UpgradedResponse,
        auto_decompress=False,
        middlewares=(_as_it_came,),
        max_line_size=_LINE,
        max_field_size=_LINE,
        max_headers=_HEADERS,
        trust_env=False,
        raise_for_status=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None, ceil_threshold=1e9),
    )


def _connector(
    resolver: PoolResolver, context: ssl.SSLContext, proxy: Proxy | None
) -> aiohttp.TCPConnector:
    settings: dict[str, Any] = {"force_close": True, "limit": 0, "ssl": context}
    if proxy is not None and proxy.socks:
        from monitor.probes.wire.socks import SocksConnector  # noqa: PLC0415  # an extra

        socks = SocksConnector(proxy, partial(reach, resolver), **settings)
        _budget(socks)
        return socks
    connector = aiohttp.TCPConnector(
        resolver=resolver, use_dns_cache=False, socket_factory=traced_socket, **settings
    )
    _budget(connector)
    return connector


def _budget(connector: aiohttp.TCPConnector) -> None:
    """Let connections keep to the budget of their run; aiohttp has no public way to say so."""
    factory: Any = partial(BudgetedHandler, loop=asyncio.get_running_loop())
    connector._factory = factory  # noqa: SLF001  # see above


def route_through(proxy: Proxy | None, *, tunnels: bool) -> Route:
    """Say how the endpoint is reached; `tunnels` is true for all but plain HTTP."""
    if proxy is None:
        return Route.DIRECT
    if proxy.socks:
        return Route.SOCKS
    return Route.CONNECT if tunnels else Route.RELAYED


def proxy_arguments(proxy: Proxy | None) -> dict[str, Any]:
    """Return aiohttp's proxy arguments for one request; none for SOCKS, which its connector handles."""
    if proxy is None or proxy.socks:
        return {}
    address = URL.build(scheme="http", host=proxy.host, port=proxy.port)
    return {"proxy": address, "proxy_headers": credentials(proxy)}
