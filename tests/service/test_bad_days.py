"""Each bad day of a disk, met by the daemon's own process: a real relay counts its probes, a real Bot
API takes its messages, and a real file system breaks beneath it.

No probe is missed, an outage meanwhile is told and shown, the monitor says within a minute what is wrong
with itself, and what it found is in the store once that is mended. CI runs it at eight times the pace.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from listening import listening
from telegram import CHAT, TOKEN, Telegram, telegram

from monitor.alerts import self_alerts
from monitor.clock import SystemClock
from monitor.daemon import app
from monitor.store import Store
from monitor.store.sqlite import health

HERE = Path(__file__).parent
MONITOR = Path(sys.executable).parent / "monitor"
MINUTE = 60.0
SLACK = 15.0
"""Other work shares the machine."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class Relay:
    url: str = ""
    status: int = 200
    asked: list[float] = field(default_factory=list)

    async def answer(self, _: web.Request) -> web.Response:
        self.asked.append(time.monotonic())
        return web.Response(status=self.status, text="hello")


@asynccontextmanager
async def relay() -> AsyncIterator[Relay]:
    made, app = Relay(), web.Application()
    app.router.add_get("/", made.answer)
    async with listening(app) as made.url:
        yield made


class Day:
    """What goes wrong, and what people read of it."""

    says = ""
    mends_itself = False
    loses_runs = False

    def __init__(self, folder: Path) -> None:
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.store = self.disk / "monitor.db"

    def prepare(self) -> None:
        """Before the daemon starts."""

    def begin(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """What an operator does about it."""

    def clear(self) -> None:
        """Whatever happened."""


def must(*command: object) -> None:
    if subprocess.run([*map(str, command)], capture_output=True, check=False).returncode:
        pytest.skip(f"this machine refuses {command[0]}")


class Full(Day):
    says = "the store cannot be written: the disk is full"

    def prepare(self) -> None:
        must("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", self.disk)

    def begin(self) -> None:
        with contextlib.suppress(OSError), (self.disk / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(4096))
                filler.flush()

    def end(self) -> None:
        (self.disk / "filler").unlink()

    def clear(self) -> None:
        subprocess.run(["umount", "-l", self.disk], capture_output=True, check=False)


class ReadOnly(Day):
    """Ext4 refuses also those who have the file open, once it is immutable."""

    says = "the store cannot be written"

    def prepare(self) -> None:
        image = self.disk.with_suffix(".img")
        with image.open("wb") as file:
            file.truncate(32 << 20)
        must("mkfs.ext4", "-q", image)
        must("mount", "-o", "loop", image, self.disk)

    def files(self) -> Iterator[Path]:
        yield self.disk
        yield from (path for path in self.disk.glob("monitor.db*") if path.suffix != ".db-shm")

    def begin(self) -> None:
        must("chattr", "+i", *self.files())

    def end(self) -> None:
        must("chattr", "-i", *self.files())

    def clear(self) -> None:
        with contextlib.suppress(pytest.skip.Exception):
            self.end()
        subprocess.run(["umount", "-l", self.disk], capture_output=True, check=False)


class Locked(Day):
    says = "the store cannot be written: another program keeps it locked"

    def begin(self) -> None:
        self.other = sqlite3.connect(self.store, isolation_level=None)
        self.other.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        self.other.close()


class Damaged(Day):
    says = "the store was damaged"
    mends_itself = loses_runs = True

    def begin(self) -> None:
        with contextlib.closing(sqlite3.connect(self.store)) as other:
            other.execute(
                "PRAGMA wal_checkpoint(TRUNCATE)"
            ).close()  # else nobody reads the file yet
        size = self.store.stat().st_size
        with self.store.open("r+b") as file:
            file.seek(size // 2)
            file.write(os.urandom(size // 2))


class Deleted(Day):
    says = "the store was deleted while it was written; it was written again, whole"
    mends_itself = True

    def begin(self) -> None:
        for path in self.disk.glob("monitor.db*"):
            if path.suffix != ".lock":
                path.unlink()


class Replaced(Day):
    says = "the store was replaced by another file"
    mends_itself = True

    def begin(self) -> None:
        other = self.disk / "other"
        other.write_bytes(b"somebody else's" * 1000)
        other.rename(self.store)


DAYS = (Full, ReadOnly, Locked, Damaged, Deleted, Replaced)


@dataclass
class World:
    folder: Path
    phone: Telegram
    good: Relay
    bad: Relay
    pace: float
    config: Path = Path()

    def write_config(self, day: Day) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.config = self.folder / "monitor.toml"
        self.config.write_text(
            f'[monitor]\nstore = "sqlite:///{day.store}"\nlisten = ""\nmetrics = "127.0.0.1:{port}"\n'
            '[alerts]\nwait = "1s"\nafter = 2\nrecover = 2\n'
            f'[service.relay]\nendpoints = {{ good = "{self.good.url}", bad = "{self.bad.url}" }}\n'
            'probes = { http = "1s" }\n'
            f'[channel.phone]\nurl = "tgram://${{TOKEN}}/{CHAT}"\ntelegram_api = "{self.phone.url}"\n'
        )

    def start(self) -> "subprocess.Popen[bytes]":
        command: list[object] = [MONITOR, "run", "--config", self.config]
        if self.pace != 1:
            command = [sys.executable, HERE / "hurried.py", self.pace, self.config]
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [*map(str, command)], stderr=log, env={**os.environ, "TOKEN": TOKEN}
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def status(self) -> str:
        ran = await asyncio.create_subprocess_exec(
            MONITOR,
            "status",
            "--config",
            self.config,
            env={**os.environ, "TOKEN": TOKEN},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await ran.communicate()
        return said.decode()

    def shown(self, endpoint: str) -> str | None:
        """The state that the page gives it, if that page was made within the last quarter minute."""
        page = self.folder / "page" / "status.json"
        if not page.is_file():
            return None
        found = json.loads(page.read_text())
        age = SystemClock().now() - datetime.fromisoformat(found["generated_at"])
        if age.total_seconds() > 10 + 5:
            return None
        (service,) = found["services"]
        return next(each["state"] for each in service["endpoints"] if each["id"] == endpoint)

    async def until(self, what: Callable[[], object], seconds: float) -> float:
        """Within `seconds` at the daemon's own pace; how long it took at that."""
        began = time.monotonic()
        while not what():
            took = time.monotonic() - began
            assert took < seconds / self.pace + SLACK, (
                f"not within {seconds} s: {self.phone.messages}"
            )
            await asyncio.sleep(0.05)
        return (time.monotonic() - began) * self.pace

    def told(self, words: str) -> bool:
        return any(words in message for message in self.phone.messages)


@asynccontextmanager
async def running(world: World) -> AsyncIterator["subprocess.Popen[bytes]"]:
    process = world.start()
    try:
        yield process
    except BaseException:
        print(world.log[-3000:])
        raise
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=[pytest.param(8.0), pytest.param(1.0, marks=pytest.mark.proof)], ids=str)
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with telegram() as phone, relay() as good, relay() as bad:
        yield World(tmp_path, phone, good, bad, request.param)


@pytest.fixture(params=DAYS, ids=lambda kind: kind.__name__.lower())
def day(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Day]:
    if request.param in {Full, ReadOnly} and os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    made = request.param(tmp_path)
    try:
        made.prepare()
        yield made
    finally:
        made.clear()


@pytest.mark.slow
async def test_a_bad_day_costs_no_probe_no_alert_no_page_and_no_result(
    world: World, day: Day
) -> None:
    world.write_config(day)
    async with running(world) as process:
        await world.until(lambda: world.shown("bad") == "operational", MINUTE)
        await world.until(lambda: len(world.good.asked) >= 4, MINUTE)

        day.begin()
        began, asked = time.monotonic(), len(world.good.asked)
        world.bad.status = 500
        told = await world.until(lambda: world.told(day.says), MINUTE)
        await world.until(lambda: world.told("relay, bad: down"), MINUTE)
        await world.until(lambda: world.shown("bad") == "major_outage", MINUTE)
        if not day.mends_itself:
            assert f"is not well: store: {day.says}" in await world.status()
        lasted = time.monotonic() - began
        assert len(world.good.asked) - asked >= lasted - 2

        day.end()
        if not day.mends_itself:
            await world.until(lambda: world.told("its store is well again"), MINUTE)
        world.bad.status = 200
        await world.until(lambda: world.told("relay, bad: recovered"), MINUTE)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 30) == 0
    print(f"{type(day).__name__}: told after {told:.0f} s, {len(world.good.asked)} probes")
    assert re.search(r"event=drained cut_off=\d+ late=\d+ missed=0\n", world.log)
    assert "event=internal" not in world.log
    found = stored(day)
    if day.loses_runs:
        assert list(day.disk.glob("monitor.db.corrupt-*Z"))
        assert 4 < len(found) < len(world.good.asked)
    else:
        assert len(found) == len(world.good.asked)


def stored(day: Day) -> tuple[datetime, ...]:
    reader = Store.read_only(f"sqlite:///{day.store}")
    try:
        return tuple(result.at for result in reader.results("relay/good/http", since=EPOCH))
    finally:
        reader.close()


def test_what_is_wrong_is_told_within_a_minute_at_the_pace_that_operators_have() -> None:
    """Seen at the next look at the file, believed when it lasts, said at the next beat."""
    waits = (
        health.LOOK_EVERY_S
        + self_alerts.LASTS.total_seconds()
        + app.HOUSEKEEPING_INTERVAL.total_seconds()
    )
    assert waits <= MINUTE - 5
