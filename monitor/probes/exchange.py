"""Defines requests and what came of them as values: the client makes an `Exchange`, verdicts read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from monitor.model import Proxy, Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """Describes one HTTP request exactly as it is sent; it is never redirected and never retried."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout: timedelta = timedelta(seconds=30)
    max_body: int = 256 * 1024
    ca_file: Path | None = None
    proxy: Proxy | None = None
    upgrade: bool = False
    """Asks for a WebSocket. Its first message, if one comes, is the body of the exchange; then it is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """Describes a connection that is opened and closed; with `encrypted`, after a TLS handshake."""

    host: str
    port: int
    encrypted: bool
    timeout: timedelta = timedelta(seconds=10)
    ca_file: Path | None = None
    proxy: Proxy | None = None


class TransportPhase(StrEnum):
    """Names how far a request had come when it broke."""

    PROXY = "proxy"
    """Before or at the proxy: nothing is known of the endpoint."""
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    HEADERS = "headers"
    BODY = "body"


class ErrorType(StrEnum):
    """Names what broke a request, in the transport's own terms."""

    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    CLOSED = "closed"
    TIMEOUT = "timeout"
    CERT_EXPIRED = "cert_expired"
    CERT_NOT_YET = "cert_not_yet"
    CERT_HOSTNAME = "cert_hostname"
    CERT_UNTRUSTED = "cert_untrusted"
    CERT_INCOMPLETE = "cert_incomplete"
    """The server sent its own certificate alone, and nobody we trust has signed that one."""
    PROTOCOL = "protocol"
    """The bytes were no valid TLS or HTTP."""
    DENIED = "denied"
    """The proxy turned us away."""
    TOO_LARGE = "too_large"
    ENCODING = "encoding"
    """The body came in an encoding that was not asked for, or a damaged one."""
    GAVE_UP = "gave_up"
    """Our stream watcher ended it: no content came in time."""


@dataclass(frozen=True, slots=True)
class TransportError:
    """Says where and how a request broke; `detail` is for a person and is cleaned at capture."""

    phase: TransportPhase
    what: ErrorType
    detail: str = ""


class Chunk(NamedTuple):
    """Holds one network read: milliseconds since the request was made, and the bytes, decoded."""

    at_ms: float
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Holds all that came of a request. `headers` have lower-case names; the first of a name wins."""

    timings: Timings
    error: TransportError | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: tuple[Chunk, ...] = ()
    remote_ip: str | None = None
    cert_expires: datetime | None = None
    cert_lifetime: timedelta | None = None
    lag_ms: float = 0.0
    """The worst lag of our own event loop while this ran."""
    lag_total_ms: float = 0.0
    """The sum of those lags."""

    @property
    def body(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)


class StreamWatcher(Protocol):
    """Follows a stream while it comes, so that a dead one is ended before the whole timeout.

    It is given each piece, and asked once a second for its deadline.
    """

    def feed(self, chunk: Chunk) -> None: ...

    def deadline_ms(self) -> float | None:
        """Return by when, in ms since the request, the next content must come; None leaves it to the timeout."""
        ...
