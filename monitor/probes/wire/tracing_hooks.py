"""Subclasses socket, ssl and aiohttp parts so that they write their times into the current `Trace`."""

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from monitor.probes.wire.trace import ConnectAttempt, Route, Trace, current

_SO_TIMESTAMPNS = 35  # Linux; the socket module has no name for it
_LINUX = sys.platform == "linux"
_STAMP = struct.Struct("qq")
_ANCILLARY = socket.CMSG_SPACE(_STAMP.size)


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
        """Notes the end of connecting: the event loop reads SO_ERROR at that moment."""
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
        """Reads for TLS, and notes the arrival."""
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
        """Reads for plain HTTP, and notes the arrival."""
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


_MOST_CERTIFICATES = 1000
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
        """Counts what the server sent; public only from Python 3.13 on."""
        source = self if hasattr(self, "get_unverified_chain") else getattr(self, "_sslobj", None)
        try:
            return len(source.get_unverified_chain())  # type: ignore[union-attr]
        except (AttributeError, TypeError, ValueError, ssl.SSLError):
            return None

    def getpeercert(self, binary_form: bool = False) -> Any:  # noqa: FBT001, FBT002  # ssl's own
        """Parses a certificate once: it takes long, asyncio asks too, and it stays the same for weeks."""
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
    """Returns when a certificate ends, and how long it lives in all."""
    first, last = (_moment(cert.get(name) if cert else None) for name in ("notBefore", "notAfter"))
    return last, last - first if first and last else None


@lru_cache(maxsize=4096)
def _moment(text: str | None) -> datetime | None:
    """Parses OpenSSL's date, cached: it takes long, and a certificate stays the same for weeks."""
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC) if text else None


class TracedResolver(AbstractResolver):
    """Notes begin and end of a look-up in the current trace."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        trace = current.get()
        trace.dns_start = time.monotonic_ns()
        try:
            results = await self._inner.resolve(host, port, family)
        except UnicodeError as exc:
            trace.dns_end, trace.dns_error = time.monotonic_ns(), exc
            raise OSError(str(exc)) from exc
        except OSError as exc:
            trace.dns_end, trace.dns_error = time.monotonic_ns(), exc
            raise
        trace.dns_end = time.monotonic_ns()
        return results

    async def close(self) -> None:
        await self._inner.close()
