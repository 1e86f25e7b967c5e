"""An agent's buffer and its push, against a real hub: whatever happens, each result is there once."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from agent_cast import CN_KEY, HK_KEY, HUB_KEY, NOON, TOML, AgentHub, failed, hubbing, run
from aiohttp import web
from cast import HandClock, until
from listening import listening
from postgres import postgres
from proxies import Fake, proxying

from monitor.agent.hub_client import FetchedConfig, HubAwayError, HubClient
from monitor.agent.ingest import CONFIG, RESULTS
from monitor.agent.invitation import Invitation
from monitor.agent.push import INTERVAL_S, AgentReport, Pusher
from monitor.agent.wire import SentRun, encode_run
from monitor.config import load
from monitor.model import Proxy, Result, RunRecord
from monitor.store import Store
from monitor.store.push_buffer import PushBuffer


@dataclass
class AgentSide:
    """One agent: its store, its buffer, its way to the hub, and a clock that may be wrong."""

    folder: Path
    clock: HandClock
    store: Store
    buffer: PushBuffer
    client: HubClient
    pusher: Pusher
    fetched: list[FetchedConfig] = field(default_factory=list)
    doubted: list[frozenset[str]] = field(default_factory=list)

    def measure(self, *seconds: float, good: bool = True) -> None:
        for each in seconds:
            sent = run(each) if good else failed(each)
            self.store.record(RunRecord(result=sent.result, kind="http"))

    async def push(self) -> float:
        return await self.pusher.push_once()

    def waiting(self) -> list[bytes]:
        with closing(sqlite3.connect(self.folder / "agent.db")) as connection:
            return [row[0] for row in connection.execute("SELECT body FROM push ORDER BY seq")]


def encode(entry: RunRecord) -> bytes:
    return encode_run(SentRun(result=entry.result, evidence=entry.evidence, missed=entry.missed))


@asynccontextmanager
async def agent_of(
    hub: AgentHub,
    folder: Path,
    *,
    hubs: tuple[str, ...] = (),
    proxy: Proxy | None = None,
    most_bytes: int = 10**7,
    ahead: float = 0.0,
    report: Callable[[], AgentReport] = lambda: AgentReport(spend={}),
) -> AsyncIterator[AgentSide]:
    folder.mkdir(exist_ok=True)
    clock = HandClock(hub.clock.now() + timedelta(seconds=ahead)) if ahead else hub.clock
    buffer = PushBuffer(encode, most_bytes=most_bytes, boot="this-boot")
    store = Store(f"sqlite:///{folder}/agent.db", clock=clock, vantage="cn", also=buffer.append)
    store.open()
    store.recall()
    invitation = Invitation(vantage="cn", hub=hub.url, hub_key=HUB_KEY.public, key=CN_KEY)
    client = HubClient(invitation, hubs=hubs, proxy=proxy, clock=clock)
    fetched: list[FetchedConfig] = []
    doubted: list[frozenset[str]] = []

    async def take(config: FetchedConfig) -> bool:
        fetched.append(config)
        return True

    pusher = Pusher(
        client,
        store,
        buffer,
        clock=clock,
        report=report,
        config_tag="",
        on_config=take,
        on_doubt=doubted.append,
    )
    hub.clock.mono += 10
    try:
        yield AgentSide(folder, clock, store, buffer, client, pusher, fetched, doubted)
    finally:
        await client.close()
        await store.close()


@pytest.fixture(name="hub")
async def hub_fixture(tmp_path: Path) -> AsyncIterator[AgentHub]:
    async with hubbing(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture(name="agent")
async def agent_fixture(hub: AgentHub, tmp_path: Path) -> AsyncIterator[AgentSide]:
    async with agent_of(hub, tmp_path / "agent") as agent:
        yield agent


def begins(results: list[Result]) -> list[float]:
    return [(result.at - NOON).total_seconds() for result in results]


async def test_what_the_hub_has_taken_is_forgotten_and_the_rest_follows(
    hub: AgentHub, agent: AgentSide
) -> None:
    for second in range(4):
        agent.measure(second)
        await agent.push()
        hub.clock.tick(1)
    assert begins(await hub.stored()) == [0, 1, 2, 3]
    assert agent.waiting() == []
    assert hub.api.counts.repeated["cn"] == 0
    assert [heard.state.upto for heard in hub.heard] == [1, 2, 3, 4]


async def test_what_changes_is_sent_at_once_and_so_is_what_confirms_it(
    hub: AgentHub, agent: AgentSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is: the rest waits its ten seconds."""
    monkeypatch.setattr("monitor.agent.push._MORE_AFTER_S", 0)
    stop = asyncio.Event()
    pushing = asyncio.create_task(agent.pusher.run(stop))
    await until(lambda: len(hub.heard) == 1)  # the sign of life at the begin
    for good, batches in ((True, 2), (False, 3), (False, 4), (False, 5), (False, 6), (False, 7)):
        agent.measure(batches, good=good)
        agent.pusher.saw((run(batches) if good else failed(batches)).result)
        await until(lambda batches=batches: len(hub.heard) == batches)
        hub.clock.tick(1)
    agent.pusher.saw(failed(8).result)
    assert not agent.pusher._wake.is_set()
    stop.set()
    await pushing
    assert begins(await hub.stored()) == [2, 3, 4, 5, 6, 7]


async def test_the_agents_own_history_has_them_too(hub: AgentHub, agent: AgentSide) -> None:
    agent.measure(0, 1)
    await agent.push()
    assert begins(list(await agent.store.results_since(NOON))) == begins(await hub.stored())


async def test_a_sign_of_life_is_sent_where_nothing_was_measured(
    hub: AgentHub, agent: AgentSide
) -> None:
    await agent.push()
    await agent.push()
    assert len(hub.heard) == 1
    agent.clock.tick(31)
    await agent.push()
    assert [heard.state.upto for heard in hub.heard] == [0, 0]


async def test_who_shares_a_place_gives_a_sign_of_life_each_time_and_says_at_once_what_it_runs(
    hub: AgentHub, tmp_path: Path
) -> None:
    """Its checks are others' soon where it is silent, and others wait until it has let go."""
    report = lambda: AgentReport(spend={}, deal="0123abcd,89ef4567")  # noqa: E731  # as an argument
    async with agent_of(hub, tmp_path / "agent", report=report) as agent:
        assert await agent.push() < 1  # it has fetched its configuration
        for _ in range(2):
            hub.clock.tick(0.3)
            assert await agent.push() == INTERVAL_S
    assert [heard.state.deal for heard in hub.heard] == ["0123abcd,89ef4567"] * 3


async def test_while_the_hub_is_away_all_waits_and_then_comes_once(
    hub: AgentHub, agent: AgentSide
) -> None:
    await hub.web.close()
    agent.measure(*range(30))
    with pytest.raises(HubAwayError, match="no connection"):
        await agent.push()
    assert len(agent.waiting()) == 30
    hub.web._port = int(agent.client._hubs[0].rpartition(":")[2])
    await hub.web.start()
    await agent.push()
    assert begins(await hub.stored()) == [*range(30)]


async def test_a_lost_answer_stores_nothing_twice(hub: AgentHub, agent: AgentSide) -> None:
    """The hub was killed between commit and answer, for all that the agent knows."""

    async def lose(
        request: web.BaseRequest, path: str, allow: Callable[[int], None]
    ) -> web.StreamResponse:
        await hub.api.respond(request, path, allow)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    respond: Callable[..., Awaitable[web.StreamResponse]] = hub.api.respond
    hub.web.answer_agents(lose)
    agent.measure(0, 1)
    with pytest.raises(HubAwayError):
        await agent.push()
    hub.web.answer_agents(respond)
    agent.measure(2)
    await agent.push()
    assert begins(await hub.stored()) == [0, 1, 2]
    assert (hub.api.counts.results["cn"], hub.api.counts.repeated["cn"]) == (3, 2)
    assert agent.waiting() == []


async def test_a_buffer_that_was_deleted_begins_a_new_stream(hub: AgentHub, tmp_path: Path) -> None:
    async with agent_of(hub, tmp_path / "first") as agent:
        agent.measure(0, 1)
        await agent.push()
    hub.clock.tick(600)
    async with agent_of(hub, tmp_path / "second") as agent:
        agent.measure(2)
        await agent.push()
    assert begins(await hub.stored()) == [0, 1, 2]
    assert hub.heard[0].state.stream != hub.heard[1].state.stream


async def test_a_store_that_was_restored_sends_all_that_waits_anew(
    hub: AgentHub, tmp_path: Path
) -> None:
    folder = tmp_path / "agent"
    async with agent_of(hub, folder) as agent:
        agent.measure(0)
        await agent.push()
        agent.measure(1)
        await agent.store.flush()
    shutil.copytree(folder, tmp_path / "backup")
    async with agent_of(hub, folder) as agent:
        agent.measure(2, 3, 4)
        await agent.push()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "backup", folder)
    async with agent_of(hub, folder) as agent:
        agent.measure(5, 6)  # under the numbers that the hub knows as 2 and 3
        await agent.push()
        hub.clock.tick(600)
        await agent.push()
    assert begins(await hub.stored()) == [0, 1, 2, 3, 4, 5, 6]
    assert hub.heard[-1].state.stream != hub.heard[0].state.stream


async def test_a_hub_that_was_restored_gets_anew_what_still_waits(
    hub: AgentHub, agent: AgentSide
) -> None:
    for second in range(3):
        agent.measure(second)
        await agent.push()
        hub.clock.tick(1)
    path = hub.config.store.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE agents SET upto = 1")
    agent.measure(3)
    await agent.push()
    hub.clock.tick(600)
    await agent.push()
    assert begins(await hub.stored()) == [0, 1, 2, 3]
    assert agent.waiting() == []


async def test_of_two_agents_with_one_key_only_the_first_is_heard(
    hub: AgentHub, agent: AgentSide, tmp_path: Path
) -> None:
    agent.measure(0)
    await agent.push()
    async with agent_of(hub, tmp_path / "second") as second:
        second.measure(1)
        assert await second.push() > 10
        assert len(second.waiting()) == 1
    agent.measure(2)
    await agent.push()
    assert begins(await hub.stored()) == [0, 2]
    assert [heard.is_other_stream for heard in hub.heard] == [False, True, False]


async def test_one_bad_result_is_found_and_given_up_and_blocks_nothing(
    hub: AgentHub, agent: AgentSide
) -> None:
    agent.measure(*range(7))
    await agent.store.flush()
    with closing(sqlite3.connect(agent.folder / "agent.db")) as connection, connection:
        connection.execute("UPDATE push SET body = CAST('{}' AS BLOB) WHERE seq = 4")
    for _ in range(20):
        await agent.push()
        hub.clock.tick(1)
    assert begins(await hub.stored()) == [0, 1, 2, 4, 5, 6]
    assert agent.waiting() == []
    agent.clock.tick(31)
    await agent.push()
    assert hub.heard[-1].state.refused == 1


async def test_a_full_buffer_gives_up_the_oldest_good_results_first(
    hub: AgentHub, tmp_path: Path
) -> None:
    hub.clock.tick(1_000)
    async with agent_of(hub, tmp_path / "agent", most_bytes=10_000) as agent:
        for second in range(200):
            agent.measure(second, good=second % 10 > 0)
            if second % 20 == 0:
                await agent.store.flush()
        await agent.store.flush()
        assert sum(map(len, agent.waiting())) <= 10_000
        await agent.push()
        stored = await hub.stored()
        assert [begin for begin in begins(stored) if begin % 10 == 0] == [*range(0, 200, 10)]
        assert len(stored) + hub.heard[-1].state.dropped == 200
        assert begins(stored)[-5:] == [195, 196, 197, 198, 199]


async def test_a_clock_that_is_a_day_wrong_is_found_out_and_corrected(
    hub: AgentHub, tmp_path: Path
) -> None:
    async with agent_of(hub, tmp_path / "agent", ahead=-86_400) as agent:
        await agent.client.config("")
        agent.measure(-86_400 + 7)
        await agent.push()
        [stored] = await hub.stored()
        assert abs((stored.at - NOON).total_seconds() - 7) < 1
        assert abs((hub.heard[0].state.offset_ms or 0) - 86_400_000) < 1_000


async def test_what_was_measured_before_the_machine_started_keeps_its_time(
    hub: AgentHub, tmp_path: Path
) -> None:
    async with agent_of(hub, tmp_path / "agent", ahead=-3_600) as agent:
        agent.measure(-60)
        await agent.store.flush()
    async with agent_of(hub, tmp_path / "agent", ahead=-3_600) as agent:
        agent.buffer._boot = "another-boot"
        await agent.client.config("")
        agent.measure(-3_600 + 7)
        await agent.push()
        assert [round(begin) for begin in begins(await hub.stored())] == [-60, 7]


async def test_a_new_configuration_is_fetched_once(hub: AgentHub, agent: AgentSide) -> None:
    for second in range(3):
        agent.measure(second)
        await agent.push()
        hub.clock.tick(1)
    assert [config.body for config in agent.fetched] == [hub.api._settings.documents["cn"]]
    assert agent.pusher.config_tag == agent.fetched[0].tag


async def test_each_answer_says_what_to_look_at_out_of_turn_until_the_hub_is_away(
    hub: AgentHub, agent: AgentSide
) -> None:
    for doubted in (["relay/direct/http"], []):
        hub.api._doubted = lambda _, doubted=doubted: doubted  # type: ignore[misc]
        agent.measure(len(doubted))
        await agent.push()
        hub.clock.tick(10)
    await hub.web.close()
    agent.measure(7)
    await agent.pusher._turn()
    assert agent.doubted == [{"relay/direct/http"}, set(), set()]


async def test_addresses_of_the_hub_are_tried_in_turn(hub: AgentHub, tmp_path: Path) -> None:
    hubs = ("http://127.0.0.1:9", hub.url)
    async with agent_of(hub, tmp_path / "agent", hubs=hubs) as agent:
        agent.measure(0)
        await agent.push()
        assert begins(await hub.stored()) == [0]
        assert agent.client._hubs[0] == hub.url


NO_HUB = {
    "not_found": (404, "404 page not found"),
    "page": (200, "<title>Welcome</title>"),
    "json": (200, '{"upto": "1", "why": "no"}'),
    "login": (302, ""),
    "forbidden": (403, "<title>Forbidden</title>"),
    "error": (500, '{"error": "no such application"}'),
    "away": (503, ""),
}


@pytest.mark.parametrize("answer", NO_HUB.values(), ids=NO_HUB)
async def test_where_another_server_has_the_address_of_a_hub_the_next_address_is_asked(
    hub: AgentHub, tmp_path: Path, answer: tuple[int, str]
) -> None:
    status, text = answer
    asked: list[str] = []

    async def other(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, text=text, headers={"Location": "/login"})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", other)
    async with (
        listening(app) as url,
        agent_of(hub, tmp_path / "agent", hubs=(url, hub.url)) as agent,
    ):
        fetched = await agent.client.config("")
        assert (fetched is not None, agent.client._hubs) == (True, [hub.url, url])
        agent.client._hubs.reverse()
        agent.measure(0)
        await agent.push()
        hub.clock.tick(10)
        agent.measure(1)
        await agent.push()
    assert begins(await hub.stored()) == [0, 1]
    assert asked == [f"/{CONFIG}", f"/{RESULTS}"], "the hub is asked first once it has answered"


async def test_a_hub_with_another_key_is_passed_by_for_the_one_that_signs(
    hub: AgentHub, tmp_path: Path
) -> None:
    async with hubbing(tmp_path / "other") as other:
        other.api._key = CN_KEY
        async with agent_of(hub, tmp_path / "agent", hubs=(other.url, hub.url)) as agent:
            other.clock.mono += 10
            assert await agent.client.config("") is not None
            assert agent.client._hubs == [hub.url, other.url]


async def test_what_a_hub_refuses_no_other_address_is_asked(hub: AgentHub, tmp_path: Path) -> None:
    """Another hub of the same store would say the same."""
    hub.api.change(replace(hub.api._settings, vantages={}))
    async with hubbing(tmp_path / "other") as other:
        async with agent_of(hub, tmp_path / "agent", hubs=(hub.url, other.url)) as agent:
            agent.measure(0)
            assert await agent.push() == 60
        assert other.heard == []


async def test_where_no_address_leads_to_a_hub_the_words_of_one_that_waits_come_first(
    hub: AgentHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def standby(_: web.Request) -> web.Response:
        return web.json_response({"why": "it waits"}, status=503, headers={"Retry-After": "5"})

    async def other(_: web.Request) -> web.Response:
        return web.Response(status=404, text="404 page not found")

    waits, dead = web.Application(), web.Application()
    waits.router.add_route("*", "/{rest:.*}", standby)
    dead.router.add_route("*", "/{rest:.*}", other)
    async with listening(waits) as first, listening(dead) as second:
        hubs = (first, second)
        async with agent_of(hub, tmp_path / "agent", hubs=hubs) as agent:
            agent.measure(0)
            assert await agent.push() == 5
            assert agent.client._hubs == [*hubs]
    assert "HTTP 503: it waits" in caplog.text


@pytest.mark.parametrize("socks", [False, True])
async def test_the_way_to_the_hub_may_lead_through_a_proxy_of_the_file(
    hub: AgentHub, tmp_path: Path, *, socks: bool
) -> None:
    """The proxy looks up the hub's name; the agent never does."""
    async with proxying(Fake(socks=socks, login="somebody:canary-word")) as fake:
        file = tmp_path / "agent.toml"
        url = f"http://hub:{hub.web.port}"
        file.write_text(f'[agent]\nhubs = ["{url}"]\nproxy = "{fake.url}"\n')
        settings = load(file, {}).agent
        assert settings is not None
        assert settings.proxy == fake.as_proxy("somebody:canary-word")
        folder = tmp_path / "agent"
        async with agent_of(hub, folder, hubs=settings.hubs, proxy=settings.proxy) as agent:
            fetched = await agent.client.config("")
            agent.measure(0)
            await agent.push()
    assert fetched is not None
    assert begins(await hub.stored()) == [0]
    asked = [f"hub:{hub.web.port}"] if socks else [f"GET {url}/{CONFIG}", f"POST {url}/{RESULTS}"]
    assert [*dict.fromkeys(fake.seen)] == asked


@pytest.mark.parametrize("socks", [False, True])
async def test_a_proxy_that_refuses_is_a_hub_that_is_away_and_its_login_is_not_told(
    hub: AgentHub, tmp_path: Path, *, socks: bool
) -> None:
    async with proxying(Fake(socks=socks, login="somebody:another")) as fake:
        proxy = fake.as_proxy("somebody:canary-word")
        async with agent_of(hub, tmp_path / "agent", proxy=proxy) as agent:
            with pytest.raises(HubAwayError) as caught:
                await agent.client.config("")
            agent.measure(0)
            assert await agent.pusher._turn() > 0
            assert len(agent.waiting()) == 1
    assert "canary-word" not in str(caught.value)
    assert await hub.stored() == []


async def test_a_configuration_that_the_hub_has_not_signed_is_not_taken(
    hub: AgentHub, tmp_path: Path
) -> None:
    stranger = Invitation(vantage="cn", hub=hub.url, hub_key=CN_KEY.public, key=CN_KEY)
    client = HubClient(stranger, clock=hub.clock)
    with pytest.raises(HubAwayError, match="not signed by the hub"):
        await client.config("")
    await client.close()


async def test_an_agent_whose_table_was_taken_away_says_what_happened_and_what_to_do(
    hub: AgentHub, agent: AgentSide, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the last table goes, the hub is a daemon that knows nothing of agents."""
    caplog.set_level("WARNING")
    agent.measure(0)
    hub.api.change(replace(hub.api._settings, vantages={}))
    await agent.push()
    hub.web.answer_agents(None)
    await agent.push()
    removed, none_left = [text for text in caplog.messages if "event=push_refused" in text]
    assert "HTTP 401: not signed by an agent of this hub" in removed
    assert "HTTP 405: no agent may push there any more" in none_left
    with pytest.raises(HubAwayError, match="HTTP 404: no agent may push there any more") as caught:
        await agent.client.config("")
    for told in (removed, none_left, str(caught.value)):
        assert "stop this agent, or run `monitor agent add` at the hub" in told
    assert len(agent.waiting()) == 1


@pytest.mark.slow
async def test_while_the_hubs_store_cannot_be_written_all_waits_at_the_agent(
    hub: AgentHub, agent: AgentSide
) -> None:
    path = hub.config.store.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # another program holds it
        hub.store.heartbeat(hub.clock.now())
        await until(lambda: hub.store.trouble is not None, 120)
        agent.measure(0)
        assert await agent.push() == 10, "it asks again when the hub says so"
        assert len(agent.waiting()) == 1
        assert hub.heard == []
        other.execute("ROLLBACK")
    await hub.store.flush()
    hub.clock.tick(10)
    await agent.push()
    assert (begins(await hub.stored()), agent.waiting()) == ([0], [])


@pytest.mark.slow
async def test_while_the_hubs_postgresql_is_away_it_says_so_and_agents_keep_and_repeat(
    tmp_path: Path,
) -> None:
    with postgres() as server:
        toml = TOML.replace("[monitor]", f'[monitor]\nstore = "{server.fresh()}"', 1)
        async with (
            hubbing(tmp_path / "hub", toml) as hub,
            agent_of(hub, tmp_path / "agent") as agent,
        ):
            agent.measure(0)
            await agent.push()
            server.stop()
            agent.measure(1, 2)
            await agent.push()  # the hub learns of it by this one, and stores nothing
            await until(lambda: hub.store.trouble is not None, 60)
            hub.clock.tick(10)
            refused = await hub.push([(2, run(1))], agent="hk", key=HK_KEY)
            assert refused.status == 503
            assert refused.document["why"] == "the hub cannot write its store now"
            assert refused.headers["Retry-After"] == "10"
            hub.clock.tick(10)
            assert await agent.push() == 10
            assert len(agent.waiting()) == 2
            agent.measure(3)
            server.start()
            await until(lambda: hub.store.trouble is None, 60)
            await hub.store.flush()
            hub.clock.tick(10)
            while agent.waiting():
                await agent.push()
                hub.clock.tick(10)
            assert begins(await hub.stored()) == [0, 1, 2, 3]
            assert await hub.stored("hk") == []


async def test_the_log_says_once_that_the_hub_takes_results_and_once_more_after_it_was_away(
    hub: AgentHub, agent: AgentSide, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def taken() -> list[str]:
        return [text for text in caplog.messages if "event=push_taken" in text]

    for second in range(3):
        agent.measure(second)
        await agent.push()
        hub.clock.tick(1)
    assert taken() == ["event=push_taken results=1 waiting=1"]
    port = hub.web.port
    await hub.web.close()
    agent.measure(10, 11)
    with pytest.raises(HubAwayError):
        await agent.push()
    hub.web._port = port
    await hub.web.start()
    await agent.push()
    assert taken()[1:] == ["event=push_taken results=2 waiting=2"]


async def test_so_many_results_go_at_a_time(
    hub: AgentHub, agent: AgentSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.agent.push.MOST_RUNS", 10)
    agent.pusher._most = 10
    agent.measure(*range(15))
    rounds = 0
    await agent.store.flush()
    while agent.waiting():
        await agent.push()
        hub.clock.tick(1)
        rounds += 1
    assert rounds == 2
    assert len(await hub.stored()) == 15
