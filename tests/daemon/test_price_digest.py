"""A relay that changes its prices, a daemon that lives until nine in the morning in Alaska, and what is told."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import virtual_time
from aiohttp import web
from cast import HandClock
from listening import listening
from telegram import CHAT, TOKEN, telegram
from virtual_time import VirtualClock, VirtualLoop, busy_with

from monitor import courier
from monitor.alerts import Context
from monitor.config import load, parse
from monitor.daemon import app, operator_requests, systemd
from monitor.daemon.app import Daemon
from monitor.daemon.price_digest import PriceDigest
from monitor.model import Catalogue, Habit
from monitor.store import writer

CONFIG = """
[monitor]
listen = ""
controls = "off"
[service.s]
name = "Relay"
key = "the-key"
model = "gpt-x"
endpoints = {{ a = {{ url = "{url}", name = "Direct" }} }}
probes = {{ prices = "20m", models = "1h" }}
[alerts]
timezone = "America/Anchorage"
[channel.phone]
url = "tgram://{token}/{chat}"
telegram_api = "{phone}"
"""


class Relay:
    def __init__(self) -> None:
        self.ratios = {"gpt-x": 1.0, "gpt-y": 1.0}
        self.url = ""

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name} for name in self.ratios]})

    async def pricing(self, _: web.Request) -> web.Response:
        prices = [
            {"model_name": name, "quota_type": 0, "model_ratio": ratio}
            for name, ratio in self.ratios.items()
        ]
        return web.json_response({"data": prices, "group_ratio": {"default": 1}})


@pytest.mark.slow
def test_a_day_with_changes_is_told_once_at_nine_also_over_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(loop: VirtualLoop, clock: VirtualClock) -> None:
        relay, site = Relay(), web.Application()
        site.router.add_get("/v1/models", relay.models)
        site.router.add_get("/api/pricing", relay.pricing)
        path = tmp_path / "monitor.toml"
        async with listening(site) as relay.url, telegram() as phone:
            text = CONFIG.format(url=relay.url, token=TOKEN, chat=CHAT, phone=phone.url)
            path.write_text(text)
            loop.rests()

            async def live(hours: float) -> None:
                made = Daemon(load(path, {}), clock=clock, publish_every=timedelta(days=9))
                loop.busy = busy_with(made)
                task = asyncio.create_task(made.run())
                await asyncio.sleep(hours * 3600)
                made.stop.set()
                await task
                loop.busy = []

            def told() -> list[str]:
                return [text.partition(" [n")[0] for text in phone.messages if "🏷" in text]

            await live(1)
            relay.ratios = {"gpt-x-mini": 1.0, "gpt-y": 2.5}
            await live(4)
            assert told() == []
            await live(1.5)
            assert len(told()) == 1
            assert told()[0].startswith("🏷 Relay: models or prices changed")
            message = next(text for text in phone.messages if "🏷" in text)
            assert message.splitlines()[1:5] == [
                "Relay, Direct:",
                "Gone, and asked by your checks: gpt-x (the nearest there is gpt-x-mini)",
                "New models: gpt-x-mini",
                "gpt-y: ratio 1 → 2.5 (+150 %)",
            ]
            await live(0.5)
            assert len(told()) == 1

    monkeypatch.setattr(courier, "BEAT", 60.0)
    monkeypatch.setattr(operator_requests, "INTERVAL_S", 60.0)
    monkeypatch.setattr(app, "HOUSEKEEPING_INTERVAL", timedelta(minutes=1))
    monkeypatch.setattr(systemd, "DEFAULT_INTERVAL", timedelta(seconds=45))
    monkeypatch.setattr(writer, "_GATHER_S", 0.0)
    virtual_time.run(monkeypatch, story)


def test_a_day_is_told_once_and_a_clock_that_is_set_back_holds_nothing_up(
    tmp_path: Path, clock: HandClock
) -> None:
    text = (
        '[service.r]\nendpoints = { x = "https://x.example" }\nkey = "k"\nprobes = { prices = {} }'
    )
    config = parse(text, path=tmp_path / "monitor.toml", env={})
    catalogue = Catalogue()
    digest = PriceDigest(None)

    def told() -> list[str]:
        habits = {"r/x/prices": Habit(catalogue=catalogue)}
        notice = digest.take(config, habits, Context(now=clock.now()))
        return [] if notice is None else notice.text.splitlines()[2:]

    def found(names: str) -> None:
        nonlocal catalogue
        for _ in range(2):
            clock.tick(3600)
            catalogue = catalogue.after_run(frozenset(names), "", None, clock.now())

    found("ab")
    assert told() == []
    found("abc")
    assert told() == []
    clock.tick(86_400)
    assert told() == ["New models: c"]
    found("abcd")
    clock.tick(86_400)
    assert (told(), told()) == (["New models: d"], [])
    clock.step(-20 * 86_400)
    assert told() == []
    found("abcde")
    assert told() == []
    clock.tick(86_400)
    assert told() == ["New models: c, d, e"]  # those of before again, once
    clock.tick(86_400)
    assert told() == []
