"""Records when each phase of one request began and ended, by public hooks of socket, ssl and aiohttp only.

One `Trace` per request travels in a ContextVar, so one session and one SSLContext serve them all.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from monitor.probes.wire.work_budget import WorkBudget

_OLDEST_NS = 5_000_000_000
_CLOSE_NS = 20_000_000
_SAME_OFFSET_NS = 1_000_000

current: ContextVar["Trace"] = ContextVar("probe_trace")


def _wall_offset() -> int:
    """Returns wall minus monotonic clock, the tightest of three readings: kernel stamps use the wall clock."""
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
        """Says whether the proxy has been told the target."""
        return self.answered if self.route is Route.SOCKS else self.sent is not None

    def arrive(self) -> None:
        """Marks that the tunnel stands and nothing has been sent to the endpoint yet."""
        if self.arrived:
            return
        self.arrived, self.answered, self.sent = True, False, None
        if not self.encrypted:
            self.on_connected()

    def since_start(self, at: int) -> float:
        return (at - self.start) / 1e6

    def stamp(self) -> int:
        """Returns when the last bytes arrived: by the kernel's stamp if there is one, else when we read them."""
        if self.received is None:
            return time.monotonic_ns()
        if self.kernel is not None:
            at = self.kernel - self.offset
            if self.received - _OLDEST_NS < at <= self.received and self._is_believable(at):
                return at
        return self.received

    def _is_believable(self, at: int) -> bool:
        """Says whether the kernel's stamp may be used: the wall clock may have been set since the start."""
        assert self.received is not None
        if self.received - at < _CLOSE_NS:
            return True
        return abs(_wall_offset() - self.offset) < _SAME_OFFSET_NS
