"""What `monitor status` learns of a daemon that cannot say it through the store."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from aiohttp import web
from cast import HandClock
from listening import listening
from postgres import postgres

from monitor.cli.daemon_health import DaemonHealth, daemon_health
from monitor.clock import SystemClock
from monitor.config import Config, parse
from monitor.daemon import STARTED, start_note
from monitor.store import Store

SERVICE = '[service.a]\nendpoints = { x = "http://127.0.0.1:9" }\n'


def config(folder: Path, listen: str = "") -> Config:
    text = f'[monitor]\nlisten = "{listen}"\n{SERVICE}'
    return parse(text, path=folder / "monitor.toml", env={})


async def a_daemon(asked: Config, silent: timedelta) -> Store:
    """Whose last proof of life is so old."""
    store = Store(asked.store, clock=HandClock(SystemClock().now() - silent))
    store.open()
    store.recall()
    await store.flush()
    return store


async def test_a_daemon_without_a_door_is_known_by_what_it_wrote_last(tmp_path: Path) -> None:
    asked = config(tmp_path)
    assert daemon_health(asked) is None
    store = await a_daemon(asked, timedelta(minutes=5))
    health = daemon_health(asked)
    await store.close()
    assert health is not None
    assert health.pid == os.getpid()
    assert (health.trouble or "").startswith("it has written nothing for 5m")

    store = await a_daemon(asked, timedelta(seconds=5))
    assert daemon_health(asked) == DaemonHealth(os.getpid(), None)
    at = SystemClock().now()
    await store.note(STARTED, start_note(os.getpid(), at, store.claim_id))
    assert daemon_health(asked) == DaemonHealth(os.getpid(), None, at)
    await store.note(STARTED, start_note(1, at, store.claim_id))
    assert daemon_health(asked) == DaemonHealth(os.getpid(), None)
    await store.close()
    assert daemon_health(asked) is None


async def test_the_start_of_a_leader_is_not_that_of_the_one_before_with_the_same_process_id(
    tmp_path: Path,
) -> None:
    """As in containers, where each daemon is process 1; the one that took over has not noted its start yet."""
    with postgres() as server:
        text = f'[monitor]\nlisten = ""\nstore = "{server.fresh()}"\n{SERVICE}'
        asked = parse(text, path=tmp_path / "monitor.toml", env={})
        starts = []
        for _ in range(2):
            store = await a_daemon(asked, timedelta())
            before = daemon_health(asked)
            at = SystemClock().now()
            await store.note(STARTED, start_note(os.getpid(), at, store.claim_id))
            after = daemon_health(asked)
            await store.close()
            assert before is not None
            assert after is not None
            assert (before.pid, after.pid) == (os.getpid(), os.getpid())
            starts.append((before.since, after.since == at))
        assert starts == [(None, True), (None, True)]


async def test_a_door_that_is_not_the_daemons_is_not_believed(tmp_path: Path) -> None:
    async with listening(web.Application()) as url:  # answers 404 to everything
        asked = config(tmp_path, listen=url.removeprefix("http://"))
        store = await a_daemon(asked, timedelta(minutes=2))
        health = await asyncio.to_thread(daemon_health, asked)
        await store.close()
    assert health is not None
    assert (health.trouble or "").startswith("it has written nothing for 2m")
