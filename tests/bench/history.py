"""Rollups: their size and error; and what the page asks of them, warm and cold.

python tests/bench/history.py [CHECKS]
"""

import gc
import math
import random
import resource
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from harness import NOON, Table, cost, plausible, rss_mb
from sqlalchemy import insert

from monitor.model import CheckHistory, HistorySettings, Resolution, Rollup, RunRecord
from monitor.model.rollup import bucket, merge
from monitor.page import window_stats
from monitor.store import Reader, fold, migrations, quarters, upkeep
from monitor.store.batch import gather, write
from monitor.store.encoding import encode
from monitor.store.engine import writing
from monitor.store.meta import set_meta
from monitor.store.names import Names
from monitor.store.past import Past as Days
from monitor.store.past import holding, spans_of
from monitor.store.tables import CHECKS, DAYS, HOURS, NUMBER_BITS
from monitor.store.tally import Row, Tally
from monitor.store.times import hours

HOUR_RUNS, SELDOM = 60, 12
DEFAULTS = HistorySettings()
YEAR = 365
ROW = 12
"""Bytes of a stored row besides its body: key, lengths, its place in the page."""
ROUNDS = 7
MADE = 12
"""So many different hours and days are made up, and given to the checks in turn."""


def main() -> int:
    checks = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = random.Random(1)
    hour_bodies = [hour_of(rng, HOUR_RUNS) for _ in range(MADE)]
    day_bodies = [day_of(rng, HOUR_RUNS) for _ in range(MADE)]
    missed = sizes_and_errors(hour_bodies, day_bodies)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.db"
        fill(path, checks, hour_bodies, day_bodies)
        missed += windows(f"sqlite:///{path}", checks)
    return missed


def hour_of(rng: random.Random, runs: int) -> bytes:
    """As the store makes it: from rows."""
    rows: list[Row] = []
    for run in range(runs):
        coded = encode(plausible(rng, NOON, "a/b/chat"), message=1, in_maintenance=False, missed=0)
        rows.append((coded.shape, 2 * run // runs, coded.body(1)))
    tally = Tally()
    tally.add_rows(rows)
    return tally.to_bytes()


def day_of(rng: random.Random, runs: int) -> bytes:
    tally = Tally()
    for _ in range(24):
        tally.add_body(hour_of(rng, runs))
    return tally.to_bytes()


def quarter_of(hour_bodies: list[bytes]) -> float:
    """Bytes of the sum of six hours."""
    return len(quarters.quarter_of(dict(enumerate(hour_bodies[: quarters.LENGTH])))) + ROW


def sizes_and_errors(hour_bodies: list[bytes], day_bodies: list[bytes]) -> int:
    hour, day = (statistics.mean(map(len, bodies)) + ROW for bodies in (hour_bodies, day_bodies))
    table = Table("Rollups: one streamed chat a minute, eight figures each")
    table.add("an hour, 60 runs", hour, "bytes")
    table.add("a day, 1,440 runs", day, "bytes")
    past, quarter = past_of(day_bodies), quarter_of(hour_bodies)
    table.add("six of these hours in one, for two days", quarter, "bytes")
    table.add("the sums of 89 days that are over, and their bars", past, "bytes")
    add_year(table, "a check a minute", hour, day, past + quarters.KEPT * quarter)
    rng = random.Random(2)
    seldom_hours = [hour_of(rng, SELDOM) for _ in range(MADE)]
    hour = statistics.mean(map(len, seldom_hours)) + ROW
    seldom = [day_of(rng, SELDOM) for _ in range(MADE)]
    day = statistics.mean(map(len, seldom)) + ROW
    quarter = quarter_of(seldom_hours)
    add_year(table, "a check each 5 minutes", hour, day, past_of(seldom) + quarters.KEPT * quarter)
    for q in (0.5, 0.95, 0.99):
        table.add(f"error of p{q * 100:.0f} over a month", error(q), "%", at_most=1)
    return table.print()


def past_of(day_bodies: list[bytes]) -> int:
    """Of one check, whose days are these in turn."""
    past, until = Days(), hours(NOON) // 24
    spans = spans_of(until, until)
    for day in range(until - 89, until):
        past.shift(day, day_bodies[day % MADE], (), holding(spans, day))
    return len(past.to_bytes(until)) + ROW


def add_year(table: Table, what: str, hour: float, day: float, rest: float) -> None:
    assert DEFAULTS.hours is not None
    hours = DEFAULTS.hours // timedelta(hours=1)
    size = (hour * hours + day * YEAR + rest) / 1000
    name = f"{what}: a year of days, {hours // 24} days of hours (the default)"
    table.add(name, size, "KB", at_most=300)


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


def fill(path: Path, checks: int, hour_bodies: list[bytes], day_bodies: list[bytes]) -> None:
    """90 days, the last of them with its hours, and half an hour that is not rolled up yet."""
    engine, names, now = writing(path), Names(), hours(NOON)
    with engine.begin() as connection:
        migrations.create(connection)
        connection.execute(
            insert(CHECKS),
            [
                {
                    "number": n + 1,
                    "key": f"a/e{n}/chat",
                    "vantage": "local",
                    "kind": "chat",
                    "last": 0,
                }
                for n in range(checks)
            ],
        )
        for table, first, last, bodies in (
            (DAYS, now // 24 - 89, now // 24 - 1, day_bodies),
            (HOURS, now - 25, now - 1, hour_bodies),
        ):
            for period in range(first, last + 1):
                rows = [
                    {"key": period << NUMBER_BITS | n + 1, "body": bodies[(n + period) % MADE]}
                    for n in range(checks)
                ]
                connection.execute(insert(table), rows)
        set_meta(connection, fold.ROLLED, str(now))
        quarters.roll(connection, range(now - 25, now), now - 25, now)
        upkeep.roll(connection, now // 24)
        rng = random.Random(3)
        given = [
            RunRecord(
                result=plausible(rng, NOON + timedelta(minutes=m), f"a/e{n}/chat"), kind="chat"
            )
            for m in range(30)
            for n in range(checks)
        ]
        write(connection, names, gather(given), NOON, vantage="local")
    engine.dispose()


def windows(url: str, checks: int) -> int:
    """A snapshot, and what the page and `status.json` ask of each check in it."""
    now = NOON + timedelta(minutes=30)
    table = Table(f"The page's data: {checks:,} checks x 90 days")
    gc.collect()
    before, reader = rss_mb(), Reader(url)

    asked: dict[str, CheckHistory] = {}

    def page() -> None:
        """Which asks nothing again of a check that has no news."""
        for check, history in reader.snapshot(now).checks.items():
            if asked.get(check) is not history:
                asked_by_the_page(history)
            asked[check] = history

    table.add("cold: once after a start", timed(page) * 1000, "ms of CPU", at_most=1200)
    table.add("memory that a reader keeps", rss_mb() - before, "MB", at_most=60)
    best = min(timed(page) for _ in range(ROUNDS))
    table.add("warm: nothing new", best * 1000, "ms of CPU", at_most=30)
    found = []
    for step in range(ROUNDS):
        add_some(url, checks, step)
        found.append(timed(page))
    table.add("warm: a sixth of the checks ran", min(found) * 1000, "ms of CPU", at_most=30)
    now += timedelta(minutes=45)
    roll(url, now)
    table.add("once an hour: another one is rolled up", timed(page) * 1000, "ms of CPU")
    now += timedelta(hours=12)
    roll(url, now)
    table.add("once a day: another one is over", timed(page) * 1000, "ms of CPU")
    for days in (7, 30, 365):
        since = now - timedelta(days=days)
        table.add(
            f"one check, {days} days: from its days, three percentiles",
            timed(lambda since=since: ask(reader, since)) * 1000,
            "ms of CPU",
        )
    reader.close()
    return table.print()


def asked_by_the_page(history: CheckHistory) -> None:
    """As a main check is asked, for its endpoint's page and its file for programs; others are asked less."""
    day = history.last_24h
    for figure in ("dns", "connect", "tls", "ttfb", "ttft"):
        day.quantile(figure, 0.5)
    window_stats.windows(history)
    window_stats.failures((history,))
    for rollup in (day, *history.windows.values()):
        for figure in ("ttft", "ttfb", "total"):
            assert all(rollup.quantile(figure, q) for q in (0.5, 0.95, 0.99))
    assert history.windows[90].availability
    for rollup in history.days.values():
        assert any(map(rollup.outcomes.get, ("up", "degraded", "down")))


def roll(url: str, now: datetime) -> None:
    engine, names = writing(Path(url.removeprefix("sqlite:///"))), Names()
    more = True
    while more:
        with engine.begin() as connection:
            more = fold.roll_next(connection, names, hours(now))
    engine.dispose()


def ask(reader: Reader, since: datetime) -> None:
    found = merge(p.rollup for p in reader.rollups("a/e7/chat", Resolution.DAY, since=since))
    for q in (0.5, 0.95, 0.99):
        found.quantile("ttft", q)


def add_some(url: str, checks: int, step: int) -> None:
    engine, rng = writing(Path(url.removeprefix("sqlite:///"))), random.Random(4)
    at = NOON + timedelta(minutes=29.9, milliseconds=step)
    given = [
        RunRecord(result=plausible(rng, at, f"a/e{n}/chat"), kind="chat")
        for n in range(checks // 6)
    ]
    with engine.begin() as connection:
        write(connection, Names(), gather(given), at, vantage="local")
    engine.dispose()


def timed(work: Callable[[], None]) -> float:
    with cost() as found:
        work()
    return found.cpu


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
    sys.exit(bool(main()))
