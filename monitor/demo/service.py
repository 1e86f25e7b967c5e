"""The simulated LLM service, a process of its own: `python -m monitor.demo.service --dir DIR`.

Six endpoints over TLS on loopback, and the end of an alert channel. When all of them answer, DIR
holds `ca.pem` and `service.json` with their addresses. Ends with SIGTERM, or when its standard
input is a pipe that closes: then whoever started it is gone.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from aiohttp import web

from monitor.clock import SystemClock
from monitor.demo.addresses import CA_FILE, READY_FILE, Addresses
from monitor.demo.app import EndpointApp
from monitor.demo.certificates import HOST, Certificates, issue
from monitor.demo.channel import Channel
from monitor.demo.door import Door
from monitor.demo.faults import Act, Script, act_of, calm
from monitor.demo.manners import MANNERS, Manner


@contextlib.asynccontextmanager
async def serving(
    folder: Path, *, seconds: Callable[[], float], script: Script, rng: Random
) -> AsyncIterator[Addresses]:
    """`seconds` says how far the script of faults has come."""
    key = f"demo-{rng.getrandbits(64):016x}"
    certificates = issue(folder / CA_FILE, SystemClock().now())
    async with contextlib.AsyncExitStack() as stack:
        doors = {}
        for manner in MANNERS:
            acting = _Acting(script, seconds, manner.id)
            app = EndpointApp(manner, key, acting, Random(rng.getrandbits(64)))  # noqa: S311
            doors[manner.id] = await stack.enter_async_context(
                _endpoint(manner, app, acting, certificates)
            )
        channel = Channel()
        channel_port = await channel.start()
        stack.push_async_callback(channel.close)
        yield Addresses(
            endpoints={name: f"https://{HOST}:{door.port}" for name, door in doors.items()},
            channel=f"http://{HOST}:{channel_port}/",
            key=key,
        )


@dataclass(frozen=True, slots=True)
class _Acting:
    script: Script
    seconds: Callable[[], float]
    endpoint: str

    def __call__(self) -> Act | None:
        return self.script(self.seconds(), self.endpoint)


@contextlib.asynccontextmanager
async def _endpoint(
    manner: Manner, app: EndpointApp, acting: _Acting, certificates: Certificates
) -> AsyncIterator[Door]:
    runner = web.AppRunner(
        app.build(),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=0.5,
        handler_cancellation=True,
    )
    await runner.setup()
    door = Door(runner, certificates, acting)
    await door.follow()
    keeper = asyncio.create_task(door.keep(), name=f"door {manner.id}")
    try:
        yield door
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        await door.close()
        await runner.cleanup()


async def run(folder: Path, *, script: Script, rng: Random) -> None:
    """Serve until SIGTERM, SIGINT, or the end of a piped standard input."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    clock = SystemClock()
    begin = clock.monotonic()
    async with serving(
        folder, seconds=lambda: clock.monotonic() - begin, script=script, rng=rng
    ) as addresses:
        addresses.write(folder / READY_FILE)
        async with _until_input_ends(stop):
            await stop.wait()


@contextlib.asynccontextmanager
async def _until_input_ends(stop: asyncio.Event) -> AsyncIterator[None]:
    if not stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        yield
        return
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: _Ends(stop), sys.stdin)
    try:
        yield
    finally:
        transport.close()


class _Ends(asyncio.Protocol):
    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._stop.set()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="monitor.demo.service", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="where its addresses are written")
    parser.add_argument("--calm", action="store_true", help="nothing goes wrong")
    parser.add_argument("--seed", type=int, default=1, help="of everything that varies")
    given = parser.parse_args(arguments)
    script = calm if given.calm else act_of
    asyncio.run(run(given.dir, script=script, rng=Random(given.seed)))  # noqa: S311


if __name__ == "__main__":
    main()
