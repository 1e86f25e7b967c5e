"""What repeats in the daemon is in its log once, until it changes: through the real cycle."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest
from cast import until

from monitor.clock import SystemClock
from monitor.config import load
from monitor.daemon.app import Daemon

pytestmark = pytest.mark.slow

CONFIG = """
[monitor]
listen = ""
[page]
publish = {{ command = "echo no host $$; date >> ../tries; exit $(cat ../code)", every = "0.2s" }}
[service.a]
endpoints = {{ x = "http://127.0.0.1:9" }}
probes = {{ http = "{every}" }}
"""


class Leaping(SystemClock):
    """Its monotonic hand can be moved forward, as if nothing had happened for hours."""

    leap = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.leap


class Life:
    def __init__(self, folder: Path, every: str) -> None:
        self.folder, self.clock = folder, Leaping()
        (folder / "code").write_text("3")
        (folder / "monitor.toml").write_text(CONFIG.format(every=every))
        self.daemon = Daemon(
            load(folder / "monitor.toml", {}),
            env={"WATCHDOG_USEC": "300000"},
            clock=self.clock,
            publish_every=timedelta(seconds=0.2),
        )

    def tries(self) -> int:
        path = self.folder / "tries"
        return len(path.read_text().splitlines()) if path.exists() else 0


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    said = (record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG)
    return [line for line in said if line.split()[0] == f"event={event}"]


async def test_a_publish_command_that_fails_again_and_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    life = Life(tmp_path, every="1s")
    running = asyncio.create_task(life.daemon.run())
    for code in ("3", "5"):
        (tmp_path / "code").write_text(code)
        before = life.tries()
        await until(lambda seen=before: life.tries() >= seen + 3)  # type: ignore[misc]
    life.daemon.stop.set()
    await asyncio.wait_for(running, 60)

    told = [line.split(" said=")[0] for line in lines(caplog, "publish_command_failed")]
    assert told == [
        'event=publish_command_failed why="exit status 3"',
        'event=publish_command_failed why="exit status 5"',
    ]


async def test_a_daemon_that_hangs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No probe ends for hours: each look finds it, and one says so."""
    caplog.set_level(logging.INFO)
    life = Life(tmp_path, every="1h")
    running = asyncio.create_task(life.daemon.run())
    await until(lambda: bool(lines(caplog, "run")))
    looks = 0
    for _ in range(8):
        life.clock.leap += 20_000
        await asyncio.sleep(0.4)
        looks += bool(lines(caplog, "hung"))
    life.daemon.stop.set()
    await asyncio.wait_for(running, 60)

    assert looks >= 4
    assert len(lines(caplog, "hung")) == 1, lines(caplog, "hung")
    assert 'why="probes: none has ended for ' in lines(caplog, "hung")[0]
