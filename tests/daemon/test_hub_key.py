"""Agents believe one key: a hub that shares its store with other machines starts with that one, or not at all."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from cast import until
from listening import free_port
from postgres import Server, postgres

from monitor.agent.signature import load_key, new_key, write_secret
from monitor.cli.agent import add
from monitor.clock import SystemClock
from monitor.config import Config, load
from monitor.daemon import STARTED
from monitor.daemon.app import Daemon
from monitor.daemon.components import must_have_key
from monitor.daemon.hub import KEY_FILE, PUBLIC_KEY
from monitor.daemon.reload import NOTE
from monitor.model import MonitorError
from monitor.store import Store

LEADERS = new_key()
WHY = {"missing": "is missing", "another": "holds another key"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as one:
        yield one


def a_hub(folder: Path, store: str) -> Config:
    """Write the configuration of a hub with one agent, and return it."""
    folder.mkdir(exist_ok=True)
    path = folder / "monitor.toml"
    path.write_text(
        f'[monitor]\nlisten = "127.0.0.1:{free_port()}"\nstore = "{store}"\nvantage = "fra"\n'
        '[service.s]\nendpoints = { a = "http://127.0.0.1:9" }\nprobes = { http = "1h" }\n'
        f'[vantage.cn]\nname = "CN"\nkey = "{new_key().public}"\n'
    )
    return load(path, {"STATE_DIRECTORY": str(folder)})


def led_before(store: str) -> None:
    """Leave in a store what a hub that led and ended leaves there."""

    async def lead() -> None:
        leader = Store(store, clock=SystemClock(), vantage="fra")
        leader.open()
        await leader.note(PUBLIC_KEY, LEADERS.public)
        await leader.close()

    asyncio.run(lead())


@pytest.fixture(name="standby", params=["missing", "another"])
def one_without_the_key(
    server: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> tuple[Config, str]:
    """A hub without the key of the one that led, and what is wrong with its own."""
    config = a_hub(tmp_path / "hub", server.fresh())
    led_before(config.store)
    if request.param == "another":
        write_secret(config.state / KEY_FILE, new_key().text)
    return config, WHY[request.param]


def noted(config: Config, name: str) -> str | None:
    return Store.noted(config.store, name, vantage="fra")


def believed(config: Config) -> str | None:
    return noted(config, PUBLIC_KEY)


def test_while_nobody_leads_a_hub_without_the_key_neither_starts_nor_replaces_it(
    standby: tuple[Config, str],
) -> None:
    config, what = standby
    key = config.state / KEY_FILE
    there = key.exists()
    with pytest.raises(MonitorError) as caught:
        asyncio.run(asyncio.wait_for(Daemon(config, env={}).run(), 30))
    assert str(caught.value).startswith(f"{key} {what}, and agents believe nothing")
    assert (believed(config), key.exists()) == (LEADERS.public, there)


async def test_a_daemon_that_leads_becomes_no_hub_by_a_reload_without_the_key(
    server: Server, tmp_path: Path
) -> None:
    config = a_hub(tmp_path / "hub", server.fresh())
    await asyncio.to_thread(led_before, config.store)
    with_agent = config.path.read_text()
    env = {"STATE_DIRECTORY": str(config.state)}
    config.path.write_text(with_agent.partition("[vantage")[0])
    daemon = Daemon(load(config.path, env), env=env)
    running = asyncio.create_task(daemon.run())
    await until(lambda: noted(config, STARTED))
    config.path.write_text(with_agent)
    daemon.reload_requested.set()
    await until(lambda: noted(config, NOTE))
    daemon.stop.set()
    await running
    assert "hub.key is missing, and agents believe nothing" in (noted(config, NOTE) or "")
    assert (believed(config), (config.state / KEY_FILE).exists()) == (LEADERS.public, False)


def test_no_invitation_names_a_key_that_is_not_the_leaders(
    standby: tuple[Config, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, what = standby
    monkeypatch.setenv("STATE_DIRECTORY", str(config.state))
    key, before = config.state / KEY_FILE, config.path.read_text()
    there = key.exists()
    with pytest.raises(MonitorError, match=what):
        add(config.path, "hk", "Hong Kong", "https://hub.example")
    assert (capsys.readouterr().out, config.path.read_text()) == ("", before)
    assert key.exists() == there


async def test_a_hub_with_the_key_of_the_one_that_led_may_start(
    server: Server, tmp_path: Path
) -> None:
    config = a_hub(tmp_path / "hub", server.fresh())
    await must_have_key(config)  # nobody ever led
    await asyncio.to_thread(led_before, config.store)
    with pytest.raises(MonitorError, match="is missing"):
        await must_have_key(config)
    write_secret(config.state / KEY_FILE, LEADERS.text)
    await must_have_key(config)
    assert load_key(config.state / KEY_FILE).public == believed(config)


async def test_after_the_row_is_removed_a_hub_that_lost_its_key_may_begin_anew(
    server: Server, tmp_path: Path
) -> None:
    """As the refusal says."""
    config = a_hub(tmp_path / "hub", server.fresh())
    await asyncio.to_thread(led_before, config.store)
    database = config.store.rpartition("/")[2]
    server.say(f"DELETE FROM key_value WHERE name = '{PUBLIC_KEY}'", database=database)
    await must_have_key(config)


async def test_a_hub_whose_store_is_a_file_is_the_only_one_and_may_begin_anew(
    tmp_path: Path,
) -> None:
    config = a_hub(tmp_path / "hub", f"sqlite:///{tmp_path}/hub/monitor.db")
    await asyncio.to_thread(led_before, config.store)
    await must_have_key(config)
