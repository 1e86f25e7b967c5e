"""Name look-ups that never block the loop, never starve a neighbour, and are never cached.

`getaddrinfo` runs in threads of our own; each host has at most one look-up in flight, so a name
that hangs holds one thread, not all of them.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from monitor.probes.trace import current, now_ns

LookUp = Callable[[str, int, int], list[tuple[Any, ...]]]
"""(host, port, family) -> what `socket.getaddrinfo` gives; raises what it raises."""
THREADS = 64


def system_look_up(host: str, port: int, family: int) -> list[tuple[Any, ...]]:
    return list(
        socket.getaddrinfo(
            host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
    )


class Resolver(AbstractResolver):
    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="look-up")
        self._in_flight: dict[tuple[str, int, int], asyncio.Future[list[tuple[Any, ...]]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        trace = current.get()
        trace.dns_start = now_ns()
        try:
            infos = await self._shared((host, port, int(family)))
        except OSError:
            trace.dns_failed = True
            raise
        finally:
            trace.dns_end = now_ns()
        return [_result(host, info) for info in infos]

    async def _shared(self, key: tuple[str, int, int]) -> list[tuple[Any, ...]]:
        """Who gives up waiting leaves the look-up to the others, and to the next one."""
        flight = self._in_flight.get(key)
        if flight is None:
            flight = asyncio.get_running_loop().run_in_executor(self._pool, self._look_up, *key)
            self._in_flight[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    def _landed(
        self, key: tuple[str, int, int], done: asyncio.Future[list[tuple[Any, ...]]]
    ) -> None:
        self._in_flight.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen, also when nobody waits any more

    async def close(self) -> None:
        """A session closes its resolver, but ours serves them all: see `shut_down`."""

    def shut_down(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _result(host: str, info: tuple[Any, ...]) -> ResolveResult:
    family, _, proto, _, address = info
    return ResolveResult(
        hostname=host,
        host=str(address[0]),
        port=int(address[1]),
        family=int(family),
        proto=int(proto),
        flags=socket.AI_NUMERICHOST,
    )
