"""Fills a store with 90 days, the last one with its hours and runs, in seconds: SQLite multiplies what is made up."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from harness import MINUTE, plausible
from sqlalchemy import Connection, Table, func, select

from monitor.model import RunRecord
from monitor.store import rollup_job
from monitor.store.histogram import Sum
from monitor.store.run_rows import HOUR_MS, Ids, counted_row, millis
from monitor.store.schema import CHECKS, DAYS, HOURS, RUNS
from monitor.store.sqlite import file_tables
from monitor.store.sqlite.connections import writing
from monitor.store.transaction import WriteSet, write

HOUR_RUNS = 60
MADE = 12
"""So many different runs, hours and days are made up, and given to the checks in turn."""
DAYS_KEPT, HOURS_KEPT = 90, 25


def hour_of(rng: random.Random, at: datetime, runs: int) -> Sum:
    results = (plausible(rng, at, "a/b/chat") for _ in range(runs))
    return Sum.of_rows([counted_row(RunRecord(result=result, kind="chat")) for result in results])


def day_of(rng: random.Random, at: datetime, runs: int) -> Sum:
    total = Sum()
    for _ in range(24):
        total.add(hour_of(rng, at, runs))
    return total


def fill(
    path: Path, keys: Sequence[str], now: datetime, kind: str = "chat", every: timedelta = MINUTE
) -> tuple[float, float]:
    """Give each check 90 days of runs up to `now`; what began in this hour is not rolled up yet.

    Return the bytes that an hour and a day of a check take.
    """
    engine, rng, sizes = writing(path), random.Random(1), []
    hour = millis(now) // HOUR_MS
    with engine.begin() as connection:
        file_tables.create(connection)
        first = [
            RunRecord(result=replace(plausible(rng, now, key), at=now), kind=kind) for key in keys
        ]
        write(connection, Ids(), WriteSet.of(first), now, vantage="local")
        connection.exec_driver_sql("DELETE FROM runs WHERE check_id > ?", (MADE,))
        connection.exec_driver_sql("UPDATE runs SET at = -check_id")
    for table, make, last, count in (
        (DAYS, day_of, hour // 24, DAYS_KEPT),
        (HOURS, hour_of, hour - 1, HOURS_KEPT),
    ):
        engine.dispose()
        before = path.stat().st_size
        with engine.begin() as connection:
            sums = {(-each - 1, 1): make(rng, now, HOUR_RUNS) for each in range(MADE)}
            rollup_job.write(connection, table, sums)
            for period in range(last - count + 1, last + 1):
                _multiply(connection, table, str(period), f"-1 - (checks.id + {period}) % {MADE}")
            connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE period < 0")  # our own name
        engine.dispose()  # which carries the journal into the file
        sizes.append((path.stat().st_size - before) / len(keys) / count)
    end, step = millis(now), every // timedelta(milliseconds=1)
    (index,) = RUNS.indexes
    with engine.begin() as connection:
        index.drop(connection)
        made = connection.execute(select(func.count()).select_from(RUNS)).scalar_one()
        for begin in range(end - 24 * HOUR_MS, end - step, step):
            spread = f"{begin} + checks.id * {step} / {len(keys) + 1}"
            _multiply(connection, RUNS, spread, f"-1 - (checks.id + {begin // step}) % {made}")
        connection.exec_driver_sql("DELETE FROM runs WHERE at < 0")
        index.create(connection)
    engine.dispose()
    return sizes[1], sizes[0]


def _multiply(connection: Connection, table: Table, key: str, template: str) -> None:
    """Give each check a row: that of the `template`, which is a key below 0."""
    name, *others = table.columns.keys()
    values = ", ".join(f"made.{other}" for other in others if other != "check_id")
    columns = ", ".join((name, "check_id", *(other for other in others if other != "check_id")))
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({columns}) SELECT {key}, checks.id, {values}"  # our own names
        f" FROM {CHECKS.name} JOIN {table.name} made ON made.{name} = {template} ORDER BY checks.id"
    )
