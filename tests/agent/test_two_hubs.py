"""An agent finds the hub that leads, where another one is its standby."""

import asyncio
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from cast import until
from listening import listening
from postgres import Server, postgres
from process_cast import MONITOR, Place, runs_of
from standby_cast import Hub, Site
from store_cast import asked
from telegram import TOKEN, telegram

from monitor.clock import SystemClock

pytestmark = pytest.mark.slow
OF_CN = "SELECT key, at FROM runs JOIN checks ON checks.id = check_id WHERE vantage = 'cn'"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres() as one:
        yield one


def add(hub: Hub) -> str:
    """Run `monitor agent add`, and return the line for the other machine."""
    url = f"http://127.0.0.1:{hub.port}"
    words = [MONITOR, "agent", "add", "cn", "--url", url]
    done = subprocess.run(words, cwd=hub.folder, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def write_same(first: Hub, second: Hub) -> None:
    """Give a hub the configuration of another, but for its ports."""
    text = (first.folder / "monitor.toml").read_text()
    for name in ("port", "metrics"):
        text = text.replace(str(getattr(first, name)), str(getattr(second, name)))
    (second.folder / "monitor.toml").write_text(text)


async def test_what_an_agent_finds_while_one_hub_dies_and_another_takes_over_is_stored_once(
    server: Server, tmp_path: Path
) -> None:
    site, app, url = Site(), web.Application(), server.fresh()
    app.router.add_route("*", "/{who}{rest:.*}", site.answer)
    first, second = Hub(tmp_path / "one"), Hub(tmp_path / "two")
    (tmp_path / "cn").mkdir()
    agent = Place(tmp_path / "cn", "agent", "--state", "state", "--config", "monitor.toml")
    async with listening(app) as site.url, telegram() as phone:
        try:
            first.write(site, phone, url)
            first.start(TOKEN=TOKEN)
            await first.says("event=started")
            line = await asyncio.to_thread(add, first)
            write_same(first, second)

            second.start(TOKEN=TOKEN)
            assert await second.ends() == 1
            missing = f"{second.folder}/hub.key is missing, and agents believe nothing"
            assert missing in second.log.read_text()
            key = second.folder / "hub.key"
            key.write_bytes((first.folder / "hub.key").read_bytes())
            key.chmod(0o600)
            second.start(TOKEN=TOKEN)
            await second.says("event=followed")

            hubs = ", ".join(f'"http://127.0.0.1:{hub.port}"' for hub in (second, first))
            (agent.folder / "monitor.toml").write_text(f"[agent]\nhubs = [{hubs}]\n")
            agent.start(line + "\n")
            await until(lambda: len(asked(url, OF_CN)) > 10)
            first.kill()
            killed_ms = SystemClock().now().timestamp() * 1000
            await until(lambda: any(at > killed_ms + 5000 for _, at in asked(url, OF_CN)))
            agent.kill(signal.SIGTERM)
            found = runs_of(agent.folder / "state" / "agent.db", "cn")
            assert len(found) > 15
            assert sorted(asked(url, OF_CN)) == found
            assert re.search("event=push_taken results=", agent.log.read_text())
        finally:
            for place in (agent, first, second):
                place.kill()
