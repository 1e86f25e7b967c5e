"""A street of loopback addresses: hosts with certificates, liars, and somebody on the way who resets."""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme

HOST = "relay.test"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@dataclass
class Street:
    """`where` says which addresses the system's resolver names; nothing else exists."""

    folder: Path
    port: int = 0
    where: dict[str, Sequence[str] | int] = field(default_factory=dict)
    visits: dict[str, int] = field(default_factory=dict)
    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def ca_file(self) -> Path:
        path = self.folder / "ca.pem"
        if not path.exists():
            self.ca.cert_pem.write_to_path(str(path))
        return path

    def resolve(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """Stands in for `getaddrinfo`."""
        found = self.where.get(host, socket.EAI_NONAME)
        if isinstance(found, int):
            raise socket.gaierror(found, "no")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    def context(
        self, *names: str, ca: trustme.CA | None = None, **dates: dt.datetime
    ) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (ca or self.ca).issue_cert(*names, **dates).configure_cert(context)
        return context

    @contextlib.asynccontextmanager
    async def house(
        self, address: str, handler: Handler, context: ssl.SSLContext | None = None
    ) -> AsyncIterator[None]:
        """Somebody at `address`, on the street's one port."""

        async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.visits[address] = self.visits.get(address, 0) + 1
            await closing(handler)(reader, writer)

        server = await asyncio.start_server(counted, address, self.port, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            await asyncio.sleep(0)


def closing(handler: Handler) -> Handler:
    """The same, and its connection ends with it: a writer that nobody closed is a warning since 3.13."""

    async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.transport.abort()

    return closed


def telling_time(when: Callable[[], dt.datetime]) -> Handler:
    """A web server whose clock says what the test wants."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        date = when().strftime("%a, %d %b %Y %H:%M:%S GMT")
        writer.write(f"HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    return handler


async def polite(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()


async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    slam(writer)


def slam(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def censoring(
    name: str, behind: ssl.SSLContext, *, stays_s: float = 0.0, drops: bool = False
) -> Handler:
    """A man in the middle that resets (or drops) when `name` is said; then for `stays_s` whatever is.

    Everything else goes on to the true server, which has the context `behind`.
    """
    until = [0.0]

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.read(4096)
        now = asyncio.get_running_loop().time()
        if name.encode() in hello:
            until[0] = now + stays_s
        if name.encode() in hello or now < until[0]:
            await asyncio.sleep(60 if drops else 0)
            slam(writer)
            return
        await _pass_on(hello, reader, writer, behind)

    return handler


async def _pass_on(
    hello: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behind: ssl.SSLContext
) -> None:
    server = await asyncio.start_server(closing(polite), "127.0.0.1", 0, ssl=behind)
    port = server.sockets[0].getsockname()[1]
    there, back = await asyncio.open_connection("127.0.0.1", port)
    back.write(hello)
    try:
        await asyncio.wait(
            [
                asyncio.ensure_future(_pump(reader, back)),
                asyncio.ensure_future(_pump(there, writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        back.transport.abort()
        server.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()


def addresses(**hosts: str) -> Mapping[str, Sequence[str]]:
    return {name.replace("_", "."): tuple(text.split()) for name, text in hosts.items()}
