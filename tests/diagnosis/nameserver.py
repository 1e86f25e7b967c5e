"""The tests' own name server, over UDP, TCP and HTTPS, which answers what the test says."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from aiohttp import web
from listening import listening

from monitor.diagnosis.resolver_setting import Resolver

Message = dns.message.Message
Zone = dict[str, Sequence[str]]
"""Name -> its addresses. A name that is not in it does not exist."""
Reply = Callable[[Message], Sequence[bytes | float]]
"""What is sent for a question: bytes, and seconds of silence."""


def answering(zone: Zone) -> Reply:
    return lambda question: [answer_of(question, zone).to_wire()]


def answer_of(question: Message, zone: Zone) -> Message:
    asked = question.question[0]
    host = asked.name.to_text(omit_final_dot=True)
    answer = dns.message.make_response(question)
    if host not in zone:
        answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
    wanted = [each for each in zone[host] if (":" in each) == (asked.rdtype == dns.rdatatype.AAAA)]
    if wanted:
        answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", asked.rdtype, *wanted))
    return answer


def coded(code: dns.rcode.Rcode) -> Reply:
    def reply(question: Message) -> list[bytes | float]:
        answer = dns.message.make_response(question)
        answer.set_rcode(code)
        return [answer.to_wire()]

    return reply


def silent(_: Message) -> list[bytes | float]:
    return []


def truncated(zone: Zone) -> Reply:
    def reply(question: Message) -> list[bytes | float]:
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.TC
        return [answer.to_wire()]

    return reply


def racing(forged: Zone, true: Zone) -> Reply:
    """The liar is nearer."""
    return lambda question: [
        answer_of(question, forged).to_wire(),
        0.05,
        answer_of(question, true).to_wire(),
    ]


@dataclass
class NameServer(asyncio.DatagramProtocol):
    over_udp: Reply
    over_tcp: Reply
    port: int = 0
    asked: list[str] = field(default_factory=list)
    transport: asyncio.DatagramTransport | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def resolver(self) -> Resolver:
        return Resolver(f"127.0.0.1:{self.port}", address="127.0.0.1", port=self.port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        question = self._read(data, "udp")
        task = asyncio.ensure_future(self._say(self.over_udp(question), addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _say(self, parts: Sequence[bytes | float], addr: object) -> None:
        assert self.transport is not None
        for part in parts:
            if isinstance(part, bytes):
                self.transport.sendto(part, addr)  # type: ignore[arg-type]
            else:
                await asyncio.sleep(part)

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            size = int.from_bytes(await reader.readexactly(2))
            for part in self.over_tcp(self._read(await reader.readexactly(size), "tcp")):
                if isinstance(part, bytes):
                    writer.write(len(part).to_bytes(2) + part)
                    await writer.drain()
        writer.close()

    async def serve_https(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/dns-message"
        reply = self.over_tcp(self._read(await request.read(), "https"))
        body = b"".join(part for part in reply if isinstance(part, bytes))
        return web.Response(body=body, content_type="application/dns-message")

    def _read(self, data: bytes, way: str) -> Message:
        question = dns.message.from_wire(data)
        asked = question.question[0]
        kind = dns.rdatatype.to_text(asked.rdtype)
        self.asked.append(f"{way} {kind} {asked.name.to_text(omit_final_dot=True)}")
        return question


@contextlib.asynccontextmanager
async def serving_names(
    over_udp: Reply, over_tcp: Reply | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    server = NameServer(over_udp, over_tcp or over_udp)
    tcp = await asyncio.start_server(server.serve_tcp, host, port)
    server.port = tcp.sockets[0].getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(
        lambda: server, local_addr=(host, server.port)
    )
    try:
        yield server
    finally:
        transport.close()
        tcp.close()
        for task in tuple(server._tasks):
            task.cancel()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def serving_https(
    handler: Callable[[web.Request], object], context: ssl.SSLContext
) -> AsyncIterator[str]:
    """The URL of a DoH server."""
    app = web.Application()
    app.router.add_post("/dns-query", handler)  # type: ignore[arg-type]
    async with listening(app, context) as url:
        yield f"{url}/dns-query"
