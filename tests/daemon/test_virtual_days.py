"""Days of the whole product in seconds: real probes over real sockets, the real store, the real
Apprise, and a Bot API that answers one message in seven with 429, and loses some of its answers."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import virtual_time
from aiohttp import web
from listening import listening
from telegram import CHAT, TOKEN, Telegram, telegram
from virtual_time import START, VirtualClock, VirtualLoop, busy_with

from monitor import courier
from monitor.config import load
from monitor.daemon import app, operator_requests, systemd
from monitor.daemon.app import Daemon
from monitor.model import Incident
from monitor.store import writer

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
EVERY, TIMEOUT = 5 * MINUTE, 10.0
BEAT = 5.0
SEEN_WITHIN = EVERY + TIMEOUT + 5
SERVICES = {
    **dict.fromkeys(("alpha", "beta", "gamma", "delta", "eta", "zeta"), ("a",)),
    "twins": ("a", "b"),
}
Told = list[tuple[float, str, bool]]
"""Messages that a phone took: when, what, and whether its answer got lost."""
WAYS = ("502", "drop", "hang", "cut")
_NUMBER = re.compile(r"\[#(\d+)\]")


@dataclass(frozen=True)
class Outage:
    """Seconds of virtual time."""

    begin: float
    end: float
    way: str


def outages(rng: Random, days: float) -> list[Outage]:
    """Long enough to be seen, far enough apart to be told apart, and over before the end."""
    found, at = [], 20 * MINUTE
    while True:
        begin = at + rng.uniform(40 * MINUTE, 3 * HOUR)
        at = begin + rng.uniform(15 * MINUTE, 80 * MINUTE)
        if at > days * DAY - 3 * HOUR:
            return found
        found.append(Outage(begin, at, rng.choice(WAYS)))


def midst(plan: dict[str, list[Outage]], near: float) -> float:
    """When one has been told and is not over, as near as can be."""
    moments = [(each.begin + 4 * each.end) / 5 for found in plan.values() for each in found]
    return min(moments, key=lambda at: abs(at - near))


@dataclass
class Town:
    """Every base URL of every service, on one port."""

    plan: dict[str, list[Outage]]
    url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        now = asyncio.get_running_loop().time()
        plan = self.plan[request.match_info["service"]]
        way = next((each.way for each in plan if each.begin <= now < each.end), "")
        if way == "502":
            return web.Response(status=502, text="<b>Bad Gateway</b> & more")
        if way == "drop":
            assert request.transport is not None
            request.transport.abort()
        if way == "hang":
            await asyncio.sleep(DAY)
        if way == "cut":
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"half")
            assert request.transport is not None
            request.transport.close()
            return response
        return web.Response(text="hello")


@asynccontextmanager
async def serving(town: Town) -> AsyncIterator[Town]:
    app = web.Application()
    app.router.add_get("/{service}/{endpoint}{tail:.*}", town.answer)
    async with listening(app) as town.url:
        yield town


@dataclass
class Moody(Telegram):
    """15 % of what it is asked it answers with 429, 4 % with 500; of 6 % the answer is lost."""

    rng: Random = field(default_factory=lambda: Random(1))
    dead: tuple[float, float] = (0, 0)
    """From when until when it takes nothing."""
    log: list[tuple[float, str]] = field(default_factory=list)
    """Every request: when, and what came of it."""
    told: Told = field(default_factory=list)

    async def send_message(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        now, mood = asyncio.get_running_loop().time(), self.rng.random()
        fault = (
            "500"
            if self.dead[0] <= now < self.dead[1] or 0.15 <= mood < 0.19
            else f"429 {self.rng.randint(3, 60)}"
            if mood < 0.15
            else "accept then drop"
            if mood < 0.25
            else ""
        )
        self.faults.append(fault)
        self.log.append((now, fault))
        before = len(self.messages)
        answer = await super().send_message(request, body)
        self.told += [(now, text, bool(fault)) for text in self.messages[before:]]
        return answer


@dataclass
class Calm(Telegram):
    """Takes everything, at once."""

    told: Told = field(default_factory=list)

    async def send_message(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        answer = await super().send_message(request, body)
        self.told.append((asyncio.get_running_loop().time(), self.messages[-1], False))
        return answer


def facts(text: str) -> list[tuple[int, str]]:
    """What a message tells of which incident: that it is `bad`, or `over`; not that it has grown."""
    title, *lines = text.splitlines()
    if ": now " in title:
        return []
    listed = [
        (line, "over" if "recovered" in line else "bad") for line in lines if line[:2] == "[#"
    ]
    first = [(lines[0], "over" if title[0] == "✅" else "bad")] if lines[0][:2] != "[#" else []
    return [
        (int(found[1]), what) for line, what in first + listed if (found := _NUMBER.search(line))
    ]


def write_config(folder: Path, town: Town, phone: Telegram, desk: Telegram) -> Path:
    text = '[monitor]\nlisten = ""\ncontrols = "off"\n[alerts]\nremind = "1d"\n'
    for service, endpoints in SERVICES.items():
        urls = ", ".join(f'{name} = "{town.url}/{service}/{name}"' for name in endpoints)
        text += f"[service.{service}]\nendpoints = {{ {urls} }}\n"
        text += f'probes = {{ http = {{ every = "{EVERY:.0f}s", timeout = "{TIMEOUT:.0f}s" }} }}\n'
    for name, fake in (("phone", phone), ("desk", desk)):
        text += f'[channel.{name}]\nurl = "tgram://{TOKEN}/{CHAT}"\ntelegram_api = "{fake.url}"\n'
    path = folder / "monitor.toml"
    path.write_text(text)
    return path


@dataclass
class History:
    plan: dict[str, list[Outage]]
    phone: Moody
    desk: Calm
    incidents: tuple[Incident, ...] = ()
    waiting: int = 0
    dead: int = 0


async def live(
    loop: VirtualLoop, clock: VirtualClock, folder: Path, seed: int, days: float
) -> History:
    """Once restarted, in the midst of an outage; later the phone is out of reach for three hours."""
    rng = Random(seed)
    plan = {service: outages(rng, days) for service in SERVICES}
    dead_from = (0.5 + rng.uniform(0, 0.2)) * days * DAY
    moody = Moody(rng=Random(seed), dead=(dead_from, dead_from + 3 * HOUR))
    async with serving(Town(plan)) as town, telegram(moody), telegram(Calm()) as calm:
        assert isinstance(calm, Calm)
        path = write_config(folder, town, moody, calm)
        loop.rests()
        history = History(plan, moody, calm)
        for until in (midst(plan, days * DAY / 2), days * DAY):
            await run_until(loop, clock, path, until, history)
    return history


async def run_until(
    loop: VirtualLoop, clock: VirtualClock, path: Path, until: float, history: History
) -> None:
    living = Daemon(load(path, {}), clock=clock, rng=Random(1), publish_every=timedelta(days=99))
    store = living.store
    loop.busy = busy_with(living)
    task = asyncio.create_task(living.run())
    await asyncio.sleep(until - loop.time())
    history.incidents = await store.incidents()
    history.waiting = sum(store.undelivered.values())
    history.dead = len((await store.snapshot(clock.now())).dead)
    living.stop.set()
    await task
    loop.busy = []


def seconds(at: datetime | None) -> float:
    assert at is not None
    return (at - START).total_seconds()


def each_outage_is_one_incident(history: History) -> dict[int, Outage]:
    """By the number of the incident; there is none without an outage."""
    found = {}
    for service, plan in history.plan.items():
        mine = sorted(
            (each for each in history.incidents if each.service == service),
            key=lambda each: each.id,
        )
        assert len(mine) == len(plan), service
        for incident, outage in zip(mine, plan, strict=True):
            assert outage.begin <= seconds(incident.opened) <= outage.begin + SEEN_WITHIN
            assert outage.end <= seconds(incident.closed) <= outage.end + SEEN_WITHIN
            found[incident.id] = outage
    assert len(found) == len(history.incidents)
    return found


def all_is_told_once(told: Told, outages: Iterable[int]) -> None:
    """But for what was sent again because nobody answered; its end also where it is told late."""
    sure = Counter(fact for _, text, lost in told for fact in facts(text) if not lost)
    every = Counter(fact for _, text, _ in told for fact in facts(text))
    assert {number for number, _ in every} == set(outages)
    assert {number for number, what in every if what == "over"} == set(outages)
    assert set(sure.values()) == {1}


def order_is_kept(told: Told) -> None:
    """Of each incident, and of the incidents among each other as they began, and as they ended."""
    seen: dict[int, str] = {}
    for _, text, _ in told:
        for number, what in facts(text):
            assert not (seen.get(number) == "over" and what == "bad"), (
                f"#{number} is told backwards"
            )
            seen[number] = what


def waits_are_kept(log: list[tuple[float, str]]) -> None:
    """To the second where the channel asks for it, and no longer: what waits is sent then."""
    for (at, fault), (later, _) in pairwise(log):
        if fault.startswith("429"):
            asked = float(fault.split()[1])
            assert asked <= later - at <= asked + BEAT + 1, f"{at}: {fault}"


def all_is_told_soon(told: Told, outages: dict[int, Outage]) -> None:
    """One that takes everything hears of it as soon as it is believed, and news was waited for."""
    believed = {"bad": EVERY + 5 * (TIMEOUT + 12), "over": 2 * EVERY + TIMEOUT}
    for at, text, _ in told:
        for number, what in facts(text):
            since = outages[number].begin if what == "bad" else outages[number].end
            assert 0 < at - since <= believed[what] + 30 + 2 * BEAT, text


def check(history: History) -> None:
    outages = each_outage_is_one_incident(history)
    lost = sum(lost for _, _, lost in history.phone.told)
    refused = sum(fault.startswith("429") for _, fault in history.phone.log)
    assert (len(outages) >= 8, refused >= 4, lost >= 1) == (True, True, True), "a dull day"
    for told in (history.phone.told, history.desk.told):
        all_is_told_once(told, outages)
        order_is_kept(told)
    all_is_told_soon(history.desk.told, outages)
    waits_are_kept(history.phone.log)
    assert (history.waiting, history.dead) == (0, 0)


@pytest.fixture
def slower(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What only polls does so less often, and the writer gathers nothing: days cost less so."""
    monkeypatch.setattr(courier, "BEAT", BEAT)
    monkeypatch.setattr(operator_requests, "INTERVAL_S", MINUTE)
    monkeypatch.setattr(writer, "_GATHER_S", 0.0)
    monkeypatch.setattr(app, "HOUSEKEEPING_INTERVAL", timedelta(minutes=1))
    monkeypatch.setattr(systemd, "DEFAULT_INTERVAL", timedelta(seconds=45))
    return monkeypatch


@pytest.mark.slow
def test_half_a_day_of_outages_reaches_a_phone_that_refuses_and_loses_messages(
    tmp_path: Path, slower: pytest.MonkeyPatch
) -> None:
    check(virtual_time.run(slower, lambda loop, clock: live(loop, clock, tmp_path, 3, 0.4)))


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(4))
def test_days_of_outages_reach_a_phone_that_refuses_and_loses_messages(
    tmp_path: Path, slower: pytest.MonkeyPatch, seed: int
) -> None:
    check(virtual_time.run(slower, lambda loop, clock: live(loop, clock, tmp_path, seed, 3)))
