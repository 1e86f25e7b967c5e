"""What several vantages together say of one check, and what people are told of it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from alerts_cast import PHONE, START, memory
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitor.alerts import AlertChanges, AlertEngine, Context
from monitor.alerts.message import phrase
from monitor.alerts.message_parts import lasted, recovered
from monitor.alerts.policies import FailureRate
from monitor.alerts.quorum import ALL, ANY, MAJORITY, Quorum, Reach, Standing, Vote, standing
from monitor.alerts.voters import QuorumSettings, Voters, VoterSettings
from monitor.model import (
    NOT_HEARD,
    AlertSettings,
    AlertState,
    EntryKind,
    Failure,
    FailureKind,
    Incident,
    Mute,
    NotificationType,
    OutboxMessage,
    Outcome,
    Phase,
    Result,
    Severity,
)
from monitor.model.outages import down_spans
from monitor.ranking import covered

CHAT, MODELS = "s/a/chat", "s/a/models"
MINUTE = timedelta(minutes=1)
SHANGHAI, FRANKFURT, HOME = "cn", "fra", "local"
EVERYWHERE = (SHANGHAI, FRANKFURT, HOME)
THREE = QuorumSettings(
    own=HOME,
    places={
        SHANGHAI: VoterSettings(),
        FRANKFURT: VoterSettings(),
    },
    intervals={CHAT: MINUTE},
)
FOR_SHANGHAI = replace(THREE, places={**THREE.places, SHANGHAI: VoterSettings(main=True)})


NEWS = OutboxMessage(
    channel="phone",
    what=NotificationType.OPENED,
    severity=Severity.DOWN,
    incident=1,
    created=START,
    not_before=START,
)


class World:
    """One check, asked from each vantage once a minute."""

    def __init__(self, voting: QuorumSettings = THREE) -> None:
        self.settings, self.voting = AlertSettings(after=2, recover=2), voting
        self.engine = AlertEngine(self.settings, (PHONE,), memory(), voting=voting)
        self.now = START
        self.states: dict[tuple[str, str, str], AlertState] = {}
        self.incidents: dict[int, Incident] = {}
        self.messages: list[str] = []

    def minute(
        self,
        bad: Iterable[str] = (),
        kind: FailureKind = FailureKind.CONNECT_TIMEOUT,
        *,
        silent: Iterable[str] = (),
        blind: Iterable[str] = (),
    ) -> None:
        """Each vantage that is not silent runs the check, and those named see it bad."""
        for vantage in EVERYWHERE:
            if vantage in {*silent}:
                continue
            self.engine.voters.hear(vantage, self.now, blind=vantage in {*blind})
            self.run(vantage, kind if vantage in {*bad} else None)
        self.keep(self.engine.remind(self.now))
        self.now += MINUTE

    def minutes(
        self,
        times: int,
        bad: Iterable[str] = (),
        kind: FailureKind = FailureKind.CONNECT_TIMEOUT,
        **more: Iterable[str],
    ) -> None:
        for _ in range(times):
            self.minute(bad, kind, **more)

    def run(
        self,
        vantage: str,
        kind: FailureKind | None,
        ago: timedelta = timedelta(0),
        check: str = CHAT,
    ) -> None:
        failure = Failure(kind, f"got {kind.value}") if kind else None
        outcome = failure.outcome if failure else Outcome.UP
        at = self.now - ago
        result = Result(check=check, vantage=vantage, at=at, outcome=outcome, failure=failure)
        self.keep(self.engine.judge(result, self.now))

    def twice(self, bad: Iterable[str], check: str) -> None:
        """Each vantage runs a check often enough to believe what it sees."""
        for _ in range(2):
            for vantage in EVERYWHERE:
                self.engine.voters.hear(vantage, self.now, blind=False)
                kind = FailureKind.BAD_GATEWAY if vantage in {*bad} else None
                self.run(vantage, kind, check=check)
            self.keep(self.engine.remind(self.now))
            self.now += MINUTE / 4

    def keep(self, changes: AlertChanges) -> None:
        self.states |= {state.key: state for state in changes.states}
        self.incidents |= {incident.id: incident for incident in changes.incidents}
        for row in changes.outgoing:
            severity = self.incidents[row.incident or 0].severity
            self.messages.append(f"{row.what.value} #{row.incident} {severity.value}")

    def restart(self) -> None:
        opened = tuple(incident for incident in self.incidents.values() if not incident.closed)
        kept = replace(
            memory(self.states.values(), opened, max(self.incidents, default=0) + 1),
            recent=tuple(incident for incident in self.incidents.values() if incident.closed),
        )
        self.engine = AlertEngine(self.settings, (PHONE,), kept, voting=self.voting)


def test_what_is_bad_from_all_vantages_is_one_outage_told_once() -> None:
    world = World()
    world.minutes(5, bad=EVERYWHERE)
    world.minutes(3)

    assert world.messages == ["opened #1 down", "resolved #1 down"]
    assert (world.incidents[1].opened, world.incidents[1].closed) == (START, START + 5 * MINUTE)


def test_what_is_bad_from_one_vantage_is_told_as_partial_when_it_has_lasted() -> None:
    world = World()
    world.minutes(9, bad=[SHANGHAI])
    assert world.messages == []
    world.minutes(3, bad=[SHANGHAI])
    assert world.messages == ["opened #1 partial"]
    assert world.incidents[1].bad_from == {CHAT: (SHANGHAI,)}
    world.minutes(3)
    assert world.messages == ["opened #1 partial", "resolved #1 partial"]


@pytest.mark.parametrize("first", [CHAT, MODELS])
def test_one_base_url_is_one_incident_though_some_of_its_checks_are_bad_from_fewer_places(
    first: str,
) -> None:
    world = World()
    bad = {CHAT: [HOME], MODELS: [*EVERYWHERE]}
    for check in (first, *({CHAT, MODELS} - {first})):
        world.twice(bad[check], check)
    assert world.messages == ["opened #1 down"]
    assert world.incidents[1].bad_from == {CHAT: (HOME,), MODELS: (SHANGHAI, FRANKFURT, HOME)}

    for check in (CHAT, MODELS):
        world.twice([], check)
    assert world.messages == ["opened #1 down", "resolved #1 down"]
    assert [*world.incidents] == [1]


def test_a_base_url_stays_in_its_own_incident_also_where_another_began_together() -> None:
    """Shanghai sees first what only others saw of this base URL, and meanwhile another one break."""
    world = World(FOR_SHANGHAI)
    world.twice([HOME], CHAT)
    world.twice([SHANGHAI], "s/b/chat")
    world.twice([SHANGHAI], MODELS)
    world.twice([HOME], "s/b/models")
    assert {number: one.checks for number, one in world.incidents.items()} == {
        1: (CHAT, MODELS),
        2: ("s/b/chat", "s/b/models"),
    }
    assert world.messages == ["opened #2 partial", "opened #1 partial"]


def test_what_users_see_of_a_base_url_is_told_with_what_few_saw_of_it_before() -> None:
    world = World(FOR_SHANGHAI)
    world.twice([HOME], CHAT)
    assert (world.messages, world.incidents[1].muted) == ([], Mute.PARTIAL)
    world.twice([SHANGHAI], MODELS)
    assert world.messages == ["opened #1 partial"]
    assert world.incidents[1].muted is None
    assert world.incidents[1].bad_from == {CHAT: (HOME,), MODELS: (SHANGHAI,)}


@pytest.mark.parametrize("first", [CHAT, "s/b/chat"])
def test_what_breaks_together_is_one_incident_though_few_see_a_part_of_it_so_far(
    first: str,
) -> None:
    """Each outage begins with the first vantage that sees it; so what is told does not depend on which one that is."""
    world = World()
    bad = {CHAT: [*EVERYWHERE], "s/b/chat": [HOME]}
    for check in (first, *({*bad} - {first})):
        world.twice(bad[check], check)
    assert world.messages == ["opened #1 down"]
    assert world.incidents[1].partial == {"s/b/chat"}
    assert _said(world.incidents[1]) == [
        "🔴 s, a and b: down" if first == CHAT else "🔴 s, b and a: down",
        "a: down from all places",
        "b: down from home",
    ]
    world.twice(EVERYWHERE, "s/b/chat")
    assert world.messages == ["opened #1 down"]
    assert _said(world.incidents[1])[0].endswith(": down from all places")


def _said(incident: Incident) -> list[str]:
    """Return the title, and from where each base URL is down."""
    places = {HOME: "home", SHANGHAI: "Shanghai", FRANKFURT: "Frankfurt"}
    message = phrase(NEWS, incident, Context(now=START, places=places))
    lines = sorted(line for line in message.body.splitlines() if ": down" in line)
    return [message.title, *lines]


def test_what_few_see_of_another_base_url_that_broke_later_is_not_told_with_an_outage() -> None:
    world = World()
    world.twice(EVERYWHERE, CHAT)
    world.now += 6 * MINUTE
    world.twice([HOME], "s/b/chat")
    assert world.messages == ["opened #1 down"]
    assert world.incidents[1].checks == (CHAT,)


def test_what_users_sit_behind_is_told_at_once() -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(2, bad=[SHANGHAI])
    assert world.messages == ["opened #1 partial"]


def test_an_incident_walks_between_partial_and_down_and_says_each_step_once() -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(3, bad=[SHANGHAI])
    world.minutes(5, bad=[SHANGHAI, FRANKFURT])
    world.minutes(7, bad=[SHANGHAI])
    world.minutes(5)

    assert world.messages == [
        "opened #1 partial",
        "update #1 down",
        "update #1 partial",
        "resolved #1 down",
    ]
    entries = [
        (entry.what.value, entry.vantage, (entry.at - START) // MINUTE)
        for entry in world.incidents[1].timeline
    ]
    assert entries == [
        ("opened", "", 0),
        ("joined", FRANKFURT, 3),
        ("widened", "", 3),
        ("left", FRANKFURT, 8),
        ("narrowed", "", 8),
        ("resolved", "", 15),
    ]
    outage = world.engine.downtime(world.incidents[1], world.now)
    assert (
        outage == 5 * MINUTE
    )  # from the first run that two saw bad to the first that one saw bad alone


def test_a_vantage_that_falls_silent_neither_closes_nor_widens_anything() -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(3, bad=[SHANGHAI])
    world.minutes(30, silent=[SHANGHAI])
    assert world.messages == ["opened #1 partial"]
    world.minutes(30, bad=[SHANGHAI], silent=[FRANKFURT, HOME])
    assert world.messages == ["opened #1 partial"]
    world.minutes(2)
    assert world.messages == ["opened #1 partial", "resolved #1 partial"]


def test_what_only_a_silent_vantage_saw_reminds_nobody_and_ends_as_unknown_after_an_hour() -> None:
    world = World(FOR_SHANGHAI)
    world.settings = AlertSettings(after=2, recover=2, remind=10 * MINUTE)
    world.restart()
    world.minutes(3, bad=[SHANGHAI])
    world.minutes(50, silent=[SHANGHAI])
    assert (world.messages, world.incidents[1].closed) == (["opened #1 partial"], None)
    world.minutes(15, silent=[SHANGHAI])
    assert world.messages == ["opened #1 partial", "resolved #1 partial"]
    assert world.incidents[1].unwatched == {CHAT}
    assert world.incidents[1].closed == START + 62 * MINUTE
    assert world.incidents[1].timeline[-1].text == NOT_HEARD


def test_an_outage_that_only_silent_vantages_saw_reminds_nobody_and_ends_as_unknown() -> None:
    world = World()
    world.settings = AlertSettings(after=2, recover=2, remind=10 * MINUTE)
    world.restart()
    world.minutes(3, bad=[SHANGHAI, FRANKFURT])
    world.minutes(50, silent=[SHANGHAI, FRANKFURT])
    assert (world.messages, world.incidents[1].closed) == (["opened #1 down"], None)
    world.minutes(15, silent=[SHANGHAI, FRANKFURT])
    assert world.messages == ["opened #1 down", "resolved #1 down"]
    assert world.incidents[1].timeline[-1].text == NOT_HEARD


def test_who_hears_of_outages_alone_is_told_that_it_is_down_from_fewer_places_again() -> None:
    world = World(FOR_SHANGHAI)
    pager = replace(PHONE, only=frozenset({Severity.DOWN}))
    world.engine = AlertEngine(world.settings, (pager,), memory(), voting=world.voting)
    world.minutes(3, bad=[SHANGHAI])
    world.minutes(3, bad=EVERYWHERE)
    world.minutes(10, bad=[SHANGHAI])
    assert world.messages == ["update #1 down", "update #1 partial"]


def test_who_was_told_that_an_outage_comes_and_goes_is_told_that_it_is_calm() -> None:
    """The last one of the series is down from some places only, which the channel is not told of."""
    world = World(replace(FOR_SHANGHAI, quorum=ANY))
    pager = replace(PHONE, only=frozenset({Severity.DOWN}))
    world.engine = AlertEngine(world.settings, (pager,), memory(), voting=world.voting)
    for _ in range(4):
        world.minutes(3, bad=EVERYWHERE)
        world.minutes(3)
    assert world.messages[-1] == "flapping #4 down"
    world.engine.change(world.settings, (pager,), FOR_SHANGHAI)
    world.minutes(3, bad=[SHANGHAI])
    world.minutes(40)
    assert world.messages[-1] == "calm #5 partial"


@pytest.mark.parametrize(
    ("outage", "after", "title"),
    [
        (20, 0, "s, a: recovered, was down for 20m"),
        (20, 8, "s, a: recovered, was down for 20m, and from some places only for 8m"),
        (0, 20, "s, a: recovered, was down from Shanghai for 20m"),
    ],
)
def test_the_end_says_nothing_of_those_alone_that_saw_it_bad_last(
    outage: int, after: int, title: str
) -> None:
    world = World()
    world.minutes(outage, bad=EVERYWHERE)
    world.minutes(after, bad=[SHANGHAI])
    world.minutes(3)
    row = replace(NEWS, what=NotificationType.RESOLVED, created=world.now)
    context = Context(now=world.now, places={SHANGHAI: "Shanghai"})
    assert phrase(row, world.incidents[1], context).title == f"✅ {title}"


def test_an_outage_goes_on_while_those_who_saw_it_are_silent_until_as_many_see_it_well() -> None:
    world = World()
    world.minutes(3, bad=EVERYWHERE)
    world.minutes(5, bad=[HOME], silent=[SHANGHAI, FRANKFURT])
    world.minutes(5, silent=[SHANGHAI, FRANKFURT])
    assert world.messages == ["opened #1 down"]
    world.minutes(3, silent=[SHANGHAI])
    assert world.messages == ["opened #1 down", "resolved #1 down"]


def test_who_comes_back_and_sees_it_well_makes_no_outage_with_one_that_sees_it_bad() -> None:
    """It saw it bad before it fell silent, and it takes two good runs until it believes otherwise."""
    world = World(FOR_SHANGHAI)
    world.minutes(3, bad=[FRANKFURT])
    world.minutes(20, bad=[SHANGHAI], silent=[FRANKFURT])
    world.minutes(3, bad=[SHANGHAI])
    assert world.messages == ["opened #1 partial"]
    assert world.incidents[1].bad_from == {CHAT: (SHANGHAI,)}


def test_one_that_is_left_alone_may_see_an_outage_begin() -> None:
    world = World()
    world.minutes(3)
    world.minutes(5, silent=[SHANGHAI, FRANKFURT])
    world.minutes(2, bad=[HOME], silent=[SHANGHAI, FRANKFURT])
    assert world.messages == ["opened #1 down"]


def test_a_vantage_whose_own_network_fails_has_no_vote() -> None:
    world = World()
    world.minutes(3)
    world.minutes(5, bad=[SHANGHAI, FRANKFURT], blind=[SHANGHAI, FRANKFURT])
    assert world.messages == []


@pytest.mark.parametrize("hours", [-5, 2])
def test_a_clock_that_is_set_silences_no_vantage(hours: int) -> None:
    set_by = [timedelta(0)]
    world = World(FOR_SHANGHAI)
    world.engine = AlertEngine(
        world.settings,
        (PHONE,),
        memory(),
        clock_set_by=lambda: set_by[0],
        voting=world.voting,
    )
    world.minutes(3, bad=[SHANGHAI])
    set_by[0] += timedelta(hours=hours)
    world.now += timedelta(hours=hours)
    world.keep(world.engine.remind(world.now))
    world.minutes(2, bad=[SHANGHAI])
    assert world.messages == ["opened #1 partial"]
    world.minutes(3)
    assert world.messages == ["opened #1 partial", "resolved #1 partial"]


@pytest.mark.parametrize(
    ("interval_s", "lasts_s"), [(3, 30), (15, 30), (16, 32), (60, 120), (300, 600)]
)
def test_a_run_counts_for_two_intervals_and_as_long_as_an_agent_may_take_to_send_the_next(
    interval_s: int, lasts_s: int
) -> None:
    voters = Voters(replace(THREE, intervals={CHAT: timedelta(seconds=interval_s)}))
    voters.see(Result(check=CHAT, vantage=SHANGHAI, at=START, outcome=Outcome.UP))
    for second, counts in ((lasts_s, True), (lasts_s + 1, False)):
        now = START + timedelta(seconds=second)
        voters.hear(SHANGHAI, now, blind=False)
        assert voters.counts(CHAT, SHANGHAI, now, measured=True) is counts


def test_late_results_change_no_belief() -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(3)
    for ago in range(60, 5, -1):
        world.run(SHANGHAI, FailureKind.CONNECT_TIMEOUT, ago * MINUTE)
    assert (world.incidents, world.messages) == ({}, [])


@pytest.mark.parametrize("is_over", [True, False])
def test_what_comes_late_is_noted_in_the_incident_of_its_time_and_changes_nothing_else(
    is_over: bool,
) -> None:
    world = World()
    world.minutes(20, bad=[HOME, FRANKFURT], silent=[SHANGHAI])
    world.minutes(3 * is_over, bad=[], silent=[SHANGHAI])
    before, told, states = world.incidents[1], [*world.messages], dict(world.states)
    world.engine.voters.hear(SHANGHAI, world.now, blind=False)
    since = world.now - START
    for ago in (since + 9 * MINUTE, since - 11 * MINUTE, since - 12 * MINUTE, since - 13 * MINUTE):
        world.run(SHANGHAI, FailureKind.DNS_POISONED, ago)
    world.run(SHANGHAI, FailureKind.AUTH_INVALID, since - 11 * MINUTE)
    world.run(HOME, None, since - 11 * MINUTE, check="s/b/chat")
    incident = world.incidents[1]
    (entry,) = {*incident.timeline} - {*before.timeline}
    assert (entry.what, entry.check, entry.vantage) == (EntryKind.HEARD_LATE, CHAT, SHANGHAI)
    assert (entry.kind, entry.at) == (FailureKind.DNS_POISONED, START + 11 * MINUTE)
    assert replace(incident, timeline=before.timeline) == before
    assert incident.timeline[-1] == before.timeline[-1] or not is_over
    assert (world.messages, world.states) == (told, states)


@pytest.mark.parametrize(
    ("paused", "quorum"),
    [((SHANGHAI,), MAJORITY), ((SHANGHAI,), ANY), ((SHANGHAI, FRANKFURT), ANY)],
)
def test_what_a_paused_agent_saw_before_the_incident_ended_opens_no_other(
    paused: tuple[str, ...], quorum: Quorum
) -> None:
    world = World(replace(THREE, quorum=quorum))
    world.minutes(3, bad=EVERYWHERE)
    world.minutes(2, silent=paused)
    world.now -= MINUTE / 2
    for vantage in paused:
        world.engine.voters.hear(vantage, world.now, blind=False)
        world.run(vantage, FailureKind.CONNECT_TIMEOUT, ago=2 * MINUTE)
    world.now += MINUTE / 2
    assert world.messages == ["opened #1 down", "resolved #1 down"]
    world.minutes(3)
    assert [*world.incidents] == [1]


def test_what_a_paused_agent_still_sees_bad_opens_an_incident_once_it_is_fresh() -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(3, bad=EVERYWHERE)
    world.minutes(2, silent=[SHANGHAI])
    world.minute(bad=[SHANGHAI])
    assert world.messages[-2:] == ["resolved #1 down", "opened #2 partial"]


def test_who_was_known_to_see_it_bad_is_not_noted_again_when_its_results_come_late() -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(5, bad=[SHANGHAI])
    world.minutes(20, silent=[SHANGHAI])
    before = world.incidents[1]
    world.run(SHANGHAI, FailureKind.CONNECT_TIMEOUT, 15 * MINUTE)
    assert world.incidents[1] == before


def test_results_that_come_twice_or_out_of_order_change_no_belief() -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(3)
    world.run(SHANGHAI, FailureKind.CONNECT_TIMEOUT)
    world.run(SHANGHAI, FailureKind.CONNECT_TIMEOUT)
    world.run(SHANGHAI, FailureKind.CONNECT_TIMEOUT, MINUTE)
    assert world.incidents == {}


def test_trouble_of_the_account_is_one_incident_whoever_sees_it() -> None:
    world = World()
    world.minutes(2, bad=[SHANGHAI], kind=FailureKind.AUTH_INVALID)
    assert world.messages == ["opened #1 account"]
    world.minutes(3, bad=EVERYWHERE, kind=FailureKind.AUTH_INVALID)
    world.minutes(3, bad=[FRANKFURT], kind=FailureKind.AUTH_INVALID)
    assert world.messages == ["opened #1 account"]
    world.minutes(2)
    assert world.messages == ["opened #1 account", "resolved #1 account"]


def test_that_it_is_slow_is_told_only_for_a_majority_or_where_users_sit() -> None:
    world, there = World(), World(FOR_SHANGHAI)
    for each in (world, there):
        each.minutes(60, bad=[SHANGHAI], kind=FailureKind.SLOW)
    assert (world.messages, there.messages) == ([], ["opened #1 degraded"])
    world.minutes(5, bad=EVERYWHERE, kind=FailureKind.SLOW)
    assert world.messages == ["opened #1 degraded"]


def test_what_only_others_see_bad_may_still_be_recommended_here() -> None:
    world = World()
    world.minutes(3, bad=[SHANGHAI])
    opened = world.engine.open_incidents
    assert (covered(opened, HOME), covered(opened, SHANGHAI)) == (frozenset(), {"s/a"})


def test_a_restart_goes_on_as_if_nothing_had_happened() -> None:
    world = World(FOR_SHANGHAI)
    for bad in ([SHANGHAI], [SHANGHAI, FRANKFURT], [SHANGHAI], []):
        for _ in range(7):
            world.minute(bad)
            world.restart()
    assert world.messages == [
        "opened #1 partial",
        "update #1 down",
        "update #1 partial",
        "resolved #1 down",
    ]


def test_after_a_restart_an_outage_ends_whoever_of_its_accusers_is_the_last() -> None:
    """Shanghai believed it while it had no vote; the incident that Frankfurt opened is its too."""
    world = World()
    world.minutes(3, {SHANGHAI}, blind={SHANGHAI})
    assert world.incidents == {}
    world.minutes(3, {FRANKFURT, SHANGHAI}, blind={SHANGHAI})
    world.restart()
    world.minute({SHANGHAI})
    world.minutes(3)
    assert [incident.closed is not None for incident in world.incidents.values()] == [True]


def test_a_vantage_that_leaves_the_configuration_takes_its_accusation_with_it() -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(3, bad=[SHANGHAI])
    world.voting = replace(THREE, places={FRANKFURT: THREE.places[FRANKFURT]})
    world.engine.change(world.settings, (PHONE,), world.voting)
    world.keep(world.engine.forget({CHAT}, world.now))
    assert world.messages == ["opened #1 partial", "resolved #1 partial"]
    assert world.incidents[1].unwatched == {CHAT}
    assert world.incidents[1].timeline[-1].text == NOT_HEARD  # the check is watched from elsewhere


def test_nobody_says_that_it_works_from_a_vantage_that_left() -> None:
    world = World()
    world.minutes(3, bad=EVERYWHERE)
    places = {FRANKFURT: THREE.places[FRANKFURT]}
    world.engine.change(world.settings, (PHONE,), replace(THREE, places=places))
    world.keep(world.engine.forget({CHAT}, world.now))
    world.minutes(2, bad=EVERYWHERE, silent=[SHANGHAI])
    assert world.incidents[1].places == (FRANKFURT, HOME)
    assert EntryKind.LEFT not in {entry.what for entry in world.incidents[1].timeline}


def test_who_saw_it_bad_and_fell_silent_is_told_apart_with_when_it_was_heard_last() -> None:
    world = World(replace(FOR_SHANGHAI, quorum=ALL))
    world.minutes(3, bad=[SHANGHAI, FRANKFURT])
    assert world.engine.voters.silent_accusers(world.incidents[1], world.now) == {}
    world.minutes(5, bad=[SHANGHAI], silent=[FRANKFURT])
    incident = world.incidents[1]
    silent = world.engine.voters.silent_accusers(incident, world.now)
    assert silent == {FRANKFURT: START + 2 * MINUTE}
    names = {SHANGHAI: "Shanghai", FRANKFURT: "Frankfurt"}
    told = phrase(
        NEWS, incident, Context(now=world.now, places=names, silent=silent, well_from=(HOME,))
    )
    assert told.title == "🟠 s, a: down from Shanghai"
    assert "Last heard bad from Frankfurt at 24 Nov 12:02 UTC." in told.body.splitlines()
    world.minutes(3)
    assert world.engine.voters.silent_accusers(world.incidents[1], world.now) == {}


def test_what_all_saw_is_not_from_all_places_any_more_when_one_falls_silent() -> None:
    world = World()
    world.minutes(3, bad=EVERYWHERE)
    names = {SHANGHAI: "Shanghai", FRANKFURT: "Frankfurt", HOME: "Home"}

    def title() -> str:
        silent = world.engine.voters.silent_accusers(world.incidents[1], world.now)
        context = Context(now=world.now, places=names, silent=silent)
        return phrase(NEWS, world.incidents[1], context).title

    assert title() == "🔴 s, a: down from all places"
    world.minutes(5, bad=EVERYWHERE, silent=[SHANGHAI])
    assert title() == "🔴 s, a: down from Frankfurt, Home"
    world.minutes(5, bad=EVERYWHERE, silent=[SHANGHAI, FRANKFURT])
    assert title() == "🔴 s, a: down from Home"


def test_what_most_see_down_is_not_the_fault_of_a_base_url_that_others_reach() -> None:
    world = World()
    world.minutes(3, bad=[SHANGHAI, FRANKFURT])
    incident = world.incidents[1]
    well = world.engine.seen_well_from(incident, world.now)
    assert (incident.severity, well) == (Severity.DOWN, (HOME,))
    body = phrase(NEWS, incident, Context(now=world.now, well_from=well)).body
    assert "Fault: network path." in body
    assert "Works from local." in body.splitlines()
    world.minutes(3, bad=EVERYWHERE)
    assert world.engine.seen_well_from(world.incidents[1], world.now) == ()


def test_of_what_a_policy_saw_that_left_nobody_says_where_it_works() -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(3, bad=[SHANGHAI])
    incident = world.incidents[1]
    assert world.engine.seen_well_from(incident, world.now) == (FRANKFURT, HOME)
    left = replace(incident, cause="a policy that is asked no more")
    assert world.engine.seen_well_from(left, world.now) == ()


def test_a_vantage_that_leaves_does_not_end_what_another_sees() -> None:
    world = World()
    world.minutes(3, bad=EVERYWHERE)
    world.engine.change(world.settings, (PHONE,), replace(THREE, places={}))
    world.keep(world.engine.forget({CHAT}, world.now))
    assert world.messages == ["opened #1 down"]
    world.minutes(2)
    assert world.messages == ["opened #1 down", "resolved #1 down"]


@pytest.mark.parametrize(
    ("quorum", "bad", "reach"),
    [
        (MAJORITY, 1, Reach.PARTIAL),
        (MAJORITY, 2, Reach.FULL),
        (ANY, 1, Reach.FULL),
        (ALL, 2, Reach.PARTIAL),
        (ALL, 3, Reach.FULL),
        (2, 1, Reach.PARTIAL),
        (9, 3, Reach.FULL),
        (MAJORITY, 0, Reach.NONE),
    ],
)
def test_the_quorum_says_how_many_of_three_it_takes(quorum: Quorum, bad: int, reach: Reach) -> None:
    votes = [Vote(str(number), number < bad, counts=True) for number in range(3)]
    assert standing(votes, quorum, Reach.NONE).reach is reach


votes = st.lists(st.builds(Vote, st.just(""), st.booleans(), counts=st.booleans()), max_size=6).map(
    lambda drawn: [replace(vote, vantage=str(number)) for number, vote in enumerate(drawn)]
)


@given(votes, st.sampled_from([MAJORITY, ANY, ALL, 1, 2, 3]), st.sampled_from(Reach))
def test_who_is_silent_neither_opens_nor_ends(
    cast: list[Vote], quorum: Quorum, before: Reach
) -> None:
    now = standing(cast, quorum, before)
    assert sorted((*now.bad, *now.good, *now.silent)) == [
        vote.vantage for vote in cast if vote.counts or vote.is_bad
    ]
    if not now.bad and not now.good:
        assert now.reach is (before if now.silent else Reach.NONE)
    if not now.bad:
        assert now.reach in {before, Reach.NONE}
    if now.reach is not before and now.reach is Reach.FULL:
        assert now.bad
    if now.bad:
        assert now.reach is not Reach.NONE


nights = st.lists(
    st.tuples(
        st.sets(st.sampled_from(EVERYWHERE)),
        st.sets(st.sampled_from(EVERYWHERE[:2])),
        st.integers(1, 4),
    ),
    max_size=12,
)


@given(nights)
def test_no_history_tells_a_begin_without_its_end_or_a_step_twice(
    night: list[tuple[set[str], set[str], int]],
) -> None:
    world = World(FOR_SHANGHAI)
    world.minutes(3)
    for bad, silent, times in night:
        world.minutes(times, bad=bad, silent=silent)
        open_now = [each for each in world.incidents.values() if not each.closed]
        assert len(open_now) <= 1
        for incident in open_now:
            believed = [
                state.vantage
                for state in world.states.values()
                if state.phase in {Phase.BAD, Phase.RECOVERING}
            ]
            assert believed, "an incident that nobody believes in"
            if incident.severity is Severity.DOWN:
                assert len(incident.bad_from[CHAT]) >= 2 or len(believed) == 1
    world.minutes(4)
    assert not [each for each in world.incidents.values() if not each.closed]
    assume(not any("flapping" in line for line in world.messages))
    for number, incident in world.incidents.items():
        told = [line.split()[0] for line in world.messages if f"#{number} " in line]
        assert told == [] or (told[0], told[-1]) == ("opened", "resolved")
        steps = [line.split()[-1] for line in world.messages if f"#{number} " in line][:-1]
        assert all(a != b for a, b in pairwise(steps))
        assert incident.active == frozenset()
        assert all(begin <= end for begin, end in down_spans(incident, world.now))
        account = incident.account
        assert (account[0].what, account[-1].what) == (EntryKind.OPENED, EntryKind.RESOLVED)
        assert all(a.at <= b.at for a, b in pairwise(account[1:-1]))
        assert Counter(account) == Counter(incident.timeline)


def test_what_one_vantage_cannot_measure_is_still_measured_from_another() -> None:
    world = World()
    world.minutes(3)
    world.minutes(3, bad=EVERYWHERE)
    for _ in range(2):
        world.run(SHANGHAI, FailureKind.NO_KEY)
        world.now += MINUTE / 4
    assert world.engine.unmeasured(world.incidents[1], world.now) == {}
    for _ in range(2):
        for vantage in (FRANKFURT, HOME):
            world.run(vantage, FailureKind.NO_KEY)
        world.now += MINUTE / 4
    gaps = world.engine.unmeasured(world.incidents[1], world.now)
    assert gaps[CHAT].kind is FailureKind.NO_KEY


def test_a_policy_that_looks_at_a_window_looks_at_one_vantage() -> None:
    rate = FailureRate(above=0.5, below=0.2, within=60 * MINUTE)
    settings = AlertSettings(after=90, policies=(rate,))
    engine = AlertEngine(settings, (PHONE,), memory(), voting=THREE)
    world = World()
    world.engine = engine
    world.minutes(40, bad=[SHANGHAI])
    assert world.incidents[1].bad_from == {CHAT: (SHANGHAI,)}
    assert world.incidents[1].severity is Severity.DEGRADED


def test_a_single_vantage_decides_alone() -> None:
    assert standing([Vote("local", is_bad=True, counts=True)], MAJORITY, Reach.NONE) == Standing(
        Reach.FULL, bad=("local",)
    )


def test_that_paid_runs_pause_is_told_once_where_others_look_too() -> None:
    world = World()
    paused = Failure(FailureKind.BUDGET_PAUSED, "the day's money is spent")
    told = []
    for minute in range(3):
        at = START + minute * MINUTE
        run = Result(check=CHAT, vantage=HOME, at=at, outcome=paused.outcome, failure=paused)
        told += [row.what for row in world.engine.judge(run, at).outgoing]
    assert told == [NotificationType.NOTICE]


def test_whoever_saw_it_bad_belongs_to_the_incident_that_another_vantage_opens() -> None:
    world = World()
    world.minutes(3, bad=[SHANGHAI])
    world.minutes(62, silent=[SHANGHAI])
    assert world.incidents[1].closed
    world.minutes(2, bad=[FRANKFURT], silent=[SHANGHAI])

    assert {key[1]: state.incident for key, state in world.states.items() if state.incident} == {
        SHANGHAI: 2,
        FRANKFURT: 2,
    }


def test_with_a_quorum_of_two_a_turn_says_how_many_saw_it_and_not_that_most_did() -> None:
    five = QuorumSettings(own=HOME, places={name: VoterSettings() for name in "abcd"}, quorum=2)
    engine = AlertEngine(AlertSettings(after=2, recover=2), (PHONE,), memory(), voting=five)
    kept: dict[int, Incident] = {}
    for minute in range(9):
        at = START + minute * MINUTE
        for place in five.places:
            engine.hear(place, at, blind=False)
        for place in (HOME, *five.places):
            is_bad = place == "a" or (place == "b" and minute >= 4)
            failure = Failure(FailureKind.CONNECT_TIMEOUT, "got nothing") if is_bad else None
            outcome = Outcome.DOWN if is_bad else Outcome.UP
            run = Result(check=CHAT, vantage=place, at=at, outcome=outcome, failure=failure)
            kept |= {one.id: one for one in engine.judge(run, at).incidents}
    turns = [entry.text for entry in kept[1].timeline if entry.what is EntryKind.WIDENED]
    assert (kept[1].severity, turns) == (Severity.DOWN, ["2 of 5"])


@given(st.integers(0, 4), st.integers(1, 30), st.integers(0, 8))
@settings(max_examples=25, deadline=None)
def test_the_end_counts_as_down_what_the_month_counts(before: int, full: int, after: int) -> None:
    """Minutes seen by one place only, by all, and by one place again."""
    world = World()
    world.minutes(before, bad=[SHANGHAI])
    world.minutes(full, bad=EVERYWHERE)
    world.minutes(after, bad=[SHANGHAI])
    world.minutes(4)
    over = world.incidents.get(1)
    if over and over.severity is Severity.DOWN:
        month = world.engine.downtime(over, world.now)
        title = recovered(over, Context(now=world.now, places={}))
        assert f"was down for {lasted(month, Context(now=world.now))}" in title
