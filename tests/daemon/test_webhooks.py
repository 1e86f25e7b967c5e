"""The whole daemon and a program that hears of it; and what outlasts its restart."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cast import HandClock, until
from daemon_cast import House, Site, living
from receiver import SECRET, Receiver, receiving
from telegram import TOKEN

from monitor.alerts import Alternatives
from monitor.alerts.best_changes import BestChanges
from monitor.config import Config, parse
from monitor.daemon.webhooks import Webhooks
from monitor.model import OutboxMessage, Redactor
from monitor.page import PickView
from monitor.store import Store

ENV = {"TOKEN": TOKEN, "WEBHOOK_SECRET": SECRET}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


def table(receiver: Receiver, name: str = "gateway", more: str = "") -> str:
    secret = 'secret = "${WEBHOOK_SECRET}"'
    return f'[webhook.{name}]\nurl = "{receiver.url}/{name}"\n{secret}\n{more}\n'


@pytest.mark.slow
async def test_a_program_hears_of_an_outage_and_its_end_and_410_is_told_to_people_once(
    house: House, site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers.append(web.Response(status=410))
    alerts = "[alerts]\nafter = 2\nwait = '0s'\n"
    gone = table(receiver, "gone", 'events = ["opened"]')
    house.write(house.url("a"), more=gone + table(receiver) + alerts)
    monkeypatch.setattr("monitor.daemon.app.HOUSEKEEPING_INTERVAL", timedelta(seconds=0.5))
    async with living(house, WEBHOOK_SECRET=SECRET):
        site.status = 502
        await until(lambda: len(receiver.requests) >= 2)
        site.status = 200
        await until(lambda: len(receiver.requests) >= 3)
        await until(lambda: any("switched off" in text for text in house.phone.messages))
    taken = [(path, json.loads(body)["event"]) for path, _, body in receiver.requests]
    assert taken[0] == ("/gone", "opened")
    assert taken[1:] == [("/gateway", "opened"), ("/gateway", "ended")]
    first, last = receiver.documents[1:]
    assert first["endpoints"] == [
        {
            "id": "s/a",
            "name": "a",
            "base_url": f"{site.url}/a",
            "failing": True,
            "kind": "bad_gateway",
            "fault": "endpoint",
            "bad_from": ["local"],
        }
    ]
    assert first["bad_from"] == [{"id": "local", "name": "the monitor's location"}]
    assert (first["vantage"], first["kind"]) == ("local", "bad_gateway")
    assert last["incident"]["number"] == first["incident"]["number"] == 1


@pytest.mark.slow
async def test_a_reload_takes_webhooks_away_and_brings_them_back_with_what_is_open(
    house: House, site: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerts = "[alerts]\nafter = 2\nwait = '0s'\n"
    monkeypatch.setattr("monitor.daemon.app.HOUSEKEEPING_INTERVAL", timedelta(seconds=0.5))
    house.write(house.url("a"), more=table(receiver) + alerts)
    async with living(house, WEBHOOK_SECRET=SECRET):
        house.write(house.url("a"), more=alerts)
        assert (await house.reload()).startswith("good")
        site.status = 502
        await until(lambda: bool(house.phone.messages))
        assert receiver.requests == []
        house.write(house.url("a"), more=table(receiver) + alerts)
        assert (await house.reload()).startswith("good")
        await until(lambda: bool(receiver.requests))
        site.status = 200
        await until(lambda: len(receiver.requests) >= 2)
    heard = [(document["event"], document["incident"]["number"]) for document in receiver.documents]
    assert heard == [("opened", 1), ("ended", 1)]


CONFIG = """
[monitor]
listen = ""
[service.s]
endpoints = { a = "https://a.example", b = "https://b.example" }
[service.t]
endpoints = { x = "https://x.example" }
[webhook.all]
url = "http://127.0.0.1:9/all"
secret = "${WEBHOOK_SECRET}"
[webhook.t]
url = "http://127.0.0.1:9/t"
secret = "${WEBHOOK_SECRET}"
services = ["t"]
[webhook.none]
url = "http://127.0.0.1:9/none"
secret = "${WEBHOOK_SECRET}"
events = ["opened"]
"""


def pick(endpoint: str) -> PickView:
    return PickView(
        service="s",
        endpoint=endpoint,
        name="hidden",
        url=None,
        host="hidden",
        median_ms=12.5,
        long_call=False,
        flaw=True,
    )


def webhooks(store: Store, config: Config, clock: HandClock) -> Webhooks:
    told = store.recall().told_best
    return Webhooks(
        config,
        store,
        clock,
        Redactor(),
        BestChanges(told),
        instead=lambda _: Alternatives(),
        silent=lambda _: (),
    )


def told(rows: tuple[OutboxMessage, ...]) -> list[tuple[str, str | None, str | None]]:
    documents = [(row.channel, json.loads(row.text)) for row in rows]
    return [
        (channel, each["previous"], each["best"] and each["best"]["base_url"])
        for channel, each in documents
    ]


async def test_what_is_best_is_told_when_it_stays_with_its_base_url_and_a_restart_repeats_nothing(
    tmp_path: Path, clock: HandClock
) -> None:
    config = parse(CONFIG, path=tmp_path / "monitor.toml", env=ENV)
    store = Store(config.store, clock=clock)
    store.open()
    program = webhooks(store, config, clock)
    for best in ("s/a", "s/b", "s/b"):
        await program.on_best({"s": pick(best), "t": None})
        clock.tick(60)
    assert told(await store.due(clock.now())) == [("webhook.all", None, "https://b.example")]
    await store.close()

    store = Store(config.store, clock=clock)
    store.open()
    program = webhooks(store, config, clock)
    for _ in range(3):
        await program.on_best({"s": pick("s/b"), "t": pick("t/x")})
        clock.tick(60)
    await program.on_best({"s": None, "t": pick("t/x")})
    clock.tick(60)
    await program.on_best({"s": None, "t": pick("t/x")})
    assert told(await store.due(clock.now()))[1:] == [
        ("webhook.all", None, "https://x.example"),
        ("webhook.t", None, "https://x.example"),
        ("webhook.all", "s/b", None),
    ]
    await store.close()
