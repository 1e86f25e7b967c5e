"""The port of one endpoint, which listens, refuses, resets, never speaks, or shows a bad certificate, as its fault demands."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from pathlib import Path

import trustme
from aiohttp import web

from monitor.demo.faults import ENDPOINT_IDS, SimulatedFault

HOST = "127.0.0.1"


def host_name(endpoint: str) -> str:
    """Return the name of an endpoint, which is kept for loopback (RFC 6761) and leads nowhere else."""
    return f"{endpoint}.localhost"


_NAMES = (HOST, "localhost", *map(host_name, ENDPOINT_IDS))
_ISSUED_AGO = timedelta(days=90)
_EXPIRED_AGO = timedelta(days=2)
_EXPIRES_SOON = timedelta(days=5)
_VALID_FOR = timedelta(days=80)


@dataclass(frozen=True, slots=True)
class Certificates:
    good: trustme.LeafCert
    bad: Mapping[SimulatedFault, ssl.SSLContext]


def issue(ca_file: Path, now: datetime) -> Certificates:
    """Make an authority and its certificates, and write the authority's own certificate to `ca_file`."""
    authority = trustme.CA(organization_name="monitor demo")
    authority.cert_pem.write_to_path(str(ca_file))

    def leaf(valid_for: timedelta, *names: str) -> trustme.LeafCert:
        begin, end = now - _ISSUED_AGO, now + valid_for
        return authority.issue_cert(*(names or _NAMES), not_before=begin, not_after=end)

    stranger = trustme.CA(organization_name="nobody")
    bad = {
        SimulatedFault.EXPIRED: leaf(-_EXPIRED_AGO),
        SimulatedFault.EXPIRING: leaf(_EXPIRES_SOON),
        SimulatedFault.WRONG_NAME: leaf(_VALID_FOR, "parked.example"),
        SimulatedFault.UNTRUSTED: stranger.issue_cert(*_NAMES),
    }
    return Certificates(
        good=leaf(_VALID_FOR),
        bad={fault: context_for(leaf_of_fault) for fault, leaf_of_fault in bad.items()},
    )


def context_for(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


POLL_S = 0.1
"""How much later than its script a listener may change."""
_HANDSHAKE_WAIT_S = 2.0
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing sends a reset instead of a normal end."""


class ListenMode(Enum):
    """Says what happens to a connection."""

    OPEN = auto()
    CLOSED = auto()
    RESETTING = auto()
    """Accepts, then resets in the middle of the handshake."""
    SILENT = auto()
    """Accepts, and never sends a byte."""
    PLAIN_HTTP = auto()
    """Answers the handshake in plain HTTP."""


_MODES = {
    SimulatedFault.REFUSED: ListenMode.CLOSED,
    SimulatedFault.RESET: ListenMode.RESETTING,
    SimulatedFault.MUTE: ListenMode.SILENT,
    SimulatedFault.NO_TLS: ListenMode.PLAIN_HTTP,
}


def _mode_for(fault: SimulatedFault | None) -> ListenMode:
    return ListenMode.OPEN if fault is None else _MODES.get(fault, ListenMode.OPEN)


class FaultyListener:
    """Keeps its port bound also while it is closed, so that no other program takes it."""

    def __init__(
        self,
        runner: web.AppRunner,
        certificates: Certificates,
        current_fault: Callable[[], SimulatedFault | None],
    ) -> None:
        self._runner = runner
        self._current_fault = current_fault
        self._good_context = context_for(certificates.good)
        self._bad_contexts = certificates.bad
        self._good_context.sni_callback = self._choose_certificate
        self._mode = ListenMode.CLOSED
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        self._stack = contextlib.AsyncExitStack()

    def _choose_certificate(
        self, connection: ssl.SSLObject, _name: str | None, _: ssl.SSLContext
    ) -> None:
        """Show the certificate of this moment; called for each handshake, also without a name."""
        fault = self._current_fault()
        if fault and fault in self._bad_contexts:
            connection.context = self._bad_contexts[fault]

    async def keep_following(self) -> None:
        """Follow the script until cancelled."""
        while True:
            await self.follow()
            await asyncio.sleep(POLL_S)

    async def follow(self) -> None:
        """Listen as the fault of this moment demands."""
        mode = _mode_for(self._current_fault())
        if mode is self._mode:
            return
        await self._stack.aclose()  # closes the socket that listened
        if self._socket.fileno() == -1:
            self._socket = _bound(self.port)
        if mode is ListenMode.OPEN:
            site = web.SockSite(self._runner, self._socket, ssl_context=self._good_context)
            await site.start()
            self._stack.push_async_callback(site.stop)
        elif mode in _HANDLERS:
            server = await asyncio.start_server(_HANDLERS[mode], sock=self._socket)
            self._stack.callback(server.close)
        self._mode = mode

    async def close(self) -> None:
        await self._stack.aclose()
        self._socket.close()


def _bound(port: int) -> socket.socket:
    """Return a socket that is bound and does not listen: whoever connects is refused."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    bound.setblocking(False)
    return bound


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset once the handshake has begun: earlier, it would be chance what the client was doing."""
    with contextlib.suppress(TimeoutError, OSError):
        await asyncio.wait_for(reader.read(1), _HANDSHAKE_WAIT_S)
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def _stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read until the client gives up."""
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            pass
    writer.close()


async def _answer_plain_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(TimeoutError, OSError):
        await asyncio.wait_for(reader.read(1), _HANDSHAKE_WAIT_S)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()
    writer.close()


_HANDLERS = {
    ListenMode.RESETTING: _reset,
    ListenMode.SILENT: _stay_silent,
    ListenMode.PLAIN_HTTP: _answer_plain_http,
}
