"""Limits how many connections there may be at a time, and how long each may last.

aiohttp waits for the first line of a connection for ever, and for a reader as long as it likes.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    first_request_s: float = 10.0
    """Until the first question must be complete."""
    connection_s: float = 60.0
    """How long a connection lasts at most: a page reaches the slowest phone in less."""
    max_connections: int = 256
    """Connections at a time, and from one address or IPv6 network."""
    max_per_client: int = 64
    reserved: int = 8
    """Connections of all that are kept for this machine itself, however many come from elsewhere."""
    for_agents: int = 0
    """Connections of this machine beside all others, on which agents alone are answered: behind a proxy they share an
    address with every reader."""
    max_received: int = 64 * 1024
    """Bytes sent to us: some hundred questions; nobody has anything to upload."""


class ConnectionLimiter:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._open: Counter[str] = Counter()
        self._for_agents = 0

    def admit(self, client: str) -> bool:
        limits = self.limits
        free = limits.max_connections - self._open.total()
        kept = 0 if is_loopback(client) else min(limits.reserved, limits.max_connections // 2)
        if free <= kept or self._open[client] >= limits.max_per_client:
            return False
        self._open[client] += 1
        return True

    def admit_for_agents(self, client: str) -> bool:
        """Admit a connection that is one too many, if it may be an agent's."""
        if not is_loopback(client) or self._for_agents >= self.limits.for_agents:
            return False
        self._for_agents += 1
        return True

    def leave(self, client: str, *, is_for_agents: bool = False) -> None:
        if is_for_agents:
            self._for_agents -= 1
            return
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]


class LimitedConnection(asyncio.Protocol):
    """One connection: hands everything on to aiohttp's protocol, until it has had enough."""

    def __init__(self, inner: asyncio.Protocol, limiter: ConnectionLimiter) -> None:
        self._inner, self._limiter = inner, limiter
        self._transport: asyncio.Transport
        self._client = ""
        self._admitted = self.is_for_agents = False
        self._received, self._allowed = 0, limiter.limits.max_received
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._client = _client(transport)
        self._admitted = self._limiter.admit(self._client)
        if not self._admitted:
            self._admitted = self.is_for_agents = self._limiter.admit_for_agents(self._client)
        if not self._admitted:
            transport.abort()
            return
        loop, limits = asyncio.get_running_loop(), self._limiter.limits
        self._timers = [
            loop.call_later(seconds, transport.abort)
            for seconds in (limits.first_request_s, limits.connection_s)
        ]
        self._inner.connection_made(transport)

    def allow(self, more: int) -> None:
        """Let whoever is known send so many bytes more, behind what has come already."""
        self._allowed = max(self._allowed, self._received + more)

    def request_complete(self) -> None:
        """Note that its first question is complete."""
        if self._timers:
            self._timers[0].cancel()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self._allowed:
            self._transport.abort()
        elif self._admitted:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._admitted else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._admitted:
            return
        self._limiter.leave(self._client, is_for_agents=self.is_for_agents)
        for timer in self._timers:
            timer.cancel()
        self._inner.connection_lost(exc)


def _client(transport: asyncio.Transport) -> str:
    """Return the client's address; of IPv6 the network, as one machine has as many addresses as it likes there."""
    name = transport.get_extra_info("peername")
    address = str(name[0]).split("%", 1)[0] if name else ""
    if ":" not in address or is_loopback(address):
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def is_loopback(address: str) -> bool:
    """Say whether an address, or what is asked for as one, is of this machine alone."""
    if address.lower() == "localhost":
        return True
    try:
        parsed = ipaddress.ip_address(address.split("%", 1)[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa")


def is_trusted_host(header: str | None, names: Collection[str] | None) -> bool:
    """Say whether a request may have come from somebody who knows us.

    A page of somebody else may make a browser ask us, under a name of its own that leads to our address
    (DNS rebinding). So a public name must be one of `names`; an address, a name without a dot and
    names that the public DNS does not have cannot be such a page's.
    """
    if names is None or not header:
        return True
    host = header.lower().removesuffix(".")
    if host.startswith("["):
        return True
    host = host.partition(":")[0].removesuffix(".")
    is_address = host.replace(".", "").isdigit()
    return is_address or "." not in host or host.endswith(_LOCAL_SUFFIXES) or host in names
