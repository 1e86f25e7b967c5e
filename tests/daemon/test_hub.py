"""What an agent pushes is judged beside what the hub sees: an incident that speaks of the place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from cast import HandClock

from monitor.agent.ingest import Heard
from monitor.alerts import AlertEngine, Context
from monitor.alerts.quorum import Reach, Standing
from monitor.config import Config, parse
from monitor.daemon.components import Components, voting_of
from monitor.daemon.dependencies import Dependencies
from monitor.daemon.hub import Hub
from monitor.model import (
    AgentState,
    Failure,
    FailureKind,
    Incident,
    NotificationType,
    Outcome,
    Redactor,
    Result,
    RunRecord,
    Severity,
    place_state,
)
from monitor.model.dealing import agent_id, deal_text, read_deal
from monitor.store import Store
from monitor.store.agents import ReceivedBatch, receive

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHECK = "relay/direct/http"
KEY = "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
OTHER_KEY = KEY.replace("A", "B")
TOML = f"""
[monitor]
vantage = "fra"
[service.relay]
endpoints = {{ direct = "https://a.example" }}
probes = {{ http = "1m" }}
[channel.phone]
url = "json://127.0.0.1:9/"
[vantage.cn]
name = {{ en = "Shanghai", zh-CN = "上海" }}
key = "{KEY}"
main = true
"""


@dataclass
class Judging:
    config: Config
    hub: Hub
    store: Store
    alerts: AlertEngine
    clock: HandClock
    runs: list[RunRecord]
    """What was handed on of all that came."""
    asked: list[str]
    """Checks that the hub has run out of turn."""
    number: int = 0

    @property
    def schedule(self) -> SimpleNamespace:
        return SimpleNamespace(run_now=self.asked.append)

    def own(self, kind: FailureKind | None = None) -> None:
        failure = Failure(kind, "did not answer") if kind else None
        outcome = failure.outcome if failure else Outcome.UP
        at = self.clock.now()
        result = Result(check=CHECK, vantage="fra", at=at, outcome=outcome, failure=failure)
        changes = self.alerts.judge(result)
        self.store.keep(changes.incidents, changes.outgoing, changes.states)

    def agent(
        self, kind: FailureKind | None, *, ago: float = 0, blind: bool = False, check: str = CHECK
    ) -> None:
        """The agent pushes one result."""
        self.number += 1
        failure = Failure(kind, "answers from nowhere") if kind else None
        result = Result(
            check=check,
            vantage="cn",
            at=self.clock.now() - timedelta(seconds=ago),
            outcome=failure.outcome if failure else Outcome.UP,
            failure=failure,
        )
        now = self.clock.now()
        state = AgentState(
            vantage="cn", key=KEY, stream="s", upto=self.number, heard=now, blind=blind
        )
        self.hub._heard(Heard(state, (RunRecord(result=result, kind="http"),)))

    async def push(self, kind: FailureKind | None = None) -> None:
        """The agent pushes one result, and the hub stores it."""
        failure = Failure(kind, "answers from nowhere") if kind else None
        outcome, now = failure.outcome if failure else Outcome.UP, self.clock.now()
        result = Result(check=CHECK, vantage="cn", at=now, outcome=outcome, failure=failure)
        run = RunRecord(result=result, kind="http")
        self.number += 1
        state = AgentState(vantage="cn", key=KEY, stream="s", upto=self.number, heard=now)
        silent = timedelta(minutes=3)
        batch = ReceivedBatch(
            state=state,
            first=self.number,
            sent_ms=self.number,
            runs=(run,),
            taken_over_after=silent,
        )
        await receive(self.store, batch, [self.number])
        self.hub._heard(Heard(state, (run,)))

    def notices(self) -> list[tuple[str, str]]:
        """Return event and title of what is told now, and keep what goes with it."""
        notices = self.hub.take_notices(Context(now=self.clock.now()))
        if notices:
            self.store.keep(values=self.hub.remembered)
        return [(notice.event, notice.text.splitlines()[0]) for notice in notices]

    def minutes(self, count: int) -> list[tuple[str, str]]:
        """Let time pass, looking four times a minute as the daemon does; return what is told."""
        told = []
        for _ in range(4 * count):
            self.clock.tick(15)
            told += self.notices()
        return told

    async def incidents(self) -> tuple[Incident, ...]:
        await self.store.flush()
        return await self.store.incidents()


@asynccontextmanager
async def judging(
    folder: Path, clock: HandClock | None = None, toml: str = TOML, number: int = 0
) -> AsyncIterator[Judging]:
    """A hub that starts; `number` is that of the last batch it has."""
    config = parse(toml, path=folder / "monitor.toml", env={})
    clock = clock or HandClock(NOON)
    store = Store(config.store, clock=clock, vantage="fra", others=["cn"])
    store.open()
    memory = store.recall()
    alerts = AlertEngine(config.alerts, config.channels, memory, voting=voting_of(config))
    runs: list[RunRecord] = []
    asked: list[str] = []
    hub = Hub(
        config,
        Redactor(()),
        store=store,
        clock=clock,
        alerts=alerts,
        on_run=runs.append,
        run_now=asked.append,
    )

    try:
        await hub.load()
        alerts.seed(await store.results_since(clock.now() - timedelta(hours=1)))
        yield Judging(config, hub, store, alerts, clock, runs, asked, number)
    finally:
        await store.close()


@pytest.fixture(name="place")
async def judging_place(tmp_path: Path) -> AsyncIterator[Judging]:
    async with judging(tmp_path) as place:
        yield place


async def test_what_is_bad_from_there_alone_is_an_incident_of_that_place(place: Judging) -> None:
    for _ in range(5):
        place.own()
        place.agent(FailureKind.DNS_POISONED)
        place.clock.tick(60)
    [incident] = await place.incidents()
    assert incident.failure.kind is FailureKind.DNS_POISONED
    assert incident.closed is None
    assert incident.severity is not Severity.DOWN
    assert (await place.store.snapshot(place.clock.now())).outbox
    for _ in range(3):
        place.own()
        place.agent(None)
        place.clock.tick(60)
    [incident] = await place.incidents()
    assert incident.closed is not None
    assert [run.result.vantage for run in place.runs] == ["cn"] * 8


async def test_what_comes_late_moves_no_belief(place: Judging) -> None:
    for number in range(6):
        place.own()
        place.agent(FailureKind.DNS_POISONED, ago=3_600 - number)
        place.clock.tick(60)
    assert await place.incidents() == ()


async def test_a_place_whose_own_network_fails_accuses_nobody(place: Judging) -> None:
    for _ in range(6):
        place.own()
        place.agent(FailureKind.DNS_POISONED, blind=True)
        place.clock.tick(60)
    assert [
        incident for incident in await place.incidents() if incident.severity is Severity.DOWN
    ] == []


async def test_what_a_place_begins_to_see_otherwise_the_others_look_at_once(tmp_path: Path) -> None:
    """Of what costs money and is run in turn; what is free is looked at often enough."""
    paid = TOML.replace('http = "1m"', 'http = "1m", chat = { every = "5m", model = "m" }')
    hk = '[vantage.hk]\nkey = "ed25519:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB="\n'
    async with judging(tmp_path, toml=paid + hk) as place:
        chat = CHECK.replace("/http", "/chat")
        doubted = {vantage.id: vantage for vantage in place.config.vantages}
        place.agent(None, check=chat)
        assert place.hub._doubted(doubted["hk"]) == []
        for _ in range(2):
            place.clock.tick(10)
            place.agent(FailureKind.SERVER_ERROR, check=chat)
            place.agent(FailureKind.SERVER_ERROR)
        assert place.asked == [chat]
        assert place.hub._doubted(doubted["hk"]) == [chat]
        place.clock.tick(10)
        place.agent(None, check=chat)
        assert place.hub._doubted(doubted["hk"]) == []
        assert place.asked == [chat]


async def test_odd_agents_are_told_once(place: Judging) -> None:
    state = AgentState(
        vantage="cn", key=KEY, stream="s", upto=1, heard=NOON, offset_ms=-420_000, dropped=3
    )
    for _ in range(3):
        place.hub._heard(Heard(state, ()))
        place.hub._heard(Heard(state, (), is_other_stream=True))
    assert [title for _, title in place.notices()] == [
        "👁 Shanghai: its clock is more than a minute wrong",
        "👁 Shanghai: its buffer was full",
        "👁 Shanghai: two agents have the same key",
    ]
    assert place.notices() == []


def two_agents(toml: str) -> str:
    return toml.replace(f'key = "{KEY}"', f'key = ["{KEY}", "{OTHER_KEY}"]')


async def test_a_place_is_blind_only_where_all_of_its_agents_are(tmp_path: Path) -> None:
    """And only those count that are heard: who died a while ago cannot see for the others."""
    async with judging(tmp_path, toml=two_agents(TOML)) as place:

        def says(key: str, *, blind: bool) -> bool:
            place.number += 1
            deal = deal_text((frozenset({agent_id(KEY), agent_id(OTHER_KEY)}),))
            dealer = place.hub._api._dealer("cn")
            place.hub._api._dealers["cn"] = dealer.hear(
                agent_id(key), read_deal(deal), place.clock.monotonic()
            )
            state = AgentState(
                vantage="cn", key=key, stream="s", upto=1, heard=place.clock.now(), blind=blind
            )
            place.hub._heard(Heard(state, ()))
            return place.hub.known["cn"].blind

        assert says(KEY, blind=True)
        assert not says(OTHER_KEY, blind=False)
        assert not says(KEY, blind=True)
        for _ in range(4):
            place.clock.tick(12)
            blind = says(KEY, blind=True)
        assert blind


def test_a_place_is_shown_by_the_agent_that_was_heard_last_and_the_sum_of_what_waits() -> None:
    newest = AgentState(
        vantage="cn", key=KEY, stream="s", upto=5, heard=NOON, offset_ms=20, buffered=3, version="2"
    )
    other = replace(newest, key=OTHER_KEY, offset_ms=-900, buffered=4, oldest_ms=60, version="1")
    assert place_state(newest, []) == newest
    assert place_state(newest, [other]) == replace(newest, offset_ms=-900, buffered=7, oldest_ms=60)


async def test_what_the_agents_of_a_place_were_is_known_again_after_a_start(tmp_path: Path) -> None:
    async with judging(tmp_path, toml=two_agents(TOML)) as place:
        await place.push()
        state = replace(place.hub.known["cn"], key=OTHER_KEY, buffered=9, heard=place.clock.now())
        batch = ReceivedBatch(
            state=state, first=1, sent_ms=1, taken_over_after=timedelta(minutes=3)
        )
        await receive(place.store, batch, [])
    async with judging(tmp_path, place.clock, two_agents(TOML)) as place:
        assert place.hub.known["cn"].buffered == 9
        assert place.hub._api.live("cn") == {agent_id(KEY), agent_id(OTHER_KEY)}
        config = parse(TOML, path=tmp_path / "monitor.toml", env={})
        place.hub.change(config, Redactor(()))
        assert place.hub.known["cn"].key == KEY


SILENT = ("vantage/cn", "👁 Shanghai is not heard since 24 Nov 12:00 UTC")
HEARD = ("vantage/cn", "✅ Shanghai is heard again")


async def test_a_place_that_is_silent_is_told_once_and_its_return_once(place: Judging) -> None:
    assert place.minutes(60) == []  # never heard since it was added
    place.clock.wall = NOON
    await place.push()
    assert place.minutes(5) == []
    assert place.minutes(60) == [SILENT]
    await place.push()
    [notice] = place.hub.take_notices(Context(now=place.clock.now()))
    assert notice.what is NotificationType.RESOLVED
    assert notice.text.splitlines() == [HEARD[1], "It was not heard for 1h5m."]
    assert place.minutes(5) == []


@pytest.mark.parametrize("starts_again", [False, True])
async def test_who_comes_with_another_key_is_not_the_one_that_was_heard(
    place: Judging, tmp_path: Path, *, starts_again: bool
) -> None:
    await place.push()
    assert [*place.hub.known] == ["cn"]
    toml = TOML.replace(KEY, KEY.replace("A", "B"))
    if starts_again:
        await place.store.close()
        async with judging(tmp_path, place.clock, toml) as again:
            assert (again.hub.known, again.minutes(60)) == ({}, [])
    else:
        config = parse(toml, path=tmp_path / "monitor.toml", env={})
        place.hub.change(config, Redactor(()))
        assert (place.hub.known, place.minutes(60)) == ({}, [])


async def test_the_silence_of_the_last_place_ends_when_it_leaves_the_configuration(
    place: Judging, tmp_path: Path
) -> None:
    config = parse(TOML.partition("[vantage")[0], path=tmp_path / "monitor.toml", env={})
    deps = SimpleNamespace(config=config)

    async def reloaded() -> Hub | None:
        return await Components.prepare_hub(cast("Components", place), cast("Dependencies", deps))

    assert await reloaded() is None
    await place.push()
    assert place.minutes(6) == [SILENT]
    assert await reloaded() is place.hub
    place.hub.change(config, Redactor(()))
    assert place.minutes(1) == [("vantage/cn", "✅ cn is no longer waited for")]
    assert await reloaded() is None


@pytest.mark.slow
async def test_what_was_told_of_a_silent_place_is_remembered_over_a_start(tmp_path: Path) -> None:
    async with judging(tmp_path) as place:
        await place.push()
        assert place.minutes(6) == [SILENT]
    async with judging(tmp_path, place.clock, number=1) as place:
        assert place.hub.events == {"vantage/cn"}
        assert place.minutes(10) == []
        await place.push()  # and the daemon ends before it could say so
    async with judging(tmp_path, place.clock) as place:
        assert place.minutes(6) == [
            HEARD,
            ("vantage/cn", "👁 Shanghai is not heard since 24 Nov 12:16 UTC"),
        ]
    async with judging(tmp_path, place.clock, TOML + "sleeps = true\n") as place:
        assert place.minutes(1) == [("vantage/cn", "✅ Shanghai is no longer waited for")]
        assert place.hub.events == frozenset()


async def test_only_time_in_which_the_hub_could_hear_makes_a_place_silent(tmp_path: Path) -> None:
    async with judging(tmp_path) as place:
        await place.push()
    place.clock.tick(8 * 3600)
    async with judging(tmp_path, place.clock) as place:
        assert place.minutes(5) == []  # it was the hub that was away
        place.clock.tick(3600)  # stopped, and continued
        assert place.minutes(1) == []
        place.clock.suspend(3600)
        assert place.minutes(1) == []
        for _ in range(3):
            place.own(FailureKind.OFFLINE)
            assert place.minutes(1) == []
        assert place.alerts.is_blind
        assert place.minutes(60) == []
        for _ in range(3):
            place.own()
            assert place.minutes(1) == []
        assert not place.alerts.is_blind
        assert place.minutes(2) == []
        assert place.minutes(3) == [SILENT]


async def test_a_place_that_sleeps_is_neither_told_nor_an_absent_voter(tmp_path: Path) -> None:
    async with judging(tmp_path, toml=TOML + "sleeps = true\n") as place:
        await place.push()
        assert place.minutes(60) == []
        for _ in range(3):
            place.own(FailureKind.CONNECT_TIMEOUT)
            place.clock.tick(60)
        [incident] = await place.incidents()
        assert (incident.severity, incident.closed) == (Severity.DOWN, None)
        for _ in range(3):
            place.own()
            place.clock.tick(60)
        [incident] = await place.incidents()
        assert incident.closed is not None


async def test_a_start_keeps_the_votes_as_they_were(tmp_path: Path) -> None:
    async with judging(tmp_path) as place:
        for _ in range(3):
            place.own()
            await place.push(FailureKind.DNS_POISONED)
            place.clock.tick(60)
    [rule] = [rule for rule in place.alerts._rules if rule.name == "down"]
    async with judging(tmp_path, place.clock) as place:
        place.own()
        now = place.clock.now()
        standing = place.alerts.voters.standing(
            CHECK, rule, place.alerts._states, now, Reach.PARTIAL
        )
        assert standing == Standing(Reach.PARTIAL, bad=("cn",), good=("fra",))
        assert place.alerts.voters.is_heard("cn", now + timedelta(minutes=2))
        assert not place.alerts.voters.is_heard("cn", now + timedelta(minutes=2, seconds=1))
        assert place.alerts.voters.silent_for(["cn"], now + timedelta(hours=1)) == timedelta(
            hours=1
        )
        [incident] = await place.incidents()
        assert (incident.severity, incident.closed) == (Severity.PARTIAL, None)
