"""What it costs to probe from several places: the real hub and a real agent, or a hub and ten places that push.

    python tests/bench/many_vantages.py agent [SECONDS]     an agent with 36 checks: CPU, and bytes that it sends
    python tests/bench/many_vantages.py asleep [SECONDS]    an agent that is stopped for so long, as a laptop that sleeps
    python tests/bench/many_vantages.py hub [SECONDS] [VANTAGES] [CHECKS] [ENGINE]    each sends CHECKS results a minute

Without CHECKS there are two sizes, without ENGINE a hub for each. The store is in a file (`sqlite`), or with `postgresql`
on a server of its own, which waits for its disk.
Every process is on this machine, and a busy machine is slower. CPU is what the kernel accounts to the process.
"""

import asyncio
import contextlib
import gzip
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from harness import Table, cpu_of, quantile, rss_mb
from rig import MONITOR, free_port, upstream

from monitor.agent.hub_client import HubAwayError, HubClient
from monitor.agent.invitation import Invitation
from monitor.agent.signature import PrivateKey, new_key
from monitor.agent.wire import Batch, SentRun, encode_batch, encode_run
from monitor.clock import SystemClock
from monitor.model import Failure, FailureKind, Outcome, Result, Timings
from monitor.store.engines import database

sys.path.append(str(Path(__file__).parents[1] / "store"))
from postgres import postgres

CHECKS = 36
AGENT_CPU, AGENT_KBPS = 1.0, 1.0
"""Per cent of a core, and KB a second."""
CAUGHT_UP_S = 30.0
HUB_CPU, LATE_MS = 15.0, 20.0
BACKENDS_CPU = 3.0
AIMED_AT = 10_000
"""Results a minute that the hub's target is for."""
SIZES, ENGINES = (1000, 3000), ("sqlite", "postgresql")
PUSH_S = 10.0
WARM_UP_S = 30.0
HUB_WARM_UP_S = 180.0
"""Until each check has run once, and the first page of all of them is written."""


def start(folder: Path, *words: str, line: str = "", **env: str) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            [MONITOR, *words],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(folder), **env},
        )
    assert process.stdin
    process.stdin.write(line.encode())
    process.stdin.close()
    return process


def stop(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        process.terminate()
        process.wait(300)


async def wait_for(log: Path, words: str) -> None:
    while not (log.exists() and words in log.read_text()):
        await asyncio.sleep(0.2)


class Relay:
    """Carries an agent's requests to its hub, and counts their bytes."""

    def __init__(self, port: int) -> None:
        self.port, self.sent, self.requests = port, 0, 0

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            hub_reader, hub_writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.requests += 1
            answering = asyncio.create_task(self.carry(hub_reader, writer, counts=False))
            await self.carry(reader, hub_writer, counts=True)
            await answering

    async def carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65_536):
                self.sent += len(piece) * counts
                writer.write(piece)
                await writer.drain()
            writer.close()


@contextlib.asynccontextmanager
async def pair(
    folder: Path, more: str = ""
) -> AsyncIterator[tuple[Relay, subprocess.Popen[bytes], Path]]:
    """A hub, and an agent that asks the same 36 base URLs once a minute."""
    port = free_port()
    with upstream() as asked:
        hub, agent = folder / "hub", folder / "agent"
        hub.mkdir()
        endpoints = "".join(
            f'e{number} = {{ url = "{asked.url}", ca_file = "${{CA}}" }}\n'
            for number in range(CHECKS)
        )
        (hub / "monitor.toml").write_text(
            f'[monitor]\nvantage = "fra"\nlisten = "127.0.0.1:{port}"\ncontrols = "off"\n'
            '[channel.phone]\nurl = "json://127.0.0.1:9/"\n'
            f'[service.bench]\nprobes = {{ http = {{ every = "1m", path = "/v1/models" }} }}\n'
            f"[service.bench.endpoints]\n{endpoints}"
        )
        relay = Relay(port)
        server = await asyncio.start_server(relay.meet, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        env = {"CA": str(asked.ca_file)}
        words = [MONITOR, "agent", "add", "cn", "--name", "Shanghai", "--url", url]
        added = await asyncio.create_subprocess_exec(
            *words, cwd=hub, stdout=subprocess.PIPE, env={**os.environ, **env}
        )
        line = (await added.communicate())[0].decode().strip().splitlines()[-1] + "\n"
        with (hub / "monitor.toml").open("a") as file:
            file.write(more)
        processes = [start(hub, "run", **env)]
        await wait_for(hub / "log.txt", "event=started")
        processes.append(start(agent, "agent", "--state", str(agent), url, line=line, **env))
        await wait_for(agent / "log.txt", "event=started")
        try:
            yield relay, processes[1], hub
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)
            await asyncio.to_thread(stop, *processes)
            server.close()


async def an_agent(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as name:
        async with pair(Path(name)) as (relay, agent, _):
            await asyncio.sleep(WARM_UP_S)
            cpu, sent, requests = cpu_of(agent.pid), relay.sent, relay.requests
            await asyncio.sleep(seconds)
            cpu, sent = cpu_of(agent.pid) - cpu, relay.sent - sent
            requests, memory = relay.requests - requests, rss_mb(agent.pid)
    table = Table(f"an agent with {CHECKS} checks a minute, {seconds:.0f} s")
    table.add("CPU", 100 * cpu / seconds, "% of a core", at_most=AGENT_CPU)
    table.add("sent to the hub", sent / seconds / 1000, "KB/s", at_most=AGENT_KBPS)
    table.add("requests", 60 * requests / seconds, "a minute")
    table.add("memory", memory, "MB")
    return table.print()


async def asleep(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as name:
        async with pair(Path(name), 'sleeps = true\nsilent = "20s"\n') as (_, agent, hub):
            await asyncio.sleep(WARM_UP_S + 60)
            agent.send_signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            woke = SystemClock().now().timestamp()
            agent.send_signal(signal.SIGCONT)
            began = time.monotonic()
            while len(_fresh(hub, woke)) < CHECKS and time.monotonic() - began < 120:
                await asyncio.sleep(0.5)
            heard = min(_fresh(hub, woke), default=woke) - woke
            took, checks = time.monotonic() - began, len(_fresh(hub, woke))
            await asyncio.sleep(60)
            with closing(sqlite3.connect(hub / "monitor.db")) as connection:
                messages = connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
    table = Table(f"an agent with {CHECKS} checks a minute that was stopped for {seconds:.0f} s")
    table.add("its first check after that", heard, "s", at_most=CAUGHT_UP_S)
    table.add(f"{checks} of {CHECKS} checks are fresh at the hub", took, "s")
    table.add("messages", messages, at_most=0)
    return table.print()


def _fresh(hub: Path, since: float) -> list[float]:
    """Return the newest run of each check of the agent that began since then."""
    query = """
        SELECT max(at) / 1000.0 FROM runs JOIN checks ON checks.id = check_id
        WHERE vantage = 'cn' GROUP BY key HAVING max(at) > ?
    """
    with closing(sqlite3.connect(f"file:{hub / 'monitor.db'}?mode=ro", uri=True)) as connection:
        return [row[0] for row in connection.execute(query, (since * 1000,))]


@dataclass(frozen=True)
class Engine:
    """Where a hub's store is, and the process of the server that holds it: 0 where there is none."""

    name: str
    url: str
    server: int = 0

    def cpu(self) -> float:
        """Return the seconds of CPU of the server, of its backends and of those that have ended."""
        if not self.server:
            return 0.0
        postmaster = _times(self.server)
        processes = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
        backends = [_times(pid) for pid in processes if _parent(pid) == self.server]
        return sum((*postmaster, *(time for backend in backends for time in backend[:2])))

    def ask(self, query: str) -> list[tuple[float]]:
        engine = database(self.url).reading()
        with engine.connect() as connection:
            rows = connection.exec_driver_sql(query).all()
        engine.dispose()
        return [(float(row[0]),) for row in rows]


@contextmanager
def engine_of(name: str, folder: Path) -> Iterator[Engine]:
    if name == "sqlite":
        yield Engine(name, f"sqlite:///{folder / 'monitor.db'}")
        return
    with postgres(options="-c fsync=on") as server:
        postmaster = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
        yield Engine(name, server.fresh(), postmaster)


def _times(pid: int) -> list[float]:
    """Return a process's seconds in user and system mode, and those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return [0.0] * 4
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:15]]


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


async def a_hub(seconds: float, vantages: int, checks: int, engine_name: str) -> int:
    """The hub's own 36 checks run beside what the others push; what these probe it asks once a day."""
    keys = {f"v{number}": new_key() for number in range(vantages)}
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as name,
        upstream() as asked,
        engine_of(engine_name, Path(name)) as engine,
    ):
        hub = Path(name) / "hub"
        hub.mkdir()
        own = "".join(f'e{n} = {{ url = "{asked.url}", ca_file = "${{CA}}" }}\n' for n in range(36))
        far = "".join(
            f'e{n} = {{ url = "{asked.url}", ca_file = "${{CA}}" }}\n' for n in range(checks)
        )
        places = "".join(f'[vantage.{id_}]\nkey = "{key.public}"\n' for id_, key in keys.items())
        (hub / "monitor.toml").write_text(
            f'[monitor]\nvantage = "fra"\nlisten = "127.0.0.1:{port}"\ncontrols = "off"\n'
            f'store = "{engine.url}"\n'
            '[channel.phone]\nurl = "json://127.0.0.1:9/"\n'
            '[service.own]\nprobes = { http = { every = "20s", path = "/v1/models" } }\n'
            f"[service.own.endpoints]\n{own}"
            '[service.far]\nprobes = { http = "1d" }\n'
            f"[service.far.endpoints]\n{far}{places}"
        )
        process = start(hub, "run", CA=str(asked.ca_file))
        await wait_for(hub / "log.txt", "event=started")
        pushing = [
            asyncio.create_task(push(id_, key, port, checks, index * PUSH_S / vantages))
            for index, (id_, key) in enumerate(keys.items())
        ]
        await asyncio.sleep(HUB_WARM_UP_S)
        cpu, since = cpu_of(process.pid), SystemClock().now().timestamp() * 1000
        backends, load = engine.cpu(), os.getloadavg()[0]
        began = time.monotonic()
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        cpu, backends = cpu_of(process.pid) - cpu, engine.cpu() - backends
        stored = await asyncio.to_thread(_count, engine, since)
        memory = rss_mb(process.pid)
        for task in pushing:
            task.cancel()
        await asyncio.gather(*pushing, return_exceptions=True)
        late = _lateness(engine, since)
        process.kill()
        process.wait()
    table = Table(
        f"{vantages} vantages x {checks:,} checks a minute, {engine.name}, {seconds:.0f} s, load {load:.1f} when it began"
    )
    table.add("results stored", 60 * stored / took, "a minute")
    small = vantages * checks <= AIMED_AT
    table.add("CPU of the hub", 100 * cpu / took, "% of a core", at_most=HUB_CPU if small else None)
    table.add("CPU a result", 1e6 * cpu / max(stored, 1), "us")
    if engine.server:
        share = 100 * backends / took
        table.add("CPU of the server and its backends", share, "% of a core", at_most=BACKENDS_CPU)
    table.add("lateness of its own checks, p50", quantile(late, 0.5), "ms")
    table.add("lateness of its own checks, p99", quantile(late, 0.99), "ms", at_most=LATE_MS)
    table.add("memory of the hub", memory, "MB")
    return table.print()


async def push(vantage: str, key: PrivateKey, port: int, checks: int, after: float) -> None:
    """Push as an agent does, each ten seconds a sixth of the checks; one result in fifty is bad."""
    clock, rng = SystemClock(), random.Random(vantage)
    invitation = Invitation(vantage=vantage, hub=f"http://127.0.0.1:{port}", hub_key="", key=key)
    client, stream, number, place = HubClient(invitation, clock=clock), str(uuid4()), 1, 0
    await asyncio.sleep(after)
    try:
        while True:
            began, runs = time.monotonic(), []
            for _ in range(round(checks * PUSH_S / 60)):
                at = clock.now() - timedelta(seconds=rng.uniform(0, PUSH_S))
                runs.append((number, encode_run(_sent(vantage, place, at, rng))))
                number, place = number + 1, (place + 1) % checks
            body = gzip.compress(encode_batch(Batch(), runs), 6, mtime=0)
            while True:
                try:
                    answer = await client.push(
                        body, stream=stream, first=runs[0][0], last=runs[-1][0]
                    )
                except HubAwayError as error:
                    print(f"{vantage}: {error}", file=sys.stderr)
                    await asyncio.sleep(1)
                    continue
                if answer.status == 200:
                    break
                print(f"{vantage}: {answer.status} {answer.why}", file=sys.stderr)
                await asyncio.sleep(answer.retry_after_s)
            await asyncio.sleep(max(0.0, PUSH_S - (time.monotonic() - began)))
    finally:
        await client.close()


def _sent(vantage: str, place: int, at: object, rng: random.Random) -> SentRun:
    kind = FailureKind.CONNECT_TIMEOUT if rng.random() < 0.02 else None
    failure = Failure(kind, "no way") if kind else None
    result = Result(
        check=f"far/e{place}/http",
        vantage=vantage,
        at=at,  # type: ignore[arg-type]
        outcome=failure.outcome if failure else Outcome.UP,
        failure=failure,
        timings=Timings(
            dns=rng.uniform(1, 9),
            connect=rng.uniform(20, 90),
            tls=rng.uniform(20, 90),
            ttfb=rng.uniform(100, 300),
            total=rng.uniform(300, 400),
        ),
        http_status=None if failure else 200,
    )
    return SentRun(result=result)


def _count(engine: Engine, since: float) -> float:
    """Count the runs of others that began since then."""
    query = f"SELECT count(*) FROM runs JOIN checks ON checks.id = check_id WHERE vantage <> 'fra' AND at >= {since:.0f}"  # our own words
    return engine.ask(query)[0][0]


def _lateness(engine: Engine, since: float) -> list[float]:
    query = f"SELECT late_ms FROM runs JOIN checks ON checks.id = check_id WHERE vantage = 'fra' AND at >= {since:.0f}"  # our own words
    return [row[0] for row in engine.ask(query)]


def main() -> int:
    what, *sizes = sys.argv[1:] or ["agent"]
    numbers = [float(size) for size in sizes if not size.isalpha()]
    seconds = numbers[0] if numbers else 180
    if what == "hub":
        vantages = int(numbers[1]) if len(numbers) > 1 else 10
        checks = [int(numbers[2])] if len(numbers) > 2 else SIZES
        engines = [each for each in sizes if each.isalpha()] or ENGINES
        return sum(
            asyncio.run(a_hub(seconds, vantages, count, engine))
            for count in checks
            for engine in engines
        )
    return asyncio.run(asleep(seconds) if what == "asleep" else an_agent(seconds))


if __name__ == "__main__":
    sys.exit(main())
