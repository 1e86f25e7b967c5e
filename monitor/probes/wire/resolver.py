"""Looks names up in threads of their own, so that a name that hangs blocks no other."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from monitor.probes.wire.trace import current

AddressInfo = tuple[Any, ...]
Resolve = Callable[[str, int], Sequence[AddressInfo]]
"""Has the signature and the errors of `socket.getaddrinfo(host, port)`; it may block."""

_THREADS = 64
_MOST = 16
"""At most so many addresses are tried: no honest name has more, and each costs a socket."""


def system_resolve(host: str, port: int) -> Sequence[AddressInfo]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class PoolResolver(AbstractResolver):
    """Runs at most one look-up per name at a time, and notes its times in the current trace."""

    def __init__(self, resolve: Resolve = system_resolve) -> None:
        self._resolve = resolve
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolve")
        self._flying: dict[tuple[str, int], asyncio.Future[Sequence[AddressInfo]]] = {}

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,
    ) -> list[ResolveResult]:
        trace = current.get()
        trace.dns_start = time.monotonic_ns()
        try:
            infos = await asyncio.shield(self._look_up(host, port))
            matching = [info for info in infos if family in {socket.AF_UNSPEC, info[0]}]
            if not matching:
                raise socket.gaierror(socket.EAI_NONAME, "no address")
        except (OSError, UnicodeError) as exc:
            trace.dns_end, trace.dns_error = time.monotonic_ns(), exc
            raise exc if isinstance(exc, OSError) else OSError(str(exc)) from exc
        trace.dns_end = time.monotonic_ns()
        return [_result(host, info) for info in matching[:_MOST]]

    def _look_up(self, host: str, port: int) -> asyncio.Future[Sequence[AddressInfo]]:
        key = (host, port)
        if key not in self._flying:
            loop = asyncio.get_running_loop()
            flight = loop.run_in_executor(self._pool, self._resolve, host, port)
            self._flying[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return self._flying[key]

    def _landed(self, key: tuple[str, int], flight: asyncio.Future[Sequence[AddressInfo]]) -> None:
        self._flying.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # seen, even when everybody who asked has given up

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _result(host: str, info: AddressInfo) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=str(info[4][0]),
        port=info[4][1],
        family=info[0],
        proto=info[2],
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )
