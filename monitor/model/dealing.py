"""Says which agent of a place runs a check, where several share it. Pure; an agent and its hub reckon alike."""

import hashlib
import re
from collections.abc import Iterable

View = frozenset[str]
"""Agents among whom all checks of a place are dealt, by their ids."""
Deal = tuple[View, ...]
"""The views by which an agent runs its checks: those that each of them gives it. The first is where all are to arrive."""
MOST_AGENTS = 16
"""Agents of one place: a request is tried with the key of each."""
_ID = re.compile(r"[0-9a-f]{8}")
_MOST_VIEWS = 2 * MOST_AGENTS


def agent_id(key: str) -> str:
    """Return the short name of an agent: the begin of the SHA-256 of its public key, in hex."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


def owner(check: str, agents: Iterable[str]) -> str | None:
    """Return which of the agents runs a check; None where there is no agent.

    It is the one of the highest weight, a hash of check and agent: rendezvous hashing (Thaler and Ravishankar,
    "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM Transactions on Networking 6(1), 1998). So one agent
    more takes about 1/n of the checks and moves no other, and what one agent less had is spread over all.
    """
    return max(agents, key=lambda agent: (_weight(check, agent), agent), default=None)


def _weight(check: str, agent: str) -> int:
    digest = hashlib.blake2b(f"{agent}\n{check}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)


def runs(agent: str, check: str, deal: Deal) -> bool:
    """Say whether an agent runs a check: only if all views of its deal give it the check."""
    return all(owner(check, view) == agent for view in deal)


def deal_text(deal: Deal) -> str:
    """Return a deal as it travels and is stored: ids of agents, by "," within a view and "/" between views."""
    return "/".join(",".join(sorted(view)) for view in deal)


def read_deal(text: str) -> Deal:
    """Read what `deal_text` writes. Raises ValueError."""
    views = [view.split(",") if view else [] for view in text.split("/", _MOST_VIEWS)]
    if len(views) > _MOST_VIEWS or not all(_ID.fullmatch(id_) for view in views for id_ in view):
        raise ValueError("want the ids of agents")
    return tuple(map(frozenset, views))
