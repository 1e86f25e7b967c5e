"""Reads from the store what is known of agents and of their places, for the commands that show it."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter

from monitor.config import Config
from monitor.model import AgentState, MonitorError, Snapshot, place_state
from monitor.store import Store


def known_agents(loaded: Config) -> tuple[AgentState, ...]:
    """Return what the store knows of the agents of a configuration; the one that was heard last comes last."""
    from monitor.store.agents import states  # noqa: PLC0415  # only where there are agents

    if not loaded.vantages:
        return ()
    try:
        keys = {vantage.id: vantage.public_keys for vantage in loaded.vantages}
        with closing(Store.read_only(loaded.store)) as reader:
            return reader.ask(lambda connection: states(connection, keys))
    except MonitorError:
        return ()


def place_states(agents: Iterable[AgentState]) -> dict[str, AgentState]:
    """Return what is known of each place, by vantage; of several agents, those that were heard lately speak for it."""
    from monitor.agent.dealer import LATELY_S  # noqa: PLC0415  # only where there are agents

    by_place: dict[str, list[AgentState]] = {}
    for state in sorted(agents, key=attrgetter("heard"), reverse=True):
        by_place.setdefault(state.vantage, []).append(state)
    return {
        vantage: place_state(
            newest,
            [
                other
                for other in others
                if newest.heard - other.heard <= timedelta(seconds=LATELY_S)
            ],
        )
        for vantage, (newest, *others) in by_place.items()
    }


def agent_states(loaded: Config) -> Mapping[str, AgentState]:
    """Return what the store knows of the places of a configuration, by vantage."""
    return place_states(known_agents(loaded))


def snapshot_with_agents(loaded: Config, now: datetime, *, whole: bool = True) -> Snapshot:
    """Return what the store has, and what it knows of the other places of a configuration."""
    others = [vantage.id for vantage in loaded.vantages]
    with closing(Store.read_only(loaded.store, vantage=loaded.vantage)) as reader:
        snapshot = reader.snapshot(now, whole=whole, others=others)
    return replace(snapshot, agents=agent_states(loaded)) if others else snapshot
