"""The real daemon with many checks of one local server: how late it asks, and what a run costs it.

    python tests/bench/lateness.py [SECONDS] [CHECKS...]

Every check asks over TLS every 20 seconds. Lateness is what the store keeps of each run.
"""

import sys
import time
from datetime import datetime

from harness import Table, cpu_of, quantile, rss_mb
from rig import Daemon, Upstream, daemon, upstream

from monitor.clock import SystemClock
from monitor.store import Reader

WARM_UP_S = 25.0
"""The first run of each check comes early, by itself, and is never late."""
LATE_MS, CPU_MS, MEMORY_MB = 20.0, 3.65, 100.0
"""3.65 ms is what blackbox_exporter, Prometheus and Alertmanager cost together, measured elsewhere:
`stack.py` measures them here."""


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60
    missed = 0
    with upstream() as asked:
        for checks in [int(each) for each in sys.argv[2:]] or [100, 200, 1000]:
            with daemon(asked, checks, 'http = { every = "20s", path = "/v1/models" }') as running:
                missed += measure(running, asked, checks, seconds)
    return missed


def measure(running: Daemon, asked: Upstream, checks: int, seconds: float) -> int:
    time.sleep(WARM_UP_S)
    since, runs, cpu, their_cpu = SystemClock().now(), running.runs(), *cpus(running, asked)
    time.sleep(seconds)
    runs = running.runs() - runs
    ours, theirs = cpus(running, asked)
    memory = rss_mb(running.pid)
    late, missed = running.stop()
    lateness = lateness_since(running.store, since)
    table = Table(f"{checks:,} checks every 20 s for {seconds:.0f} s: {runs:,} runs")
    table.add("lateness, p50", quantile(lateness, 0.5), "ms")
    table.add("lateness, p99", quantile(lateness, 0.99), "ms", at_most=LATE_MS)
    table.add("lateness, worst", max(lateness), "ms")
    table.add("runs over a second late", late, at_most=0)
    table.add("runs missed", missed, at_most=0)
    table.add("CPU of the daemon per run", (ours - cpu) * 1000 / runs, "ms", at_most=CPU_MS)
    table.add("CPU of the server per run", (theirs - their_cpu) * 1000 / runs, "ms")
    table.add("memory", memory, "MB", at_most=MEMORY_MB if checks <= 200 else None)
    return table.print()


def cpus(running: Daemon, asked: Upstream) -> tuple[float, float]:
    return cpu_of(running.pid), cpu_of(asked.pid)


def lateness_since(store: str, since: datetime) -> list[float]:
    reader = Reader(store)
    try:
        return [each.late_ms for each in reader.each_result(since=since)]
    finally:
        reader.close()


if __name__ == "__main__":
    sys.exit(bool(main()))
