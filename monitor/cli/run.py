"""`monitor run`: run the daemon."""

import asyncio
import contextlib
import faulthandler
import logging
import os
from typing import Annotated

import typer

from monitor.cli.options import ConfigPath, load, service_env
from monitor.daemon.app import Daemon
from monitor.logs import quoted
from monitor.model import MonitorError
from monitor.page.folder import open_folder

log = logging.getLogger(__name__)

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def command(
    path: ConfigPath = None,
    log_level: Annotated[
        str, typer.Option(metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR.")
    ] = "INFO",
) -> None:
    """Run the daemon until SIGTERM or SIGINT."""
    level = log_level.upper()
    if level not in _LEVELS:
        raise typer.BadParameter(
            f'got "{log_level[:40]}", want DEBUG, INFO, WARNING or ERROR',
            param_hint="'--log-level'",
        )
    loaded = load(path, level=level)
    if loaded.agent:
        raise MonitorError(
            f"{loaded.path} is of a machine that probes for a hub; run `monitor agent` with it"
        )
    for warning in loaded.warnings:
        log.warning("event=config place=%s why=%s", warning.where, quoted(warning.what))
    env = service_env(loaded.path, os.environ)
    with contextlib.suppress(OSError):  # it is told when the first page is written
        open_folder(loaded.page.dir)  # before the store makes a folder around it that is private
    faulthandler.enable()  # a daemon that hangs is ended with SIGABRT: the log shows where it hung
    asyncio.run(Daemon(loaded, env=env).run())
