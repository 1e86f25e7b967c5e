"""CPU per probe, beside Debian's prometheus-blackbox-exporter: the same TLS server, turn about.

    python tests/bench/blackbox.py [ROUNDS] [PROBES]

Ours is the real probe with all phases and, for streams, every piece's time; theirs measures no token.
"""

import asyncio
import gc
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import aiohttp
from harness import Table, cpu_of
from rig import Upstream, free_port, probe, upstream

from monitor.clock import SystemClock
from monitor.model import Check, Habit, Outcome, Redactor, Secret
from monitor.probes import attempt
from monitor.probes.wire.client import Client

EXPORTER = "prometheus-blackbox-exporter"
Once = Callable[[], Awaitable[None]]
PIECES = "/20x10ms"


@dataclass(frozen=True)
class Way:
    """How probes are started: so many at once, one after the other, or so many a second."""

    at_once: int = 0
    per_s: float = 0

    async def run(self, once: Once, count: int) -> None:
        if self.per_s:
            await asyncio.gather(*[self._later(once, n / self.per_s) for n in range(count)])
        else:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.at_once):
                    group.create_task(self._again(once, count // self.at_once))

    async def _later(self, once: Once, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await once()

    async def _again(self, once: Once, count: int) -> None:
        for _ in range(count):
            await once()


@dataclass(frozen=True)
class Case:
    what: str
    kind: str
    way: Way
    at_most: float


CASES = (
    Case("GET, closed loop, 4 at once", "http", Way(at_once=4), 1.0),
    Case("GET, 50 a second", "http", Way(per_s=50), 1.15),
    Case("stream of 20 pieces, closed loop, 30 at once", "chat", Way(at_once=30), 1.0),
    Case("stream of 20 pieces, 30 a second", "chat", Way(per_s=30), 1.15),
)


async def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 600
    if not shutil.which(EXPORTER):
        print(f"no {EXPORTER} here (apt-get install {EXPORTER}): only our own CPU is measured")
    with upstream() as asked:
        async with Client() as client, exporter(asked) as theirs:
            table = Table(f"CPU per probe beside {EXPORTER}, {rounds} rounds of {count}")
            for case in CASES:
                ours = our_probe(client, asked, case)
                await compare(table, case, ours, theirs, rounds, count)
    return table.print()


async def compare(
    table: Table, case: Case, ours: Once, theirs: "Exporter | None", rounds: int, count: int
) -> None:
    our_ms: list[float] = []
    their_ms: list[float] = []
    for number in range(rounds + 1):  # the first warms up
        gc.collect()
        gc.freeze()
        mine = await measured(os.getpid(), case.way, ours, count)
        other = await measured(theirs.pid, case.way, theirs.once(case.kind), count) if theirs else 0
        if number:
            our_ms.append(mine)
            their_ms.append(other)
    table.add(f"{case.what}: ours", min(our_ms), "ms")
    if theirs:
        table.add(f"{case.what}: theirs", min(their_ms), "ms")
        ratio = statistics.median(a / b for a, b in zip(our_ms, their_ms, strict=True))
        table.add(f"{case.what}: ours to theirs", ratio, at_most=case.at_most)


async def measured(pid: int, way: Way, once: Once, count: int) -> float:
    """Milliseconds of CPU per probe."""
    before = cpu_of(pid)
    await way.run(once, count)
    return (cpu_of(pid) - before) * 1000 / count


def our_probe(client: Client, asked: Upstream, case: Case) -> Once:
    check = our_check(asked, case)
    habit, clock, dice, redact = Habit(good=10), SystemClock(), Random(1), Redactor((Secret("k"),))

    async def once() -> None:
        done = await attempt(
            check, habit=habit, client=client, clock=clock, rng=dice, vantage="bench", redact=redact
        )
        assert done.result.outcome is Outcome.UP, done.result.failure
        assert done.result.timings.tls, "every phase is measured"

    return once


def our_check(asked: Upstream, case: Case) -> Check:
    if case.kind == "http":
        return asked.check(probe("http", path="/v1/models"))
    return asked.check(probe("chat"), PIECES)


@dataclass(frozen=True)
class Exporter:
    session: aiohttp.ClientSession
    address: str
    asked: Upstream
    pid: int

    def once(self, kind: str) -> Once:
        path = "/v1/models" if kind == "http" else f"{PIECES}/v1/chat/completions"
        address = f"{self.address}/probe?module={kind}&target={self.asked.url}{path}"

        async def once() -> None:
            async with self.session.get(address) as response:
                assert "probe_success 1" in await response.text(), "it must succeed"

        return once


@asynccontextmanager
async def exporter(asked: Upstream) -> AsyncIterator[Exporter | None]:
    path = shutil.which(EXPORTER)
    if path is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as name:
        config, address = Path(name) / "blackbox.yml", f"127.0.0.1:{free_port()}"
        config.write_text(modules(asked.ca_file))
        process = subprocess.Popen(
            [path, f"--config.file={config}", f"--web.listen-address={address}"],
            stderr=subprocess.DEVNULL,
        )
        try:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                await until_it_answers(session, f"http://{address}/-/healthy")
                yield Exporter(session, f"http://{address}", asked, process.pid)
        finally:
            process.kill()
            process.wait()


async def until_it_answers(session: aiohttp.ClientSession, address: str) -> None:
    for _ in range(100):
        try:
            async with session.get(address):
                return
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
    raise SystemExit(f"{EXPORTER} does not answer")


def modules(ca_file: Path) -> str:
    """The same body as ours; Debian's own settings for the rest."""
    body = '{"model":"model-1","stream":true,"messages":[{"role":"user","content":"the numbers 1 to 64"}]}'
    common = f"preferred_ip_protocol: ip4\n      tls_config: {{ca_file: {ca_file}}}"
    return (
        f"modules:\n  http:\n    prober: http\n    http:\n      {common}\n"
        f"  chat:\n    prober: http\n    http:\n      method: POST\n      {common}\n"
        f"      headers: {{Content-Type: application/json}}\n      body: '{body}'\n"
    )


if __name__ == "__main__":
    sys.exit(bool(asyncio.run(main())))
