"""When each phase of one request began and ended, by public hooks of socket, ssl and aiohttp only.

One `Trace` per request travels in a ContextVar, so one session and one SSLContext serve them all.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

_SO_TIMESTAMPNS = 35  # Linux; the socket module has no name for it
_LINUX = sys.platform == "linux"
_STAMP = struct.Struct("qq")
_ANCILLARY = socket.CMSG_SPACE(_STAMP.size)
_OLDEST_NS = 5_000_000_000

current: ContextVar["Trace"] = ContextVar("probe_trace")


def _wall_offset() -> int:
    """Wall minus monotonic clock, the tightest of three: kernel stamps are on the wall clock."""
    best: tuple[int, int] | None = None
    for _ in range(3):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, wall - (before + after) // 2)
    return best[1] if best else 0


@dataclass(slots=True)
class Attempt:
    """One TCP connection attempt; with several addresses there may be more than one."""

    address: str
    start: int
    end: int | None = None
    error: int = 0


@dataclass(slots=True)
class Trace:
    """All in nanoseconds on the monotonic clock."""

    on_connected: Callable[[], None]
    """Called when the connection is ready for the request."""
    encrypted: bool = False
    start: int = field(default_factory=time.monotonic_ns)
    offset: int = field(default_factory=_wall_offset)
    dns_start: int | None = None
    dns_end: int | None = None
    dns_error: OSError | UnicodeError | None = None
    attempts: list[Attempt] = field(default_factory=list)
    winner: Attempt | None = None
    tls_start: int | None = None
    tls_end: int | None = None
    cert_expires: datetime | None = None
    sent: int | None = None
    answered: bool = False
    """Set with the first byte of the answer: what is sent later is no part of the request."""
    received: int | None = None
    kernel: int | None = None
    was_reset: bool = False
    """The other side ended with a reset, whatever was made of it above the socket."""
    on_closed: Callable[[], None] = lambda: None
    """Called when the connection is gone and everybody above had the chance to say so."""

    @property
    def attempt(self) -> Attempt | None:
        return self.winner or (self.attempts[-1] if self.attempts else None)

    @property
    def connected(self) -> bool:
        attempt = self.attempt
        return attempt is not None and attempt.end is not None and not attempt.error

    def since_start(self, at: int) -> float:
        return (at - self.start) / 1e6

    def stamp(self) -> int:
        """When the bytes just read arrived: in the kernel if it told us, else when we took them."""
        if self.received is None:
            return time.monotonic_ns()
        if self.kernel is not None:
            at = self.kernel - self.offset
            if self.received - _OLDEST_NS < at <= self.received:  # the wall clock may have stepped
                return at
        return self.received


class TracedSocket(socket.socket):
    trace: Trace
    attempt: Attempt | None = None

    def connect(self, address: Any) -> None:
        attempt = self.attempt = Attempt(str(address[0]), time.monotonic_ns())
        self.trace.attempts.append(attempt)
        try:
            super().connect(address)
        except BlockingIOError:
            raise
        except OSError as exc:
            self._ended(exc.errno or errno.EIO)
            raise
        self._ended(0)

    def _ended(self, error: int) -> None:
        attempt = self.attempt
        if attempt is None or attempt.end is not None:
            return
        attempt.end, attempt.error = time.monotonic_ns(), error
        if not error:
            self.trace.winner = self.trace.winner or attempt
            if not self.trace.encrypted:
                self.trace.on_connected()

    def getsockopt(self, level: int, option: int, *rest: int) -> Any:
        """The event loop reads SO_ERROR at the moment a connection stands or failed."""
        value = super().getsockopt(level, option, *rest)
        if level == socket.SOL_SOCKET and option == socket.SO_ERROR and isinstance(value, int):
            self._ended(value)
        return value

    def send(self, data: Any, *flags: int) -> int:
        count = super().send(data, *flags)
        self._note_sent()
        return count

    def sendmsg(self, *args: Any) -> int:
        count = super().sendmsg(*args)
        self._note_sent()
        return count

    def _note_sent(self) -> None:
        if not self.trace.answered:
            self.trace.sent, self.trace.winner = time.monotonic_ns(), self.attempt

    def _note_received(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        trace = self.trace
        trace.received, trace.kernel = time.monotonic_ns(), None
        for level, kind, data in ancillary:
            if (level, kind, len(data)) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS, _STAMP.size):
                seconds, nanoseconds = _STAMP.unpack(data)
                trace.kernel = seconds * 1_000_000_000 + nanoseconds

    def close(self) -> None:
        if self.fileno() >= 0 and self.trace.winner is self.attempt:
            asyncio.get_running_loop().call_soon(self.trace.on_closed)
        super().close()

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """The path of TLS."""
        view = memoryview(buffer)[:nbytes] if nbytes else buffer
        with self._noting_reset():
            count, ancillary, _, _ = self.recvmsg_into((view,), _ANCILLARY, flags)
        self._note_received(ancillary)
        return count

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """The path of plain HTTP."""
        with self._noting_reset():
            data, ancillary, _, _ = self.recvmsg(bufsize, _ANCILLARY, flags)
        self._note_received(ancillary)
        if data:
            self.trace.answered = True
        return data

    @contextlib.contextmanager
    def _noting_reset(self) -> Iterator[None]:
        try:
            yield
        except ConnectionResetError:
            self.trace.was_reset = True
            raise


def traced_socket(info: tuple[Any, ...]) -> TracedSocket:
    made = TracedSocket(info[0], info[1], info[2])
    made.trace = current.get()
    made.setblocking(False)
    if _LINUX:
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return made


class TracedTLS(ssl.SSLObject):
    trace: Trace | None = None

    def do_handshake(self) -> None:
        trace = self.trace
        if trace is None:
            trace = self.trace = current.get()
            trace.tls_start = time.monotonic_ns()
        super().do_handshake()  # raises SSLWantReadError until it is done
        trace.tls_end = time.monotonic_ns()
        trace.cert_expires = _expires(self.getpeercert())
        trace.on_connected()

    def read(self, *args: Any) -> Any:
        data = super().read(*args)
        if data and self.trace is not None:
            self.trace.answered = True
        return data


def _expires(cert: Any) -> datetime | None:
    not_after = cert.get("notAfter") if cert else None
    if not isinstance(not_after, str):
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(not_after), UTC)


class TracedResolver(AbstractResolver):
    """Marks the look-up's begin and end in the trace of whoever asked."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        trace = current.get()
        trace.dns_start = time.monotonic_ns()
        try:
            found = await self._inner.resolve(host, port, family)
        except UnicodeError as exc:
            trace.dns_end, trace.dns_error = time.monotonic_ns(), exc
            raise OSError(str(exc)) from exc
        except OSError as exc:
            trace.dns_end, trace.dns_error = time.monotonic_ns(), exc
            raise
        trace.dns_end = time.monotonic_ns()
        return found

    async def close(self) -> None:
        await self._inner.close()
