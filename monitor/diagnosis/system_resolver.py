"""Asks the system's own resolver in threads of their own, bounded in time."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

from monitor.diagnosis.observations import DnsAnswer, DnsFailure

Resolve = Callable[[str, int], Sequence[tuple[Any, ...]]]
"""Has the signature and the errors of `socket.getaddrinfo(host, port)`; it may block."""

HERE = "here"
_THREADS = 16
_NO_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def system_resolve(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class SystemResolver:
    """Looks names up and remembers nothing. At most `_THREADS` run at a time; more of them wait."""

    def __init__(self, resolve: Resolve = system_resolve) -> None:
        self._resolve = resolve
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="diagnose")

    async def find(self, host: str, port: int) -> Sequence[tuple[Any, ...]]:
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._resolve, host, port
        )

    async def ask(self, host: str, timeout_s: float) -> DnsAnswer:
        began = time.monotonic()
        infos: Sequence[tuple[Any, ...]] = ()
        failure: DnsFailure | None = None
        try:
            async with asyncio.timeout(timeout_s):
                infos = await self.find(host, 0)
        except TimeoutError:
            failure = DnsFailure.SILENT
        except socket.gaierror as error:
            failure = DnsFailure.NO_NAME if error.errno in _NO_NAME else DnsFailure.FAILED
        except (OSError, UnicodeError):
            failure = DnsFailure.FAILED
        addresses = tuple(dict.fromkeys(str(info[4][0]) for info in infos))
        return DnsAnswer(
            resolver=HERE,
            addresses=addresses,
            failure=failure or (None if addresses else DnsFailure.NO_ADDRESS),
            ms=(time.monotonic() - began) * 1000,
        )

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class AiohttpResolver(AbstractResolver):
    """Serves aiohttp, whose own resolver would use the threads that the store uses too."""

    def __init__(self, names: SystemResolver) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=str(info[4][0]),
                port=port,
                family=info[0],
                proto=info[2],
                flags=socket.AI_NUMERICHOST,
            )
            for info in await self._names.find(host, port)
            if family in {socket.AF_UNSPEC, info[0]}
        ]

    async def close(self) -> None:
        """Do nothing: the resolver outlives one session."""
