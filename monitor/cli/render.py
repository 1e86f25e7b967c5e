"""`monitor render`: write the page from the store, once."""

import asyncio
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer

from monitor import __version__
from monitor.cli.console import say
from monitor.cli.options import ConfigPath, load
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.model import Evidence, Habit, Month, MonthRecord, Snapshot
from monitor.publisher import Publisher
from monitor.store import Store, read_month


def command(
    path: ConfigPath = None,
    stopped: Annotated[
        bool, typer.Option("--stopped", help="Say on the page that monitoring has stopped.")
    ] = False,
) -> None:
    """Write the page from the store, once."""
    loaded = load(path, secrets=Secrets.NONE)
    asyncio.run(render(loaded, stopped=stopped))
    say(f"wrote {loaded.page.dir}")


async def render(config: Config, *, stopped: bool) -> None:
    source = _StoredPage(config)
    publisher = Publisher(
        source,
        config.services,
        config.checks,
        config.page,
        clock=SystemClock(),
        vantage=config.vantage,
        version=__version__,
        maintenance=config.maintenance,
        vantage_names=config.vantage_names,
        vantages=config.vantages,
        zone=config.alerts.timezone,
        habits=source.habits,
    )
    await publisher.publish(stopped=stopped)


class _StoredPage:
    """Reads the store for the publisher, without a daemon."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def habits(self) -> Mapping[str, Habit]:
        with closing(Store.read_only(self._config.store, vantage=self._config.vantage)) as reader:
            habits: Mapping[str, Habit] = reader.restart_state(SystemClock().now()).habits
        return habits

    async def snapshot(self, now: datetime) -> Snapshot:
        others = [vantage.id for vantage in self._config.vantages]
        with closing(Store.read_only(self._config.store, vantage=self._config.vantage)) as reader:
            snapshot = reader.snapshot(now, others=others)
        if not others:
            return snapshot
        from monitor.cli.agent import agent_states  # noqa: PLC0415  # only where there are agents

        return replace(snapshot, agents=agent_states(self._config))

    async def evidence(self, check: str, at: datetime) -> Evidence | None:
        with closing(Store.read_only(self._config.store, vantage=self._config.vantage)) as reader:
            return reader.evidence(check, at)

    async def month(self, month: Month, now: datetime) -> MonthRecord:
        with closing(Store.read_only(self._config.store)) as reader:
            return read_month(reader, month, now)
