"""The daemon watches itself, in virtual time: pings, what it says of itself, what it knows at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import virtual_time
from aiohttp import web
from telegram import CHAT, TOKEN, Telegram, telegram
from test_virtual_days import busy_with
from virtual_time import VirtualClock, VirtualLoop

from monitor import assembly, daemon, schedule
from monitor.config import load
from monitor.daemon import Daemon
from monitor.model.delivery import REACH
from monitor.store import writer


@dataclass
class Site:
    """Base URLs `/a` and `/b`, and a dead man's switch that hears pings."""

    bad: set[str] = field(default_factory=set)
    pings: list[float] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        return web.Response(status=502 if request.match_info["name"] in self.bad else 200)

    async def ping(self, _: web.Request) -> web.Response:
        self.pings.append(asyncio.get_running_loop().time())
        return web.Response()


@asynccontextmanager
async def serving() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_post("/ping", site.ping)
    app.router.add_get("/{name}{tail:.*}", site.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield site
    await runner.cleanup()


@asynccontextmanager
async def living(loop: VirtualLoop, clock: VirtualClock, path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(load(path, {}), clock=clock, publish_every=timedelta(days=9))
    loop.busy = busy_with(made)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.stop.set()
        await task
        loop.busy = []


def write_config(folder: Path, site: Site, phone: Telegram, every: str = "20s") -> Path:
    path = folder / "monitor.toml"
    path.write_text(
        f'[monitor]\nlisten = ""\ncontrols = "off"\nheartbeat = "{site.url}/ping"\n'
        f'[service.s]\nendpoints = {{ a = "{site.url}/a", b = "{site.url}/b" }}\n'
        f'probes = {{ http = "{every}" }}\n'
        f'[channel.phone]\nurl = "tgram://{TOKEN}/{CHAT}"\ntelegram_api = "{phone.url}"\n'
    )
    return path


def titles(phone: Telegram) -> list[str]:
    return [text.splitlines()[0] for text in phone.messages]


@pytest.fixture
def schedules(monkeypatch: pytest.MonkeyPatch) -> list[schedule.Schedule]:
    """Every schedule that a daemon makes."""
    made: list[schedule.Schedule] = []

    class Seen(schedule.Schedule):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(assembly, "Schedule", Seen)
    monkeypatch.setattr(writer, "_GATHER_S", 0.0)
    return made


def test_a_schedule_that_hangs_ends_the_pings_and_is_told_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedules: list[schedule.Schedule]
) -> None:
    async def story(loop: VirtualLoop, clock: VirtualClock) -> None:
        async with serving() as site, telegram() as phone:
            path = write_config(tmp_path, site, phone)
            loop.rests()
            async with living(loop, clock, path):
                await asyncio.sleep(300)
                assert [round(at) for at in site.pings] == [0, 60, 120, 180, 240]
                assert phone.messages == []

                scheduler = schedules[0]._scheduler
                scheduler._stop_timer()  # what an exception inside APScheduler comes to
                hung = loop.time()
                await asyncio.sleep(300)
                assert [at for at in site.pings if at > hung + 90] == []
                assert titles(phone) == ["👁 monitor: its schedule is in trouble"]
                assert "Checks run late or not at all." in phone.messages[0]

                scheduler.wakeup()
                back = loop.time()
                await asyncio.sleep(300)
                assert len([at for at in site.pings if at > back]) >= 4
                assert titles(phone)[1:] == ["✅ monitor: its schedule is well again"]

    virtual_time.run(monkeypatch, story)


def test_probes_that_never_end_are_no_progress(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedules: list[schedule.Schedule]
) -> None:
    async def stuck(*_: object, **__: object) -> None:
        await asyncio.sleep(86_400)

    async def story(loop: VirtualLoop, clock: VirtualClock) -> None:
        async with serving() as site, telegram() as phone:
            path = write_config(tmp_path, site, phone)
            loop.rests()
            async with living(loop, clock, path):
                await asyncio.sleep(100)
                schedules[0]._run = stuck  # type: ignore[assignment]
                hung = loop.time()
                await asyncio.sleep(600)
                patience = schedules[0]._patience()
                assert [at for at in site.pings if at > hung + patience + 60] == []
                assert titles(phone) == ["👁 monitor: its schedule is in trouble"]
                assert "none has ended for" in phone.messages[0]

    monkeypatch.setattr(daemon, "DRAIN", timedelta(seconds=1))
    virtual_time.run(monkeypatch, story)


def test_a_channel_that_takes_nothing_is_told_through_the_other_and_so_is_its_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedules: list[schedule.Schedule]
) -> None:
    async def story(loop: VirtualLoop, clock: VirtualClock) -> None:
        async with serving() as site, telegram() as phone, telegram() as other:
            path = write_config(tmp_path, site, phone)
            more = (
                f'[channel.other]\nurl = "tgram://{TOKEN}/{CHAT}"\ntelegram_api = "{other.url}"\n'
            )
            path.write_text(path.read_text() + more)
            loop.rests()
            async with living(loop, clock, path):
                await asyncio.sleep(60)
                phone.down = True
                site.bad.add("a")
                await asyncio.sleep(900)
                assert titles(other) == [
                    "🔴 s, a: down",
                    "👁 monitor: channel phone takes no messages",
                ]
                assert other.messages[1].splitlines()[1:4] == [
                    "Failed to send Telegram notification to 4242: Internal Server Error, error=500.",
                    f"To do: {REACH}",
                    "1 message waits for it; it is tried for 24 hours.",
                ]
                phone.down = False
                await asyncio.sleep(1200)
                assert titles(other)[2:] == ["✅ monitor: channel phone takes messages again"]
                assert titles(phone) == ["🔴 s, a: down"]

    virtual_time.run(monkeypatch, story)


def test_where_no_channel_takes_anything_none_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedules: list[schedule.Schedule]
) -> None:
    async def story(loop: VirtualLoop, clock: VirtualClock) -> None:
        async with serving() as site, telegram() as phone:
            path = write_config(tmp_path, site, phone)
            loop.rests()
            async with living(loop, clock, path):
                phone.down = True
                site.bad.add("a")
                await asyncio.sleep(900)
                phone.down = False
                await asyncio.sleep(1200)
                assert titles(phone) == ["🔴 s, a: down"]

    virtual_time.run(monkeypatch, story)


def test_right_after_a_restart_a_message_says_what_works_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, schedules: list[schedule.Schedule]
) -> None:
    """The other base URL has not been asked again yet: the store knows that it works."""

    async def story(loop: VirtualLoop, clock: VirtualClock) -> None:
        async with serving() as site, telegram() as phone:
            path = write_config(tmp_path, site, phone, every="1h")
            loop.rests()
            asked = schedule.phase("s/a/http", timedelta(hours=1))
            other = schedule.phase("s/b/http", timedelta(hours=1))
            bad, good = ("a", "b") if (other - asked) % 3600 > 300 else ("b", "a")
            async with living(loop, clock, path):
                await asyncio.sleep(7200)
            first = asked if bad == "a" else other
            await asyncio.sleep((first - seconds(clock.now())) % 3600 - 30)
            site.bad.add(bad)
            async with living(loop, clock, path):
                await asyncio.sleep(120)
                gap, text = phone.messages
                assert gap.startswith("👁 monitor: was down for 00:0")
                assert text.splitlines()[0] == f"🔴 s, {bad}: down"
                assert f"Use instead: {site.url}/{good}" in text.splitlines()

    virtual_time.run(monkeypatch, story)


def seconds(at: datetime) -> float:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
