"""A connection without a request: look-up, TCP, and TLS where wanted."""

import asyncio
import ipaddress
import socket
import ssl
from functools import partial

import aiohappyeyeballs
from aiohttp.abc import AbstractResolver

from monitor.model import Proxy
from monitor.probes.exchange import ConnectRequest
from monitor.probes.wire.http_proxy import ask_for_tunnel
from monitor.probes.wire.trace import current
from monitor.probes.wire.tracing_hooks import traced_socket

_NEXT_FAMILY_S = 0.25
"""How long one address may keep silent before the next is tried beside it."""


async def connect(
    dial: ConnectRequest, resolver: AbstractResolver, context: ssl.SSLContext
) -> None:
    """Opens and closes; what happened when is in the current trace."""
    if dial.proxy is None:
        made = await reach(resolver, dial.host, dial.port)
    else:
        made = await _through(dial.proxy, dial.host, dial.port, resolver)
    if not dial.encrypted:
        made.close()
        return
    await _shake_hands(made, dial, context)


async def reach(resolver: AbstractResolver, host: str, port: int) -> socket.socket:
    """A TCP connection. Raise OSError."""
    return await aiohappyeyeballs.start_connection(
        await _addresses(resolver, host, port),
        happy_eyeballs_delay=_NEXT_FAMILY_S,
        interleave=1,
        socket_factory=traced_socket,
    )


async def _through(proxy: Proxy, host: str, port: int, resolver: AbstractResolver) -> socket.socket:
    if proxy.socks:
        from monitor.probes.wire.socks import through_socks  # noqa: PLC0415  # an extra

        return await through_socks(proxy, host, port, partial(reach, resolver))
    made = await reach(resolver, proxy.host, proxy.port)
    try:
        await ask_for_tunnel(made, proxy, host, port)
    except BaseException:
        made.close()
        raise
    current.get().arrive()
    return made


async def _addresses(
    resolver: AbstractResolver, host: str, port: int
) -> list[aiohappyeyeballs.AddrInfoType]:
    """An address is not looked up."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        found = await resolver.resolve(host, port)
        return [_info(each["family"], each["host"], each["port"]) for each in found]
    return [_info(socket.AF_INET6 if version == 6 else socket.AF_INET, host, port)]


def _info(family: int, host: str, port: int) -> aiohappyeyeballs.AddrInfoType:
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


async def _shake_hands(made: socket.socket, dial: ConnectRequest, context: ssl.SSLContext) -> None:
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol,
            sock=made,
            ssl=context,
            server_hostname=dial.host,
            ssl_handshake_timeout=dial.timeout.total_seconds(),
        )
    except BaseException:
        made.close()
        raise
    transport.abort()  # a polite end would wait for the other side's
