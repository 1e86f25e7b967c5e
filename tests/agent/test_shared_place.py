"""Several agents of one place share its checks: each is run by one of them, and moves when one comes or dies."""

import asyncio
import gzip
import json
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest
from agent_cast import CN_KEY, NOON, TOML, AgentHub, Answer, hubbing, run
from aiohttp import web
from cast import until
from listening import free_port, listening
from process_cast import MONITOR, Place

from monitor.agent.invitation import read_invitation
from monitor.agent.signature import PrivateKey
from monitor.agent.wire import Batch
from monitor.config import Config, parse
from monitor.config.agent_document import read_agent_document
from monitor.model import AgentState, Spend
from monitor.model.dealing import agent_id, deal_text, owner
from monitor.store import Store
from monitor.store.agents import states

SECOND_KEY, THIRD_KEY = (PrivateKey(bytes([number]) * 32) for number in (4, 5))
KEYS = {agent_id(key.public): key for key in (CN_KEY, SECOND_KEY, THIRD_KEY)}
ONE, TWO, THREE = KEYS
ENDPOINTS = ", ".join(f'e{number} = "https://e{number}.example"' for number in range(12))
SHARED = re.sub(r"endpoints = .*direct.*", f"endpoints = {{ {ENDPOINTS} }}", TOML).replace(
    f'key = "{CN_KEY.public}"',
    "key = [" + ", ".join(f'"{key.public}"' for key in KEYS.values()) + "]",
)
ALL_THREE = deal_text((frozenset(KEYS),))


@pytest.fixture(name="hub")
async def shared_hub(tmp_path: Path) -> AsyncIterator[AgentHub]:
    async with hubbing(tmp_path, SHARED) as hub:
        yield hub


@dataclass
class Agent:
    """One agent by its requests; what it runs is what it fetched last."""

    hub: AgentHub
    id: str
    deal: str = ""
    tag: str = ""
    number: int = 0
    config: Config | None = None

    @property
    def checks(self) -> set[str]:
        return {check.key for check in self.config.checks} if self.config else set()

    async def fetch(self) -> None:
        status, body, headers, _ = await self.hub.config_of(key=KEYS[self.id])
        assert status == 200
        self.tag = headers["ETag"].strip('"')
        env = {"RELAY_KEY": "key"}
        self.config = read_agent_document(body, path=Path("/x/agent.json"), env=env).config
        assert self.config.deal is not None
        self.deal = self.config.deal

    async def push(self, batch: Batch | None = None, *, results: int = 0) -> Answer:
        """Push a sign of life or results, and fetch the configuration where it is another one."""
        first, self.number = self.number + 1, self.number + results
        runs = [
            (n, run(n + 1000 * [*KEYS].index(self.id), "relay/e0/http"))
            for n in range(first, first + results)
        ]
        answer = await self.hub.push(
            runs,
            first=first,
            last=self.number,
            key=KEYS[self.id],
            stream=f"{[*KEYS].index(self.id)}1111111-1111-4111-8111-111111111111",
            batch=replace(batch or Batch(), deal=self.deal, config=self.tag),
        )
        self.hub.clock.tick(0.001)
        if answer.status == 200 and answer.document["config"] != self.tag:
            await self.fetch()
        return answer


async def settled(hub: AgentHub) -> list[Agent]:
    """Three agents start, and push until nothing changes any more."""
    agents = [Agent(hub, id_) for id_ in KEYS]
    for agent in agents:
        await agent.fetch()
    for _ in range(4):
        for agent in agents:
            await agent.push()
    assert [agent.deal for agent in agents] == [ALL_THREE] * 3
    return agents


def of_relay(hub: AgentHub) -> set[str]:
    return {check.key for check in hub.config.checks if check.service == "relay"}


async def known(hub: AgentHub) -> tuple[AgentState, ...]:
    keys = {vantage.id: vantage.public_keys for vantage in hub.config.vantages}
    return await hub.store.ask(lambda connection: states(connection, keys))


async def test_each_check_of_the_place_is_in_the_configuration_of_one_agent(hub: AgentHub) -> None:
    agents = await settled(hub)
    keys = of_relay(hub)
    assert sorted(key for agent in agents for key in agent.checks) == sorted(keys)
    for agent in agents:
        assert agent.checks == {key for key in keys if owner(key, KEYS) == agent.id}


async def test_what_a_dead_agent_had_the_others_run_after_their_next_push(hub: AgentHub) -> None:
    one, two, dead = await settled(hub)
    for _ in range(3):
        hub.clock.tick(8)
        await one.push()
        await two.push()
    assert not (one.checks | two.checks) & dead.checks
    hub.clock.tick(12)
    await one.push()
    await two.push()
    assert one.checks | two.checks == of_relay(hub)
    assert not one.checks & two.checks


async def test_who_has_recorded_a_dead_agent_keeps_no_check_for_it(hub: AgentHub) -> None:
    one, two, dead = await settled(hub)
    recorded = hub.recorded
    for _ in range(5):
        hub.clock.tick(10)
        await hub.replay(*recorded)
        await hub.config_of(key=KEYS[dead.id])
        await one.push()
        await two.push()
    assert one.checks | two.checks == of_relay(hub)


async def test_a_hub_that_starts_again_moves_nothing(hub: AgentHub) -> None:
    agents = await settled(hub)
    before = [agent.tag for agent in agents]
    hub.clock.tick(3600)
    hub.api._dealers.clear()
    hub.api.recall(await known(hub))
    hub.api.change(hub.api._settings)
    for agent in reversed(agents):
        answer = await agent.push()
        assert answer.document["config"] == agent.tag
        hub.clock.tick(10)
    assert [agent.tag for agent in agents] == before


async def test_another_configuration_moves_nothing_either(hub: AgentHub) -> None:
    agents = await settled(hub)
    before = [agent.checks for agent in agents]
    documents = {**hub.api._settings.documents}
    documents["cn"] = documents["cn"].replace(b'"1m"', b'"2m"')
    hub.api.change(replace(hub.api._settings, documents=documents))
    for agent in agents:
        tag = agent.tag
        await agent.push()
        assert agent.tag != tag
    assert [agent.checks for agent in agents] == before


async def test_who_was_alone_lets_go_before_one_that_comes_begins(tmp_path: Path) -> None:
    """It had a configuration that says nothing of sharing, and pushed seldom."""
    alone = re.sub(r"(?s)key = \[.*?\]", f'key = "{CN_KEY.public}"', SHARED)
    async with hubbing(tmp_path, alone) as hub:
        _, plain, _, _ = await hub.config_of()
        assert b'"deal"' not in plain
        await hub.push(
            [(1, run(0, "relay/e0/http"))], stream="01111111-1111-4111-8111-111111111111"
        )
        assert hub.heard[-1].state.deal == ONE
        hub.clock.tick(30)
        shared = parse(SHARED, path=tmp_path / "monitor.toml", env={})
        vantages = {vantage.id: vantage for vantage in shared.vantages}
        hub.api.change(replace(hub.api._settings, vantages=vantages))
        two, one = Agent(hub, TWO), Agent(hub, ONE, deal=ONE, number=1)
        await two.fetch()
        for _ in range(3):
            await two.push()
            assert two.checks == set()
        await one.push()
        assert one.checks == {key for key in of_relay(hub) if owner(key, {ONE, TWO}) == ONE}
        await two.push()
        assert two.checks == set()
        await one.push()
        await two.push()
        assert one.checks | two.checks == of_relay(hub)


async def test_an_agent_whose_key_was_taken_away_may_say_nothing_and_has_no_check(
    hub: AgentHub,
) -> None:
    one, two, gone = await settled(hub)
    settings = hub.api._settings
    [cn] = [vantage for vantage in settings.vantages.values() if vantage.id == "cn"]
    fewer = replace(cn, public_keys=cn.public_keys[:2])
    hub.api.change(replace(settings, vantages={**settings.vantages, "cn": fewer}))
    assert (await gone.push()).status == 401
    await one.push()
    await two.push()
    assert one.checks | two.checks == of_relay(hub)


async def test_each_agent_has_a_stream_of_its_own_and_all_are_one_place(hub: AgentHub) -> None:
    agents = await settled(hub)
    for agent in agents:
        answer = await agent.push(results=2)
        assert answer.document["upto"] == 2
    assert {result.vantage for result in await hub.stored()} == {"cn"}
    assert len(await hub.stored()) == 6
    assert [(state.vantage, agent_id(state.key), state.upto) for state in await known(hub)] == [
        ("cn", ONE, 2),
        ("cn", TWO, 2),
        ("cn", THREE, 2),
    ]
    second = await hub.push([(1, run(9))], key=SECOND_KEY, stream="9" * 8)
    assert (second.status, second.document["other_stream"]) == (409, True)


async def test_what_the_place_has_spent_is_the_sum_of_what_its_agents_have(hub: AgentHub) -> None:
    one, two, _ = await settled(hub)
    day = NOON.date()
    await one.push(Batch(spend={(day, "relay"): Spend(70, 0.5)}))
    await two.push(Batch(spend={(day, "relay"): Spend(20, 0.25)}))
    await one.push(Batch(spend={(day, "relay"): Spend(71, 0.5)}))
    expected = {"relay": Spend(91, 0.75)}
    assert hub.store.spent_elsewhere(day)["cn"] == expected
    reader = Store.read_only(hub.config.store, vantage="fra")
    try:
        assert reader.snapshot(hub.clock.now()).spent_elsewhere["cn"] == expected
    finally:
        reader.close()


async def test_what_is_no_deal_is_refused_with_its_batch(hub: AgentHub) -> None:
    one, *_ = await settled(hub)
    for deal in ("everything", "7" * 9, "/" * 40, 7, ["a"]):
        body = json.dumps({"v": 1, "deal": deal, "results": []}).encode()
        answer = await hub.push([], first=1, last=0, key=KEYS[one.id], body=gzip.compress(body))
        assert (answer.status, answer.document["why"]) == (400, "want `deal` as ids of agents")


# --- real processes -----------------------------------------------------------------------------------

INTERVAL_S = 60
PATIENCE_S = 240
"""For what starts processes on a busy machine."""


@dataclass
class Asked:
    """Everything that base URLs were asked: when (monotonic seconds), by which agent, and which of them."""

    all: list[tuple[float, str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.all.append(
            (time.monotonic(), request.headers.get("X-Who", ""), request.path.rstrip("/"))
        )
        return web.Response(text="hello")

    def by_agents(self, since: float = 0) -> dict[str, list[tuple[float, str]]]:
        """Return when and by which agent each base URL was asked, by its path."""
        by_path = defaultdict(list)
        for at, who, path in self.all:
            if who != "hub" and at >= since:
                by_path[path].append((at, who))
        return by_path

    def owners(self, since: float) -> dict[str, str]:
        """Return who has asked each base URL since then; where several have, all of them in one text."""
        return {
            path: "+".join(sorted({who for _, who in asked}))
            for path, asked in self.by_agents(since).items()
        }

    def shortest_gap(self) -> float:
        """Return the seconds between the two questions of agents to one base URL that lie closest together."""
        return min(
            later[0] - earlier[0]
            for asked in self.by_agents().values()
            for earlier, later in pairwise(asked)
        )


def deal_in(agent: Place) -> str:
    """Return by what an agent was told to run its checks."""
    try:
        text = (agent.folder / "state" / "agent.json").read_text()
    except FileNotFoundError:
        return ""
    return str(json.loads(text).get("deal", {}).get("among", ""))


def invite(hub: Path, url: str, *more: str) -> str:
    words = [MONITOR, "agent", "add", "cn", "--url", url, *more]
    done = subprocess.run(words, cwd=hub, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


@dataclass
class Processes:
    """A hub and its agents; each asks with its own name in a header."""

    folder: Path
    hub: Place
    port: int
    asked: Asked
    agents: dict[str, Place] = field(default_factory=dict)
    """By id."""

    async def add(self, *more: str) -> str:
        url = f"http://127.0.0.1:{self.port}"
        line = await asyncio.to_thread(invite, self.hub.folder, url, *more)
        id_ = agent_id(read_invitation(line).key.public)
        folder = self.folder / id_
        folder.mkdir()
        agent = Place(folder, "agent", "--state", str(folder / "state"))
        self.agents[id_] = agent
        agent.start(line + "\n", WHO=id_)
        return id_

    async def settle(self) -> float:
        """Wait until all agents run what is dealt among all of them, and return when that was."""
        deal = deal_text((frozenset(self.agents),))
        await until(lambda: {deal_in(each) for each in self.agents.values()} == {deal}, PATIENCE_S)
        await asyncio.sleep(2)  # until the last one has reloaded, and what it has asked is counted
        return time.monotonic()

    def gap_over(self, died: float, path: str) -> float:
        """Return for how long nobody asked a base URL around the moment at which its agent died."""
        asked = [at for at, _ in self.asked.by_agents()[path]]
        return min(at for at in asked if at >= died) - max(at for at in asked if at < died)

    def dealt(self, *, without: str = "") -> dict[str, str]:
        agents = self.agents.keys() - {without}
        return {f"/e{n}": owner(f"s/e{n}/http", agents) or "" for n in range(CHECKS)}


CHECKS = 16


@asynccontextmanager
async def processes(folder: Path) -> AsyncIterator[Processes]:
    asked, port, hub = Asked(), free_port(), folder / "hub"
    app = web.Application()
    app.router.add_get("/{tail:.*}", asked.answer)
    hub.mkdir()
    async with listening(app) as site:
        endpoints = "".join(
            f'e{n} = {{ url = "{site}/e{n}", headers = {{ X-Who = "${{WHO}}" }} }}\n'
            for n in range(CHECKS)
        )
        (hub / "monitor.toml").write_text(
            f'[monitor]\nvantage = "fra"\nlisten = "127.0.0.1:{port}"\n'
            f'[channel.phone]\nurl = "json://127.0.0.1:9/"\n'
            f'[service.s]\nprobes = {{ http = "{INTERVAL_S}s" }}\n[service.s.endpoints]\n{endpoints}'
        )
        here = Processes(folder, Place(hub, "run"), port, asked)
        here.hub.start(WHO="hub")
        try:
            await until(lambda: "event=started" in here.hub.log.read_text(), PATIENCE_S)
            yield here
        finally:
            for place in (here.hub, *here.agents.values()):
                place.kill()


@pytest.mark.proof  # six minutes, and its bounds want a machine that does little else
async def test_real_agents_share_a_place_and_none_is_asked_twice(tmp_path: Path) -> None:
    async with processes(tmp_path) as here:
        await here.add()
        for _ in range(2):
            await here.add("--another")
        since = await here.settle()
        before = here.dealt()
        await until(lambda: len(here.asked.owners(since)) == CHECKS, INTERVAL_S + 15)
        assert here.asked.owners(since) == before

        began = time.monotonic()
        fourth = await here.add("--another")
        since = await here.settle()
        print(f"a fourth agent shares {since - began:.1f} s after `agent add`")
        moved = {path for path, id_ in here.dealt().items() if id_ != before[path]}
        assert {here.dealt()[path] for path in moved} <= {fourth}

        here.hub.kill()
        await asyncio.sleep(5)
        here.hub.start(WHO="hub")
        await until(lambda: len(here.asked.owners(since)) == CHECKS, INTERVAL_S + 15)
        assert here.asked.owners(since) == here.dealt()
        assert len({deal_in(agent) for agent in here.agents.values()}) == 1

        victim = max(here.agents, key=[*here.dealt().values()].count)
        orphans = [path for path, id_ in here.dealt().items() if id_ == victim]
        here.agents[victim].kill()
        died = time.monotonic()
        await until(lambda: {*orphans} <= here.asked.by_agents(died).keys(), 2 * INTERVAL_S + 15)
        gaps = [here.gap_over(died, path) for path in orphans]
        print(
            f"{len(moved)} of {CHECKS} checks moved to the fourth; {len(orphans)} of the dead one"
            f" were asked again after at most {max(gaps):.1f} s (interval {INTERVAL_S} s);"
            f" shortest time between two questions: {here.asked.shortest_gap():.1f} s"
        )
        assert max(gaps) < 2 * INTERVAL_S + 5
        left = here.dealt(without=victim)
        after = here.asked.owners(died)
        assert {path: after[path] for path in orphans} == {path: left[path] for path in orphans}
        assert here.asked.shortest_gap() > INTERVAL_S - 5
