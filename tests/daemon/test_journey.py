"""The whole product over real sockets: probe, believe, tell, show; and once more after a restart."""

import asyncio
import json
import logging
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cast import until
from listening import listening
from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.config import load
from monitor.daemon.app import Daemon


class Relay:
    """A base URL that can be told to fail."""

    def __init__(self) -> None:
        self.status = 200
        self.url = ""
        self.asked = 0

    async def is_asked_again(self, times: int) -> None:
        before = self.asked
        await until(lambda: self.asked >= before + times)

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(
            status=self.status, text="hello" if self.status == 200 else "<script>alert(1)</script>"
        )


@asynccontextmanager
async def relay() -> AsyncIterator[Relay]:
    made = Relay()
    app = web.Application()
    app.router.add_get("/", made.answer)
    async with listening(app) as made.url:
        yield made


def write_config(folder: Path, phone: Telegram, **urls: str) -> Path:
    endpoints = ", ".join(f'{name} = "{url}"' for name, url in urls.items())
    path = folder / "monitor.toml"
    path.write_text(
        '[monitor]\nlisten = "127.0.0.1:0"\n[page]\nurl = "https://status.example"\n'
        '[alerts]\nwait = "1s"\n'
        f'[service.relay]\nname = "Relay"\nendpoints = {{ {endpoints} }}\nprobes = {{ http = "1s" }}\n'
        f'[channel.phone]\nurl = "tgram://${{TOKEN}}/{CHAT}"\ntelegram_api = "{phone.url}"\n'
    )
    return path


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Daemon]:
    daemon = Daemon(load(path, {"TOKEN": TOKEN}), publish_every=timedelta(seconds=0.5))
    task = asyncio.create_task(daemon.run())
    try:
        yield daemon
    finally:
        daemon.stop.set()
        await asyncio.wait_for(task, 30)


def first_lines(phone: Telegram) -> list[str]:
    return [text.splitlines()[0] for text in phone.messages]


@pytest.fixture
async def phone() -> AsyncIterator[Telegram]:
    async with telegram() as fake:
        yield fake


@pytest.mark.slow
async def test_an_outage_is_told_once_over_a_restart_and_its_end_when_the_channel_is_back(
    tmp_path: Path, phone: Telegram
) -> None:
    async with relay() as cdn, relay() as direct:
        path = write_config(tmp_path, phone, cdn=cdn.url, direct=direct.url)
        async with running(path):
            page = tmp_path / "page" / "index.html"
            await until(lambda: page.exists() and "All base URLs work." in page.read_text())
            cdn.status = 502
            await until(lambda: bool(phone.messages))
            await until(lambda: "One base URL is down." in page.read_text())
            assert "<script>alert" not in page.read_text()
        assert "Monitoring stopped at" in page.read_text()
        assert first_lines(phone) == ["🔴 Relay, cdn: down"]
        assert f"Use {direct.url} (" in phone.messages[0]
        assert "https://status.example/incidents/1/" in phone.messages[0]

        async with running(path):
            await until(lambda: "One base URL is down." in page.read_text())
            await cdn.is_asked_again(4)
            assert first_lines(phone) == ["🔴 Relay, cdn: down"]
            phone.down = True
            cdn.status = 200
            await until(lambda: "All base URLs work." in page.read_text())
            await until(lambda: phone.asked > 1)
            phone.down = False
            await until(lambda: len(phone.messages) > 1)
        begin, end = first_lines(phone)
        assert begin == "🔴 Relay, cdn: down"
        assert end.startswith("✅ Relay, cdn: recovered, was down for ")
        status = json.loads((tmp_path / "page" / "status.json").read_text())
        assert [(incident["id"], incident["severity"]) for incident in status["incidents"]] == [
            (1, "down")
        ]


@pytest.mark.slow
async def test_its_own_server_shows_the_page_and_its_health(
    tmp_path: Path, phone: Telegram, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with relay() as direct:
        path = write_config(tmp_path, phone, direct=direct.url)
        async with running(path), aiohttp.ClientSession() as session:
            await until((tmp_path / "page" / "index.html").exists)  # written last
            [url] = re.findall(r"event=listen url=(\S+)", caplog.text)
            async with session.get(url) as answer:
                assert answer.status == 200
                assert "Base URLs" in await answer.text()
            async with session.get(f"{url}healthz") as answer:
                assert (answer.status, await answer.text()) == (200, "ok\n")


@pytest.mark.slow
async def test_what_the_database_holds_is_what_happened_and_no_secret(
    tmp_path: Path, phone: Telegram
) -> None:
    async with relay() as direct:
        path = write_config(tmp_path, phone, direct=direct.url)
        async with running(path):
            direct.status = 503
            await until(lambda: bool(phone.messages))
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert TOKEN.encode() not in file.read_bytes(), file
    with closing(sqlite3.connect(tmp_path / "monitor.db")) as connection:
        tables = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
    assert len(tables) >= 8
    assert re.search(r"Relay, direct: down", phone.messages[0])


@pytest.mark.slow
async def test_a_base_url_that_left_the_config_takes_its_incident_with_it(
    tmp_path: Path, phone: Telegram
) -> None:
    async with relay() as cdn, relay() as direct:
        cdn.status = 502
        path = write_config(tmp_path, phone, cdn=cdn.url, direct=direct.url)
        async with running(path):
            await until(lambda: bool(phone.messages))
        write_config(tmp_path, phone, direct=direct.url)
        page = tmp_path / "page" / "index.html"
        async with running(path):
            await until(lambda: "All base URLs work." in page.read_text())
            status = json.loads((tmp_path / "page" / "status.json").read_text())
            await until(lambda: len(phone.messages) > 1)
        assert [incident["closed"] is not None for incident in status["incidents"]] == [True]
        assert first_lines(phone) == ["🔴 Relay, cdn: down", "👁 Relay, cdn: no longer watched"]
