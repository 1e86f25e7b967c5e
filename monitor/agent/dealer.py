"""Decides among which agents the checks of a place are dealt, so that none is run by two of them. Pure.

An agent's document says by which views it runs its checks (`Deal`), and each of its batches says by which it runs them
now. A check moves in two steps: who loses it is told at once, and who gets it once the loser has said that it let go, or
is heard no more. What an agent may be running is what it said last, and what it was handed since.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from monitor.model import AgentState
from monitor.model.dealing import Deal, View, agent_id, read_deal

LATELY_S = 40.0
"""An agent that shares a place pushes every ten seconds; who says nothing for so long has none of its checks any more."""


@dataclass(frozen=True, slots=True)
class Dealer:
    """Knows the agents of one place; times are seconds of the hub's monotonic clock."""

    heard: Mapping[str, float] = field(default_factory=dict)
    """When each agent was heard last, of those among whom the checks are dealt."""
    deals: Mapping[str, tuple[Deal, ...]] = field(default_factory=dict)
    """By what each agent may be running its checks: what it said last, and then what it was handed since."""

    def live(self, now: float) -> View:
        """Return among whom the checks are dealt: who was heard lately; while nobody is, who was before."""
        lately = frozenset(agent for agent, at in self.heard.items() if now - at <= LATELY_S)
        return lately or frozenset(self.heard)

    def hear(self, agent: str, deal: Deal, now: float) -> "Dealer":
        """Note that an agent was heard, and by what it runs its checks.

        Where all were silent, the hub or the way to it was what failed: each gets its time to be heard again.
        """
        live = self.live(now)
        all_were_silent = all(now - self.heard[other] > LATELY_S for other in live)
        heard = {other: now if all_were_silent else self.heard[other] for other in live}
        before = self.deals.get(agent, ())
        since = next((n for n in reversed(range(len(before))) if before[n] == deal), 0)
        return Dealer({**heard, agent: now}, {**self.deals, agent: (deal, *before[since + 1 :])})

    def deal(self, agent: str, now: float) -> Deal:
        """Return by what an agent is to run its checks.

        Beside the view where all are to arrive it holds one of each deal under which another might still be running a
        check that this view gives to the agent.
        """
        live = self.live(now)
        others = [deal for other in live - {agent} for deal in self.deals.get(other, ())]
        views = {deal[0] for deal in others if not _is_apart(live, deal)}
        return (live, *sorted(views - {live}, key=sorted))

    def hand(self, agent: str, now: float) -> "Dealer":
        """Note that an agent was handed its deal, which it may be running from now on, or not."""
        deal, before = self.deal(agent, now), self.deals.get(agent, ())
        if agent not in deal[0] or deal in before[-1:]:  # without it in the view it runs nothing
            return self
        return replace(self, deals={**self.deals, agent: (*before, deal)})

    def keep(self, agents: Collection[str]) -> "Dealer":
        """Forget the agents that are not among these: their keys were taken away."""
        return Dealer(
            {agent: at for agent, at in self.heard.items() if agent in agents},
            {agent: deals for agent, deals in self.deals.items() if agent in agents},
        )


def remembered(said: Collection[AgentState], now: float) -> Dealer:
    """Return what a hub that starts knows of the agents of a place, by what it has stored of each.

    Those that were heard within a while of the newest word shared the checks, and get their time to be heard again.
    """
    newest = max((state.heard for state in said), default=None)
    heard = {
        agent_id(state.key): now
        for state in said
        if newest is not None and newest - state.heard <= timedelta(seconds=LATELY_S)
    }
    return Dealer(heard, {agent_id(state.key): (read_deal(state.deal),) for state in said})


def _is_apart(live: View, deal: Deal) -> bool:
    """Say whether what `live` gives to one of its agents cannot be run by another one of them under its deal.

    One agent less moves only what that one had: what a view with all of `live` gives to an agent of `live`, `live`
    gives to the same one.
    """
    return any(live <= view for view in deal)
