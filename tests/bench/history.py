"""Rollups: their size and error; the load of 90 days at a start, and what the page asks of memory.

python tests/bench/history.py [CHECKS]
"""

import gc
import math
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from harness import NOON, Table, cost, plausible, rss_mb
from seed import MADE, day_of, fill
from sqlalchemy import select

from monitor.model import CheckHistory, HistorySettings, Resolution, Rollup, RunRecord
from monitor.model.rollup import bucket, merge
from monitor.page import window_stats
from monitor.store import Reader
from monitor.store.histogram import encode
from monitor.store.history import History
from monitor.store.schema import RUNS
from monitor.store.sqlite.connections import reading

SELDOM = 12
DEFAULTS = HistorySettings()
YEAR = 365
ROUNDS = 7
TARGETS, TARGETS_FROM = (3.0, 50.0, 60.0), 1000
"""Seconds of the load, milliseconds of a page, megabytes; for so many checks."""
NOW = NOON + timedelta(minutes=30)


def main() -> int:
    checks = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.db"
        sizes = fill(path, [f"a/e{n}/chat" for n in range(checks)], NOW)
        missed = sizes_and_errors(sizes)
        missed += page(path, checks)
    return missed


def sizes_and_errors(sizes: tuple[float, float]) -> int:
    hour, day = sizes
    table = Table("Rollups: one streamed chat a minute, eight figures each, all columns")
    table.add("an hour, 60 runs", hour, "bytes")
    table.add("a day, 1,440 runs", day, "bytes")
    assert DEFAULTS.hours is not None
    kept = DEFAULTS.hours // timedelta(hours=1)
    name = f"a year of days, {kept // 24} days of hours (the default)"
    table.add(name, (hour * kept + day * YEAR) / 1000, "KB", at_most=600)
    rng = random.Random(2)
    seldom = [len(encode(day_of(rng, NOON, SELDOM).figures)) for _ in range(MADE)]
    table.add("histograms of a day, a check each 5 minutes", statistics.mean(seldom), "bytes")
    for q in (0.5, 0.95, 0.99):
        table.add(f"error of p{q * 100:.0f} over a month", error(q), "%", at_most=1)
    return table.print()


def error(q: float) -> float:
    """Of time to first token over 30 days of 48 runs, the largest of ten tries."""
    worst = 0.0
    for seed in range(10):
        rng = random.Random(seed)
        values = sorted(rng.lognormvariate(6, 0.7) for _ in range(30 * 48))
        exact = values[max(1, math.ceil(q * len(values))) - 1]
        rollups = [
            Rollup(figures={"ttft": Counter(map(bucket, values[day::30]))}) for day in range(30)
        ]
        found = merge(rollups).quantile("ttft", q)
        assert found is not None
        worst = max(worst, abs(found / exact - 1) * 100)
    return worst


def page(path: Path, checks: int) -> int:
    """The load, a snapshot, and what the page and `status.json` ask of each check in it."""
    table = Table(f"The page's data: {checks:,} checks x 90 days")
    url, history = f"sqlite:///{path}", History()
    gc.collect()
    before, reader = rss_mb(), Reader(url)
    began = time.perf_counter()
    with cost() as loading:
        history.begin_load(())
        with reader.loading(NOW) as loader:
            loader.small(history)
            loader.load(history)
    wall = time.perf_counter() - began
    load_s, sixth_ms, memory_mb = TARGETS if checks >= TARGETS_FROM else (None, None, None)
    table.add("load at a start, wall", wall, "s", at_most=load_s)
    table.add("load at a start, CPU", loading.cpu, "s")
    asked: dict[str, CheckHistory] = {}

    def ask_all() -> None:
        """Nothing is asked again of a check that has no news."""
        for check, found in history.snapshot(NOW, ()).checks.items():
            if asked.get(check) is not found:
                asked_by_the_page(found)
            asked[check] = found

    table.add("the first page after a start", timed(ask_all) * 1000, "ms of CPU")
    table.add("memory for it", rss_mb() - before, "MB", at_most=memory_mb)
    calm = [timed(ask_all) * 1000 for _ in range(ROUNDS)]
    table.add("nothing new", calm, "ms of CPU")
    found = []
    for step in range(ROUNDS):
        add_some(history, checks, step)
        found.append(timed(ask_all) * 1000)
    table.add("a sixth of the checks ran", found, "ms of CPU", at_most=sixth_ms)
    for days in (7, 30, 90):
        since = NOW - timedelta(days=days)
        table.add(
            f"one check, {days} days: from its days, three percentiles",
            timed(lambda since=since: ask(reader, since)) * 1000,
            "ms of CPU",
        )
    engine = reading(path)
    with engine.begin() as connection:
        assert connection.execute(select(RUNS.c.at).limit(1)).scalar()
    engine.dispose()
    reader.close()
    return table.print()


def asked_by_the_page(history: CheckHistory) -> None:
    """As a main check is asked, for its endpoint's page and its file for programs; others are asked less."""
    day = history.last_24h
    for figure in ("dns", "connect", "tls", "ttfb", "ttft"):
        day.quantile(figure, 0.5)
    window_stats.windows(history)
    window_stats.failures((history,))
    assert history.windows[90].availability
    for rollup in history.days.values():
        assert any(map(rollup.outcomes.get, ("up", "degraded", "down")))


def ask(reader: Reader, since: datetime) -> None:
    found = merge(p.rollup for p in reader.rollups("a/e7/chat", Resolution.DAY, since=since))
    for q in (0.5, 0.95, 0.99):
        found.quantile("ttft", q)


def add_some(history: History, checks: int, step: int) -> None:
    rng, at = random.Random(4), NOON + timedelta(minutes=29.9, milliseconds=step)
    for n in range(checks // 6):
        history.add(RunRecord(result=plausible(rng, at, f"a/e{n}/chat"), kind="chat"))


def timed(work: Callable[[], None]) -> float:
    with cost() as found:
        work()
    return found.cpu


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
    sys.exit(bool(main()))
