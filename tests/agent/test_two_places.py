"""A hub and an agent as real processes on loopback: from `monitor agent add` to results that are there once."""

import asyncio
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from aiohttp import web
from cast import until
from listening import free_port, listening
from process_cast import MONITOR, Place, runs_of

from monitor.agent.wire import SentRun, encode_run
from monitor.clock import SystemClock
from monitor.daemon.agent_daemon import boot_id
from monitor.model import Failure, FailureKind, Outcome, Result, RunRecord
from monitor.store import Store
from monitor.store.push_buffer import PushBuffer

pytestmark = pytest.mark.slow
PATIENCE_S = 240
"""For what starts processes on a busy machine."""


def waiting_in(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT count(*) FROM push").fetchone()[0])


def add(folder: Path, url: str) -> str:
    """Run `monitor agent add`, and return the line for the other machine."""
    words = [MONITOR, "agent", "add", "cn", "--name", "Shanghai", "--url", url]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    assert "monitor.toml is changed, and the daemon goes by it.\n" in done.stdout
    return done.stdout.strip().splitlines()[-1]


@asynccontextmanager
async def two_places(
    folder: Path, probes: str, *, works: bool = False
) -> AsyncIterator[tuple[Place, Place, int]]:
    """A hub that is running, an agent that is not yet, and the hub's port. A third of the answers is bad, unless it `works`."""
    asked = [0]

    async def answer(_: web.Request) -> web.Response:
        asked[0] += 1
        return web.Response(status=200 if works or asked[0] % 3 else 500, text="hello")

    app = web.Application()
    app.router.add_get("/{tail:.*}", answer)
    port = free_port()
    hub, agent = (folder / name for name in ("hub", "agent"))
    hub.mkdir()
    agent.mkdir()
    async with listening(app) as site:
        endpoints = ", ".join(f'{name} = "{site}/{name}"' for name in ("a", "b", "c"))
        (hub / "monitor.toml").write_text(
            f'[monitor]\nvantage = "fra"\nlisten = "127.0.0.1:{port}"\n'
            f'[channel.phone]\nurl = "json://127.0.0.1:9/"\n'
            f"[service.s]\nendpoints = {{ {endpoints} }}\nprobes = {{ {probes} }}\n"
        )
        places = (
            Place(hub, "run", "--log-level", "DEBUG"),
            Place(agent, "agent", "--state", str(agent / "state")),
        )
        places[0].start()
        try:
            await until(lambda: "event=started" in places[0].log.read_text())
            yield *places, port
        finally:
            for place in places:
                place.kill()


async def test_two_commands_lead_to_the_first_foreign_result_within_a_minute(
    tmp_path: Path,
) -> None:
    async with two_places(tmp_path, 'http = "5s"') as (hub, agent, port):
        began = time.monotonic()
        line = await asyncio.to_thread(add, hub.folder, f"http://127.0.0.1:{port}")
        agent.start(line + "\n")
        await until(lambda: runs_of(hub.folder / "monitor.db", "cn"))
        took = time.monotonic() - began
        print(f"from `agent add` to the first foreign result: {took:.1f} s")
        assert took < 60
        listed = subprocess.run(
            [MONITOR, "agent", "list"], cwd=hub.folder, capture_output=True, text=True, check=True
        ).stdout
        assert re.search(r"^cn +Shanghai +\S+ ago +right +\d+ +\S+ +current$", listed, re.MULTILINE)
        agent.kill(signal.SIGTERM)
        hub.kill(signal.SIGTERM)
    key = line.split()[-1].removeprefix("ed25519-private:")
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "agent.key":
            assert key.encode() not in path.read_bytes(), path
    assert (agent.folder / "state" / "agent.key").stat().st_mode & 0o777 == 0o600


@asynccontextmanager
async def losing_answers(port: int, rng: Random) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """A way to the hub that loses a third of the answers, until it is mended."""
    state = {"loses": True}

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            writer.transport.abort()
            return
        there = asyncio.create_task(carry(reader, hub_writer))
        if state["loses"] and rng.random() < 1 / 3:
            with suppress(ConnectionError):
                await hub_reader.read(1)
            writer.transport.abort()
            hub_writer.close()
        else:
            await carry(hub_reader, writer)
        await there

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], lambda: state.update(loses=False)
    finally:
        server.close()


async def test_each_result_is_there_once_whatever_is_killed_and_lost(tmp_path: Path) -> None:
    rng = Random(19)
    async with (
        two_places(tmp_path, 'http = "1s"') as (hub, agent, port),
        losing_answers(port, rng) as (way, mend),
    ):
        line = await asyncio.to_thread(add, hub.folder, f"http://127.0.0.1:{way}")
        agent.start(line + "\n")
        await until(lambda: runs_of(hub.folder / "monitor.db", "cn"))
        for place in (hub, agent, hub, hub, agent, hub, agent):
            await asyncio.sleep(rng.uniform(2, 5))
            place.kill()
            place.start()
        mend()
        await asyncio.sleep(3)
        own = agent.folder / "state" / "agent.db"
        agent.kill(signal.SIGTERM)  # no run comes after the last push
        agent.start()
        await until(lambda: waiting_in(own) < 10)
        agent.kill(signal.SIGTERM)
        hub.kill(signal.SIGTERM)
    measured, stored = runs_of(own, "cn"), runs_of(hub.folder / "monitor.db", "cn")
    left = waiting_in(own)
    print(f"{len(measured)} measured, {len(stored)} stored, {left} still wait")
    assert len(measured) > 10
    assert len(set(stored)) == len(stored)
    assert set(stored) <= set(measured)
    assert len(measured) - len(stored) <= left


async def test_a_key_that_is_taken_away_pushes_no_more_and_what_it_measured_stays(
    tmp_path: Path,
) -> None:
    """As after a theft: then the place is added anew, with another key."""
    async with two_places(tmp_path, 'http = "1s"') as (hub, agent, port):
        store = hub.folder / "monitor.db"
        url = f"http://127.0.0.1:{port}"
        agent.start(await asyncio.to_thread(add, hub.folder, url) + "\n")
        await until(lambda: runs_of(store, "cn"), PATIENCE_S)
        words = [MONITOR, "agent", "remove", "cn"]
        await asyncio.to_thread(
            lambda: subprocess.run(words, cwd=hub.folder, check=True, capture_output=True)
        )
        await until(lambda: "event=push_refused" in agent.log.read_text(), PATIENCE_S)
        stolen = runs_of(store, "cn")
        assert stolen
        agent.kill(signal.SIGTERM)
        assert runs_of(store, "cn") == stolen
        (agent.folder / "state" / "agent.key").unlink()
        agent.start(await asyncio.to_thread(add, hub.folder, url) + "\n")
        await until(lambda: len(runs_of(store, "cn")) > len(stolen) + 20, PATIENCE_S)
        assert set(stolen) < set(runs_of(store, "cn"))


async def test_what_was_measured_in_eight_hours_without_the_hub_comes_soon_and_is_no_news(
    tmp_path: Path,
) -> None:
    """36 results a minute, and an outage of two hours among them that is long over."""
    async with two_places(tmp_path, 'http = "5s"', works=True) as (hub, agent, port):
        state, store = agent.folder / "state", hub.folder / "monitor.db"
        line = await asyncio.to_thread(add, hub.folder, f"http://127.0.0.1:{port}")
        count = await measured_in_the_past(state, hours=8, outage=(5, 7))
        began = time.monotonic()
        agent.start(line + "\n")
        await until(lambda: len(runs_of(store, "cn")) >= count, PATIENCE_S)
        took = time.monotonic() - began
        await until(lambda: waiting_in(state / "agent.db") < 10, PATIENCE_S)
        print(f"{count} results in {took:.1f} s, the agent's start included")
        await asyncio.sleep(10)
        agent.kill(signal.SIGTERM)
        hub.kill(signal.SIGTERM)
    stored = runs_of(store, "cn")
    assert len(set(stored)) == len(stored)
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("SELECT body FROM incidents").fetchall() == []
        assert connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


async def measured_in_the_past(state: Path, *, hours: int, outage: tuple[int, int]) -> int:
    """Fill an agent's store and buffer, as if its hub had been away for so long; return with how many results."""
    state.mkdir(mode=0o700)
    buffer = PushBuffer(encoded, most_bytes=64 * 10**6, boot=boot_id())
    clock = SystemClock()
    store = Store(f"sqlite:///{state}/agent.db", clock=clock, vantage="cn", also=buffer.append)
    store.open()
    store.recall()
    begin, count = clock.now() - timedelta(hours=hours, minutes=1), 0
    for second in range(0, hours * 3600, 5):
        at = begin + timedelta(seconds=second)
        is_bad = outage[0] <= second / 3600 < outage[1]
        failure = Failure(FailureKind.CONNECT_TIMEOUT, "no way") if is_bad else None
        for name in ("a", "b", "c"):
            result = Result(
                check=f"s/{name}/http",
                vantage="cn",
                at=at,
                outcome=failure.outcome if failure else Outcome.UP,
                failure=failure,
            )
            store.record(RunRecord(result=result, kind="http"))
            count += 1
    await store.flush()
    await store.close()
    return count


def encoded(entry: RunRecord) -> bytes:
    return encode_run(SentRun(result=entry.result, evidence=entry.evidence, missed=entry.missed))


async def test_a_daemon_without_agents_loads_nothing_of_theirs(tmp_path: Path) -> None:
    """All absent is today's daemon: no code of agents, no table of theirs."""
    (tmp_path / "monitor.toml").write_text(
        '[monitor]\nlisten = "127.0.0.1:0"\n'
        '[service.s]\nendpoints = { x = "http://127.0.0.1:9" }\nprobes = { http = "1s" }\n'
    )
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from monitor.config import load\n"
        "from monitor.daemon.app import Daemon\n"
        "async def live():\n"
        "    daemon = Daemon(load(Path('monitor.toml'), {}))\n"
        "    asyncio.get_running_loop().call_later(3, daemon.stop.set)\n"
        "    await daemon.run()\n"
        "asyncio.run(live())\n"
        "own = ('monitor.agent', 'monitor.daemon.hub', 'monitor.daemon.agent_daemon', 'monitor.store.agents',\n"
        "       'monitor.store.push_buffer', 'monitor.config.agent_document', 'monitor.config.vantage_text')\n"
        "print([each for each in sys.modules if each.startswith(own)])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    with closing(sqlite3.connect(tmp_path / "monitor.db")) as connection:
        query = "SELECT name FROM sqlite_master WHERE name IN ('agents', 'push')"
        assert connection.execute(query).fetchall() == []
