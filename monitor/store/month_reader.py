"""Reads what the store has of one month: its UTC days, incidents and the ledger."""

from collections import defaultdict
from datetime import UTC, date, datetime
from operator import itemgetter

from monitor.model import Month, MonthCounts, MonthRecord, Resolution
from monitor.model.month import REPORTED_TIMINGS
from monitor.store import small_tables
from monitor.store.histogram import Sum
from monitor.store.reader import Reader
from monitor.store.retention import LEDGER_KEPT


def read_month(reader: Reader, month: Month, now: datetime) -> MonthRecord:
    """Read a month. `reader` answers for every vantage. Raises StoreError where it cannot be read."""
    sums: dict[tuple[str, str], Sum] = defaultdict(Sum)
    measured: dict[tuple[str, str], set[date]] = defaultdict(set)
    for at, key, total in reader.each_sum(Resolution.DAY, since=month.begin, until=month.end):
        sums[key].add(total, REPORTED_TIMINGS)
        if total.counted:
            measured[key].add(at.date())
    first, last = month.days
    is_kept = first >= (now - LEDGER_KEPT).astimezone(UTC).date()
    return MonthRecord(
        counts=tuple(
            MonthCounts(
                check=key[0], vantage=key[1], rollup=total.rollup, measured=frozenset(measured[key])
            )
            for key, total in sorted(sums.items(), key=itemgetter(0))
        ),
        incidents=reader.incidents(since=month.begin, until=month.end),
        spent=reader.ask(lambda connection: small_tables.spent_between(connection, first, last))
        if is_kept
        else None,
        measured_since=reader.measured_since(),
        seen_until=reader.last_seen(),
        imported_until=reader.ask(
            lambda connection: small_tables.imported_until(connection, reader.vantage)
        ),
    )
