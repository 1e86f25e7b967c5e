"""Runs and what they left lie in a partition a day, which retention drops whole; others in one for all the rest.

Partitions are made days ahead. What belongs to a day that has none (history of other programs, a clock that was
set wrongly, results of a week in which the daemon did not run) goes to the rest, stays there, and is deleted row by row.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Column, Connection, Table, text

from monitor.store.retention import RowSteps
from monitor.store.run_rows import DAY_MS
from monitor.store.schema import EVIDENCE, RUNS

PARTED = (RUNS, EVIDENCE)
AHEAD = 3
_REST = "rest"
_EPOCH = date(1970, 1, 1)
_DROPPED_AT_ONCE = 20


def create_rest(connection: Connection) -> None:
    for table in PARTED:
        connection.exec_driver_sql(
            f"CREATE TABLE {table.name}_{_REST} PARTITION OF {table.name} DEFAULT"
        )


def make_days(connection: Connection, days: Iterable[int]) -> None:
    """Make the partitions of these days (since 1970), as far as they are not there and the rest has none of their rows.

    A table is attached when it is made, which keeps no reader waiting; one made in its place would. Rows are not moved
    to it: who reads meanwhile sees them as they were, but partitions as they are, and would miss those that were moved.
    """
    days = sorted(set(days))
    for table in PARTED:
        there = dict(_partitions(connection, table))
        for day in days:
            if day not in there and not _is_in_rest(connection, table, day):
                _make(connection, table, day)


def _is_in_rest(connection: Connection, table: Table, day: int) -> bool:
    begin, end = day * DAY_MS, (day + 1) * DAY_MS
    found = f"SELECT EXISTS (SELECT FROM {table.name}_{_REST} WHERE at >= {begin} AND at < {end})"  # noqa: S608  # our own names
    return bool(connection.exec_driver_sql(found).scalar_one())


def _make(connection: Connection, table: Table, day: int) -> None:
    name, parent, begin, end = _name(table, day), table.name, day * DAY_MS, (day + 1) * DAY_MS
    connection.exec_driver_sql(
        f"CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
    )
    connection.exec_driver_sql(
        f"ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})"
    )


def _name(table: Table, day: int) -> str:
    return f"{table.name}_{_EPOCH + timedelta(days=day):%Y%m%d}"


def _partitions(connection: Connection, table: Table) -> Iterator[tuple[int, str]]:
    """Yield day and name of each partition of a day."""
    query = "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = CAST(:parent AS regclass)"
    for (name,) in connection.execute(text(query), {"parent": table.name}).all():
        stamp = name.removeprefix(f"{table.name}_")
        if stamp.isdigit():
            at = datetime.strptime(stamp, "%Y%m%d").replace(tzinfo=UTC)
            yield (at.date() - _EPOCH).days, name


class PartitionedRows:
    """Drops the days of runs and evidence, and deletes other rows step by step; see `Rows`."""

    def __init__(self) -> None:
        self._steps = RowSteps()

    def whole(self, column: Column[int], cutoff: int) -> int:
        return cutoff // DAY_MS * DAY_MS if column.table in PARTED else cutoff

    def end(self, connection: Connection, column: Column[int], cutoff: int) -> int | None:
        """Return the end of the oldest day that may go. Deleted rows give no space back, so they are no step."""
        table = column.table
        if table not in PARTED:
            return None
        ends = ((day + 1) * DAY_MS for day, _ in _partitions(connection, table))
        end = min(ends, default=None)
        return end if end is not None and end <= cutoff else None

    def cut(self, connection: Connection, column: Column[int], cutoff: int) -> bool:
        cutoff, table = self.whole(column, cutoff), column.table
        if table not in PARTED:
            return self._steps.cut(connection, column, cutoff)
        old = sorted(
            (day, name)
            for day, name in _partitions(connection, table)
            if (day + 1) * DAY_MS <= cutoff
        )
        for _, name in old[:_DROPPED_AT_ONCE]:
            connection.exec_driver_sql(f"DROP TABLE {name}")
        more = self._steps.cut(connection, column, cutoff)
        return more or len(old) > _DROPPED_AT_ONCE
