"""Who comes in, how many at a time, and for how long: what keeps slow and greedy clients bounded.

aiohttp waits for the first line of a connection for ever, and for a reader as long as it likes.
"""

import asyncio
import ipaddress
from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    first_s: float = 10.0
    """Until the first question must be complete."""
    whole_s: float = 60.0
    """How long a connection lasts at most: a page reaches the slowest phone in less."""
    most: int = 256
    """Connections at a time, and from one address or IPv6 network."""
    most_from_one: int = 64
    most_asked: int = 64 * 1024
    """Bytes sent to us: some hundred questions; nobody has anything to upload."""


class ConnectionLimiter:
    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._inside: Counter[str] = Counter()

    def admit(self, who: str) -> bool:
        if (
            self._inside.total() >= self.limits.most
            or self._inside[who] >= self.limits.most_from_one
        ):
            return False
        self._inside[who] += 1
        return True

    def leave(self, who: str) -> None:
        self._inside[who] -= 1
        if self._inside[who] <= 0:
            del self._inside[who]


class LimitedConnection(asyncio.Protocol):
    """One connection: hands everything on to aiohttp's protocol, until it has had enough."""

    def __init__(self, inner: asyncio.Protocol, door: ConnectionLimiter) -> None:
        self._inner, self._door = inner, door
        self._transport: asyncio.Transport
        self._who = ""
        self._is_in = False
        self._asked = 0
        self._timers: list[asyncio.TimerHandle] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._who = _who(transport)
        self._is_in = self._door.admit(self._who)
        if not self._is_in:
            transport.abort()
            return
        loop, limits = asyncio.get_running_loop(), self._door.limits
        self._timers = [
            loop.call_later(each, transport.abort) for each in (limits.first_s, limits.whole_s)
        ]
        self._inner.connection_made(transport)

    def has_asked(self) -> None:
        """Its first question is complete."""
        if self._timers:
            self._timers[0].cancel()

    def data_received(self, data: bytes) -> None:
        self._asked += len(data)
        if self._asked > self._door.limits.most_asked:
            self._transport.abort()
        elif self._is_in:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._is_in else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_in:
            return
        self._door.leave(self._who)
        for each in self._timers:
            each.cancel()
        self._inner.connection_lost(exc)


def _who(transport: asyncio.Transport) -> str:
    """An address; of IPv6 the network, as one machine has as many addresses as it likes there."""
    name = transport.get_extra_info("peername")
    address = str(name[0]).split("%", 1)[0] if name else ""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def is_private_address(address: str | None) -> bool:
    """On this machine or its private networks."""
    try:
        found = ipaddress.ip_address((address or "").split("%", 1)[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return not (mapped or found).is_global
