"""CPU per probe, beside bare aiohttp and Debian's prometheus-blackbox-exporter: the same TLS server, in turn.

    python tests/bench/blackbox.py [ROUNDS] [PROBES]

Ours is the real probe with all phases, its verdict and, for streams, every piece's time. Bare aiohttp notes when each
piece came, decodes its JSON, and judges nothing; theirs reads the answer and measures no token. Garbage is collected as
seldom as in the daemon, for bare aiohttp too.
"""

import asyncio
import gc
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import aiohttp
from harness import Table, cpu_of
from rig import Upstream, free_port, probe, upstream, versions

from monitor.clock import SystemClock
from monitor.daemon.app import GC_THRESHOLDS
from monitor.model import Check, Habit, Outcome, Redactor, Secret
from monitor.probes import attempt
from monitor.probes.wire.client import Client

EXPORTER = "prometheus-blackbox-exporter"
Once = Callable[[], Awaitable[None]]
PIECES = "/20x10ms"
QUESTION = "the numbers 1 to 64"


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
    to_bare: float
    to_theirs: float
    """Our CPU to the others', at most."""


CASES = (
    Case("GET, 4 at once", "http", Way(at_once=4), 1.1, 1.15),
    Case("GET, 50 a second", "http", Way(per_s=50), 1.1, 1.35),
    Case("stream of 20 pieces, 30 at once", "chat", Way(at_once=30), 1.15, 1.5),
    Case("stream of 20 pieces, 30 a second", "chat", Way(per_s=30), 1.15, 1.65),
)


async def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 600
    gc.set_threshold(*GC_THRESHOLDS)
    if not shutil.which(EXPORTER):
        print(f"no {EXPORTER} here (apt-get install {EXPORTER}): only our own CPU is measured")
    with upstream() as asked:
        async with Client() as client, bare_session(asked) as session, exporter(asked) as theirs:
            title = f"CPU per probe, {rounds} rounds of {count} each, in turn"
            table = Table(title, versions(EXPORTER))
            for case in CASES:
                engines = {
                    "ours": (os.getpid(), our_probe(client, asked, case)),
                    "bare aiohttp": (os.getpid(), bare_probe(session, asked, case)),
                }
                if theirs:
                    engines[EXPORTER] = (theirs.pid, theirs.once(case.kind))
                await compare(table, case, engines, rounds, count)
    return table.print()


async def compare(
    table: Table, case: Case, engines: dict[str, tuple[int, Once]], rounds: int, count: int
) -> None:
    found: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(rounds + 1):  # the first warms up
        for name, (pid, once) in engines.items():
            gc.collect()
            gc.freeze()
            cpu_ms = await measured(pid, case.way, once, count)
            if number:
                found[name].append(cpu_ms)
    for name, cpu_ms_by_round in found.items():
        table.add(f"{case.what}: {name}", cpu_ms_by_round, "ms")
    ours = found.pop("ours")
    for (name, others), at_most in zip(found.items(), (case.to_bare, case.to_theirs), strict=False):
        ratios = [mine / other for mine, other in zip(ours, others, strict=True)]
        table.add(f"{case.what}: ours to {name}", ratios, at_most=at_most)


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


@asynccontextmanager
async def bare_session(asked: Upstream) -> AsyncIterator[aiohttp.ClientSession]:
    """A new connection for each request, and nothing kept, as with ours."""
    context = ssl.create_default_context(cafile=asked.ca_file)
    connector = aiohttp.TCPConnector(force_close=True, limit=0, ssl=context, use_dns_cache=False)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:
        yield session


def bare_probe(session: aiohttp.ClientSession, asked: Upstream, case: Case) -> Once:
    if case.kind == "http":
        method, path, body = "GET", "/v1/models", None
    else:
        method, path, body = "POST", f"{PIECES}/v1/chat/completions", QUESTION.encode()

    async def once() -> None:
        came: list[int] = []
        async with session.request(method, asked.url + path, data=body) as response:
            rest = b""
            async for data in response.content.iter_any():
                *lines, rest = (rest + data).split(b"\n")
                came += [time.monotonic_ns() for line in lines if has_content(line)]
        assert case.kind == "http" or len(came) == 20, "every piece is read"

    return once


def has_content(line: bytes) -> bool:
    if not line.startswith(b"data: {"):
        return False
    choices = json.loads(line[6:])["choices"]
    return bool(choices and choices[0]["delta"].get("content"))


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
    body = (
        '{"model":"model-1","stream":true,"messages":[{"role":"user","content":"'
        + QUESTION
        + '"}]}'
    )
    common = f"preferred_ip_protocol: ip4\n      tls_config: {{ca_file: {ca_file}}}"
    return (
        f"modules:\n  http:\n    prober: http\n    http:\n      {common}\n"
        f"  chat:\n    prober: http\n    http:\n      method: POST\n      {common}\n"
        f"      headers: {{Content-Type: application/json}}\n      body: '{body}'\n"
    )


if __name__ == "__main__":
    sys.exit(bool(asyncio.run(main())))
