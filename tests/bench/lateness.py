"""The real daemon with many checks of one local server: how late it asks, and what a run costs it.

    python tests/bench/lateness.py [--seconds 60] [--every 20] [--seeded] [CHECKS...]

Every check asks over TLS every 20 seconds. Lateness is what the store keeps of each run. `--seeded` gives the
store 90 days before, of a run a minute: `--every 60 --seconds 300 --seeded 10000` needs 5 GB of disk.
"""

import argparse
import sys
import time
from datetime import datetime
from functools import partial

from harness import Table, cpu_of, quantile, rss_mb
from rig import Daemon, Upstream, daemon, upstream
from seed import fill

from monitor.clock import SystemClock
from monitor.store import Reader

SETTLED_S = 10.0
"""So long after the first page, and not before each check has run."""
LATE_MS, MEMORY_MB = 20.0, {200: 120.0, 10_000: 600.0}
MANY = 10_000
"""So many checks may be late by 50 ms."""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("checks", type=int, nargs="*", default=[100, 200, 1000])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--seeded", action="store_true")
    given = parser.parse_args()
    missed = 0
    with upstream() as asked:
        for checks in given.checks:
            line = f'http = {{ every = "{given.every}s", path = "/v1/models" }}'
            keys = [f"bench/e{n}/http" for n in range(checks)]
            seed = partial(fill, keys=keys, now=SystemClock().now(), kind="http")
            with daemon(asked, checks, line, seed if given.seeded else lambda _: None) as running:
                missed += measure(running, asked, checks, given)
    return missed


def measure(running: Daemon, asked: Upstream, checks: int, given: argparse.Namespace) -> int:
    began = time.monotonic()
    while "event=published" not in running.log.read_text() and running.process.poll() is None:
        time.sleep(0.5)
    first_page_s = time.monotonic() - began
    time.sleep(max(SETTLED_S, given.every + 5 - first_page_s))
    since, runs, cpu, their_cpu = SystemClock().now(), running.runs(), *cpus(running, asked)
    time.sleep(given.seconds)
    runs = running.runs() - runs
    ours, theirs = cpus(running, asked)
    memory = rss_mb(running.pid)
    late, missed = running.stop()
    lateness = lateness_since(running.store, since)
    title = f"{checks:,} checks every {given.every} s for {given.seconds:.0f} s"
    table = Table(f"{title}{', 90 days before' * given.seeded}, {runs:,} runs")
    table.add("first page after", first_page_s, "s")
    table.add("lateness, p50", quantile(lateness, 0.5), "ms")
    at_most = LATE_MS if checks < MANY else 50.0
    table.add("lateness, p99", quantile(lateness, 0.99), "ms", at_most=at_most)
    table.add("lateness, worst", max(lateness), "ms")
    table.add("runs over a second late", late, at_most=0)
    table.add("runs missed", missed, at_most=0)
    table.add("CPU of the daemon per run", (ours - cpu) * 1000 / runs, "ms")
    table.add("CPU of the server per run", (theirs - their_cpu) * 1000 / runs, "ms")
    table.add("memory", memory, "MB", at_most=MEMORY_MB.get(checks))
    return table.print()


def cpus(running: Daemon, asked: Upstream) -> tuple[float, float]:
    return cpu_of(running.pid), cpu_of(asked.pid)


def lateness_since(store: str, since: datetime) -> list[float]:
    reader = Reader(store)
    try:
        return [result.late_ms for result in reader.each_result(since=since)]
    finally:
        reader.close()


if __name__ == "__main__":
    sys.exit(bool(main()))
