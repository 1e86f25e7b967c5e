"""The simulated LLM service, a process of its own: `python -m monitor.demo.service --dir DIR`.

It serves six endpoints over TLS on loopback, each on a port for each of three places, and their names by DNS, and receives alerts. When all of
them answer, DIR holds
`ca.pem` and `service.json` with their addresses. It ends with SIGTERM, or when its standard input is
a pipe that closes, because then the process that started it is gone.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import web

from monitor.clock import SystemClock
from monitor.demo.endpoint_app import EndpointApp
from monitor.demo.endpoints import CA_FILE, ENDPOINTS, PLACES, READY_FILE, Addresses
from monitor.demo.faults import Script, SimulatedFault, fault_at, no_faults
from monitor.demo.faulty_listener import HOST, Certificates, FaultyListener, issue
from monitor.demo.name_server import serving_names

_MAX_MESSAGES = 100


class AlertReceiver:
    """Takes a message by `POST /`, and lists what came by `GET /`, oldest first."""

    def __init__(self) -> None:
        self.received: deque[dict[str, Any]] = deque(maxlen=_MAX_MESSAGES)
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Start to listen, and return the port."""
        app = web.Application()
        app.router.add_post("/", self._take)
        app.router.add_get("/", self._list)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, HOST, 0).start()
        port: int = runner.addresses[0][1]
        return port

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        try:
            message = await request.json()
        except ValueError:
            return web.json_response({"error": "want JSON"}, status=400)
        if not isinstance(message, dict):
            return web.json_response({"error": "want a JSON object"}, status=400)
        self.received.append({name: message.get(name) for name in ("title", "message", "type")})
        return web.json_response({"ok": True})

    async def _list(self, _: web.Request) -> web.Response:
        return web.json_response(list(self.received))


@contextlib.asynccontextmanager
async def serving(
    folder: Path, *, seconds: Callable[[], float], script: Script, rng: Random
) -> AsyncIterator[Addresses]:
    """Serve while entered. `seconds` returns how far the script of faults has come."""
    key = f"demo-{rng.getrandbits(64):016x}"
    certificates = issue(folder / CA_FILE, SystemClock().now())
    async with contextlib.AsyncExitStack() as stack:
        urls: dict[str, dict[str, str]] = {place.id: {} for place in PLACES}
        for place, endpoint in product(PLACES, ENDPOINTS):
            fault = _ScriptedFault(script, seconds, endpoint.id, place.id)
            further_s = place.further_s.get(endpoint.id, 0)
            seen = replace(endpoint, first_token_s=endpoint.first_token_s + further_s)
            app = EndpointApp(
                seen,
                key,
                fault,
                Random(rng.getrandbits(64)),  # noqa: S311  # a simulation
                seconds=seconds,
            )
            listener = await stack.enter_async_context(_listening(app, fault, certificates))
            urls[place.id][endpoint.id] = f"https://{HOST}:{listener.port}"
        name_servers = {
            place.id: await stack.enter_async_context(
                serving_names(partial(_is_poisoned, script, seconds, place.id))
            )
            for place in PLACES
        }
        honest = await stack.enter_async_context(serving_names(lambda _: False))
        receiver = AlertReceiver()
        receiver_port = await receiver.start()
        stack.push_async_callback(receiver.close)
        yield Addresses(
            by_place=urls,
            name_servers=name_servers,
            resolver=f"{HOST}:{honest}",
            channel=f"http://{HOST}:{receiver_port}/",
            key=key,
        )


@dataclass(frozen=True, slots=True)
class _ScriptedFault:
    """Returns the fault that an endpoint has at the moment, seen from a place."""

    script: Script
    seconds: Callable[[], float]
    endpoint: str
    place: str

    def __call__(self) -> SimulatedFault | None:
        return self.script(self.seconds(), self.endpoint, self.place)


def _is_poisoned(script: Script, seconds: Callable[[], float], place: str, endpoint: str) -> bool:
    return script(seconds(), endpoint, place) is SimulatedFault.POISONED


@contextlib.asynccontextmanager
async def _listening(
    app: EndpointApp, fault: _ScriptedFault, certificates: Certificates
) -> AsyncIterator[FaultyListener]:
    runner = web.AppRunner(
        app.build(),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=0.5,
        handler_cancellation=True,
    )
    await runner.setup()
    listener = FaultyListener(runner, certificates, fault)
    await listener.follow()
    following = asyncio.create_task(
        listener.keep_following(), name=f"listener {fault.endpoint} {fault.place}"
    )
    try:
        yield listener
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await listener.close()
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
    transport, _ = await loop.connect_read_pipe(lambda: _InputEnd(stop), sys.stdin)
    try:
        yield
    finally:
        transport.close()


class _InputEnd(asyncio.Protocol):
    """Sets an event when a pipe closes."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, _: Exception | None) -> None:
        self._stop.set()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="monitor.demo.service", description=__doc__)
    parser.add_argument(
        "--dir", type=Path, required=True, help="folder in which its addresses are written"
    )
    parser.add_argument("--calm", action="store_true", help="nothing goes wrong")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything that varies")
    options = parser.parse_args(arguments)
    script = no_faults if options.calm else fault_at
    rng = Random(options.seed)  # noqa: S311  # a simulation
    asyncio.run(run(options.dir, script=script, rng=rng))


if __name__ == "__main__":
    main()
