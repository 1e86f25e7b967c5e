"""Checks of a place are dealt among its agents: each has one that runs it, and none ever has two."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.agent.dealer import LATELY_S, Dealer
from monitor.model.dealing import (
    MOST_AGENTS,
    Deal,
    View,
    agent_id,
    deal_text,
    owner,
    read_deal,
    runs,
)

CHECKS = [f"relay/e{number}/http" for number in range(40)]
NAMES = [agent_id(f"ed25519:{number}") for number in range(MOST_AGENTS)]
A, B, C, D = NAMES[:4]
SETS = st.frozensets(st.sampled_from(NAMES), min_size=1)


def dealt(agents: View) -> dict[str, str | None]:
    return {check: owner(check, agents) for check in CHECKS}


@given(SETS)
def test_each_check_has_one_agent_whoever_asks_and_in_whatever_order(agents: View) -> None:
    assert dealt(agents) == {check: owner(check, sorted(agents)) for check in CHECKS}
    assert set(dealt(agents).values()) <= agents
    assert owner(CHECKS[0], ()) is None


@given(SETS, st.sampled_from(NAMES))
def test_one_agent_more_takes_checks_and_moves_no_other_and_one_less_the_same_back(
    agents: View, one: str
) -> None:
    fewer, more = dealt(agents - {one}), dealt(agents | {one})
    moved = {check for check in CHECKS if fewer[check] != more[check]}
    assert {more[check] for check in moved} <= {one}
    assert moved == {check for check in CHECKS if more[check] == one}


def test_each_of_n_agents_has_about_its_nth() -> None:
    checks = [f"service{number}/direct/chat" for number in range(12_000)]
    for count in (2, 3, 4, 16):
        parts = Counter(owner(check, NAMES[:count]) for check in checks)
        assert len(parts) == count
        for part in parts.values():
            assert part == pytest.approx(12_000 / count, rel=0.15)


def test_where_a_check_goes_is_the_same_in_every_version() -> None:
    """Hub and agents reckon each for itself."""
    assert NAMES[:3] == ["8ad3f877", "01904f71", "18444f7e"]
    assert [owner(check, NAMES[:3]) for check in CHECKS[:6]] == [B, B, B, A, A, C]


@given(st.lists(st.frozensets(st.sampled_from(NAMES)), min_size=1, max_size=2 * MOST_AGENTS))
def test_a_deal_travels_as_text(views: list[View]) -> None:
    assert read_deal(deal_text(tuple(views))) == tuple(views)


@pytest.mark.parametrize("text", ["x", "8ad3f877,", "8ad3f877 ", "8AD3F877", "/" * 40, "a" * 9])
def test_what_is_no_deal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="want the ids of agents"):
        read_deal(text)


# --- who may run what while it changes ------------------------------------------------------------


@dataclass
class Place:
    """A hub and the agents of one place, without wires: what each runs, and when it says so."""

    now: float = 1000.0
    hub: Dealer = field(default_factory=Dealer)
    runs: dict[str, Deal] = field(default_factory=dict)
    """By what each agent runs its checks; one that is not there runs nothing."""
    is_out_of_touch: set[str] = field(default_factory=set)
    """Agents whose checks were dealt to others since they took their deal: they cannot know."""

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._note_absent()

    def _note_absent(self) -> None:
        self.is_out_of_touch |= self.runs.keys() - self.hub.live(self.now)

    def start(self, agent: str) -> None:
        """An agent starts, and asks for its configuration before all else."""
        self.runs[agent] = self._fetch(agent)

    def push(self, agent: str, *, loses_answer: bool = False) -> None:
        """An agent pushes, and fetches its configuration where the answer says that it is another one."""
        self.hub = self.hub.hear(agent, self.runs[agent], self.now)
        if loses_answer:
            return
        if self.hub.deal(agent, self.now) != self.runs[agent]:
            self.runs[agent] = self._fetch(agent)
        self.is_out_of_touch.discard(agent)

    def _fetch(self, agent: str) -> Deal:
        deal = self.hub.deal(agent, self.now)
        self.hub = self.hub.hand(agent, self.now)
        return deal

    def lose(self, agent: str) -> None:
        """The configuration was handed out, and did not arrive."""
        self._fetch(agent)

    def restart_hub(self) -> None:
        """The hub knows again what it has stored: when each was heard, and what it said then."""
        newest = max(self.hub.heard.values(), default=0)
        said = {agent: (deals[0],) for agent, deals in self.hub.deals.items()}
        heard = {a: self.now for a, at in self.hub.heard.items() if newest - at <= LATELY_S}
        self.hub = Dealer(heard, said)

    def runners(self, check: str, agents: set[str]) -> set[str]:
        return {agent for agent in agents if runs(agent, check, self.runs[agent])}

    def assert_none_is_run_twice(self) -> None:
        for one, other in combinations(self.runs.keys() - self.is_out_of_touch, 2):
            for check in CHECKS:
                assert len(self.runners(check, {one, other})) < 2, check

    def settle(self) -> None:
        """All push some times, and nothing is lost."""
        for _ in range(4):
            self.wait(10)
            for agent in sorted(self.runs):
                self.push(agent)

    def assert_each_is_run_once(self) -> None:
        parts = {check: self.runners(check, set(self.runs)) for check in CHECKS}
        assert parts == {check: {owner(check, self.runs)} for check in CHECKS}


@dataclass(frozen=True)
class Step:
    """Something happens to one agent, some of the others push, and time passes."""

    event: str
    agent: str
    pushing: tuple[str, ...]
    losing: frozenset[str]
    """Those of `pushing` that get no answer."""
    seconds: float

    def happen(self, place: Place) -> None:
        if self.event == "start":
            place.start(self.agent)
        elif self.event == "die":
            place.runs.pop(self.agent, None)
        elif self.event == "lose":
            place.lose(self.agent)
        for agent in self.pushing:
            if agent in place.runs:
                place.push(agent, loses_answer=agent in self.losing)
        place.wait(self.seconds)


FOUR = (A, B, C, D)
STEPS = st.builds(
    Step,
    event=st.sampled_from(["nothing", "nothing", "start", "die", "lose"]),
    agent=st.sampled_from(FOUR),
    pushing=st.permutations(FOUR).flatmap(
        lambda order: st.integers(0, 4).map(lambda count: tuple(order[:count]))
    ),
    losing=st.frozensets(st.sampled_from(FOUR), max_size=2),
    seconds=st.sampled_from([0, 5, 10, 15, 25, 45]),
)
HISTORIES = st.lists(STEPS, max_size=25)


@given(HISTORIES)
def test_whatever_happens_no_check_is_run_by_two_that_the_hub_hears(history: list[Step]) -> None:
    place = place_of(A, B)
    for step in history:
        step.happen(place)
        place.assert_none_is_run_twice()


@given(HISTORIES, st.sets(st.integers(0, 24), max_size=3))
def test_whatever_happened_each_check_is_run_by_one_soon_after(
    history: list[Step], restarts: set[int]
) -> None:
    """The hub may be killed in between, and know no more than it has stored."""
    place = place_of(A, B)
    for number, step in enumerate(history):
        step.happen(place)
        if number in restarts:
            place.restart_hub()
    if not place.runs:
        place.start(A)
    for _ in range(2):  # who died during the history is heard no more after the first round
        place.settle()
    place.assert_each_is_run_once()


def place_of(*agents: str) -> Place:
    place = Place()
    for agent in agents:
        place.start(agent)
    place.settle()
    return place


def test_a_fourth_agent_gets_a_check_once_the_one_that_had_it_has_let_go() -> None:
    place = place_of(A, B, C)
    before = {check: owner(check, (A, B, C)) for check in CHECKS}
    place.start(D)
    place.push(D)
    assert not any(runs(D, check, place.runs[D]) for check in CHECKS)
    for agent in (A, B, C):
        place.push(agent)  # is told
    place.push(D)
    assert not any(runs(D, check, place.runs[D]) for check in CHECKS)
    for agent in (A, B, C):
        place.push(agent)  # says that it has let go
    place.push(D)
    place.assert_each_is_run_once()
    moved = {check for check in CHECKS if owner(check, place.runs) != before[check]}
    assert moved == {check for check in CHECKS if runs(D, check, place.runs[D])}
    assert 4 <= len(moved) <= 18


def test_what_a_dead_agent_had_the_others_run_as_soon_as_they_are_told() -> None:
    place = place_of(A, B, C)
    del place.runs[B]
    for _ in range(4):
        place.wait(10)
        place.push(A)
        place.push(C)
        assert place.runs[A] == (frozenset({A, B, C}),)
    place.wait(1)
    place.push(A)
    place.push(C)
    place.assert_each_is_run_once()


def test_what_moves_from_an_agent_that_dies_meanwhile_moves_when_it_is_heard_no_more() -> None:
    place = place_of(A, B, C)
    place.start(D)
    place.push(D)
    del place.runs[A]
    for _ in range(4):
        place.wait(10)
        for agent in (B, C, D):
            place.push(agent)
        assert not any(runs(D, check, place.runs[D]) for check in CHECKS)
    place.wait(1)
    for _ in range(2):
        for agent in (B, C, D):
            place.push(agent)
    place.assert_each_is_run_once()


def test_who_comes_back_waits_until_who_took_over_has_let_go() -> None:
    """That one was told to take over, and has not yet said that it does."""
    place = place_of(A, B)
    for _ in range(5):
        place.wait(10)
        place.push(A)
    assert place.runs[A] == (frozenset({A}),)
    place.push(B)
    place.assert_none_is_run_twice()
    place.settle()
    place.assert_each_is_run_once()


def test_a_restart_of_the_hub_moves_nothing_however_long_it_took() -> None:
    place = place_of(A, B, C)
    before = dict(place.runs)
    place.wait(8 * 3600)
    place.restart_hub()
    for agent in (C, A, B):
        place.push(agent)
        place.wait(10)
    assert place.runs == before


def test_a_place_that_was_cut_off_comes_back_as_it_was() -> None:
    place = place_of(A, B, C)
    before = dict(place.runs)
    place.wait(3600)
    for agent in (B, C, A):
        place.push(agent)
        place.wait(12)
    assert place.runs == before


def test_who_was_alone_shares_with_one_that_comes() -> None:
    """An agent that never heard of sharing says nothing of it, which means that it runs all."""
    place = Place()
    place.runs[A] = (frozenset({A}),)
    place.push(A)
    place.start(B)
    place.settle()
    place.assert_each_is_run_once()


def test_an_agent_whose_key_was_taken_away_has_no_check_any_more() -> None:
    place = place_of(A, B, C)
    place.hub = place.hub.keep({A, B})
    del place.runs[C]
    place.push(A)
    place.push(B)
    place.assert_each_is_run_once()
