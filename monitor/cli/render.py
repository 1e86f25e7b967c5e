"""`monitor render`: write the page from the store, once."""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from monitor import __version__
from monitor.cli import learned_figures
from monitor.cli.agent_states import snapshot_with_agents
from monitor.cli.console import say
from monitor.cli.options import ConfigPath, load, option
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.model import (
    BalanceHistory,
    Evidence,
    MonitorError,
    Month,
    MonthRecord,
    Snapshot,
)
from monitor.publisher import Publisher
from monitor.store import Store, read_month


def command(
    path: ConfigPath = None,
    stopped: Annotated[
        bool, typer.Option("--stopped", help="Say on the page that monitoring has stopped.")
    ] = False,
    operator: Annotated[
        Path | None,
        option("DIR", "Write a page for yourself alone there: with what you get, and balances."),
    ] = None,
) -> None:
    """Write the page from the store, once.

    With --operator another one, into a folder that only you can read, with all that `[page] trust` shows and the balances.
    """
    loaded = load(path, secrets=Secrets.NONE)
    balances: Mapping[str, BalanceHistory] = {}
    if operator is not None:
        loaded, balances = _for_operator(loaded, operator), learned_figures.balances(loaded)
    try:
        asyncio.run(render(loaded, stopped=stopped, balances=balances))
    except OSError as error:
        raise MonitorError(f"{loaded.page.dir} cannot be written: {error.strerror}") from error
    say(f"wrote {loaded.page.dir}")


def _for_operator(config: Config, folder: Path) -> Config:
    """Return the configuration of a page in another folder than the published one. Raises MonitorError."""
    own, published = folder.resolve(), config.page.dir.resolve()
    if own.is_relative_to(published) or published.is_relative_to(own):
        raise MonitorError(
            f"{folder} is published: {published}; name another folder for --operator"
        )
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise MonitorError(f"{folder} cannot be made: {error.strerror}") from None
    return replace(config, page=replace(config.page, dir=own, trust=True))


async def render(
    config: Config, *, stopped: bool, balances: Mapping[str, BalanceHistory] | None = None
) -> None:
    publisher = Publisher(
        _StoredPage(config),
        config.services,
        config.checks,
        config.page,
        clock=SystemClock(),
        vantage=config.vantage,
        version=__version__,
        maintenance=config.maintenance,
        vantage_names=config.vantage_names,
        vantages=config.vantages,
        habits=lambda: learned_figures.read_habits(config),
        balances=balances,
    )
    await publisher.publish(stopped=stopped)


class _StoredPage:
    """Reads the store for the publisher, without a daemon."""

    def __init__(self, config: Config) -> None:
        self._config = config

    async def snapshot(self, now: datetime) -> Snapshot:
        return snapshot_with_agents(self._config, now)

    async def evidence(self, check: str, at: datetime) -> Evidence | None:
        with closing(Store.read_only(self._config.store, vantage=self._config.vantage)) as reader:
            return reader.evidence(check, at)

    async def month(self, month: Month, now: datetime) -> MonthRecord:
        with closing(Store.read_only(self._config.store)) as reader:
            return read_month(reader, month, now)
