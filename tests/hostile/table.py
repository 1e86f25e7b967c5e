"""Meets every hostile behaviour and prints what came of it: `python tests/hostile/table.py [WORDS]`."""

import asyncio
import base64
import json
import pickle
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent / "probes"), str(HERE.parent)]

from behaviour import KEY, Behaviour, Felt, sized  # noqa: E402
from rows import BY_NAME  # noqa: E402
from servers import saying, serving  # noqa: E402

from monitor.model.duration import parse_duration  # noqa: E402

AT_ONCE = 6
OVER_S, MEMORY_MB, STALL_MS = 2.0, 16.0, 1000.0
_UNCLEAN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_LONGEST = {"message": 300, "model": 100, "finish_reason": 40, "body": 4096, "header": 300}

_RAW = KEY.encode()
FORMS = (
    KEY[:12],
    KEY[-12:],
    _RAW.hex()[:24],
    "%63%61%6e%61%72%79",
    *(base64.b64encode(bytes(n) + _RAW).decode()[4:20] for n in range(3)),
)
"""Parts by which the key would be known again."""


@dataclass(frozen=True)
class Met:
    name: str
    row: Behaviour
    felt: Felt | None
    connections: int | None

    @property
    def kind(self) -> str:
        if self.felt is None:
            return "CRASH"
        failure = self.felt.attempted.result.failure
        return failure.kind.value if failure else "-"

    def faults(self) -> Iterator[str]:
        """Every gate that this row did not pass; none is good."""
        felt, row = self.felt, self.row
        if felt is None:
            yield "the monitor's process died"
            return
        wants = row.wants.value if row.wants else "-"
        if self.kind != wants:
            failure = felt.attempted.result.failure
            yield f"got {self.kind}, want {wants} ({failure.message if failure else 'all well'})"
        limit = parse_duration(row.settings["timeout"]).total_seconds() + OVER_S
        if felt.took_s > limit:
            yield f"took {felt.took_s:.1f} s, want {limit:.1f} at most"
        if felt.memory_mb > MEMORY_MB:
            yield f"took {felt.memory_mb:.0f} MB, want {MEMORY_MB:.0f} at most"
        if felt.stall_ms > STALL_MS:
            yield f"stalled the loop for {felt.stall_ms:.0f} ms"
        if set(felt.neighbour) != {"up"}:
            yield f"its neighbour was {dict(felt.neighbour)}"
        if felt.elsewhere and row.resolve is None:
            yield f"went to {', '.join(felt.elsewhere)}"
        if row.connections is not None and self.connections != row.connections:
            yield f"connected {self.connections} times, want {row.connections}"
        yield from unclean(felt)


def unclean(felt: Felt) -> Iterator[str]:
    """What must not be in anything that is kept or shown."""
    result, evidence = felt.attempted.result, felt.attempted.evidence
    kept = repr(felt.attempted).lower()
    if any(form.lower() in kept for form in FORMS):
        yield "keeps the key"
    texts = [("message", result.failure.message if result.failure else "")]
    texts += [("model", result.model or "")]
    texts += [("finish_reason", (result.stream and result.stream.finish_reason) or "")]
    texts += [("name", name) for name in felt.attempted.habit.listed | felt.attempted.habit.aliases]
    if evidence:
        texts += [("body", evidence.body), ("note", evidence.note)]
        texts += [("header", text) for pair in evidence.headers for text in pair]
    for what, text in texts:
        if found := _UNCLEAN.search(text):
            yield f"keeps {found[0]!r} in a {what}"
        if len(text) > _LONGEST.get(what, 1000):
            yield f"keeps a {what} of {len(text)}"


class Workers:
    """Processes that wait for orders; each serves one row at a time."""

    def __init__(self) -> None:
        self._free: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
        self._all: list[asyncio.subprocess.Process] = []

    async def start(self, count: int) -> None:
        for _ in range(count):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(HERE / "victim.py"),
                limit=1 << 26,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            self._all.append(process)
            self._free.put_nowait(process)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await self._free.get()
        yield process
        self._free.put_nowait(process)

    async def close(self) -> None:
        for process in self._all:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()


async def suffer(process: asyncio.subprocess.Process, order: dict[str, object]) -> Felt | None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    await process.stdin.drain()
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).strip()
    felt = pickle.loads(base64.b64decode(line)) if line else None
    assert felt is None or isinstance(felt, Felt)
    return felt


async def meet(name: str, row: Behaviour, workers: Workers, neighbour: str) -> Met:
    async with workers.one() as process:
        with tempfile.TemporaryDirectory() as folder:
            async with row.opening(Path(folder)) as where:
                order = {
                    "name": name,
                    "url": where.url,
                    "ca_file": where.ca_file and str(where.ca_file),
                    "neighbour": neighbour,
                    "address": f"127.0.0.1:{where.url.rpartition(':')[2]}",
                }
                felt = await suffer(process, order)
                return Met(name, row, felt, where.server and where.server.connections)


async def meet_all(names: Sequence[str]) -> list[Met]:
    """In the order of the table, though many at a time."""
    workers = Workers()
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # broken handshakes
    await workers.start(min(AT_ONCE, len(names)))
    try:
        async with serving(saying(sized(b"I am well"))) as healthy:
            url = f"http://127.0.0.1:{healthy.port}"
            seen = await asyncio.gather(
                *(meet(name, BY_NAME[name], workers, url) for name in names)
            )
            # On a busy machine a row may miss its time: only what fails alone too is a fault.
            return [
                await meet(met.name, met.row, workers, url) if any(met.faults()) else met
                for met in seen
            ]
    finally:
        await workers.close()


def lines(seen: Sequence[Met]) -> Iterator[str]:
    yield f"{'behaviour':56} {'verdict':20} {'s':>5} {'MB':>5} {'stall ms':>8} {'neighbour':>9}"
    for met in seen:
        felt = met.felt
        if felt is not None:
            beside = f"{felt.neighbour.get('up', 0)} up"
            yield (
                f"{met.name[:56]:56} {met.kind:20} {felt.took_s:5.2f} {felt.memory_mb:5.1f}"
                f" {felt.stall_ms:8.0f} {beside:>9}"
            )
        for fault in met.faults():
            yield f"    FAULT {met.name}: {fault}"
    worst = [met.felt for met in seen if met.felt]
    faults = sum(1 for met in seen for _ in met.faults())
    yield (
        f"{len(seen)} behaviours, {faults} faults; at most {max(f.memory_mb for f in worst):.1f} MB,"
        f" {max(f.stall_ms for f in worst):.0f} ms of stall, {max(f.took_s for f in worst):.1f} s"
    )


def main() -> int:
    wanted = [name for name in BY_NAME if all(word in name for word in sys.argv[1:])]
    seen = asyncio.run(meet_all(wanted))
    for line in lines(seen):
        print(line.encode("utf-8", "replace").decode())
    return int(any(True for met in seen for _ in met.faults()))


if __name__ == "__main__":
    sys.exit(main())
