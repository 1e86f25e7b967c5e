"""How far from the truth time to first token and the gaps between pieces are.

    python tests/bench/ttft.py [ROUNDS] [SECONDS]

The server writes each piece at a moment that it knows, on the clock that we measure with. An error
is the time from that moment to the one we noted. The client is the real one. What other processes spoil
is left out and counted: a stream while our event loop hung, and a piece while the server was interrupted.
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
PER_S = (1, 30, 100)
LEAST_STREAMS = 20
"""In a round, whatever its seconds."""
TARGET_MS = 0.1
UNKNOWN_MS = 0.1
"""A write that took longer says too little of when it was done."""
MOST_LAG_MS = 50.0
Moment = tuple[float, float]
"""Between which two milliseconds something was done."""


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
    streams: int = 0
    merged: int = 0
    """Streams of which some pieces were read at once, so that a gap has no measure."""
    untrusted: int = 0
    """Streams left out because our own event loop hung, as their results would say and statistics leave out."""
    unknown: int = 0
    """Pieces left out because the server was interrupted while it wrote, so that nobody knows when it did."""

    def add(self, noted: list[float], written: list[Moment], *, is_trusted: bool) -> None:
        self.streams += 1
        self.untrusted += not is_trusted
        if not is_trusted:
            return
        self.merged += len(set(noted)) < len(noted)
        known = [after - before <= UNKNOWN_MS for before, after in written]
        self.unknown += known.count(False)
        late = [at - before for at, (before, _) in zip(noted, written, strict=True)]
        self.first += late[:1] if known[0] else []
        self.gaps += [
            abs(later - earlier)
            for (earlier, is_known), (later, is_known_too) in pairwise(
                zip(late, known, strict=True)
            )
            if is_known and is_known_too
        ]


async def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4
    measured: dict[int, list[Errors]] = {per_s: [] for per_s in PER_S}
    with upstream() as asked:
        async with Client() as client:
            await one(client, asked, Errors())
            for _ in range(rounds):
                for per_s, errors_by_round in measured.items():
                    gc.collect()
                    gc.freeze()
                    errors = Errors()
                    count = max(LEAST_STREAMS, int(seconds * per_s))
                    await asyncio.gather(
                        *[later(client, asked, errors, n / per_s) for n in range(count)]
                    )
                    errors_by_round.append(errors)
    return sum(report(errors_by_round, per_s) for per_s, errors_by_round in measured.items())


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
    written = [(before / 1e6, after / 1e6) for before, after in json.loads(last)["written"]]
    noted = [ear.start_ns / 1e6 + at for at in ear.content_at]
    errors.add(noted, written, is_trusted=exchange.lag_ms <= MOST_LAG_MS)


def report(rounds: list[Errors], per_s: int) -> int:
    streams = sum(errors.streams for errors in rounds)
    table = Table(
        f"Time to first token: {streams:,} streams of 20 pieces, {per_s} a second, {len(rounds)} rounds"
    )
    for what, by_round in (
        ("first token", [errors.first for errors in rounds]),
        ("gap", [errors.gaps for errors in rounds]),
    ):
        together = [error for values in by_round for error in values]
        for name, q, at_most in (("p50", 0.5, None), ("p99", 0.99, TARGET_MS), ("worst", 1, None)):
            table.add(
                f"error of the {what}, {name}",
                quantile(together, q),
                "ms",
                at_most=at_most,
                of_rounds=[quantile(values, q) for values in by_round],
            )
    table.add("streams with pieces that were read at once", sum(each.merged for each in rounds))
    untrusted = sum(each.untrusted for each in rounds)
    table.add("streams left out: our event loop hung over 50 ms", untrusted)
    unknown = sum(each.unknown for each in rounds)
    table.add("pieces left out: the server was interrupted while it wrote", unknown)
    return table.print()


if __name__ == "__main__":
    sys.exit(bool(asyncio.run(main())))
