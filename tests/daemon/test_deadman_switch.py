"""The dead man's switch: pinged on real progress, silent otherwise, and its address never shown."""

import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cast import HandClock
from listening import listening

from monitor.config import parse
from monitor.daemon.deadman_switch import DeadMansSwitch, ping
from monitor.model import ConfigError, Redactor, Secret

TOKEN = "a-word-that-nobody-may-see"


class Switch:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.statuses: dict[str, int] = {}
        self.body = "OK"
        self.url = Secret("")

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append(f"{request.method} {request.path} {await request.text()}".strip())
        return web.Response(status=self.statuses.get(request.method, 200), text=self.body)


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    made = Switch()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.hear)
    async with listening(app) as url:
        made.url = Secret(f"{url}/{TOKEN}")
        yield made


def switch_for(
    switch: Switch, clock: HandClock, trouble: str | None = None, oldest: datetime | None = None
) -> DeadMansSwitch:
    return DeadMansSwitch(
        lambda: switch.url, lambda: trouble, lambda: oldest, lambda: "12 checks", clock
    )


async def test_progress_is_a_ping_with_a_few_words(switch: Switch, clock: HandClock) -> None:
    await switch_for(switch, clock).ping_if_well()
    assert switch.heard == [f"POST /{TOKEN} 12 checks"]


async def test_where_post_is_not_allowed_it_is_a_get(switch: Switch, clock: HandClock) -> None:
    switch.statuses["POST"] = 405
    await switch_for(switch, clock).ping_if_well()
    assert switch.heard[-1] == f"GET /{TOKEN}"


@pytest.mark.parametrize("waited", [timedelta(minutes=29), timedelta(minutes=31)])
async def test_a_message_that_waits_for_long_stops_the_pings(
    switch: Switch, clock: HandClock, waited: timedelta
) -> None:
    await switch_for(switch, clock, oldest=clock.now() - waited).ping_if_well()
    assert len(switch.heard) == (waited < timedelta(minutes=30))


async def test_trouble_is_silence(switch: Switch, clock: HandClock) -> None:
    await switch_for(switch, clock, trouble="schedule: 99 s behind").ping_if_well()
    assert switch.heard == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("OK", None),
        ("OK\n", None),
        ("Created", None),
        ('{"ok": true}', None),
        ("<html>OK (not found)</html>", None),
        ("OK (not found)", "it was answered: not found"),
        ("OK (rate limited)\n", "it was answered: rate limited"),
        ('{"ok": false, "msg": "Monitor not found or not active."}', "it was answered: not ok"),
        ("[" * 990, None),
    ],
)
async def test_a_good_status_with_a_refusal_in_its_body_is_no_success(
    switch: Switch, body: str, why: str | None
) -> None:
    switch.body = body
    assert await ping(switch.url, "12 checks") == why


async def test_a_switch_that_fails_is_said_once_and_its_address_never(
    switch: Switch, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    switch.statuses.update({"POST": 500})
    beating = switch_for(switch, clock)
    await beating.ping_if_well()
    await beating.ping_if_well()
    switch.url = Secret(f"http://127.0.0.1:9/{TOKEN}")
    await beating.ping_if_well()
    said = [
        record.getMessage()
        for record in caplog.records
        if record.name == "monitor.daemon.deadman_switch"
    ]
    assert said == [
        'event=no_heartbeat why="HTTP 500"',
        'event=no_heartbeat why="no connection"',
    ]
    assert TOKEN not in caplog.text


def test_the_address_is_a_secret_of_the_configuration() -> None:
    text = f'[monitor]\nheartbeat = "https://hc.example/ping/{TOKEN}?x=1"\n'
    config = parse(
        text + '[service.a]\nendpoints = { x = "https://a.example" }\n',
        path=Path("/etc/monitor/monitor.toml"),
        env={},
    )
    assert config.heartbeat is not None
    assert TOKEN not in Redactor(config.secrets)(f"could not reach {TOKEN}")
    assert TOKEN not in repr(config)
    with pytest.raises(ConfigError) as caught:
        parse(text.replace("https:", "ftp:"), path=Path("/etc/monitor/monitor.toml"), env={})
    assert "monitor.heartbeat: want an address to ping" in str(caught.value)
    assert TOKEN not in str(caught.value)
