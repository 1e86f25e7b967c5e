"""A daemon among a site and a phone, with a configuration that a test rewrites."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from aiohttp import web
from cast import until
from telegram import CHAT, TOKEN, Telegram

from monitor.config import load
from monitor.daemon.app import Daemon
from monitor.store import Store

MONITOR = Path(sys.executable).parent / "monitor"


class Site:
    """Counts who asked for what."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.url = ""

    async def is_asked_again(self, times: int) -> None:
        before = len(self.asked)
        await until(lambda: len(self.asked) >= before + times)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path.rstrip("/"))
        return web.Response(status=self.status, text="hello")


class House:
    """A folder with a configuration that can be rewritten, and the daemon that lives by it."""

    def __init__(self, folder: Path, site: Site, phone: Telegram) -> None:
        self.path = folder / "monitor.toml"
        self.folder = folder
        self.site, self.phone = site, phone
        self.daemon: Daemon

    def write(self, endpoints: str, *, monitor: str = 'listen = ""', more: str = "") -> None:
        self.path.write_text(
            f"[monitor]\n{monitor}\n[service.s]\nendpoints = {{ {endpoints} }}\n"
            'probes = { http = "1s" }\n'
            f'[channel.phone]\nurl = "tgram://${{TOKEN}}/{CHAT}"\ntelegram_api = "{self.phone.url}"\n{more}'
        )

    def url(self, name: str) -> str:
        return f'{name} = "{self.site.url}/{name}"'

    async def reload(self) -> str:
        """How it went, as the store noted it."""
        reader = Store.read_only(self.daemon.deps.config.store)
        before = reader.note("reload")
        os.kill(os.getpid(), signal.SIGHUP)
        for _ in range(100):
            await asyncio.sleep(0.1)
            if (answer := reader.note("reload")) != before:
                reader.close()
                assert answer
                return answer.split(" ", 1)[1]
        raise AssertionError("no answer to SIGHUP")


@asynccontextmanager
async def living(house: House, **more: str) -> AsyncIterator[Daemon]:
    """`more` are variables of its environment, beside TOKEN."""
    env = {"TOKEN": TOKEN, **more}
    house.daemon = Daemon(
        load(house.path, env),
        env=env,
        publish_every=timedelta(seconds=0.5),
    )
    task = asyncio.create_task(house.daemon.run())
    try:
        await until((house.folder / "page" / "index.html").exists)
        yield house.daemon
    finally:
        house.daemon.stop.set()
        await asyncio.wait_for(task, 30)
