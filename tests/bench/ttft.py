"""How far from the truth time to first token and the gaps between pieces are.

    python tests/bench/ttft.py [SECONDS]

The server writes each piece at a moment that it knows, on the clock that we measure with. An error
is the time from that moment to the one we noted. The client is the real one.
"""

import asyncio
import gc
import json
import sys
from dataclasses import dataclass, field
from itertools import pairwise

from harness import Table, quantile
from rig import Upstream, upstream

from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import Chunk, HttpRequest
from monitor.probes.readers import ChatReader
from monitor.probes.wire.client import Client
from monitor.probes.wire.trace import current

MANNER = "/20x10ms"
TARGET_MS = 0.1


class Ear(StreamRecorder):
    """The one that probes listen with; it also knows when the request was made."""

    def __init__(self) -> None:
        super().__init__(ChatReader())
        self.start_ns = 0

    def feed(self, arrival: Chunk) -> None:
        self.start_ns = current.get().start
        super().feed(arrival)


@dataclass
class Errors:
    """In milliseconds; positive where we noted it too late."""

    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    merged: int = 0
    """Streams of which some pieces were read at once, so that a gap has no measure."""
    untrusted: int = 0
    """Streams while our own event loop hung; the result says so."""

    def add(self, noted: list[float], written: list[float]) -> None:
        self.first.append(noted[0] - written[0])
        ours, true = (
            [later - earlier for earlier, later in pairwise(times)] for times in (noted, written)
        )
        self.gaps += [abs(a - b) for a, b in zip(ours, true, strict=True)]
        self.merged += len(set(noted)) < len(noted)


async def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20
    missed = 0
    with upstream() as asked:
        for per_s in (1, 30, 100):
            async with Client() as client:
                await one(client, asked, Errors())
                gc.collect()
                gc.freeze()
                errors = Errors()
                await asyncio.gather(
                    *[later(client, asked, errors, n / per_s) for n in range(int(seconds * per_s))]
                )
            missed += report(errors, per_s)
    return missed


async def later(client: Client, asked: Upstream, errors: Errors, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await one(client, asked, errors)


async def one(client: Client, asked: Upstream, errors: Errors) -> None:
    ask = HttpRequest(
        method="POST",
        url=f"{asked.url}{MANNER}/v1/chat/completions",
        body=b"the numbers 1 to 64",
        ca_file=asked.ca_file,
    )
    ear = Ear()
    exchange = await client.send(ask, ear)
    assert exchange.error is None, exchange.error
    ear.close()
    last = exchange.body[exchange.body.rindex(b'{"choices": []') :].partition(b"\n")[0]
    written = [at / 1e6 for at in json.loads(last)["written"]]
    errors.untrusted += exchange.lag_ms > 50
    errors.add([ear.start_ns / 1e6 + at for at in ear.content_at], written)


def report(errors: Errors, per_s: int) -> int:
    streams = len(errors.first)
    table = Table(f"Time to first token: {streams:,} streams of 20 pieces, {per_s} a second")
    for what, values in (("first token", errors.first), ("gap", errors.gaps)):
        table.add(f"error of the {what}, p50", quantile(values, 0.5), "ms")
        table.add(f"error of the {what}, p99", quantile(values, 0.99), "ms", at_most=TARGET_MS)
        table.add(f"error of the {what}, worst", max(values), "ms")
    table.add("streams with pieces that were read at once", errors.merged)
    table.add("streams while our event loop hung over 50 ms", errors.untrusted)
    return table.print()


if __name__ == "__main__":
    sys.exit(bool(asyncio.run(main())))
