"""`monitor demo`: show the whole product, simulated.

Everything is real but the service that it watches: also the agents, which push over HTTP, though from the same machine.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from monitor import config, logs
from monitor.agent.invitation import Invitation
from monitor.agent.signature import load_or_make, new_key
from monitor.cli.console import SafeConsole
from monitor.cli.options import number_from, option
from monitor.clock import SystemClock
from monitor.config.addresses import is_listen_address
from monitor.config.load import LISTEN_VARIABLE
from monitor.daemon.agent_daemon import Agent
from monitor.daemon.app import Daemon
from monitor.daemon.components import voting_of
from monitor.daemon.dependencies import Listeners
from monitor.daemon.hub import KEY_FILE
from monitor.demo.endpoints import HUB, PLACES
from monitor.demo.launcher import Simulation
from monitor.demo.live_table import LiveTable
from monitor.demo.past import write_past
from monitor.model import AgentSettings, MonitorError, Redactor

PUBLISH_EVERY = timedelta(seconds=3)
LOG_FILE = "monitor.log"
PORTS = range(8080, 8100)
PAST_SEED = 1
_HOSTS = {"127.0.0.1", "0.0.0.0"}  # noqa: S104  # an image's address; its agents come by loopback


def command(
    port: Annotated[
        int | None,
        typer.Option(
            parser=number_from(0, 65_535),
            metavar="PORT",
            help="Where the page is served on 127.0.0.1; 0 takes any that is free. "
            "Without it the first free one from 8080 on. $MONITOR_LISTEN names another address.",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        option("SECONDS", "Stop after this many seconds.", parser=number_from(0.1, 31_536_000)),
    ] = None,
) -> None:
    """Run the whole product against a bundled simulated service: no network, no key."""
    host, own_port = _listen(os.environ.get(LISTEN_VARIABLE, ""))
    port = _free_port(host, own_port if port is None else [port])
    console = SafeConsole()
    # until the daemon runs, which has its own
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="monitor-demo-") as name, _no_proxy_for_loopback():
        _run(Path(name), console, host=host, port=port, seconds=seconds)
    console.print(
        f"The demo has ended. Its folder {name} is removed, and it wrote nothing elsewhere.",
        highlight=False,
        soft_wrap=True,
    )


def _listen(given: str) -> tuple[str, Sequence[int]]:
    """Return the address to listen on and the ports to try: those that an image names, else this machine's own."""
    if not given:
        return "127.0.0.1", PORTS
    host, _, port = given.rpartition(":")
    if host not in _HOSTS or not is_listen_address(given):
        raise MonitorError(
            f'{LISTEN_VARIABLE} is "{given[:60]}", and the demo takes "127.0.0.1:PORT" or "0.0.0.0:PORT"'
        )
    return host, [int(port)]


def _free_port(host: str, ports: Sequence[int]) -> int:
    """Return the first of these that nobody listens on; for 0 any. Raises MonitorError with a remedy."""
    reasons = []
    for port in ports:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((host, port))
            except OSError as error:
                reasons.append(error.strerror)
            else:
                free: int = sock.getsockname()[1]
                return free
    others = f", nor on another port up to {ports[-1]}" if len(ports) > 1 else ""
    raise MonitorError(
        f"cannot listen on {host}:{ports[0]} ({reasons[0]}){others};"
        " choose another port with `monitor demo --port`, where 0 takes any that is free"
    )


def _run(
    folder: Path, console: SafeConsole, *, host: str, port: int, seconds: float | None
) -> None:
    keys = {place.id: new_key() for place in PLACES if place is not HUB}
    public = {place: key.public for place, key in keys.items()}
    with Simulation(folder, clock=SystemClock(), host=host, port=port, keys=public) as simulation:
        loaded = config.load(simulation.config_path, simulation.env_at(HUB.id))
        hub, hub_key = f"http://127.0.0.1:{port}", load_or_make(loaded.state / KEY_FILE).public
        stop = asyncio.Event()
        agents = [
            Agent(
                invitation=Invitation(vantage=place, hub=hub, hub_key=hub_key, key=key),
                settings=AgentSettings(hubs=(hub,)),
                state=folder / place,
                env=simulation.env_at(place),
                resolve=simulation.resolver_at(place),
                stop=stop,
            )
            for place, key in keys.items()
        ]
        table = LiveTable(
            loaded,
            console,
            page_url=simulation.page_url,
            elapsed=simulation.elapsed,
            current_faults=simulation.current_faults,
        )
        console.print(
            "Six simulated endpoints, seen from three simulated places; a fault every half minute.\n"
            f"The status page, in a few seconds: {simulation.page_url}\n"
            "It begins with 90 made-up days; what is newer is measured.\n"
            f"The log: {folder / LOG_FILE}. End it with Ctrl-C.\n"
            "A line: since the start, place, base URL and call, and how long it took;"
            " of a chat the first token / the whole answer.",
            highlight=False,
            soft_wrap=True,
        )
        with _logging_to(folder / LOG_FILE, Redactor(loaded.secrets)):
            rng = Random(PAST_SEED)  # noqa: S311  # a simulation
            asyncio.run(write_past(loaded, voting_of(loaded), SystemClock(), rng))
            daemon = Daemon(
                loaded,
                listeners=Listeners(on_result=table.on_result, on_message=table.on_message),
                publish_every=PUBLISH_EVERY,
                resolve=simulation.resolver_at(HUB.id),
                stop=stop,
            )
            asyncio.run(_watch(daemon, agents, table, seconds))
        _raise_if_ended_early(folder / LOG_FILE)


async def _watch(
    daemon: Daemon, agents: list[Agent], table: LiveTable, seconds: float | None
) -> None:
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, daemon.stop.set)
    listen = daemon.deps.config.listen
    assert listen
    with table:
        joining = [asyncio.create_task(_join(agent, *listen)) for agent in agents]
        for task in joining:
            task.add_done_callback(lambda _: daemon.stop.set())  # all or none
        try:
            await daemon.run()
        finally:
            for agent, task in zip(agents, joining, strict=True):
                if agent.daemon is None:
                    task.cancel()
            await asyncio.wait(joining)
    for task in joining:
        if not task.cancelled():
            task.result()


async def _join(agent: Agent, host: str, port: int) -> None:
    """Let an agent begin once its hub listens; before, it would try again only after a while."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            break
    await agent.run()


def _raise_if_ended_early(log: Path) -> None:
    """Raise MonitorError with the end of the log if the daemon ended by itself; the log is deleted next."""
    lines = log.read_text(encoding="utf-8").splitlines()
    critical = next((number for number, line in enumerate(lines) if " CRITICAL " in line), None)
    if critical is not None:
        raise MonitorError("\n".join(["the daemon ended by itself:", *lines[critical:]]))


@contextlib.contextmanager
def _logging_to(path: Path, redact: Redactor) -> Iterator[None]:
    """Log to a file, because the terminal belongs to the table."""
    root = logging.getLogger()
    before = root.handlers[:]
    with path.open("w", encoding="utf-8") as log:
        logs.set_up(redact, to=log)
        try:
            yield
        finally:
            root.handlers[:] = before


@contextlib.contextmanager
def _no_proxy_for_loopback() -> Iterator[None]:
    """Keep the demo's own channel out of a proxy that the environment names."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update(dict.fromkeys(before, "127.0.0.1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
