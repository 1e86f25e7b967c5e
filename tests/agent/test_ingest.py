"""The hub takes each result of an agent once, and nothing from anybody else."""

import asyncio
import contextlib
import gzip
import json
import sqlite3
from asyncio.selector_events import _SelectorSocketTransport
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from agent_cast import (
    CN_KEY,
    HK_KEY,
    HUB_KEY,
    NOON,
    TOML,
    AgentHub,
    failed,
    headers_of,
    hubbing,
    run,
)
from cast import until

from monitor.agent import ingest
from monitor.agent.ingest import CONFIG, MOST_UNZIPPED, RESULTS
from monitor.agent.signature import SignedHead, config_message, digest, is_signed, new_key
from monitor.agent.wire import Batch, SentRun, encode_run
from monitor.model import (
    AgentState,
    Evidence,
    FailureKind,
    Outcome,
    RunRecord,
    Spend,
    StoreError,
    Usage,
)
from monitor.store import Store
from monitor.store.agents import states
from monitor.web.server import BEFORE_HEADERS, READ_BUFFER

OTHER_STREAM = "22222222-2222-4222-8222-222222222222"


@pytest.fixture(name="hub")
async def hub_fixture(tmp_path: Path) -> AsyncIterator[AgentHub]:
    async with hubbing(tmp_path) as hub:
        yield hub


async def test_a_batch_is_in_the_history_under_the_vantage_of_its_key(hub: AgentHub) -> None:
    answer = await hub.push([(1, run(0)), (2, failed(30))], batch=Batch(config="tag", offset_ms=12))
    assert (answer.status, answer.document["upto"], answer.document["before"]) == (200, 2, 0)
    stored = await hub.stored()
    assert [(result.vantage, result.outcome, result.at) for result in stored] == [
        ("cn", Outcome.UP, NOON),
        ("cn", FailureKind.DNS_POISONED.outcome, NOON + timedelta(seconds=30)),
    ]
    assert await hub.stored("fra") == []
    [heard] = hub.heard
    assert [each.result for each in heard.fresh] == stored
    assert (heard.state.upto, heard.state.offset_ms, heard.state.config) == (2, 12, "tag")


async def test_the_snapshot_shows_a_vantage_apart_from_our_own(hub: AgentHub) -> None:
    await hub.push([(1, run(0)), (2, failed(30))])
    snapshot = await hub.store.snapshot(hub.clock.now())
    assert snapshot.checks == {}
    [history] = snapshot.elsewhere["cn"].values()
    assert history.last_24h.outcomes == {"up": 1, "down": 1}
    assert history.latest is not None
    assert history.latest.at == NOON + timedelta(seconds=30)


async def test_what_memory_holds_is_what_a_restart_reads(hub: AgentHub) -> None:
    await hub.push([(1, run(-7200)), (2, failed(-3599)), (3, run(0))])
    await hub.push([(4, run(-5000)), (5, run(10))])
    before = (await hub.store.snapshot(hub.clock.now())).elsewhere["cn"]
    await hub.store.close()
    hub.store = Store(hub.config.store, clock=hub.clock, vantage="fra", others=["cn"])
    hub.store.open()
    after = (await hub.store.snapshot(hub.clock.now())).elsewhere["cn"]
    assert after == before


async def test_a_repeated_batch_is_skipped_by_its_numbers(hub: AgentHub) -> None:
    batch = [(1, run(0)), (2, run(60))]
    await hub.push(batch)
    answer = await hub.push([*batch, (3, run(120))])
    assert (answer.document["upto"], answer.document["before"]) == (3, 2)
    assert len(await hub.stored()) == 3
    assert (hub.api.counts.results["cn"], hub.api.counts.repeated["cn"]) == (3, 2)


async def test_who_has_recorded_a_batch_makes_no_dead_place_look_alive(hub: AgentHub) -> None:
    await hub.push([(1, run(0))], batch=Batch(dropped=5, buffered=9, blind=True))
    old = hub.recorded
    spend = {(NOON.date(), "relay"): Spend(900, 0.0)}
    await hub.push([(2, run(60))], batch=Batch(version="0.1.0", spend=spend))
    newest, known = hub.recorded, await _known(hub)
    for recorded in (old, newest) * 2:
        hub.clock.tick(3600)
        answer = await hub.replay(*recorded)
        assert (answer.status, answer.document["upto"]) == (200, 2)
    assert len(hub.heard) == 2
    assert await _known(hub) == known
    assert (hub.api.counts.results["cn"], hub.api.counts.repeated["cn"]) == (2, 4)
    snapshot = await hub.store.snapshot(hub.clock.now())
    assert snapshot.spent_elsewhere["cn"] == {"relay": Spend(900, 0.0)}


async def test_who_has_recorded_signs_of_life_makes_no_dead_place_look_alive(
    hub: AgentHub,
) -> None:
    """They have no numbers of their own: of two that tell as much the one that was signed later counts."""
    await hub.push([], first=1, last=0)
    first = hub.recorded
    hub.clock.tick(30)
    await hub.push([], first=1, last=0)
    recorded = [first, hub.recorded]
    hub.clock.tick(30)
    await hub.push([(1, run(60))])
    recorded.append(hub.recorded)
    hub.clock.tick(30)
    await hub.push([], first=2, last=1)
    recorded.append(hub.recorded)
    known = await _known(hub)
    assert len(hub.heard) == 4
    for replayed in recorded:
        hub.clock.tick(3600)
        assert (await hub.replay(*replayed)).status == 200
    assert len(hub.heard) == 4
    assert await _known(hub) == known

    await hub.store.close()
    hub.store = Store(hub.config.store, clock=hub.clock, vantage="fra", others=["cn"])
    hub.store.open()
    hub.api._store = hub.store
    assert (await hub.replay(*recorded[-1])).status == 200
    assert await _known(hub) == known


async def test_a_stream_that_has_ended_does_not_come_back(hub: AgentHub) -> None:
    """A place that is dead is not heard by what it sent before its folder was deleted; an agent begins a new stream."""
    await hub.push([(1, run(0))])
    old = hub.recorded
    hub.clock.tick(600)
    await hub.push([(1, run(600))], stream=OTHER_STREAM)
    known = await _known(hub)
    hub.clock.tick(86_400 * 90)
    answer = await hub.replay(*old)
    assert (answer.status, answer.document["upto"]) == (409, 0)
    assert "other_stream" not in answer.document
    assert await _known(hub) == known
    assert len(hub.heard) == 2


async def test_a_clock_that_was_set_back_locks_no_agent_out(hub: AgentHub) -> None:
    await hub.push([(1, run(0))])
    hub.clock.step(-86_400)
    await hub.push([], first=2, last=1)
    assert len(hub.heard) == 1
    await hub.push([(2, run(-86_400))])
    hub.clock.tick(30)
    await hub.push([], first=3, last=2)
    assert len(hub.heard) == 3


async def _known(hub: AgentHub) -> AgentState:
    [state] = await hub.store.ask(lambda connection: states(connection, {"cn": [CN_KEY.public]}))
    return state


async def test_a_gap_is_refused_with_the_number_from_which_to_send_again(hub: AgentHub) -> None:
    await hub.push([(1, run(0))])
    answer = await hub.push([(3, run(60))])
    assert (answer.status, answer.document["upto"]) == (409, 1)
    assert len(await hub.stored()) == 1


async def test_a_new_stream_begins_at_one_and_repeats_nothing(hub: AgentHub) -> None:
    """As after a buffer that was deleted, or a backup that was restored."""
    await hub.push([(1, run(0)), (2, run(60))])
    hub.clock.tick(600)
    answer = await hub.push([(1, run(60)), (2, run(120))], stream=OTHER_STREAM)
    assert (answer.status, answer.document["upto"], answer.document["before"]) == (200, 2, 0)
    assert [each.at for each in await hub.stored()] == [
        NOON + timedelta(minutes=n) for n in range(3)
    ]
    assert (await hub.push([(3, run(180))], stream=OTHER_STREAM)).status == 200


async def test_a_second_agent_with_the_same_key_waits_while_the_first_is_heard(
    hub: AgentHub,
) -> None:
    await hub.push([(1, run(0))])
    answer = await hub.push([(1, run(1))], stream=OTHER_STREAM)
    assert (answer.status, answer.document["other_stream"]) == (409, True)
    assert int(answer.headers["Retry-After"]) > 0
    assert [heard.is_other_stream for heard in hub.heard] == [False, True]
    assert len(await hub.stored()) == 1


async def test_two_vantages_number_for_themselves(hub: AgentHub) -> None:
    await hub.push([(1, run(0))])
    answer = await hub.push([(1, run(0, check="other/x/http"))], agent="hk", key=HK_KEY)
    assert answer.status == 200
    assert [each.vantage for each in await hub.stored("hk")] == ["hk"]


async def test_only_checks_of_the_configuration_and_of_the_vantage_are_taken(hub: AgentHub) -> None:
    runs = [(1, run(0, check="gone/x/http")), (2, run(0, check="other/x/http")), (3, run(0))]
    answer = await hub.push(runs)
    assert answer.document["upto"] == 3
    assert [each.check for each in await hub.stored()] == ["relay/direct/http"]
    assert hub.api.counts.refused == {("cn", "unknown_check"): 2}


async def test_what_the_hub_alone_asks_is_taken_from_nobody_else(tmp_path: Path) -> None:
    """An agent of ours asks no balance; who holds its key would tell that the money is gone."""
    toml = TOML.replace('probes = { http = "1m" }', 'probes = { http = "1m", balance = {} }', 1)
    async with hubbing(tmp_path / "balances", toml) as hub:
        await hub.push([(1, run(0, check="relay/direct/balance")), (2, run(0))])
        assert [each.check for each in await hub.stored()] == ["relay/direct/http"]
        assert hub.api.counts.refused == {("cn", "unknown_check"): 1}


async def test_runs_of_one_moment_take_the_next_free_ones_beside_what_is_there(
    hub: AgentHub,
) -> None:
    await hub.push([(1, run(0.001))])
    assert (await hub.push([(2, run(0)), (3, run(0))])).status == 200
    assert [each.at for each in await hub.stored()] == [
        NOON + timedelta(milliseconds=number) for number in range(3)
    ]


async def test_figures_that_no_column_holds_stop_neither_the_batch_nor_the_rollups(
    hub: AgentHub, tmp_path: Path
) -> None:
    most = 1 << 53
    usage = Usage(tokens_in=most, tokens_out=most, cost_usd=1e6)
    runs = [
        (n, SentRun(result=run(n / 1000, usage=usage).result, missed=most)) for n in range(1, 1101)
    ]
    assert (await hub.push(runs)).status == 200
    hub.clock.tick(7200)
    hub.store.record(RunRecord(result=replace(run(7200).result, vantage="fra"), kind="http"))
    rows = "SELECT up, missed, tokens_in, cost_e8 FROM hour_rollups"
    with contextlib.closing(sqlite3.connect(tmp_path / "monitor.db")) as file:
        await until(lambda: file.execute(rows).fetchall())
        rolled_up = file.execute(rows).fetchall()
    assert rolled_up == [(1100, (1 << 63) - 1, (1 << 63) - 1, 110_000_000_000_000_000)]
    assert hub.store.trouble is None


async def test_what_lies_in_the_future_began_now_and_its_times_are_not_trusted(
    hub: AgentHub,
) -> None:
    day = 86_400
    await hub.push([(1, run(day)), (2, run(day + 60)), (3, run(62))])
    assert [(each.at, each.trusted_timings) for each in await hub.stored()] == [
        (hub.clock.now(), False),
        (hub.clock.now() + timedelta(milliseconds=1), False),
        (NOON + timedelta(seconds=62), True),
    ]


async def test_what_is_older_than_any_run_that_is_kept_is_refused(hub: AgentHub) -> None:
    await hub.push([(1, run(-40 * 86_400)), (2, run(0))])
    assert len(await hub.stored()) == 1
    assert hub.api.counts.refused == {("cn", "too_old"): 1}


async def test_late_results_are_in_the_counts_of_their_hour_and_day(hub: AgentHub) -> None:
    hub.clock.tick(3 * 3600)
    await hub.push([(1, run(3 * 3600))])
    await hub.store.flush()
    await hub.push([(2, run(0)), (3, failed(60))])
    reader = Store.read_only(hub.config.store, vantage="cn")
    day = reader.snapshot(hub.clock.now()).checks["relay/direct/http"].days[date(2026, 11, 24)]
    reader.close()
    assert day.outcomes == {"up": 2, "down": 1}


async def test_evidence_is_kept_and_the_hubs_own_secrets_are_not_in_it(hub: AgentHub) -> None:
    echo = failed(0, why="got hub-secret-word")
    body = "<h1>hub-secret-word</h1>"
    await hub.push([(1, type(echo)(result=echo.result, evidence=Evidence(body=body)))])
    reader = Store.read_only(hub.config.store, vantage="cn")
    evidence = reader.evidence("relay/direct/http", NOON)
    reader.close()
    assert evidence is not None
    assert evidence.body == "<h1>***</h1>"
    assert "hub-secret-word" not in str(await hub.stored())


async def test_spend_is_the_agents_own_sum_of_the_day(hub: AgentHub) -> None:
    spend = {(NOON.date(), "relay"): Spend(71, 0.5), (NOON.date(), "nonsense"): Spend(1, 1)}
    for number in (1, 2):
        await hub.push([(number, run(number))], batch=Batch(spend=spend))
    reader = Store.read_only(hub.config.store, vantage="cn")
    assert reader.snapshot(hub.clock.now()).spent_today == {"relay": Spend(71, 0.5)}
    reader.close()


async def test_the_spend_of_all_places_is_shown_together_and_apart(hub: AgentHub) -> None:
    today = NOON.date()
    hub.store.reserve("relay", today, Spend(9, 1.0))
    for agent, key, tokens in (("cn", CN_KEY, 71), ("hk", HK_KEY, 20)):
        batch = Batch(spend={(today, "relay"): Spend(tokens, 0.5)})
        await hub.push([(1, run())], agent=agent, key=key, batch=batch)
    await hub.store.flush()
    reader = Store.read_only(hub.config.store, vantage="fra")
    shown = await hub.store.snapshot(hub.clock.now()), reader.snapshot(hub.clock.now())
    reader.close()
    for snapshot in shown:
        assert snapshot.spent_today == snapshot.spent_month == {"relay": Spend(100, 2.0)}
        assert snapshot.spent_elsewhere == {
            "cn": {"relay": Spend(71, 0.5)},
            "hk": {"relay": Spend(20, 0.5)},
        }


async def test_what_is_known_of_an_agent_survives_a_restart(hub: AgentHub) -> None:
    await hub.push([(1, run(0))], batch=Batch(version="0.1.0", blind=True, buffered=7, dropped=3))
    known = await hub.store.ask(lambda connection: states(connection, {"cn": [CN_KEY.public]}))
    assert known == (hub.heard[0].state,)
    [state] = known
    assert (state.vantage, state.upto, state.blind, state.buffered) == ("cn", 1, True, 7)


async def test_a_store_whose_table_of_agents_is_of_an_unreleased_build_is_refused_with_a_sentence(
    hub: AgentHub,
) -> None:
    await hub.push([(1, run(0))])
    await hub.store.transact(
        lambda connection: connection.exec_driver_sql("ALTER TABLE agents DROP COLUMN oldest_ms")
    )
    with pytest.raises(StoreError, match="written by an unreleased build of monitor"):
        await hub.store.ask(lambda connection: states(connection, {"cn": [CN_KEY.public]}))


async def test_the_oldest_result_of_a_push_says_how_long_it_had_waited(hub: AgentHub) -> None:
    hub.clock.tick(90)
    await hub.push([(1, run(0)), (2, run(60))])
    await hub.push([(3, run(3600))])  # of an agent whose clock is ahead
    hub.clock.tick(30)
    await hub.push([], first=4, last=3)
    assert [heard.state.oldest_ms for heard in hub.heard] == [150_000, 0, 0]


async def test_an_agent_that_was_removed_and_added_anew_is_another_one(hub: AgentHub) -> None:
    """The new one need not wait until the old one counts as silent, and nothing of the old one is taken for its."""
    await hub.push([(number, run(number)) for number in (1, 2, 3)])
    key = new_key()
    vantages = tuple(
        replace(vantage, public_keys=(key.public,)) if vantage.id == "cn" else vantage
        for vantage in hub.config.vantages
    )
    keys = {vantage.id: vantage.public_keys for vantage in vantages}
    settings = replace(hub.api._settings, vantages={each.id: each for each in vantages})
    hub.api.change(settings)
    assert await hub.store.ask(lambda connection: states(connection, keys)) == ()

    assert (await hub.push([(4, run(4))])).status == 401
    answer = await hub.push([(1, run(10))], key=key, stream=OTHER_STREAM)
    assert (answer.status, answer.document["upto"]) == (200, 1)
    assert len(await hub.stored()) == 4
    known = await hub.store.ask(lambda connection: states(connection, keys))
    assert [(state.key, state.upto) for state in known] == [(key.public, 1)]


# --- the configuration --------------------------------------------------------------------------------


async def test_an_agent_is_told_what_to_probe_and_the_hub_signs_it(hub: AgentHub) -> None:
    status, body, headers, request = await hub.config_of()
    assert status == 200
    document = json.loads(body)
    assert set(document["service"]) == {"relay"}
    assert document["service"]["relay"]["key"] == "${RELAY_KEY}"
    tag = headers["ETag"].strip('"')
    message = config_message("cn", request, tag, headers["Monitor-Time"], body)
    assert is_signed(HUB_KEY.public, headers["Monitor-Signature"], message)
    status, body, headers, request = await hub.config_of(If_None_Match=f'"{tag}"')
    assert (status, body) == (304, b"")
    message = config_message("cn", request, tag, headers["Monitor-Time"], b"")
    assert is_signed(HUB_KEY.public, headers["Monitor-Signature"], message)


async def test_a_stranger_learns_nothing(hub: AgentHub) -> None:
    for agent, key in (("cn", HK_KEY), ("mars", CN_KEY), ("", CN_KEY)):
        assert (await hub.config_of(agent, key))[:2] == (
            401,
            b'{"why": "not signed by an agent of this hub"}',
        )


# --- hostile ------------------------------------------------------------------------------------------


async def test_a_header_that_is_not_the_signed_one_is_refused(hub: AgentHub) -> None:
    for header, value in (
        ("Monitor-Agent", "hk"),
        ("Monitor-Stream", OTHER_STREAM),
        ("Monitor-First", "0"),
        ("Monitor-Last", "99"),
        ("Monitor-Time", "1"),
        ("Monitor-Digest", "0" * 64),
        ("Monitor-Signature", "v1=AAAA"),
    ):
        answer = await hub.push([(1, run(0))], **{header.replace("-", "_"): value})
        assert answer.status == 401, header
    assert await hub.stored() == []
    keys = {"cn": [CN_KEY.public], "hk": [HK_KEY.public]}
    assert await hub.store.ask(lambda connection: states(connection, keys)) == ()


async def test_a_body_that_is_no_batch_is_refused_and_counted(hub: AgentHub) -> None:
    bodies = [
        (gzip.compress(b""), 400),
        (gzip.compress(b"null"), 400),
        (gzip.compress(b'{"v":2}'), 400),
        (gzip.compress(b'{"v":1,"results":[[1,{}]]}'), 400),
        (gzip.compress(b'{"v":1,"results":[[5,{}]]}'), 400),
        (gzip.compress(b'{"v":1,"results":[' + b",".join([b"[1,{}]"] * 5001) + b"]}"), 400),
        (gzip.compress(b" " * (MOST_UNZIPPED + 1)), 413),
        (gzip.compress(b'{"v":1,"nobody":[' + b"{}," * 200_000 + b"0]}"), 413),
        (b"no gzip", 400),
        (gzip.compress(b'{"v":1}')[:-4], 400),
        (gzip.compress(b'{"v":1}') * 2, 400),
        *((_with_timing(figure), 400) for figure in ("NaN", "Infinity", "1e300", "-1", '"1"')),
    ]
    for body, status in bodies:
        answer = await hub.push([], first=1, last=1, body=body)
        assert answer.status == status, body[:40]
    assert hub.api.counts.refused == {
        ("cn", "malformed"): len(bodies) - 1
    }  # a newer wire is no fault
    assert (await hub.push([(1, run(0))])).status == 200


def _with_timing(figure: str) -> bytes:
    """A result that is whole but for one figure."""
    sent = json.loads(encode_run(run()))
    text = json.dumps({"v": 1, "results": [[1, {**sent, "timings": {"ttfb": "figure"}}]]})
    return gzip.compress(text.replace('"figure"', figure).encode())


async def test_another_agents_key_opens_no_vantage(hub: AgentHub) -> None:
    assert (await hub.push([(1, run())], agent="cn", key=HK_KEY)).status == 401
    assert (await hub.push([(1, run())], agent="hk", key=HK_KEY)).status == 200
    assert (await hub.stored("cn"), len(await hub.stored("hk"))) == ([], 1)


async def test_a_body_that_drips_ends_and_keeps_nobody_else_waiting(
    hub: AgentHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_BODY_S", 1.0)
    body = gzip.compress(b'{"v":1,"results":[]}')
    head = SignedHead(
        method="POST",
        path=f"/{RESULTS}",
        agent="cn",
        stream=OTHER_STREAM,
        first="1",
        last="1",
        time="1764000000000",
        body_digest=digest(body),
    )
    fields = {**headers_of(head, CN_KEY), "Content-Length": str(len(body)), "Host": "x"}
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.web.port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"POST /{RESULTS} HTTP/1.1\r\n{lines}\r\n".encode() + body[:1])
    await until(
        lambda: (
            hub.api._lines[CN_KEY.public, True].is_busy
            if (CN_KEY.public, True) in hub.api._lines
            else False
        )
    )
    assert (await hub.push([(1, run())], agent="hk", key=HK_KEY)).status == 200
    assert (await hub.push([(1, run())])).status == 429
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    assert (await hub.push([(1, run())])).status == 200


@pytest.mark.slow
async def test_a_hundred_connections_harm_neither_the_page_nor_the_loop_nor_an_agent(
    hub: AgentHub, tmp_path: Path
) -> None:
    """They open a request, and say no more; an agent pushes and a reader reads beside them."""
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("the page")
    silent = []
    for number in range(100):
        way = asyncio.open_connection("127.0.0.1", hub.web.port, local_addr=("127.0.0.9", 0))
        _, writer = await way
        silent.append(writer)
        with contextlib.suppress(ConnectionError):
            writer.write(f"POST /{RESULTS} HTTP/1.1\r\nHost: x{number}\r\n".encode())
            await writer.drain()
    loop = asyncio.get_running_loop()
    lags, took = [], []
    for number in range(1, 11):
        began = loop.time()
        await asyncio.sleep(0.01)
        lags.append(loop.time() - began - 0.01)
        began = loop.time()
        assert (await hub.push([(number, run(number))])).status == 200
        async with hub.session.get(f"{hub.url}/") as response:
            assert await response.text() == "the page"
        took.append(loop.time() - began)
    print(f"lag at most {max(lags) * 1000:.0f} ms, a push and a page in {max(took) * 1000:.0f} ms")
    assert max(lags) < 2
    assert max(took) < 10
    for writer in silent:
        writer.transport.abort()


async def test_readers_behind_the_same_proxy_lock_no_agent_out(
    hub: AgentHub, tmp_path: Path
) -> None:
    """All come from one address. What readers hold too much of is answered to agents alone."""
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("the page")
    held = [await asyncio.open_connection("127.0.0.1", hub.web.port) for _ in range(79)]
    for number in range(1, 11):
        assert (await hub.push([(number, run(number))])).status == 200
    for reader, writer in held[64:]:
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    async with hub.session.get(f"{hub.url}/") as response:
        assert await response.text() == "the page"


def test_what_one_read_brings_before_the_headers_are_looked_at_ends_no_upload() -> None:
    assert _SelectorSocketTransport.max_size == BEFORE_HEADERS - 2 * READ_BUFFER


async def test_one_agent_may_ask_four_times_a_second(hub: AgentHub) -> None:
    statuses = []
    for number in range(1, 7):
        hub.clock.mono -= 1  # each push moves the clock by a second
        hub.clock.step(0.001)
        statuses.append((await hub.push([(number, run(number))])).status)
    assert statuses == [200] * 4 + [429] * 2
    assert (await hub.push([(5, run(5))])).status == 200


async def test_who_sends_again_what_was_recorded_locks_no_agent_out(hub: AgentHub) -> None:
    await hub.push([(1, run(0))])
    recorded = hub.recorded
    for number in range(2, 5):
        statuses = []
        for _ in range(6):
            hub.clock.mono -= 1
            statuses.append((await hub.replay(*recorded)).status)
        assert statuses[-1] == 429
        hub.clock.mono -= 1
        hub.clock.tick(0.3)
        assert (await hub.push([(number, run(number))])).status == 200
    assert len(await hub.stored()) == 4


async def test_other_paths_and_methods_are_not_there(hub: AgentHub) -> None:
    for method, path, status in (
        ("GET", RESULTS, 405),
        ("POST", "agent/v1/config", 405),
        ("GET", "agent/v1/", 404),
        ("POST", "agent/../index.html", 405),
        ("POST", "index.html", 405),
    ):
        async with hub.session.request(method, f"{hub.url}/{path}") as response:
            assert response.status == status, path


@pytest.mark.parametrize(
    "field", ["Stream", "First", "Last", "Time", "Digest", "Signature", "Agent"]
)
async def test_a_header_of_any_bytes_is_a_strangers(
    hub: AgentHub, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    fields = {"Agent": b"cn", field: b"\xff\xfe"}
    lines = b"".join(b"Monitor-%s: %s\r\n" % (name.encode(), each) for name, each in fields.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.web.port)
    writer.write(f"GET /{CONFIG} HTTP/1.1\r\nHost: x\r\n".encode() + lines + b"\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert b" 401 " in answer.splitlines()[0]
    assert b"Server: monitor\r\n" in answer
    assert caplog.records == []


async def test_an_agent_that_leaves_within_its_batch_is_no_error_of_ours(
    hub: AgentHub, caplog: pytest.LogCaptureFixture
) -> None:
    """A laptop was closed."""
    head = SignedHead(
        method="POST",
        path=f"/{RESULTS}",
        agent="cn",
        stream=OTHER_STREAM,
        first="1",
        last="1",
        time="1764000000000",
        body_digest=digest(b"{}"),
    )
    fields = {**headers_of(head, CN_KEY), "Content-Length": "2", "Host": "x"}
    _, writer = await asyncio.open_connection("127.0.0.1", hub.web.port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"POST /{RESULTS} HTTP/1.1\r\n{lines}\r\n{{".encode())
    await until(
        lambda: (
            hub.api._lines[CN_KEY.public, True].is_busy
            if (CN_KEY.public, True) in hub.api._lines
            else False
        )
    )
    writer.transport.abort()
    await until(lambda: not hub.api._lines[CN_KEY.public, True].is_busy)
    assert (await hub.push([(1, run())])).status == 200
    assert caplog.records == []


async def test_an_upload_of_a_stranger_is_not_read(hub: AgentHub) -> None:
    """Whoever does not sign may send no more than fits into a few reads."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.web.port)
    head = f"POST /{RESULTS} HTTP/1.1\r\nHost: x\r\nMonitor-Agent: cn\r\nContent-Length: 900000\r\n\r\n"
    writer.write(head.encode())
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 5)
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 900:
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0.001)
            sent += 1
    writer.transport.abort()
    assert sent < 800
