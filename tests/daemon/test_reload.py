"""SIGHUP: what a new configuration changes, what it leaves alone, and what a bad one does: nothing."""

import asyncio
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from cast import until
from daemon_cast import MONITOR, House, Site, living
from telegram import Telegram

from monitor.model import Subscriber
from monitor.schedule import phase
from monitor.store import Store


@pytest.mark.slow
async def test_added_checks_start_removed_ones_stop_and_the_others_never_notice(
    house: House, site: Site
) -> None:
    house.write(f"{house.url('stays')}, {house.url('goes')}")
    async with living(house):
        await until(lambda: site.asked.count("/stays") > 2 and site.asked.count("/goes") > 0)
        house.write(f"{house.url('stays')}, {house.url('comes')}")

        assert await house.reload() == "good new=1 gone=1 changed=0"

        asked = site.asked.count("/goes")
        before = site.asked.count("/stays")
        await until(lambda: site.asked.count("/comes") > 2, 20)
        assert site.asked.count("/goes") == asked
        assert site.asked.count("/stays") >= before + 2

    reader = Store.read_only(house.daemon.deps.config.store)
    began = house.daemon.clock.now() - timedelta(minutes=5)
    kept = reader.results("s/goes/http", since=began)
    stayed = reader.results("s/stays/http", since=began)
    reader.close()
    assert len(kept) == asked
    due = [result.at.timestamp() - result.late_ms / 1000 for result in stayed[1:]]
    beat = phase("s/stays/http", timedelta(seconds=1))
    assert len(due) > 3
    assert max((at - beat + 0.01) % 1 for at in due) < 0.3, "on its own beat, before and after"


@pytest.mark.slow
async def test_what_is_believed_stays_believed_and_a_removed_check_ends_its_incident(
    house: House, site: Site, phone: Telegram
) -> None:
    site.status = 502
    house.write(f"{house.url('a')}, {house.url('b')}", more="[alerts]\nafter = 2\nwait = '0s'\n")
    async with living(house):
        await until(lambda: bool(phone.messages))
        house.write(house.url("a"), more="[alerts]\nafter = 2\nwait = '0s'\n")
        assert await house.reload() == "good new=0 gone=1 changed=0"
        await site.is_asked_again(3)
        site.status = 200
        await until(lambda: len(phone.messages) > 1 and "recovered" in phone.messages[-1])

    titles = [text.splitlines()[0] for text in phone.messages]
    assert sum(title.endswith(": down") for title in titles) <= 2
    assert len(titles) <= 4  # and each end once: "no longer watched" of b, "recovered" of a


@pytest.mark.slow
async def test_readers_are_forgotten_with_the_channel_that_took_them(house: House) -> None:
    takes = "commands = true\nsubscribers = true\n"
    house.write(house.url("a"), more=takes)
    async with living(house) as daemon:
        for channel in ("phone", "phone of before"):
            reader = Subscriber(
                channel=channel, chat=11, service="s", language="en", since=daemon.clock.now()
            )
            await daemon.store.subscribe(reader)
        house.write(f"{house.url('a')}, {house.url('b')}", more=takes)
        assert await house.reload() == "good new=1 gone=0 changed=0"
        assert [subscriber.channel for subscriber in await daemon.store.subscribers()] == ["phone"]
        house.write(house.url("a"), more="commands = true\n")
        assert await house.reload() == "good new=0 gone=1 changed=0"
        assert await daemon.store.subscribers() == ()


@pytest.mark.slow
async def test_a_bad_file_changes_nothing_and_is_told_once(
    house: House, site: Site, phone: Telegram, caplog: pytest.LogCaptureFixture
) -> None:
    house.write(house.url("a"))
    async with living(house):
        await until(lambda: len(site.asked) > 1)
        house.write(house.url("a"), more='[service.t]\nendpoints = { x = "ftp://nowhere" }\n')
        first = await house.reload()
        asked = len(site.asked)
        await until(lambda: len(site.asked) > asked + 1)
        assert await house.reload() == first
        await until(lambda: bool(phone.messages))
        await site.is_asked_again(2)

    assert first.startswith("bad service.t.endpoints.x")
    assert [text.splitlines()[0] for text in phone.messages] == [
        "👁 monitor: the new configuration was refused"
    ]
    assert "service.t.endpoints.x" in phone.messages[0]
    refused = [
        record.getMessage() for record in caplog.records if "reload_refused" in record.getMessage()
    ]
    assert len(refused) == 2


@pytest.mark.slow
async def test_what_history_hangs_on_cannot_change_under_a_running_daemon(house: House) -> None:
    house.write(house.url("a"))
    async with living(house):
        house.write(house.url("a"), monitor='listen = ""\nvantage = "elsewhere"')
        assert (
            await house.reload()
            == "bad monitor.vantage: was local, is elsewhere; restart the daemon to change it;"
            " another id begins a new history, `vantage_name` changes what people read"
        )


@pytest.mark.slow
async def test_the_server_moves_and_a_taken_address_is_refused(
    house: House, unused_tcp_port_factory: object
) -> None:
    assert callable(unused_tcp_port_factory)
    one, two, taken = (unused_tcp_port_factory() for _ in range(3))
    house.write(house.url("a"), monitor=f'listen = "127.0.0.1:{one}"')
    blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", taken)
    async with living(house), aiohttp.ClientSession() as session, blocker:

        async def health(port: int) -> str:
            async with session.get(f"http://127.0.0.1:{port}/healthz") as answer:
                return await answer.text()

        assert await health(one) == "ok\n"
        house.write(house.url("a"), monitor=f'listen = "127.0.0.1:{taken}"')
        assert (await house.reload()).startswith(f"bad cannot listen on 127.0.0.1:{taken} ")
        assert await health(one) == "ok\n"
        house.write(house.url("a"), monitor=f'listen = "127.0.0.1:{two}"')
        assert (await house.reload()).startswith("good")
        assert await health(two) == "ok\n"
        with pytest.raises(aiohttp.ClientConnectionError):
            await health(one)
        house.write(house.url("a"), monitor=f'listen = "localhost:{two}"')
        assert (await house.reload()).startswith("good")
        assert await health(two) == "ok\n"
        house.write(house.url("a"))
        assert (await house.reload()).startswith("good")
        with pytest.raises(aiohttp.ClientConnectionError):
            await health(two)


@pytest.mark.slow
async def test_both_servers_move_or_neither_does(
    house: House, unused_tcp_port_factory: Callable[[], int]
) -> None:
    one, two, three, taken = (unused_tcp_port_factory() for _ in range(4))

    def listen_at(page: int, metrics: int, host: str = "127.0.0.1") -> str:
        return f'listen = "{host}:{page}"\nmetrics = "127.0.0.1:{metrics}"'

    house.write(house.url("a"), monitor=listen_at(one, two))
    blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", taken)
    async with living(house), aiohttp.ClientSession() as session, blocker:

        async def status(port: int, path: str) -> int:
            async with session.get(f"http://127.0.0.1:{port}/{path}") as answer:
                return answer.status

        for refused in (listen_at(three, taken), listen_at(one, taken, "localhost")):
            house.write(house.url("a"), monitor=refused)
            assert (await house.reload()).startswith(f"bad cannot listen on 127.0.0.1:{taken} ")
            assert await status(one, "healthz") == 200
            assert await status(one, "metrics") == 404, "the page's server"
            assert await status(two, "metrics") == 200
            with pytest.raises(aiohttp.ClientConnectionError):
                await status(three, "healthz")

        house.write(house.url("a"), monitor=listen_at(two, one))
        assert (await house.reload()).startswith("good")
        assert await status(one, "metrics") == 200
        assert await status(two, "metrics") == 404, "each has the other's port"


@pytest.mark.slow
def test_the_command_says_what_came_of_it(tmp_path: Path) -> None:
    path = tmp_path / "monitor.toml"

    def write(*names: str) -> None:
        urls = ", ".join(f'{name} = "http://127.0.0.1:9"' for name in names)
        path.write_text(f'[monitor]\nlisten = ""\n[service.s]\nendpoints = {{ {urls} }}\n')

    def reload() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MONITOR, "reload"], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    write("a")
    done = reload()
    assert (done.returncode, done.stderr) == (
        1,
        f"no daemon writes {tmp_path}/monitor.db; start one with `monitor run`\n",
    )
    daemon = subprocess.Popen([MONITOR, "run"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert daemon.stderr
    for line in daemon.stderr:
        if "event=started" in line:
            break
    write("a", "b")
    done = reload()
    assert (done.returncode, done.stdout) == (0, "reloaded: new=1 gone=0 changed=0\n")
    path.write_text(path.read_text().replace("listen", "lissen"))
    assert reload().returncode == 78
    path.write_text('[monitor]\nlisten = ""\nvantage = "b"\n' + path.read_text().split("\n", 2)[2])
    done = reload()
    assert (done.returncode, done.stderr) == (
        78,
        (
            f"{path} has a problem:\nmonitor.vantage: was local, is b; restart the daemon to change it;"
            " another id begins a new history, `vantage_name` changes what people read\n"
        ),
    )
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=30)
    assert daemon.returncode == 0


@pytest.mark.slow
def test_a_daemon_that_still_opens_its_store_reloads_once_it_runs(tmp_path: Path) -> None:
    """A large store is checked for seconds: whoever asks then must not end the daemon."""
    path, store = tmp_path / "monitor.toml", f"sqlite:///{tmp_path}/monitor.db"
    path.write_text(
        '[monitor]\nlisten = ""\n[service.s]\nendpoints = { a = "http://127.0.0.1:9" }\n'
    )
    with closing(sqlite3.connect(tmp_path / "monitor.db", isolation_level=None)) as slow:
        slow.execute("BEGIN EXCLUSIVE")
        daemon = subprocess.Popen([MONITOR, "run"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        while Store.holder(store) is None and daemon.poll() is None:
            time.sleep(0.01)
        daemon.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        slow.execute("ROLLBACK")
    assert daemon.stderr
    assert any("event=reloaded" in line for line in daemon.stderr)
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=30)
    assert daemon.returncode == 0
