"""What the wire gave, as values: the client makes an `Exchange`, the verdict is decided from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from monitor.model import Proxy, Timings


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One HTTP request, exactly as it shall go out; never redirected, never retried."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout: timedelta = timedelta(seconds=30)
    max_body: int = 256 * 1024
    ca_file: Path | None = None
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """One connection that is opened and closed; with `encrypted`, after a TLS handshake."""

    host: str
    port: int
    encrypted: bool
    timeout: timedelta = timedelta(seconds=10)
    ca_file: Path | None = None
    proxy: Proxy | None = None


class Phase(StrEnum):
    """How far a request had come when it broke."""

    PROXY = "proxy"
    """On the way to the proxy, or because of it: nothing is known of the endpoint."""
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    HEADERS = "headers"
    BODY = "body"


class ErrorType(StrEnum):
    """What broke it, in the transport's own terms."""

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
    PROTOCOL = "protocol"
    """TLS or HTTP framing that makes no sense."""
    DENIED = "denied"
    """The proxy turned us away."""
    TOO_LARGE = "too_large"
    GAVE_UP = "gave_up"
    """Our own watch ended it: no content came in time."""


@dataclass(frozen=True, slots=True)
class TransportError:
    """`detail` is for a person and is cleaned later, at capture."""

    stage: Phase
    what: ErrorType
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One network read: milliseconds since the request was made, and its bytes."""

    at_ms: float
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and all that came of it. `headers` have lower-case names; the first of a name wins."""

    timings: Timings
    error: TransportError | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: tuple[Chunk, ...] = ()
    remote_ip: str | None = None
    cert_expires: datetime | None = None
    lag_ms: float = 0.0
    """The worst lag of our own event loop while this ran."""
    lag_total_ms: float = 0.0
    """All its lags together."""
    sent_ms: float | None = None
    """When the last byte of the request had left."""

    @property
    def body(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks)


class StreamWatcher(Protocol):
    """Follows a stream while it comes, so that a dead one is ended before the whole timeout."""

    def feed(self, chunk: Chunk) -> None: ...

    def deadline_ms(self) -> float | None:
        """By when (since the request was made) the next content must come; None: the timeout alone."""
        ...
