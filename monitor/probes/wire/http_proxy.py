"""Through an HTTP proxy: what it is asked for, and what its refusals mean.

A proxy that cannot be reached, or turns us away, says nothing of the endpoint. One that says that
it cannot reach the endpoint is believed.
"""

import asyncio
import base64
import re
import socket

from monitor.model import Proxy
from monitor.probes.exchange import Break, Stage, Trouble

_MOST = 16 * 1024
_STATUS = re.compile(rb"\AHTTP/1\.[01] (\d{3})\b")
_SAYS_OF_ENDPOINT = {502: Break.UNREACHABLE, 503: Break.UNREACHABLE, 504: Break.TIMEOUT}


class TunnelError(Exception):
    """The proxy opened no way to the endpoint."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.detail)
        self.trouble = trouble


def trouble_by_status(status: int) -> Trouble:
    """What a proxy means by a status other than 200."""
    if status in _SAYS_OF_ENDPOINT:
        return Trouble(Stage.CONNECT, _SAYS_OF_ENDPOINT[status], f"the proxy says HTTP {status}")
    why = "it wants a user and a password that it knows" if status == 407 else "it refuses"
    return Trouble(Stage.PROXY, Break.DENIED, f"{why}: HTTP {status}")


async def ask_for_tunnel(made: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """CONNECT, on a connection to the proxy. Raise TunnelError."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    login = (f"{name}: {value}" for name, value in credentials(proxy).items())
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}", *login]
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(made, "\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        part = await loop.sock_recv(made, 4096)
        head += part
        if not part or len(head) > _MOST:
            raise TunnelError(Trouble(Stage.PROXY, Break.CLOSED, "it gives no proper answer"))
    found = _STATUS.match(head)
    if found is None:
        raise TunnelError(Trouble(Stage.PROXY, Break.PROTOCOL, "it does not speak HTTP"))
    if not 200 <= int(found[1]) < 300:
        raise TunnelError(trouble_by_status(int(found[1])))


def credentials(proxy: Proxy) -> dict[str, str]:
    """As headers."""
    if proxy.login is None:
        return {}
    code = base64.b64encode(proxy.login.reveal().encode()).decode()
    return {"Proxy-Authorization": f"Basic {code}"}
