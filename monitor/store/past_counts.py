"""Adds what another program has counted, hours and days without runs, to the rollups of a check."""

from collections.abc import Iterable

from sqlalchemy import Connection, Table

from monitor.model import PastCounts, Resolution
from monitor.store.histogram import COUNT_NAMES, Sum
from monitor.store.rollup_job import HOURS_FROM, add_sums
from monitor.store.run_rows import DAY_MS, HOUR_MS, KnownId, millis
from monitor.store.schema import DAYS, HOURS, mark


def add_past_counts(connection: Connection, check: KnownId, counts: Iterable[PastCounts]) -> None:
    """Add the counts of hours to hours and days, those of days to days alone. They have no times.

    None of their runs may be stored.
    """
    hours_from = mark(connection, HOURS_FROM) or 0
    sums: dict[Table, dict[tuple[int, int], Sum]] = {HOURS: {}, DAYS: {}}
    for counted in counts:
        places = [(DAYS, millis(counted.at) // DAY_MS)]
        hour = millis(counted.at) // HOUR_MS
        if counted.resolution is Resolution.HOUR and hour >= hours_from:
            places.append((HOURS, hour))
        for table, period in places:
            sums[table].setdefault((period, check.id), Sum()).add(_sum(counted))
    for table, some in sums.items():
        add_sums(connection, table, some)


def _sum(counted: PastCounts) -> Sum:
    named = {"up": counted.up, "down": counted.down, "maintenance": counted.maintenance}
    return Sum([named.get(name, 0) for name in COUNT_NAMES])
