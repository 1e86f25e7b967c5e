"""Two daemons with one store on a server: one leads, the other waits, and takes over when the first one fails."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from aiohttp import web
from cast import until
from listening import listening
from postgres import Server, pooler, postgres
from standby_cast import Hub, Site
from store_cast import asked, record
from tcp_proxies import CuttingProxy
from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.clock import SystemClock
from monitor.config import load
from monitor.daemon import standby
from monitor.daemon.standby import Standby
from monitor.store import Store, follower

pytestmark = pytest.mark.slow
TAKEN_OVER_S = 60.0
"""What the busiest machine may need; tests/bench/takeover.py measures it."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as one:
        yield one


@dataclass
class Pair:
    """A leader and its standby, before a site and a phone."""

    site: Site
    phone: Telegram
    url: str
    first: Hub
    second: Hub

    async def lead(self, first_store: str = "") -> None:
        """Start one that leads, and one that waits and has the history."""
        self.first.write(self.site, self.phone, first_store or self.url)
        self.second.write(self.site, self.phone, self.url)
        self.first.start(TOKEN=TOKEN)
        await until(lambda: len(self.site.times("one")) > 2)
        self.second.start(TOKEN=TOKEN)
        await self.second.says("event=followed")
        await asyncio.sleep(3)  # the leader hears of it at a renewal, one each two seconds

    async def takes_over(self) -> float:
        """Wait until the standby probes, and return how long that took."""
        began = time.monotonic()
        await until(lambda: self.site.times("two"))
        return self.site.times("two")[0] - began

    @property
    def told(self) -> list[str]:
        return self.phone.of(int(CHAT))

    async def goes_down(self) -> None:
        self.site.status = 500
        await until(lambda: asked(self.url, "SELECT state FROM outbox") == [("sent",)])
        assert [text[0] for text in self.told] == ["🔴"]


@pytest.fixture
async def pair(server: Server, tmp_path: Path) -> AsyncIterator[Pair]:
    site, app = Site(), web.Application()
    app.router.add_route("*", "/{who}", site.answer)
    app.router.add_route("*", "/{who}/{rest:.*}", site.answer)
    async with listening(app) as site.url, telegram() as phone:
        one = Pair(site, phone, server.fresh(), Hub(tmp_path / "one"), Hub(tmp_path / "two"))
        try:
            yield one
        finally:
            for hub in (one.first, one.second):
                if hub.process is not None and hub.process.poll() is None:
                    hub.process.send_signal(signal.SIGCONT)
                    hub.kill()


async def test_a_standby_takes_over_from_one_that_is_killed_and_goes_on_where_it_was(
    pair: Pair,
) -> None:
    await pair.lead()
    await pair.goes_down()
    assert not pair.site.times("two")
    pair.first.kill()
    assert await pair.takes_over() < TAKEN_OVER_S
    await until(lambda: any("the standby has taken over" in text for text in pair.told))
    pair.site.status = 200
    await until(lambda: any("✅" in text for text in pair.told))
    await asyncio.sleep(3)
    assert [text[0] for text in pair.told] == ["🔴", "👁", "✅"]
    assert "event=takes_over" in pair.second.log.read_text()


async def test_one_that_is_stopped_in_between_acts_no_more_when_it_goes_on(pair: Pair) -> None:
    await pair.lead()
    await pair.goes_down()
    assert pair.first.process
    pair.first.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(0.2)
    stopped_at, before = time.monotonic(), len(pair.site.times("one"))
    took_s = await pair.takes_over()
    assert 8 < took_s < TAKEN_OVER_S
    assert (len(pair.site.times("one")), stopped_at < pair.site.times("two")[0]) == (before, True)
    await until(lambda: any("the standby has taken over" in text for text in pair.told))
    pair.first.process.send_signal(signal.SIGCONT)
    assert await pair.first.ends() == 1
    assert re.search(
        "this daemon leads no more: it could not say that it lives for [0-9]+ s, and another one waits",
        pair.first.log.read_text(),
    )
    pair.site.status = 200
    await until(lambda: any("✅" in text for text in pair.told))
    await asyncio.sleep(3)
    assert [text[0] for text in pair.told] == ["🔴", "👁", "✅"]
    assert len(pair.site.times("one")) <= before + 1  # a run that was under way


async def test_one_that_is_cut_off_ceases_before_the_other_begins(
    pair: Pair, server: Server
) -> None:
    with CuttingProxy(server.port) as proxy:
        await pair.lead(pair.url.replace(str(server.port), str(proxy.port)))
        proxy.cut()
        assert 8 < await pair.takes_over() < TAKEN_OVER_S
        assert await pair.first.ends() == 1
        assert pair.site.times("one")[-1] < pair.site.times("two")[0]


async def test_of_two_that_start_at_once_on_an_empty_database_one_leads_and_one_waits(
    pair: Pair,
) -> None:
    for hub in (pair.first, pair.second):
        hub.write(pair.site, pair.phone, pair.url)
        hub.start(TOKEN=TOKEN)
    logs = [hub.log for hub in (pair.first, pair.second)]
    await until(
        lambda: (
            Counter(
                word
                for log in logs
                for word in re.findall("event=(?:started|standby) ", log.read_text())
            )
            == {"event=started ": 1, "event=standby ": 1}
        )
    )
    leader, other = sorted(
        (pair.first, pair.second), key=lambda hub: "event=standby " in hub.log.read_text()
    )
    leader.kill(signal.SIGTERM)
    began = time.monotonic()
    await until(lambda: pair.site.times(other.name))
    assert pair.site.times(other.name)[0] - began < TAKEN_OVER_S
    await asyncio.sleep(2)
    assert pair.told == []


async def test_behind_a_pooler_in_transaction_mode_a_standby_takes_over_alike(
    pair: Pair, server: Server
) -> None:
    with pooler(server) as port, CuttingProxy(port) as proxy:
        pair.url = pair.url.replace(str(server.port), str(port))
        await pair.lead(pair.url.replace(str(port), str(proxy.port)))
        proxy.cut()
        assert 8 < await pair.takes_over() < TAKEN_OVER_S
        assert await pair.first.ends() == 1
        assert pair.site.times("one")[-1] < pair.site.times("two")[0]


STARTS_SLOWLY = """
import asyncio, sys
from pathlib import Path
from monitor.config import load
from monitor.daemon.app import Daemon
daemon = Daemon(load(Path(sys.argv[1]), env={}))
note = daemon.store.note
async def note_later(*words):
    print("notes its start", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await note(*words)
daemon.store.note = note_later
asyncio.run(daemon.run())
"""


async def test_one_that_is_cut_off_before_its_start_is_noted_ceases_alike(
    pair: Pair, server: Server, tmp_path: Path
) -> None:
    with CuttingProxy(server.port) as proxy:
        toml = tmp_path / "monitor.toml"
        toml.write_text(
            f'[monitor]\nstore = "{pair.url.replace(str(server.port), str(proxy.port))}"\n'
            f'[service.s]\nendpoints = {{ a = "{pair.site.url}/one" }}\nprobes = {{ http = "1s" }}\n'
        )
        words = [sys.executable, "-c", STARTS_SLOWLY, str(toml)]
        pipe = subprocess.PIPE
        waiting = Store(pair.url, clock=SystemClock())
        with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as leader:
            try:
                assert leader.stdin
                assert leader.stdout
                assert await asyncio.to_thread(leader.stdout.readline) == "notes its start\n"
                assert await asyncio.to_thread(waiting.leader)
                await asyncio.sleep(3)  # a renewal each two seconds tells it that somebody waits
                proxy.cut()
                print(file=leader.stdin, flush=True)
                _, said = await asyncio.to_thread(leader.communicate, timeout=30)
            finally:
                leader.kill()
                waiting.wait_no_more()
    assert leader.returncode == 1
    assert "this daemon leads no more" in said
    ceased = len(pair.site.times("one"))
    assert ceased
    assert ceased < 15


def waits(store: Store, url: str, folder: Path) -> Standby:
    (folder / "monitor.toml").write_text(
        f'[monitor]\nstore = "{url}"\n[service.s]\nendpoints = {{ a = "http://127.0.0.1:9" }}\n'
        'probes = { http = "1s" }\n'
    )
    config = load(folder / "monitor.toml", env={})
    return Standby(config, store, SystemClock(), asyncio.Event())


async def test_a_standby_takes_over_also_while_its_reader_waits_for_a_lock(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has loaded half of the history then, and loads all anew."""
    monkeypatch.setattr(follower, "_LIMITS", {"lock_timeout": "120s"})
    monkeypatch.setattr(standby, "END_S", 0.5)
    url = server.fresh()
    first, ours = (Store(url, clock=SystemClock()) for _ in range(2))
    first.open()
    first.recall()
    record(first, 3)
    await first.flush()
    with psycopg.connect(url) as locking:
        locking.execute("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
        leader = await asyncio.to_thread(ours.leader)
        assert leader is not None
        waiting = asyncio.create_task(waits(ours, url, tmp_path).wait(leader))
        await until(lambda: asked(url, LOCKED) != [(0,)])
        await first.close()
        assert await asyncio.wait_for(waiting, 10) == leader
        assert asked(url, LOCKED) != [(0,)]
    ours.open()
    ours.recall()
    shown = await ours.snapshot(SystemClock().now())
    assert shown.checks.keys() == {"a/direct/chat"}
    await ours.close()


LOCKED = """SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'"""


async def test_one_that_lost_a_race_for_the_lead_follows_the_winner(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    url = server.fresh()
    first, winner, ours = (Store(url, clock=SystemClock()) for _ in range(3))
    waits_twice = waits(ours, url, tmp_path)
    for number, leads in enumerate((first, winner), 1):
        leads.open()
        leads.recall()
        await leads.flush()
        leader = await asyncio.to_thread(ours.leader)
        assert leader is not None
        waiting = asyncio.create_task(waits_twice.wait(leader))
        await until(lambda number=number: caplog.text.count("event=followed") == number)
        await leads.close()
        assert await asyncio.wait_for(waiting, 10) == leader
    ours.wait_no_more()


async def test_a_standby_says_what_it_is_and_takes_nothing(pair: Pair) -> None:
    await pair.lead()
    here = pair.second
    ask = lambda path, port=0: asyncio.to_thread(here.get, path, port)  # noqa: E731
    assert await ask("healthz") == (200, "standby\n")
    status, text = await ask("")
    assert status == 503
    assert text.splitlines()[0] == (
        "This is the standby of a monitor: another machine probes now, and has the page."
    )
    assert len(text.splitlines()) == 2
    status, text = await ask("agent/v1/results")
    assert (status, json.loads(text)) == (
        503,
        {"why": "this is the standby, and takes nothing while another hub leads"},
    )
    assert pair.first.process
    leads = f"standby, process {pair.first.process.pid} leads\n"
    assert await ask("healthz", here.metrics) == (200, leads)
    _, metrics = await ask("metrics", here.metrics)
    assert "\nmonitor_leader 0.0\n" in metrics
    _, metrics = await asyncio.to_thread(pair.first.get, "metrics", pair.first.metrics)
    assert "\nmonitor_leader 1.0\n" in metrics
    here.kill(signal.SIGTERM)
    assert "event=stopped" in here.log.read_text()
    assert Store.waiting(pair.url) == ()
