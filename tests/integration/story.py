"""One service of six base URLs lives through an ordinary bad day, and everything that was said of it is printed.

    python tests/integration/story.py [SECONDS_A_STEP] [LANGUAGE]

The real daemon (`monitor run`) asks six servers on loopback and tells a fake Bot API. The steps are: all well, one base
URL down, the day's budget spent, the account empty, a stream that is cut, the account topped up, all well again. After
each step the messages, the page and what programs read (`status.json`, `best.txt`) are printed, for a person to read for
sentences that are not true. Ten minutes are `SECONDS_A_STEP` = 85, which is the default. `zh-CN` is told in the time of Shanghai.
"""

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from aiohttp import web
from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.demo.replies import answer

MONITOR = Path(sys.executable).parent / "monitor"
KEY = "story-key"
MODEL = "gpt-4o-mini"
NAMES = ("direct", "cdn", "worker", "proxy-1", "proxy-2", "proxy-3")
SMALL_BUDGET = "1k tokens"
LARGE_BUDGET = "10M tokens"
ZONES = {"en": "UTC", "zh-CN": "Asia/Shanghai"}


@dataclass
class Account:
    """What all base URLs of one service share."""

    empty: bool = False


@dataclass
class StandIn:
    """A base URL of an OpenAI-compatible relay that can be told to fail."""

    name: str
    account: Account
    cuts_streams: bool = False
    port: int = 0
    runner: web.AppRunner | None = field(default=None, repr=False)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/chat/completions", self.chat)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()
        self.port = self.runner.addresses[0][1]

    async def stop(self) -> None:
        if self.runner:
            await self.runner.cleanup()
            self.runner = None

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        if self.account.empty:
            error = {
                "message": "You exceeded your current quota, please check your plan and billing details.",
                "type": "insufficient_quota",
                "code": "insufficient_quota",
            }
            return web.json_response({"error": error}, status=429)
        body = await request.json()
        words = answer(body["messages"][-1]["content"]).split(" ")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, word in enumerate(words):
            if self.cuts_streams and number > len(words) // 2:
                assert request.transport is not None
                request.transport.abort()
                return response
            await response.write(_chunk({"content": f"{word} "}))
            await asyncio.sleep(0.01)
        usage = {
            "prompt_tokens": 25,
            "completion_tokens": 2 * len(words),
            "total_tokens": 25 + 2 * len(words),
        }
        await response.write(_chunk({}, "stop") + _chunk(None, usage=usage) + b"data: [DONE]\n\n")
        return response


def _chunk(
    delta: dict[str, str] | None, finish: str | None = None, usage: dict[str, int] | None = None
) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    chunk = {"object": "chat.completion.chunk", "model": MODEL, "choices": choices, "usage": usage}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


class _Text(HTMLParser):
    """The words of a page in reading order, without what is hidden from readers."""

    _SILENT = frozenset({"script", "style", "svg", "head", "template"})

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._SILENT:
            self._silent += 1
        if tag in {"h1", "h2", "h3", "p", "li", "tr", "div", "section", "article", "dt"}:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SILENT:
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.words.append(" ".join(data.split()))


def readable(page: str) -> str:
    parser = _Text()
    parser.feed(page)
    return re.sub(r"(\s*\n\s*)+", "\n", unescape(" ".join(parser.words))).strip()


@dataclass
class Story:
    """`seconds` is how long each step lasts."""

    folder: Path
    phone: Telegram
    seconds: float
    language: str = "en"
    account: Account = field(default_factory=Account)
    stands: dict[str, StandIn] = field(default_factory=dict)
    told: int = 0
    started: float = field(default_factory=time.monotonic)
    daemon: asyncio.subprocess.Process | None = None
    say: Callable[[str], None] = print

    @property
    def config(self) -> Path:
        return self.folder / "monitor.toml"

    def configure(self, budget: str) -> None:
        urls = "\n".join(
            f'{name} = "http://127.0.0.1:{stand.port}"' for name, stand in self.stands.items()
        )
        every = max(2, round(self.seconds / 14))
        self.config.write_text(
            '[monitor]\nlisten = ""\ncontrols = "off"\n'
            '[alerts]\nafter = 2\nrecover = 2\nwait = "2s"\nremind = "1h"\n'
            f'language = "{self.language}"\ntimezone = "{ZONES[self.language]}"\n'
            '[page]\nlanguages = ["en", "zh-CN"]\ndir = "page"\nurl = "https://status.example.com"\n'
            f'[service.relay]\nname = "Relay"\nkey = "${{STORY_KEY}}"\nmodel = "{MODEL}"\n'
            f'budget_per_day = "{budget}"\n'
            f"[service.relay.endpoints]\n{urls}\n"
            f'[service.relay.probes]\nmodels = "{every}s"\nchat = "{every}s"\n'
            f'[channel.phone]\nurl = "tgram://${{STORY_TOKEN}}/{CHAT}"\n'
            f'telegram_api = "{self.phone.url}"\n'
        )

    async def reload(self, budget: str) -> None:
        self.configure(budget)
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGHUP)

    async def step(self, title: str) -> str:
        """Waits, then prints all that was said; the text of the page is returned."""
        await asyncio.sleep(self.seconds)
        minutes, seconds = divmod(round(time.monotonic() - self.started), 60)
        self.say(f"\n======== {minutes}:{seconds:02} {title}")
        for message in self.phone.messages[self.told :]:
            self.say("--- message\n" + message)
        self.told = len(self.phone.messages)
        page = readable((self.folder / "page" / "index.html").read_text())
        self.say("--- page\n" + page)
        for name in ("best.txt", "badge.json"):
            file = self.folder / "page" / name
            self.say(f"--- {name}\n" + (file.read_text().strip() if file.exists() else "(none)"))
        return page

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        log = (self.folder / "log.txt").open("w")
        self.daemon = await asyncio.create_subprocess_exec(
            MONITOR,
            "run",
            "-c",
            self.config,
            cwd=self.folder,
            stderr=log,
            stdout=log,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "STORY_KEY": KEY,
                "STORY_TOKEN": TOKEN,
            },
        )
        try:
            yield
        finally:
            self.daemon.terminate()
            await self.daemon.wait()


async def live(story: Story) -> None:
    for name in NAMES:
        story.stands[name] = StandIn(name, story.account)
        await story.stands[name].start()
    story.configure(LARGE_BUDGET)
    async with story.running():
        await story.step("all well")
        await story.stands["cdn"].stop()
        await story.step("cdn refuses connections")
        await story.reload(SMALL_BUDGET)
        await story.step("and the day's budget is spent")
        await story.reload(LARGE_BUDGET)
        story.account.empty = True
        await story.step("a larger budget, but the account is empty")
        story.account.empty = False
        story.stands["worker"].cuts_streams = True
        await story.step("topped up; the worker cuts streams")
        await story.stands["cdn"].start()
        await story.step("cdn is back")
        story.stands["worker"].cuts_streams = False
        await story.step("the worker streams again")
    for stand in story.stands.values():
        await stand.stop()


async def main(seconds: float = 85.0, language: str = "en") -> None:
    with tempfile.TemporaryDirectory(prefix="story-") as folder:
        async with telegram() as phone:
            await live(Story(Path(folder), phone, seconds, language))
        print("\n======== the log")
        print((Path(folder) / "log.txt").read_text())


if __name__ == "__main__":
    asyncio.run(main(*map(float, sys.argv[1:2]), *sys.argv[2:3]))
