"""Bytes and CPU of a stored result, rollups included.

python tests/bench/storage.py [RESULTS]
"""

import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from harness import NOON, Table, cost, entries
from sqlalchemy import Engine

from monitor.store import rollup_job
from monitor.store.run_rows import HOUR_MS, Ids, millis
from monitor.store.sqlite import file_tables
from monitor.store.sqlite.connections import writing
from monitor.store.transaction import WriteSet, write

CHECKS, ROUNDS = 1000, 5
TARGETS = {17: 40.0, 167: 20.0}
"""Microseconds of CPU per result, by results in a commit: a commit a second at 1,000 and 10,000
checks a minute."""


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    table = Table(f"Storage: {count:,} streamed results with every figure, {CHECKS:,} checks")
    stored: list[float] = []
    rounds: dict[int, list[tuple[float, float]]] = {batch: [] for batch in TARGETS}
    for _ in range(ROUNDS):
        for batch, costs in rounds.items():
            with tempfile.TemporaryDirectory() as folder:
                size, *cost_us = measure(Path(folder) / "m.db", count, batch)
            stored.append(size)
            costs.append((cost_us[0], cost_us[1]))
    for batch, target in TARGETS.items():
        writes, rolls = zip(*rounds[batch], strict=True)
        both = list(map(sum, rounds[batch]))
        table.add(f"CPU, {batch} results a commit: writing", writes, "us")
        table.add(f"CPU, {batch} results a commit: hour and day rollups", rolls, "us")
        table.add(f"CPU, {batch} results a commit: both", both, "us", at_most=target)
    table.add("bytes on disk, index included, before rollups", stored, at_most=110)
    return table.print()


def measure(path: Path, count: int, batch: int) -> tuple[float, float, float]:
    """Bytes, then microseconds of CPU of writing and rolling up, each per result."""
    engine, ids = writing(path), Ids()
    warm = entries(1, CHECKS * 4, CHECKS, NOON - timedelta(hours=1))
    given = entries(2, count, CHECKS)
    with engine.begin() as connection:
        file_tables.create(connection)
        write(connection, ids, WriteSet.of(warm), NOON - timedelta(hours=1), vantage="local")
    roll(engine, millis(NOON))
    ids.forget()
    engine.dispose()
    before = path.stat().st_size
    with cost() as writing_cost:
        for start in range(0, count, batch):
            some = WriteSet.of(given[start : start + batch])
            with engine.begin() as connection:
                write(connection, ids, some, NOON, vantage="local")
    engine.dispose()
    stored = (path.stat().st_size - before) / count
    with cost() as rolling_cost:
        roll(engine, millis(given[-1].result.at) + HOUR_MS)
    engine.dispose()
    scale = 1e6 / count
    return stored, writing_cost.cpu * scale, rolling_cost.cpu * scale


def roll(engine: Engine, before: int) -> None:
    """Runs that began before this unix ms."""
    more = True
    while more:
        with engine.begin() as connection:
            more = rollup_job.roll_next(connection, before // HOUR_MS * HOUR_MS)


if __name__ == "__main__":
    sys.exit(bool(main()))
