"""Checks that cost money run at one vantage at a time, so that a second place does not double the bill."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from alerts_cast import PHONE, memory
from cast import HandClock
from check_cast import check
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts import AlertEngine, QuorumSettings, VoterSettings
from monitor.daemon.components import is_hubs_turn
from monitor.model import AlertSettings, Check, Failure, FailureKind, Outcome, Result
from monitor.schedule import grid_of, whose_turn

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLACES = ("fra", "cn", "hk")
CHAT = replace(check("a", "chat", "5m"), turns=PLACES)
POINT = st.integers(0, 10**7).map(lambda number: NOON + timedelta(seconds=number / 10 + 0.001))


@given(POINT, st.sets(st.sampled_from(PLACES)))
def test_each_point_of_the_schedule_is_the_turn_of_one_place_that_can(
    at: datetime, away: set[str]
) -> None:
    able = set(PLACES) - away | {"fra"}
    turn = whose_turn(CHAT, at, able)
    assert turn in able
    points = [grid_of(CHAT).nearest(at)]
    for _ in PLACES[1:]:
        points.append(grid_of(CHAT).following(points[-1] + timedelta(milliseconds=1)))
    assert sorted(whose_turn(CHAT, point, PLACES) for point in points) == sorted(PLACES)
    assert whose_turn(CHAT, at + timedelta(seconds=20), able) in able


def test_a_check_runs_at_one_place_as_seldom_as_it_has_others() -> None:
    assert CHAT.every == timedelta(minutes=15)
    assert replace(CHAT, turns=()).every == timedelta(minutes=5)


@dataclass
class Turns:
    """A hub and two agents that take turns on one check; who is `away` is not heard."""

    clock: HandClock
    check: Check = CHAT

    def __post_init__(self) -> None:
        voting = QuorumSettings(
            own="fra",
            places={"cn": VoterSettings(), "hk": VoterSettings()},
            intervals={self.check.key: self.check.every},
        )
        self.alerts = AlertEngine(AlertSettings(), (PHONE,), memory(), voting=voting)
        self.runs: Counter[str] = Counter()

    def point(
        self, away: Collection[str] = (), answers: Mapping[str, FailureKind] = {}
    ) -> list[str]:
        """The next grid point comes; return who ran the check."""
        at = grid_of(self.check).following(self.clock.now())
        self.clock.wall = at
        there = [place for place in PLACES[1:] if place not in away]
        for place in there:
            self.alerts.hear(place, at, blind=False)
        ran = ["fra"] if is_hubs_turn(self.alerts, self.check, at) else []
        for place in there:
            doubted = self.alerts.doubted_by(self.check.key, at)
            if doubted or whose_turn(self.check, at, PLACES) == place:
                ran.append(place)
        for place in ran:
            self.run(place, answers.get(place))
        self.runs.update(ran)
        return ran

    def run(self, place: str, kind: FailureKind | None) -> None:
        failure = Failure(kind, "so") if kind else None
        self.alerts.judge(
            Result(
                check=self.check.key,
                vantage=place,
                at=self.clock.now(),
                outcome=failure.outcome if failure else Outcome.UP,
                failure=failure,
            )
        )


def after(count: int, **more: Mapping[str, FailureKind]) -> Turns:
    turns = Turns(HandClock(NOON))
    for _ in range(count):
        turns.point(**more)
    return turns


def test_three_places_that_work_cost_what_one_does() -> None:
    turns = after(6)  # until each has spoken, the hub runs its turns too
    turns.runs.clear()
    for _ in range(288):
        turns.point()
    assert turns.runs == {"fra": 96, "cn": 96, "hk": 96}


def test_the_turn_of_a_place_that_is_not_heard_is_the_hubs() -> None:
    turns = after(6)
    ran = [turns.point(away={"cn"}) for _ in range(24)]
    assert {len(places) for places in ran[6:]} == {1}
    assert turns.runs["cn"] == 2


def test_the_turn_of_a_place_without_a_key_is_the_hubs() -> None:
    """What it runs there costs nothing: nobody is asked."""
    turns = after(6, answers={"cn": FailureKind.NO_KEY})
    ran = [turns.point(answers={"cn": FailureKind.NO_KEY}) for _ in range(24)]
    assert {tuple(places) for places in ran} == {("fra",), ("fra", "cn"), ("hk",)}
    assert sum("fra" in places or "hk" in places for places in ran) == 24


def test_what_one_place_begins_to_see_otherwise_all_look_at() -> None:
    turns = after(6)
    while turns.point() != ["cn"]:
        pass
    turns.clock.tick(10)
    turns.run("cn", FailureKind.SERVER_ERROR)
    assert turns.alerts.doubted_by(CHAT.key, turns.clock.now()) == {"cn"}
    assert turns.point(answers={"cn": FailureKind.SERVER_ERROR}) == ["fra", "cn", "hk"]
    ran = [turns.point(answers={"cn": FailureKind.SERVER_ERROR}) for _ in range(24)]
    assert ran[:10] == [["fra", "cn", "hk"]] * 10
    assert {len(places) for places in ran[12:]} == {1}, "after an hour they take turns again"
    while turns.point() != ["cn"]:
        pass
    assert turns.point() == ["fra", "cn", "hk"], "one good answer is news too"
    assert len(turns.point()) == 1
    assert turns.alerts.open_incidents == ()
