"""A connection without a request: look-up, TCP, and TLS where wanted."""

import asyncio
import ipaddress
import socket
import ssl

import aiohappyeyeballs
from aiohttp.abc import AbstractResolver

from monitor.probes.facts import Dial
from monitor.probes.trace import traced_socket

_NEXT_FAMILY_S = 0.25
"""How long one address may keep silent before the next is tried beside it."""


async def connect(dial: Dial, resolver: AbstractResolver, context: ssl.SSLContext) -> None:
    """Opens and closes; what happened when is in the current trace."""
    made = await aiohappyeyeballs.start_connection(
        await _addresses(dial, resolver),
        happy_eyeballs_delay=_NEXT_FAMILY_S,
        interleave=1,
        socket_factory=traced_socket,
    )
    if not dial.encrypted:
        made.close()
        return
    await _shake_hands(made, dial, context)


async def _addresses(dial: Dial, resolver: AbstractResolver) -> list[aiohappyeyeballs.AddrInfoType]:
    """An address is not looked up."""
    try:
        version = ipaddress.ip_address(dial.host).version
    except ValueError:
        found = await resolver.resolve(dial.host, dial.port)
        return [_info(each["family"], each["host"], each["port"]) for each in found]
    return [_info(socket.AF_INET6 if version == 6 else socket.AF_INET, dial.host, dial.port)]


def _info(family: int, host: str, port: int) -> aiohappyeyeballs.AddrInfoType:
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


async def _shake_hands(made: socket.socket, dial: Dial, context: ssl.SSLContext) -> None:
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
