"""CPU and memory per HTTPS check of the whole daemon, beside Uptime Kuma, which does the same checks at the same time.

    KUMA=FOLDER python tests/bench/kuma.py [SECONDS] [CHECKS]

FOLDER is a checkout of Uptime Kuma after `npm ci --omit dev`; its web page need not be built, as nobody looks at it.
Without it nothing is measured. Kuma verifies the certificate and keeps every beat in SQLite, as it does by default.
Bare aiohttp asks as often at the same time: the least that a daemon on it can cost.
"""

import asyncio
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blackbox import CASES, Once, Way, bare_probe, bare_session
from harness import Table, cpu_of, rss_mb
from rig import Daemon, Upstream, daemon, free_port, upstream

GET = CASES[0]
EVERY_S = 20
MOST_CPU = 0.35
"""Of Kuma's."""
_FRESH = "No user, need setup"
_PATIENCE_S = 300.0
"""Kuma begins with one check after the other, 0.65 s apart."""


@dataclass
class Kuma:
    process: "subprocess.Popen[bytes]"
    database: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def runs(self) -> int:
        """Count the beats; each must be up."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as base:
            beats, bad = base.execute(
                "SELECT count(*), coalesce(sum(status != 1), 0) FROM heartbeat"
            ).fetchone()
        if bad:
            raise SystemExit(f"got {bad} beats of Kuma that are not up, want none")
        return int(beats)


async def main() -> int:
    if not os.environ.get("KUMA"):
        print("no KUMA=FOLDER in the environment: Uptime Kuma is not measured")
        return 0
    folder = Path(os.environ["KUMA"])
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 100
    checks = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    with (
        tempfile.TemporaryDirectory() as data,
        upstream() as asked,
        kuma(folder, Path(data), asked, checks) as theirs,
        daemon(asked, checks, 'http = { every = "20s", path = "/v1/models" }') as ours,
    ):
        until(lambda: ours.runs() >= checks and theirs.runs() >= checks)
        time.sleep(EVERY_S)
        async with bare_session(asked) as session:
            bare = bare_probe(session, asked, GET)
            rounds = [
                await one_round(ours, theirs, bare, checks)
                for _ in range(max(5, round(seconds / EVERY_S)))
            ]
        memory = rss_mb(ours.pid), rss_mb(theirs.pid)
    version = json.loads((folder / "package.json").read_text())["version"]
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    table = Table(
        f"Beside Uptime Kuma: {checks} HTTPS checks every {EVERY_S} s, {len(rounds)} rounds",
        f"Uptime Kuma {version}, Node.js {node.strip()}",
    )
    ours_ms, kuma_ms, bare_ms = zip(*rounds, strict=True)
    for name, cpu_ms in (("ours", ours_ms), ("Uptime Kuma", kuma_ms), ("bare aiohttp", bare_ms)):
        table.add(f"CPU per check: {name}", cpu_ms, "ms")
    for name, cpu_ms, target in (("ours", ours_ms, MOST_CPU), ("bare aiohttp", bare_ms, None)):
        ratios = [mine / other for mine, other in zip(cpu_ms, kuma_ms, strict=True)]
        table.add(f"CPU: {name} to Uptime Kuma", ratios, at_most=target)
    table.add("memory: ours", memory[0], "MB")
    table.add("memory: Uptime Kuma", memory[1], "MB")
    return table.print()


async def one_round(
    ours: Daemon, theirs: Kuma, bare: Once, checks: int
) -> tuple[float, float, float]:
    """Milliseconds of CPU per check of all three, in the same 20 seconds."""
    runs = [ours.runs(), theirs.runs()]
    cpu = [cpu_of(pid) for pid in (ours.pid, theirs.pid, os.getpid())]
    await Way(per_s=checks / EVERY_S).run(bare, checks)
    spent = [
        (cpu_of(pid) - before) * 1000
        for pid, before in zip((ours.pid, theirs.pid, os.getpid()), cpu, strict=True)
    ]
    ran = [ours.runs() - runs[0], theirs.runs() - runs[1]]
    return spent[0] / ran[0], spent[1] / ran[1], spent[2] / checks


@contextlib.contextmanager
def kuma(folder: Path, data: Path, asked: Upstream, checks: int) -> Iterator[Kuma]:
    """Start it once, so that it makes its database; then with a user and the checks in it."""
    if not (folder / "dist" / "index.html").exists():  # without it Kuma does not start
        (folder / "dist").mkdir(exist_ok=True)
        (folder / "dist" / "index.html").write_text("<!doctype html>")
    log = data / "log"
    with started(folder, data, asked, log):
        until(lambda: _FRESH in log.read_text())
    with contextlib.closing(sqlite3.connect(data / "kuma.db")) as base, base:
        base.execute("INSERT INTO user (username, password) VALUES ('bench', '')")
        base.executemany(
            "INSERT INTO monitor (name, user_id, interval, url, type, timeout, maxretries)"
            f" VALUES (?, 1, {EVERY_S}, ?, 'http', 16, 0)",
            [(f"e{n}", f"{asked.url}/v1/models?{n}") for n in range(checks)],
        )
    with started(folder, data, asked, log) as process:
        yield Kuma(process, data / "kuma.db")


@contextlib.contextmanager
def started(
    folder: Path, data: Path, asked: Upstream, log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {
        **os.environ,
        "DATA_DIR": f"{data}/",
        "UPTIME_KUMA_DB_TYPE": "sqlite",
        "UPTIME_KUMA_HOST": "127.0.0.1",
        "UPTIME_KUMA_PORT": str(free_port()),
        "NODE_EXTRA_CA_CERTS": str(asked.ca_file),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["node", "server/server.js"], cwd=folder, env=environment, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"got nothing after {_PATIENCE_S:.0f} s, want Uptime Kuma at work")
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(bool(asyncio.run(main())))
