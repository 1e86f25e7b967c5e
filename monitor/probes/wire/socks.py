"""The only file that knows aiohttp-socks, which is an extra: imported where a proxy speaks SOCKS.

Names are looked up by the proxy. The connection to it is our own, so that it is timed as any other.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from ssl import SSLContext
from typing import Any, cast

from aiohttp.client_proto import ResponseHandler
from aiohttp_socks import ProxyConnector
from aiohttp_socks import ProxyError as RefusalError
from python_socks import ProxyError, ProxyTimeoutError, ProxyType
from python_socks.async_.asyncio import Proxy as Socks

from monitor.model import Proxy
from monitor.probes.exchange import ErrorType, TransportError, TransportPhase
from monitor.probes.wire.http_proxy import TunnelError
from monitor.probes.wire.trace import current

Reach = Callable[[str, int], Awaitable[socket.socket]]
"""Opens a connection to a host and port."""

_SAYS_OF_ENDPOINT = {
    3: ErrorType.UNREACHABLE,
    4: ErrorType.UNREACHABLE,
    5: ErrorType.REFUSED,
    6: ErrorType.TIMEOUT,
}
"""Reply codes of RFC 1928 with which a proxy says that the endpoint, not itself, is at fault."""


class _Reached:
    """Hands our own connection to python-socks, in place of a proxy to go through first."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach

    async def connect(
        self, dest_host: str, dest_port: int, timeout: float | None = None
    ) -> socket.socket:
        del timeout  # the caller's guard is tighter
        return await self._reach(dest_host, dest_port)


class _PlainConnector(ProxyConnector):
    async def _wrap_create_connection(
        self, *arguments: Any, **more: Any
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        try:
            return await super()._wrap_create_connection(*arguments, **more)
        except RefusalError as error:
            raise OSError(f"the proxy refuses: {error}") from error


def socks_connector(proxy: Proxy) -> ProxyConnector:
    """Return what leads a session of aiohttp through a proxy; a connection lasts for one request.

    A proxy that refuses is an OSError.
    """
    user, _, password = proxy.login.reveal().partition(":") if proxy.login else ("", "", "")
    return _PlainConnector(
        proxy_type=ProxyType.SOCKS5,
        host=proxy.host,
        port=proxy.port,
        username=user or None,
        password=password or None,
        rdns=True,
        force_close=True,
    )


async def through_socks(proxy: Proxy, host: str, port: int, reach: Reach) -> socket.socket:
    """Open a connection to the endpoint. Raises TunnelError, and OSError where the proxy cannot be reached."""
    trace = current.get()
    user, _, password = proxy.login.reveal().partition(":") if proxy.login else ("", "", "")
    asking = Socks(
        ProxyType.SOCKS5,
        proxy.host,
        proxy.port,
        username=user,
        password=password,
        rdns=True,
        forward=cast("Socks", _Reached(reach)),
    )
    try:
        sock = await asking.connect(host, port)
    except ProxyTimeoutError as error:
        raise TunnelError(TransportError(TransportPhase.PROXY, ErrorType.TIMEOUT)) from error
    except ProxyError as error:
        raise TunnelError(_trouble(error, greeted=trace.told_proxy)) from error
    trace.arrive()
    return sock


def _trouble(error: ProxyError, *, greeted: bool) -> TransportError:
    """Translate a proxy's error; a proxy that hangs up after the target was named means that it is unreachable."""
    what = _SAYS_OF_ENDPOINT.get(error.error_code or 0)
    if what is not None:
        return TransportError(TransportPhase.CONNECT, what, f"the proxy says so: {error}")
    if greeted and str(error) == _HUNG_UP:
        return TransportError(
            TransportPhase.CONNECT, ErrorType.CLOSED, "the proxy hung up when asked for it"
        )
    return TransportError(TransportPhase.PROXY, ErrorType.DENIED, str(error))


_HUNG_UP = "Connection closed unexpectedly"


class SocksConnector(ProxyConnector):
    def __init__(self, proxy: Proxy, reach: Reach, **settings: Any) -> None:
        super().__init__(host=proxy.host, port=proxy.port, rdns=True, **settings)
        self._proxy, self._reach = proxy, reach

    async def _connect_via_proxy(
        self,
        host: str,
        port: int,
        ssl: SSLContext | None = None,
        timeout: float | None = None,
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        del timeout  # the client's guard is tighter
        sock = await through_socks(self._proxy, host, port, self._reach)
        name = host.rstrip(".") if ssl else None
        return await self._loop.create_connection(
            self._factory, sock=sock, ssl=ssl, server_hostname=name
        )
