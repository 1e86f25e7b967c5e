"""A base URL and hubs as processes, of which one leads and another waits."""

import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from cast import until
from listening import free_port
from process_cast import Place
from telegram import CHAT, Telegram


@dataclass
class Site:
    """A base URL by whoever asks for it: each daemon has a path of its own."""

    url: str = ""
    status: int = 200
    asked: list[tuple[str, float]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.match_info["who"], time.monotonic()))
        return web.Response(status=self.status, text="hello")

    def times(self, who: str) -> list[float]:
        return [at for asker, at in self.asked if asker == who]


@dataclass
class Hub(Place):
    """A daemon as a process, with a folder and a port of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        super().__init__(folder, "run")
        self.name, self.port, self.metrics = folder.name, free_port(), free_port()

    def write(self, site: Site, phone: Telegram, store: str) -> None:
        (self.folder / "monitor.toml").write_text(
            f'[monitor]\nstore = "{store}"\nlisten = "127.0.0.1:{self.port}"\nmetrics = "127.0.0.1:{self.metrics}"\n'
            f'[service.s]\nendpoints = {{ a = "{site.url}/{self.name}" }}\nprobes = {{ http = "1s" }}\n'
            f'[channel.phone]\nurl = "tgram://${{TOKEN}}/{CHAT}"\ntelegram_api = "{phone.url}"\n'
            '[page]\nlanguages = ["en", "zh-CN"]\n'
        )

    def get(self, path: str, port: int = 0) -> tuple[int, str]:
        url = f"http://127.0.0.1:{port or self.port}/{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    async def says(self, what: str) -> None:
        await until(lambda: what in self.log.read_text())

    async def ends(self) -> int:
        assert self.process is not None
        await until(lambda: self.process and self.process.poll() is not None)
        return self.process.returncode
