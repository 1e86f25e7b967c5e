"""Proxies on real sockets: HTTP (CONNECT, and plain requests passed on) and SOCKS5 (RFC 1928, 1929).

Every name leads to loopback, as they look names up and we do not.
"""

import asyncio
import base64
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from servers import asked, serving

from monitor.model import Proxy, Secret


@dataclass
class Fake:
    """What the proxy was asked for, and how it behaves."""

    login: str | None = None
    """`user:password` that it wants."""
    answer: bytes | None = None
    """Said in place of opening the way (HTTP: a whole answer; SOCKS: the reply code)."""
    mute: bool = False
    """Takes the request and says nothing."""
    hangs_up: bool = False
    """Takes the request and ends the connection."""
    socks: bool = False
    internet: tuple[int, int] | None = None
    """The ports of loopback to which every name leads, in place of its own: in clear, and through CONNECT."""
    port: int = 0
    seen: list[str] = field(default_factory=list)

    def as_proxy(self, login: str | None = None) -> Proxy:
        secret = Secret(login) if login else None
        return Proxy(socks=self.socks, host="127.0.0.1", port=self.port, login=secret)

    @property
    def url(self) -> str:
        scheme = "socks5" if self.socks else "http"
        return f"{scheme}://{self.login + '@' if self.login else ''}127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def proxying(fake: Fake) -> AsyncIterator[Fake]:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (_socks if fake.socks else _http)(fake, reader, writer)

    async with serving(script) as server:
        fake.port = server.port
        yield fake


async def _http(fake: Fake, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await asked(reader)
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    fake.seen.append(f"{method} {target}")
    if await _is_odd(fake, writer, fake.answer or b""):
        return
    code = base64.b64encode((fake.login or "").encode())
    if fake.login and b"Proxy-Authorization: Basic " + code + b"\r\n" not in head:
        writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
        return
    connects = method == "CONNECT"
    where = target if connects else target.split("/")[2]
    port = fake.internet[connects] if fake.internet else int(where.rpartition(":")[2])
    try:
        other = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.write(b"HTTP/1.1 503 Cannot reach it\r\nContent-Length: 0\r\n\r\n")
        return
    if connects:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        other[1].write(head)
    await _pipe((reader, writer), other)


async def _socks(fake: Fake, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    version, count = await reader.readexactly(2)
    assert version == 5
    methods = await reader.readexactly(count)
    wanted = 2 if fake.login else 0
    writer.write(bytes([5, wanted if wanted in methods else 0xFF]))
    if wanted not in methods or not await _logged_in(fake, reader, writer):
        return
    host, port = await _destination(reader)
    fake.seen.append(f"{host}:{port}")
    if await _is_odd(fake, writer, _reply(fake.answer[0]) if fake.answer else b""):
        return
    try:
        other = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.write(_reply(5))
        return
    writer.write(_reply(0))
    await _pipe((reader, writer), other)


async def _logged_in(
    fake: Fake, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    if not fake.login:
        return True
    words = []
    await reader.readexactly(1)
    for _ in range(2):
        (length,) = await reader.readexactly(1)
        words.append((await reader.readexactly(length)).decode())
    good = ":".join(words) == fake.login
    writer.write(bytes([1, 0 if good else 1]))
    return good


async def _destination(reader: asyncio.StreamReader) -> tuple[str, int]:
    kind = (await reader.readexactly(4))[3]
    if kind == 3:
        (length,) = await reader.readexactly(1)
        host = (await reader.readexactly(length)).decode()
    else:
        family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        host = socket.inet_ntop(family, await reader.readexactly(size))
    (port,) = struct.unpack(">H", await reader.readexactly(2))
    return host, port


def _reply(code: int) -> bytes:
    return bytes([5, code, 0, 1, 0, 0, 0, 0, 0, 0])


async def _is_odd(fake: Fake, writer: asyncio.StreamWriter, said: bytes) -> bool:
    if fake.mute:
        await asyncio.sleep(60)
    writer.write(said)
    return fake.hangs_up or bool(said)


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pipe(one: Ends, other: Ends) -> None:
    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    try:
        await asyncio.gather(copy(one[0], other[1]), copy(other[0], one[1]))
    finally:
        other[1].close()
