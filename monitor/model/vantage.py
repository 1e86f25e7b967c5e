"""Places that probe for a hub, and how an agent reaches it. Fields with a `help` are keys of monitor.toml."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from monitor.model.check import Check, Proxy

Quorum = Literal["majority", "any", "all"] | int
LOCAL = "local"
"""The id of a daemon's own vantage where the operator gave none."""
Names = tuple[tuple[str, str], ...]
"""A name by language; under "" the one for every other language."""
Paid = Literal["turn", "each"]
_SHORTEST_SILENCE = timedelta(seconds=90)


def name_in(language: str, names: Names, otherwise: str) -> str:
    """Return the name in a language, else the one for every other, else any; `otherwise` where there is none."""
    known = dict(names)
    return known.get(language) or known.get("") or next(iter(known.values()), otherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """A place whose agents may push results; `keys` are their public ones, which are no secrets. Usually it is one."""

    id: str
    names: Names = field(default=(), metadata={"help": "shown instead of the id", "key": "name"})
    public_keys: tuple[str, ...] = field(
        metadata={
            "help": "public, written by `monitor agent add`; a list: agents that share",
            "key": "key",
        }
    )
    services: frozenset[str] = field(
        default=frozenset(), metadata={"help": "ids of services that it probes; none means all"}
    )
    main: bool = field(default=False, metadata={"help": "users sit here"})
    silent: timedelta | None = field(
        default=None, metadata={"help": "how long it may say nothing and still be heard"}
    )
    sleeps: bool = field(
        default=False, metadata={"help": "a laptop: nobody is told that it is silent"}
    )

    paid: Paid = field(
        default="turn",
        metadata={"help": '"turn": paid checks run at one place at a time; "each": here too'},
    )

    def name(self, language: str) -> str:
        return name_in(language, self.names, self.id)

    def probes(self, service: str) -> bool:
        return not self.services or service in self.services

    def silent_after(self, checks: Iterable[Check]) -> timedelta:
        """Return how long after its last word this vantage counts as not heard."""
        if self.silent is not None:
            return self.silent
        shortest = min(
            (check.probe.every for check in checks if self.probes(check.service)),
            default=_SHORTEST_SILENCE,
        )
        return max(3 * shortest, _SHORTEST_SILENCE)


def turns_of(own: str, vantages: Iterable[Vantage], service: str) -> tuple[str, ...]:
    """Return the places that run the paid checks of a service in turn, the hub's `own` first; none where it is alone."""
    others = [
        vantage.id for vantage in vantages if vantage.paid == "turn" and vantage.probes(service)
    ]
    return (own, *sorted(others)) if others else ()


def in_turn(check: Check, turns: tuple[str, ...]) -> Check:
    """Return the check as it is run where these places take turns; what costs nothing runs at each."""
    return replace(check, turns=turns) if check.probe.paid else check


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """Everything that the hub knows of an agent: the last batch, and what it said of the agent itself."""

    vantage: str
    key: str = ""
    """The public key by which it was heard: with another one it is another agent."""
    stream: str
    """The numbering of its results; a new one where its buffer is a new one."""
    upto: int
    """All numbers up to here are in the history, or were given up."""
    heard: datetime
    blind: bool = False
    """Its own network failed, so that it cannot tell."""
    offset_ms: int | None = None
    """How far the hub's clock is ahead of the agent's."""
    version: str = ""
    config: str = ""
    """The tag of the configuration by which it probes."""
    deal: str = ""
    """Which checks of its place it runs, as `dealing.deal_text` writes it."""
    buffered: int = 0
    """Results that still waited there."""
    oldest_ms: int = 0
    """How long the oldest result had waited that it sent; 0 where none did."""
    dropped: int = 0
    """Results that it gave up because its buffer was full, since it began."""
    refused: int = 0
    """Results that it gave up because the hub refused them, since it began."""


def place_state(newest: AgentState, others: Sequence[AgentState]) -> AgentState:
    """Return what is known of a place, of its agent that was heard last and of others that are heard as well.

    It is blind only where all are. Of their clocks the one that is off most counts.
    """
    agents = (newest, *others)
    offsets = [agent.offset_ms for agent in agents if agent.offset_ms is not None]
    return replace(
        newest,
        blind=all(agent.blind for agent in agents),
        offset_ms=max(offsets, key=abs, default=None),
        buffered=sum(agent.buffered for agent in agents),
        oldest_ms=max(agent.oldest_ms for agent in agents),
        dropped=sum(agent.dropped for agent in agents),
        refused=sum(agent.refused for agent in agents),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictSettings:
    """The rule by which several vantages make one verdict."""

    quorum: Quorum = field(default="majority", metadata={"help": "how many must see it down"})
    partial: timedelta = field(
        default=timedelta(minutes=10),
        metadata={"help": 'how long "unreachable from X" lasts before it is told'},
    )
    late: timedelta = field(
        default=timedelta(minutes=5), metadata={"help": "older results go into history only"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """The way from an agent to its hub."""

    hubs: tuple[str, ...] = field(metadata={"help": "addresses of the hub, tried in turn"})
    proxy: Proxy | None = field(
        default=None, metadata={"help": "the way out to the hub, never for probes"}
    )
    buffer: int = field(
        default=64 * 10**6, metadata={"help": "how much waits while the hub is away"}
    )
    """Bytes; the oldest good results go first."""
