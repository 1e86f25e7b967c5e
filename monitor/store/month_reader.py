"""Reads what the store has of one month: hours at its edges, days between them, incidents and the ledger."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from operator import itemgetter

from sqlalchemy import Connection

from monitor.model import Month, MonthCounts, MonthRecord, Resolution, Span
from monitor.store import schema, small_tables
from monitor.store.histogram import Sum
from monitor.store.reader import Reader
from monitor.store.retention import LEDGER_KEPT
from monitor.store.rollup_job import HOURS_FROM, RUNS_FROM
from monitor.store.run_rows import EPOCH

FIGURES = ("ttft", "total")
_DAY = timedelta(days=1)


def read_month(reader: Reader, month: Month, now: datetime) -> MonthRecord:
    """Read a month. `reader` answers for every vantage. Raises StoreError where it cannot be read."""
    counted = month.counted(reader.ask(_hours_since))
    sums: dict[tuple[str, str], Sum] = defaultdict(Sum)
    measured: dict[tuple[str, str], list[Span]] = defaultdict(list)
    for resolution, at, key, total in _sums(reader, counted):
        sums[key].add(total, FIGURES)
        if total.counted:
            measured[key].append((at, resolution.end(at)))
    first, last = month.days
    is_kept = first >= (now - LEDGER_KEPT).astimezone(UTC).date()
    return MonthRecord(
        counted=counted,
        counts=tuple(
            MonthCounts(
                check=key[0], vantage=key[1], rollup=total.rollup, measured=tuple(measured[key])
            )
            for key, total in sorted(sums.items(), key=itemgetter(0))
        ),
        incidents=reader.incidents(since=month.begin, until=month.end),
        spent=reader.ask(lambda connection: small_tables.spent_between(connection, first, last))
        if is_kept
        else None,
        measured_since=reader.measured_since(),
        seen_until=reader.last_seen(),
    )


def _hours_since(connection: Connection) -> datetime:
    """Return from when on every hour is kept, or all of its runs are."""
    first = min(schema.mark(connection, name) or 0 for name in (HOURS_FROM, RUNS_FROM))
    return EPOCH + timedelta(hours=first)


def _sums(
    reader: Reader, counted: Span
) -> Iterator[tuple[Resolution, datetime, tuple[str, str], Sum]]:
    begin, end = counted
    midnights = (_midnight(begin + _DAY - timedelta(microseconds=1)), _midnight(end))
    for resolution, since, until in (
        (Resolution.HOUR, begin, midnights[0]),
        (Resolution.DAY, *midnights),
        (Resolution.HOUR, midnights[1], end),
    ):
        if since < until:
            for at, key, total in reader.each_sum(resolution, since=since, until=until):
                yield resolution, at, key, total


def _midnight(at: datetime) -> datetime:
    return Resolution.DAY.begin(at)
