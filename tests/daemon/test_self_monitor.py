"""The daemon watches itself, in virtual time: pings, what it says of itself, what it knows at once."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import virtual_time
from aiohttp import web
from cast import HandClock
from listening import listening
from telegram import CHAT, TOKEN, Telegram, telegram
from virtual_time import VirtualClock, VirtualLoop, busy_with

from monitor import schedule
from monitor.config import load
from monitor.daemon import app, components
from monitor.daemon.app import Daemon
from monitor.daemon.self_monitor import SelfMonitor
from monitor.language import ENGLISH
from monitor.model import NotificationType, OutboxMessage, Outcome, Severity
from monitor.model.errors import REACH
from monitor.store import Store, writer


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
    async with listening(app) as site.url:
        yield site


def titles(phone: Telegram) -> list[str]:
    return [text.splitlines()[0] for text in phone.messages]


class Town:
    """Virtual time, a site and a phone; `living()` is a daemon among them."""

    def __init__(
        self, folder: Path, loop: VirtualLoop, clock: VirtualClock, site: Site, phone: Telegram
    ) -> None:
        self.loop, self.clock, self.site, self.phone = loop, clock, site, phone
        self.path = folder / "monitor.toml"

    def write(self, every: str = "20s", more: str = "") -> None:
        url = self.site.url
        self.path.write_text(
            f'[monitor]\nlisten = ""\ncontrols = "off"\nheartbeat = "{url}/ping"\n'
            f'[service.s]\nendpoints = {{ a = "{url}/a", b = "{url}/b" }}\n'
            f'probes = {{ http = "{every}" }}\n{channel("phone", self.phone)}{more}'
        )

    @asynccontextmanager
    async def living(self) -> AsyncIterator[Daemon]:
        made = Daemon(load(self.path, {}), clock=self.clock, publish_every=timedelta(days=9))
        self.loop.busy = busy_with(made)
        task = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            made.stop.set()
            await task
            self.loop.busy = []


def channel(name: str, phone: Telegram) -> str:
    return f'[channel.{name}]\nurl = "tgram://{TOKEN}/{CHAT}"\ntelegram_api = "{phone.url}"\n'


Tell = Callable[[Callable[[Town], Awaitable[None]]], None]


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Runs a story in a town."""

    def told(story: Callable[[Town], Awaitable[None]]) -> None:
        async def whole(loop: VirtualLoop, clock: VirtualClock) -> None:
            async with serving() as site, telegram() as phone:
                town = Town(tmp_path, loop, clock, site, phone)
                town.write()
                loop.rests()
                await story(town)

        virtual_time.run(monkeypatch, whole)

    return told


@pytest.fixture
def schedules(monkeypatch: pytest.MonkeyPatch) -> list[schedule.Schedule]:
    """Every schedule that a daemon makes."""
    made: list[schedule.Schedule] = []

    class Seen(schedule.Schedule):
        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(components, "Schedule", Seen)
    monkeypatch.setattr(writer, "_GATHER_S", 0.0)
    return made


@pytest.mark.slow
def test_a_schedule_that_hangs_ends_the_pings_and_is_told_and_so_is_its_end(
    tell: Tell, schedules: list[schedule.Schedule]
) -> None:
    async def story(town: Town) -> None:
        site, phone, loop = town.site, town.phone, town.loop
        async with town.living():
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

    tell(story)


def test_probes_that_never_end_are_no_progress(
    tell: Tell, monkeypatch: pytest.MonkeyPatch, schedules: list[schedule.Schedule]
) -> None:
    async def stuck(*_: object, **__: object) -> None:
        await asyncio.sleep(86_400)

    async def story(town: Town) -> None:
        async with town.living():
            await asyncio.sleep(100)
            schedules[0]._run = stuck  # type: ignore[assignment]
            hung = town.loop.time()
            await asyncio.sleep(600)
            patience = schedules[0]._patience()
            assert [at for at in town.site.pings if at > hung + patience + 60] == []
            assert titles(town.phone) == ["👁 monitor: its schedule is in trouble"]
            assert "none has ended for" in town.phone.messages[0]

    monkeypatch.setattr(app, "DRAIN", timedelta(seconds=1))
    tell(story)


@pytest.mark.slow
@pytest.mark.usefixtures("schedules")
def test_a_channel_that_takes_nothing_is_told_through_the_other_and_so_is_its_return(
    tell: Tell,
) -> None:
    async def story(town: Town) -> None:
        phone = town.phone
        async with telegram() as other:
            town.write(more=channel("other", other))
            async with town.living():
                await asyncio.sleep(60)
                phone.down = True
                town.site.bad.add("a")
                await asyncio.sleep(900)
                assert titles(other) == [
                    "🔴 s, a: down",
                    "👁 monitor: channel phone takes no messages",
                ]
                assert other.messages[1].splitlines()[1:4] == [
                    "HTTP 500: Internal Server Error",
                    f"To do: {REACH}",
                    "1 message waits for it; it is tried for 24 hours.",
                ]
                phone.down = False
                await asyncio.sleep(1200)
                assert titles(other)[2:] == ["✅ monitor: channel phone takes messages again"]
                assert titles(phone) == ["🔴 s, a: down"]

    tell(story)


@pytest.mark.slow
@pytest.mark.usefixtures("schedules")
def test_where_no_channel_takes_anything_none_is_blamed(tell: Tell) -> None:
    async def story(town: Town) -> None:
        async with town.living():
            town.phone.down = True
            town.site.bad.add("a")
            await asyncio.sleep(900)
            town.phone.down = False
            await asyncio.sleep(1200)
            assert titles(town.phone) == ["🔴 s, a: down"]

    tell(story)


@pytest.mark.slow
@pytest.mark.usefixtures("schedules")
def test_right_after_a_restart_a_message_says_what_works_instead(tell: Tell) -> None:
    """The other base URL has not been asked again yet: the store knows that it works."""

    async def story(town: Town) -> None:
        town.write(every="1h")
        asked = schedule.phase("s/a/http", timedelta(hours=1))
        other = schedule.phase("s/b/http", timedelta(hours=1))
        bad, good = ("a", "b") if (other - asked) % 3600 > 300 else ("b", "a")
        async with town.living():
            await asyncio.sleep(7200)
        first = asked if bad == "a" else other
        await asyncio.sleep((first - seconds(town.clock.now())) % 3600 - 30)
        town.site.bad.add(bad)
        async with town.living():
            await asyncio.sleep(120)
            gap, text = town.phone.messages
            assert gap.startswith("👁 monitor: was down for ")
            assert text.splitlines()[0] == f"🔴 s, {bad}: down"
            assert text.splitlines()[1].startswith(f"Use {town.site.url}/{good} (")

    tell(story)


@pytest.mark.slow
@pytest.mark.usefixtures("schedules")
def test_a_machine_that_was_suspended_is_told_like_a_break_and_every_check_goes_on(
    tell: Tell,
) -> None:
    async def story(town: Town) -> None:
        async with town.living() as daemon:
            await asyncio.sleep(100)
            town.clock.suspend(90)
            await asyncio.sleep(100)
            assert town.phone.messages == []
            town.clock.suspend(720)
            await asyncio.sleep(100)
            assert titles(town.phone)[0].startswith("👁 monitor: could not see for 12m")
            when, why = town.phone.messages[0].splitlines()[1:3]
            assert re.fullmatch(
                r"From 02 Nov 12:04 UTC to 02 Nov 12:16 UTC nothing was probed\.", when
            )
            assert why == "Its machine was suspended, or the monitor itself was paused."
            results = await daemon.store.results_since(town.clock.now() - timedelta(seconds=90))
            assert len(results) >= 8
            assert {result.outcome for result in results} == {Outcome.UP}

    tell(story)


def seconds(at: datetime) -> float:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


async def test_the_trouble_of_a_channel_that_leaves_the_configuration_ends(
    tmp_path: Path, clock: HandClock
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'm.db'}", clock=clock)
    store.open()
    row = OutboxMessage(
        channel="old",
        what=NotificationType.NOTICE,
        severity=Severity.MONITOR,
        incident=None,
        created=clock.now(),
        not_before=clock.now(),
    )
    await store.save(outgoing=(row,))
    (waiting,) = await store.due(clock.now())
    store.postpone(replace(waiting, attempts=1, last_error="HTTP 403: no"))
    monitor = SelfMonitor(store, clock)

    def look(*channels: str) -> list[tuple[str, NotificationType, str]]:
        found = monitor.alerts(None, channels, clock.now(), ENGLISH)
        return [(each.event, each.what, each.text.splitlines()[0]) for each in found]

    assert look("old", "new") == []
    clock.tick(400)
    begun, over = NotificationType.OPENED, NotificationType.RESOLVED
    took = "👁 monitor: channel old takes no messages"
    assert look("old", "new") == [("channel/old", begun, took)]
    left = "👁 monitor: channel old left the configuration"
    assert look("new") == [("channel/old", over, left)]
    assert look("new") == []
    await store.close()
