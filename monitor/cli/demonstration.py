"""`monitor demo`: the whole product, with everything real but the service that it watches."""

import asyncio
import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from monitor import config, logs
from monitor.clock import SystemClock
from monitor.daemon.app import Daemon
from monitor.daemon.components import Listeners
from monitor.demo.launcher import Simulation
from monitor.demo.live import LiveTable
from monitor.model import MonitorError, Redactor

PUBLISH = timedelta(seconds=3)
LOG_FILE = "monitor.log"


def run(*, port: int, seconds: float | None) -> None:
    """Until Ctrl-C, or for `seconds`; port 0 is any. Raises MonitorError where the port is taken."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="monitor-demo-") as name, _straight_to_loopback():
        folder = Path(name)
        _show(folder, console, port=port or _free_port(), seconds=seconds)
    console.print("The demo has ended; nothing of it is left.", highlight=False)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _show(folder: Path, console: Console, *, port: int, seconds: float | None) -> None:
    with Simulation(folder, clock=SystemClock(), port=port) as simulation:
        loaded = config.load(simulation.config_path, simulation.env)
        table = LiveTable(
            loaded,
            console,
            page_url=simulation.page_url,
            elapsed=simulation.elapsed,
            acting=simulation.acting,
        )
        console.print(
            f"Six endpoints, a fault every half minute. The status page: {simulation.page_url}\n"
            f"The log: {folder / LOG_FILE}. End it with Ctrl-C.",
            highlight=False,
            soft_wrap=True,
        )
        with _logging_to(folder / LOG_FILE, Redactor(loaded.secrets)):
            asyncio.run(_watch(loaded, table, seconds))
        _complain_of_an_early_end(folder / LOG_FILE)


async def _watch(loaded: config.Config, table: LiveTable, seconds: float | None) -> None:
    daemon = Daemon(
        loaded,
        listeners=Listeners(on_result=table.on_result, on_message=table.on_message),
        publish_every=PUBLISH,
    )
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, daemon.stop.set)
    with table:
        await daemon.run()


def _complain_of_an_early_end(log: Path) -> None:
    """A loop of ours that dies ends the daemon, and its log is about to be deleted."""
    lines = log.read_text(encoding="utf-8").splitlines()
    found = next((number for number, line in enumerate(lines) if " CRITICAL " in line), None)
    if found is not None:
        raise MonitorError("\n".join(["the daemon ended by itself:", *lines[found:]]))


@contextlib.contextmanager
def _logging_to(path: Path, redact: Redactor) -> Iterator[None]:
    """The terminal belongs to the table."""
    root = logging.getLogger()
    before = root.handlers[:]
    with path.open("w", encoding="utf-8") as log:
        logs.set_up(redact, to=log)
        try:
            yield
        finally:
            root.handlers[:] = before


@contextlib.contextmanager
def _straight_to_loopback() -> Iterator[None]:
    """Whoever reaches the world through a proxy must not look for our own channel there."""
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
