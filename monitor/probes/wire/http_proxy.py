"""Through an HTTP proxy: what it is asked for, and what its refusals mean.

A proxy that cannot be reached, or turns us away, says nothing of the endpoint. One that says that
it cannot reach the endpoint is believed.
"""

import asyncio
import base64
import re
import socket

from monitor.model import Proxy
from monitor.probes.exchange import ErrorType, TransportError, TransportPhase

_MOST = 16 * 1024
_STATUS = re.compile(rb"\AHTTP/1\.[01] (\d{3})\b")
_SAYS_OF_ENDPOINT = {502: ErrorType.UNREACHABLE, 503: ErrorType.UNREACHABLE, 504: ErrorType.TIMEOUT}


class TunnelError(Exception):
    """The proxy opened no way to the endpoint."""

    def __init__(self, error: TransportError) -> None:
        super().__init__(error.detail)
        self.error = error


def error_by_proxy_status(status: int) -> TransportError:
    """Say what a proxy means by a status other than 200."""
    if status in _SAYS_OF_ENDPOINT:
        return TransportError(
            TransportPhase.CONNECT, _SAYS_OF_ENDPOINT[status], f"the proxy says HTTP {status}"
        )
    why = "it wants a user and a password that it knows" if status == 407 else "it refuses"
    return TransportError(TransportPhase.PROXY, ErrorType.DENIED, f"{why}: HTTP {status}")


async def ask_for_tunnel(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Send CONNECT on a connection to the proxy. Raises TunnelError."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    login = (f"{name}: {value}" for name, value in credentials(proxy).items())
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}", *login]
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        part = await loop.sock_recv(sock, 4096)
        head += part
        if not part or len(head) > _MOST:
            raise TunnelError(
                TransportError(TransportPhase.PROXY, ErrorType.CLOSED, "it gives no proper answer")
            )
    match = _STATUS.match(head)
    if match is None:
        raise TunnelError(
            TransportError(TransportPhase.PROXY, ErrorType.PROTOCOL, "it does not speak HTTP")
        )
    if not 200 <= int(match[1]) < 300:
        raise TunnelError(error_by_proxy_status(int(match[1])))


def credentials(proxy: Proxy) -> dict[str, str]:
    """Return the proxy's login as a header; an empty dict without one."""
    if proxy.login is None:
        return {}
    code = base64.b64encode(proxy.login.reveal().encode()).decode()
    return {"Proxy-Authorization": f"Basic {code}"}
