"""Opens a connection without a request: look-up, TCP, and TLS where wanted."""

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
from monitor.probes.wire.trace import current, traced_socket

_NEXT_FAMILY_S = 0.25
"""Seconds that one address may stay silent before the next is tried beside it (RFC 8305)."""


async def open_connection(
    request: ConnectRequest, resolver: AbstractResolver, context: ssl.SSLContext
) -> None:
    """Open a connection and close it; the current trace holds the times. Raises OSError, TunnelError."""
    if request.proxy is None:
        sock = await reach(resolver, request.host, request.port)
    else:
        sock = await _through(request.proxy, request.host, request.port, resolver)
    if not request.encrypted:
        sock.close()
        return
    await _shake_hands(sock, request, context)


async def reach(resolver: AbstractResolver, host: str, port: int) -> socket.socket:
    """Open a TCP connection. Raises OSError."""
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
    sock = await reach(resolver, proxy.host, proxy.port)
    try:
        await ask_for_tunnel(sock, proxy, host, port)
    except BaseException:
        sock.close()
        raise
    current.get().arrive()
    return sock


async def _addresses(
    resolver: AbstractResolver, host: str, port: int
) -> list[aiohappyeyeballs.AddrInfoType]:
    """Look a name up; an address is returned as it is."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        infos = await resolver.resolve(host, port)
        return [_info(info["family"], info["host"], info["port"]) for info in infos]
    return [_info(socket.AF_INET6 if version == 6 else socket.AF_INET, host, port)]


def _info(family: int, host: str, port: int) -> aiohappyeyeballs.AddrInfoType:
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


async def _shake_hands(
    sock: socket.socket, request: ConnectRequest, context: ssl.SSLContext
) -> None:
    try:
        transport, _ = await asyncio.get_running_loop().create_connection(
            asyncio.Protocol,
            sock=sock,
            ssl=context,
            server_hostname=request.host.rstrip("."),
            ssl_handshake_timeout=request.timeout.total_seconds(),
        )
    except BaseException:
        sock.close()
        raise
    transport.abort()  # a polite end would wait for the other side's
