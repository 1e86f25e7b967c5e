"""The listening side of one endpoint: a port that it keeps, opened, closed, or slammed in one's face."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from enum import Enum, auto

from aiohttp import web

from monitor.demo.certificates import HOST, Certificates, context_for
from monitor.demo.faults import Act

LOOK_AGAIN_S = 0.1
"""How much later than its script a door may open or close."""
_PATIENCE_S = 2.0
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends a reset instead of a farewell."""


class Mode(Enum):
    OPEN = auto()
    SHUT = auto()
    SLAMMED = auto()
    """Accepts, then resets in the middle of the handshake."""
    MUTE = auto()
    """Accepts, and never says a word."""
    OTHER = auto()
    """Answers the handshake in plain HTTP."""


_MODES = {
    Act.REFUSED: Mode.SHUT, Act.RESET: Mode.SLAMMED, Act.MUTE: Mode.MUTE, Act.NO_TLS: Mode.OTHER,
}  # fmt: skip


def mode_for(act: Act | None) -> Mode:
    return Mode.OPEN if act is None else _MODES.get(act, Mode.OPEN)


class Door:
    """While it is shut its port stays bound, so that nobody else can take it meanwhile."""

    def __init__(
        self,
        runner: web.AppRunner,
        certificates: Certificates,
        acting: Callable[[], Act | None],
    ) -> None:
        self._runner = runner
        self._acting = acting
        self._good = context_for(certificates.good)
        self._bad = {
            Act.EXPIRED: context_for(certificates.expired),
            Act.EXPIRING: context_for(certificates.expiring),
            Act.UNTRUSTED: context_for(certificates.untrusted),
            Act.WRONG_NAME: context_for(certificates.wrong_name),
        }
        self._good.sni_callback = self._choose
        self._mode = Mode.SHUT
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        self._stack = contextlib.AsyncExitStack()

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
        """Called for each handshake, also without a name: the certificate of this moment."""
        act = self._acting()
        if act in self._bad:
            connection.context = self._bad[act]

    async def keep(self) -> None:
        """Follow the script until cancelled."""
        while True:
            await self.follow()
            await asyncio.sleep(LOOK_AGAIN_S)

    async def follow(self) -> None:
        wanted = mode_for(self._acting())
        if wanted is self._mode:
            return
        await self._stack.aclose()  # closes the socket that listened
        if self._socket.fileno() == -1:
            self._socket = _bound(self.port)
        if wanted is Mode.OPEN:
            site = web.SockSite(self._runner, self._socket, ssl_context=self._good)
            await site.start()
            self._stack.push_async_callback(site.stop)
        elif wanted in _GREETINGS:
            server = await asyncio.start_server(_GREETINGS[wanted], sock=self._socket)
            self._stack.callback(server.close)
        self._mode = wanted

    async def close(self) -> None:
        await self._stack.aclose()
        self._socket.close()


def _bound(port: int) -> socket.socket:
    """Bound but not listening: whoever connects is refused."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((HOST, port))
    found.setblocking(False)
    return found


async def _slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Once the handshake has begun: earlier, it would be chance what the client was doing."""
    with contextlib.suppress(TimeoutError, OSError):
        await asyncio.wait_for(reader.read(1), _PATIENCE_S)
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def _wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the other side has had enough."""
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            pass
    writer.close()


async def _misunderstand(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(TimeoutError, OSError):
        await asyncio.wait_for(reader.read(1), _PATIENCE_S)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()
    writer.close()


_GREETINGS = {Mode.SLAMMED: _slam, Mode.MUTE: _wait, Mode.OTHER: _misunderstand}
