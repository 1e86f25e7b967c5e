"""Rollups: their size and error; and what the page asks of them, warm and cold.

python tests/bench/history.py [CHECKS]
"""

import random
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from harness import NOON, Table, cost, plausible, rss_mb
from sqlalchemy import insert

from monitor.model import WINDOWS, Entry, Rollup
from monitor.model.rollup import merge
from monitor.store import Reader, fold, migrations
from monitor.store.batch import gather, write
from monitor.store.engine import writing
from monitor.store.meta import set_meta
from monitor.store.names import Names
from monitor.store.tables import CHECKS, DAYS, HOURS, NUMBER_BITS
from monitor.store.tally import to_bytes
from monitor.store.times import hours

DAY_RUNS, HOUR_RUNS = 1440, 60
MADE = 12
"""So many different hours and days are made up, and given to the checks in turn."""


def main() -> int:
    checks = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rng = random.Random(1)
    days = [rollup_of(rng, DAY_RUNS) for _ in range(MADE)]
    hour_bodies = [to_bytes(rollup_of(rng, HOUR_RUNS)) for _ in range(MADE)]
    day_bodies = [to_bytes(each) for each in days]
    missed = sizes_and_errors(hour_bodies, day_bodies)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.db"
        fill(path, checks, hour_bodies, day_bodies)
        missed += windows(f"sqlite:///{path}", checks)
    return missed


def rollup_of(rng: random.Random, runs: int) -> Rollup:
    return merge(Rollup.of(plausible(rng, NOON, "a/b/chat")) for _ in range(runs))


def sizes_and_errors(hour_bodies: list[bytes], day_bodies: list[bytes]) -> int:
    hour, day = (statistics.mean(map(len, bodies)) for bodies in (hour_bodies, day_bodies))
    table = Table("Rollups: one streamed chat a minute, eight figures each")
    table.add("an hour, 60 runs", hour, "bytes")
    table.add("a day, 1,440 runs", day, "bytes")
    table.add(
        "a year of days and 90 days of hours",
        (hour * 24 * 90 + day * 365) / 1000,
        "KB",
        at_most=300,
    )
    table.add(
        "a year of days and of hours (the default)", (hour * 24 * 365 + day * 365) / 1000, "KB"
    )
    for q in (0.5, 0.95, 0.99):
        table.add(f"error of p{q * 100:.0f} over a month", error(q), "%", at_most=1)
    return table.print()


def error(q: float) -> float:
    """Of time to first token over 30 days of 1,440 runs, the largest of ten tries."""
    worst = 0.0
    for seed in range(10):
        rng = random.Random(seed)
        values = sorted(rng.lognormvariate(6, 0.7) for _ in range(30 * 48))
        exact = values[max(0, -(-int(q * len(values) * 1000) // 1000) - 1)]
        rollups = [Rollup(figures={"ttft": histogram(values[day::30])}) for day in range(30)]
        found = merge(rollups).quantile("ttft", q)
        assert found is not None
        worst = max(worst, abs(found / exact - 1) * 100)
    return worst


def histogram(values: list[float]) -> dict[int, int]:
    from collections import Counter

    from monitor.model.rollup import bucket

    return Counter(map(bucket, values))


def fill(path: Path, checks: int, hour_bodies: list[bytes], day_bodies: list[bytes]) -> None:
    """90 days, the last of them with its hours, and half an hour that is not rolled up yet."""
    engine, names, now = writing(path), Names(), hours(NOON)
    with engine.begin() as connection:
        migrations.create(connection)
        connection.execute(
            insert(CHECKS),
            [{"number": n + 1, "key": f"a/e{n}/chat", "vantage": "local", "kind": "chat", "last": 0}
             for n in range(checks)],
        )  # fmt: skip
        for table, first, last, bodies in (
            (DAYS, now // 24 - 89, now // 24, day_bodies),
            (HOURS, now - 25, now - 1, hour_bodies),
        ):
            for period in range(first, last + 1):
                rows = [
                    {"key": period << NUMBER_BITS | n + 1, "body": bodies[(n + period) % MADE]}
                    for n in range(checks)
                ]
                connection.execute(insert(table), rows)
        set_meta(connection, fold.ROLLED, str(now))
        rng = random.Random(3)
        given = [
            Entry(result=plausible(rng, NOON + timedelta(minutes=m), f"a/e{n}/chat"), kind="chat")
            for m in range(30)
            for n in range(checks)
        ]
        write(connection, names, gather(given), NOON, vantage="local")
    engine.dispose()


def windows(url: str, checks: int) -> int:
    """What one page needs: a snapshot, and for each check three percentiles in four windows."""
    now = NOON + timedelta(minutes=30)
    table = Table(f"The page's data: {checks:,} checks x 90 days")
    before = rss_mb()
    reader = Reader(url)

    def page(figures: bool) -> None:
        seen = reader.snapshot(now)
        for history in seen.checks.values():
            for window in (history.last_24h, *(history.windows[days] for days in WINDOWS)):
                assert window.availability
                for q in (0.5, 0.95, 0.99) if figures else ():
                    window.quantile("ttft", q)

    table.add(
        "cold: snapshot and its percentiles",
        timed(lambda: page(True)) * 1000,
        "ms of CPU",
        at_most=1200,
    )
    table.add("warm: nothing new", timed(lambda: page(True)) * 1000, "ms of CPU", at_most=30)
    add_some(url, checks)
    table.add(
        "warm: a sixth of the checks ran", timed(lambda: page(True)) * 1000, "ms of CPU", at_most=30
    )
    table.add("memory that a reader keeps", rss_mb() - before, "MB")
    for days in (7, 30, 365):
        since = now - timedelta(days=days)
        table.add(
            f"one check, {days} days: from its days, three percentiles",
            timed(lambda since=since: ask(reader, since)) * 1000,
            "ms of CPU",
        )
    reader.close()
    return table.print()


def ask(reader: Reader, since: object) -> None:
    from monitor.model import Resolution

    found = merge(p.rollup for p in reader.rollups("a/e7/chat", Resolution.DAY, since=since))  # type: ignore[arg-type]
    for q in (0.5, 0.95, 0.99):
        found.quantile("ttft", q)


def add_some(url: str, checks: int) -> None:
    engine, rng = writing(Path(url.removeprefix("sqlite:///"))), random.Random(4)
    at = NOON + timedelta(minutes=29.9)
    given = [
        Entry(result=plausible(rng, at, f"a/e{n}/chat"), kind="chat") for n in range(checks // 6)
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
