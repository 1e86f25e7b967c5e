"""What an agent pushes is judged beside what the hub sees: an incident that speaks of the place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cast import HandClock

from monitor.agent.ingest import Heard
from monitor.alerts import AlertEngine
from monitor.config import Config, parse
from monitor.daemon.components import voting_of
from monitor.daemon.hub import Hub
from monitor.model import (
    AgentState,
    Failure,
    FailureKind,
    Incident,
    Outcome,
    Redactor,
    Result,
    RunRecord,
    Severity,
)
from monitor.store import Store

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHECK = "relay/direct/http"
TOML = """
[monitor]
vantage = "fra"
[service.relay]
endpoints = { direct = "https://a.example" }
probes = { http = "1m" }
[channel.phone]
url = "json://127.0.0.1:9/"
[vantage.cn]
name = { en = "Shanghai", zh-CN = "上海" }
key = "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
main = true
"""


@dataclass
class Judging:
    config: Config
    hub: Hub
    store: Store
    alerts: AlertEngine
    clock: HandClock
    results: list[Result]
    """What was handed on of all that came."""
    number: int = 0

    def own(self, outcome: Outcome = Outcome.UP) -> None:
        result = Result(check=CHECK, vantage="fra", at=self.clock.now(), outcome=outcome)
        changes = self.alerts.judge(result)
        self.store.keep(changes.incidents, changes.outgoing, changes.states)

    def agent(self, kind: FailureKind | None, *, ago: float = 0, blind: bool = False) -> None:
        """The agent pushes one result."""
        self.number += 1
        failure = kind and Failure(kind, "answers from nowhere")
        result = Result(
            check=CHECK,
            vantage="cn",
            at=self.clock.now() - timedelta(seconds=ago),
            outcome=failure.outcome if failure else Outcome.UP,
            failure=failure,
        )
        now = self.clock.now()
        state = AgentState(vantage="cn", stream="s", upto=self.number, heard=now, blind=blind)
        self.hub._heard(Heard(state, (RunRecord(result=result, kind="http"),)))

    async def incidents(self) -> tuple[Incident, ...]:
        await self.store.flush()
        return await self.store.incidents()


@asynccontextmanager
async def judging(folder: Path) -> AsyncIterator[Judging]:
    config = parse(TOML, path=folder / "monitor.toml", env={})
    clock = HandClock(NOON)
    store = Store(config.store, clock=clock, vantage="fra", others=["cn"])
    store.open()
    memory = store.recall()
    alerts = AlertEngine(config.alerts, config.channels, memory, voting=voting_of(config))
    results: list[Result] = []
    hub = Hub(
        config, Redactor(()), store=store, clock=clock, alerts=alerts, on_result=results.append
    )

    try:
        yield Judging(config, hub, store, alerts, clock, results)
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
    assert [result.vantage for result in place.results] == ["cn"] * 8


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
    assert [each for each in await place.incidents() if each.severity is Severity.DOWN] == []


async def test_odd_agents_are_told_once(place: Judging) -> None:
    state = AgentState(vantage="cn", stream="s", upto=1, heard=NOON, offset_ms=-420_000, dropped=3)
    for _ in range(3):
        place.hub._heard(Heard(state, ()))
        place.hub._heard(Heard(state, (), is_other_stream=True))
    titles = [text.splitlines()[0] for text in place.hub.take_notices(place.alerts.language)]
    assert titles == [
        "👁 Shanghai: its clock is more than a minute wrong",
        "👁 Shanghai: its buffer was full",
        "👁 Shanghai: two agents have the same key",
    ]
    assert place.hub.take_notices(place.alerts.language) == []
