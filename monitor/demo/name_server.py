"""Small DNS servers on loopback (RFC 1035, UDP), one for each simulated place, which gives false addresses while its script says so.

`resolver_of` asks one of them in place of `getaddrinfo`: so a poisoned name goes the whole way through probe and diagnosis.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import cast

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

from monitor.demo.faults import ENDPOINT_IDS
from monitor.demo.faulty_listener import HOST, host_name
from monitor.probes.wire.resolver import AddressInfo, Resolve

FALSE_ADDRESS = "127.66.0.2"
"""Nobody listens there, and it is far enough from `HOST` to count as another answer."""
_TTL_S = 1
_WAIT_S = 2.0
_NAMES = {f"{host_name(endpoint)}.": endpoint for endpoint in ENDPOINT_IDS}


class NameServer(asyncio.DatagramProtocol):
    """Answers A queries for the names of the endpoints; `is_poisoned` is asked for each endpoint, each time."""

    def __init__(self, is_poisoned: Callable[[str], bool]) -> None:
        self._is_poisoned = is_poisoned
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # says the protocol

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        assert self._transport is not None
        with contextlib.suppress(dns.exception.DNSException):
            reply = self._answer(dns.message.from_wire(data))
            self._transport.sendto(reply.to_wire(), address)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query, recursion_available=True)
        for question in query.question:
            endpoint = _NAMES.get(question.name.to_text().lower())
            if endpoint is None:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            elif question.rdtype == dns.rdatatype.A:
                address = FALSE_ADDRESS if self._is_poisoned(endpoint) else HOST
                reply.answer.append(dns.rrset.from_text(question.name, _TTL_S, "IN", "A", address))
        return reply


@contextlib.asynccontextmanager
async def serving_names(is_poisoned: Callable[[str], bool]) -> AsyncIterator[int]:
    """Serve while entered, and yield the port."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(is_poisoned), local_addr=(HOST, 0)
    )
    try:
        port: int = transport.get_extra_info("sockname")[1]
        yield port
    finally:
        transport.close()


def resolver_of(server_port: int) -> Resolve:
    """Return what looks names up at a name server on loopback, with the errors of `getaddrinfo`."""

    def resolve(host: str, port: int) -> list[AddressInfo]:
        query = dns.message.make_query(host, dns.rdatatype.A)
        try:
            reply = dns.query.udp(query, HOST, timeout=_WAIT_S, port=server_port)
        except (OSError, dns.exception.DNSException) as error:
            raise socket.gaierror(socket.EAI_AGAIN, str(error)) from error
        addresses = [record.address for rrset in reply.answer for record in rrset]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in addresses
        ]

    return resolve
