"""Records when each phase of one request began and ended, by public hooks of socket, ssl and aiohttp only.

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
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any

from monitor.probes.wire.work_budget import WorkBudget

_OLDEST_NS = 5_000_000_000
_CLOSE_NS = 20_000_000
_SAME_OFFSET_NS = 1_000_000
_SO_TIMESTAMPNS = 35  # Linux; the socket module has no name for it
_LINUX = sys.platform == "linux"
_STAMP = struct.Struct("qq")
_ANCILLARY = socket.CMSG_SPACE(_STAMP.size)
_MOST_CERTIFICATES = 1000

current: ContextVar["Trace"] = ContextVar("probe_trace")


def _wall_offset() -> int:
    """Return wall minus monotonic clock, the tightest of three readings: kernel stamps use the wall clock."""
    best: tuple[int, int] | None = None
    for _ in range(3):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        if best is None or after - before < best[0]:
            best = (after - before, wall - (before + after) // 2)
    return best[1] if best else 0


class Route(Enum):
    """Names how the endpoint is reached."""

    DIRECT = "direct"
    RELAYED = "relayed"
    """An HTTP proxy is asked for each address of plain HTTP, in the endpoint's place."""
    CONNECT = "connect"
    """An HTTP proxy opens a tunnel."""
    SOCKS = "socks"
    """A SOCKS proxy opens a tunnel. It greets before it is told where to."""


@dataclass(slots=True)
class ConnectAttempt:
    """One TCP connection attempt; with several addresses there may be more than one."""

    address: str
    start: int
    end: int | None = None
    error: int = 0


@dataclass(slots=True)
class Trace:
    """Holds the times of one request, in nanoseconds on the monotonic clock."""

    on_connected: Callable[[], None]
    """Called when the connection is ready for the request."""
    encrypted: bool = False
    route: Route = Route.DIRECT
    arrived: bool = False
    """True once we are past the proxy, if there is one: from here on the endpoint is at work."""
    budget: WorkBudget = field(default_factory=WorkBudget)
    start: int = field(default_factory=time.monotonic_ns)
    offset: int = field(default_factory=_wall_offset)
    dns_start: int | None = None
    dns_end: int | None = None
    dns_error: OSError | UnicodeError | None = None
    attempts: list[ConnectAttempt] = field(default_factory=list)
    winner: ConnectAttempt | None = None
    tls_start: int | None = None
    tls_end: int | None = None
    cert_expires: datetime | None = None
    cert_lifetime: timedelta | None = None
    certificates_sent: int | None = None
    """How many the server sent; known only where they could not be verified."""
    sent: int | None = None
    answered: bool = False
    """Set with the first byte of the answer: what is sent later is no part of the request."""
    received: int | None = None
    kernel: int | None = None
    was_reset: bool = False
    """The other side ended with a reset, whatever the layers above made of it."""
    on_closed: Callable[[], None] = lambda: None
    """Called when the connection is gone and everybody above had the chance to say so."""

    @property
    def attempt(self) -> ConnectAttempt | None:
        return self.winner or (self.attempts[-1] if self.attempts else None)

    @property
    def connected(self) -> bool:
        attempt = self.attempt
        return attempt is not None and attempt.end is not None and not attempt.error

    @property
    def told_proxy(self) -> bool:
        """Say whether the proxy has been told the target."""
        return self.answered if self.route is Route.SOCKS else self.sent is not None

    def arrive(self) -> None:
        """Mark that the tunnel stands and nothing has been sent to the endpoint yet."""
        if self.arrived:
            return
        self.arrived, self.answered, self.sent = True, False, None
        if not self.encrypted:
            self.on_connected()

    def since_start(self, at: int) -> float:
        return (at - self.start) / 1e6

    def stamp(self) -> int:
        """Return when the last bytes arrived: by the kernel's stamp if there is one, else when we read them."""
        if self.received is None:
            return time.monotonic_ns()
        if self.kernel is not None:
            at = self.kernel - self.offset
            if self.received - _OLDEST_NS < at <= self.received and self._is_believable(at):
                return at
        return self.received

    def _is_believable(self, at: int) -> bool:
        """Say whether the kernel's stamp may be used: the wall clock may have been set since the start."""
        assert self.received is not None
        if self.received - at < _CLOSE_NS:
            return True
        return abs(_wall_offset() - self.offset) < _SAME_OFFSET_NS


# --- the hooks -----------------------------------------------------------------------------------


class TracedSocket(socket.socket):
    trace: Trace
    attempt: ConnectAttempt | None = None

    def connect(self, address: Any) -> None:
        attempt = self.attempt = ConnectAttempt(str(address[0]), time.monotonic_ns())
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
            if self.trace.route in {Route.DIRECT, Route.RELAYED}:
                self.trace.arrive()

    def getsockopt(self, level: int, option: int, *rest: int) -> Any:
        """Note the end of connecting: the event loop reads SO_ERROR at that moment."""
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
            with contextlib.suppress(RuntimeError):  # swept up after the loop has ended
                asyncio.get_running_loop().call_soon(self.trace.on_closed)
        super().close()

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Read for TLS, and note the arrival."""
        most = min(nbytes or len(buffer), self.trace.budget.slice_bytes)
        view = memoryview(buffer)[:most]
        try:
            count, ancillary, _, _ = self.recvmsg_into((view,), _ANCILLARY, flags)
        except ConnectionResetError:
            self.trace.was_reset = True
            raise
        self._note_received(ancillary)
        return count

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Read for plain HTTP, and note the arrival."""
        try:
            most = min(bufsize, self.trace.budget.slice_bytes)
            data, ancillary, _, _ = self.recvmsg(most, _ANCILLARY, flags)
        except ConnectionResetError:
            self.trace.was_reset = True
            raise
        self._note_received(ancillary)
        if data:
            self.trace.answered = True
        return data


def traced_socket(info: tuple[Any, ...]) -> TracedSocket:
    sock = TracedSocket(info[0], info[1], info[2])
    sock.trace = current.get()
    sock.setblocking(False)
    if _LINUX:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return sock


_certificates: dict[bytes, Any] = {}


class TracedTLS(ssl.SSLObject):
    trace: Trace | None = None

    def do_handshake(self) -> None:
        trace = self.trace
        if trace is None:
            trace = self.trace = current.get()
            trace.arrive()
            trace.tls_start = time.monotonic_ns()
        try:
            super().do_handshake()  # raises SSLWantReadError until it is done
        except ssl.SSLCertVerificationError:
            trace.certificates_sent = self._count_certificates()
            raise
        trace.tls_end = time.monotonic_ns()
        trace.cert_expires, trace.cert_lifetime = _validity(self.getpeercert())
        trace.on_connected()

    def _count_certificates(self) -> int | None:
        """Count what the server sent; public only from Python 3.13 on."""
        source = self if hasattr(self, "get_unverified_chain") else getattr(self, "_sslobj", None)
        try:
            return len(source.get_unverified_chain())  # type: ignore[union-attr]
        except (AttributeError, TypeError, ValueError, ssl.SSLError):
            return None

    def getpeercert(self, binary_form: bool = False) -> Any:  # noqa: FBT001, FBT002  # ssl's own
        """Parse a certificate once: it takes long, asyncio asks too, and it stays the same for weeks."""
        der = super().getpeercert(binary_form=True)
        if binary_form or der is None:
            return der
        if der not in _certificates:
            if len(_certificates) >= _MOST_CERTIFICATES:
                _certificates.clear()
            _certificates[der] = super().getpeercert()
        return _certificates[der]

    def read(self, *args: Any) -> Any:
        data = super().read(*args)
        if data and self.trace is not None:
            self.trace.answered = True
        return data


def _validity(cert: Any) -> tuple[datetime | None, timedelta | None]:
    """Return when a certificate ends, and how long it lives in all."""
    first, last = (_moment(cert.get(name) if cert else None) for name in ("notBefore", "notAfter"))
    return last, last - first if first and last else None


@lru_cache(maxsize=4096)
def _moment(text: str | None) -> datetime | None:
    """Parse OpenSSL's date, cached: it takes long, and a certificate stays the same for weeks."""
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if text else None
