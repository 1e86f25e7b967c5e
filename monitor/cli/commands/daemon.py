"""The daemon: start it, ask it, say that it has ended; and the demo, which has one of its own."""

import asyncio
import faulthandler
import os
from typing import Annotated

import typer

from monitor import config
from monitor.cli import demonstration, failing, places, reloading
from monitor.cli.options import ConfigPath, load, port_number
from monitor.clock import SystemClock
from monitor.daemon.app import Daemon


def run(
    path: ConfigPath = None,
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR.")
    ] = "INFO",
) -> None:
    """Run the daemon until SIGTERM or SIGINT."""
    level = log_level.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise typer.BadParameter(
            f'got "{log_level[:40]}", want DEBUG, INFO, WARNING or ERROR',
            param_hint="'--log-level'",
        )
    loaded = load(path, level=level)
    env = places.environment(loaded.path, os.environ)
    faulthandler.enable()  # a daemon that hangs is ended with SIGABRT: the log shows where it hung
    asyncio.run(Daemon(loaded, env=env).run())


def ask_to_reload(path: ConfigPath = None) -> None:
    """Ask the running daemon to read its config again. Exit 78 if it refuses."""
    typer.echo(f"reloaded: {reloading.reload(load(path, speaks=False))}")


def report_failure(path: ConfigPath = None) -> None:
    """Tell every channel that the service has failed; systemd starts this. Exit 1 if one failed."""
    found = config.find(path)
    failed = failing.report(
        found, places.environment(found, os.environ), SystemClock().now(), typer.echo
    )
    raise typer.Exit(1 if failed else 0)


def demo(
    port: Annotated[
        int,
        typer.Option(
            parser=port_number,
            metavar="PORT",
            help="Where the page is served on 127.0.0.1; 0 is any.",
        ),
    ] = 8080,
    seconds: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Stop by itself after so long.", show_default=False),
    ] = None,
) -> None:
    """Run the whole product against a bundled simulated service: no network, no key."""
    demonstration.run(port=port, seconds=seconds)
