"""Forgetting, a little at a time: each step is one short transaction.

What is too old goes by its kind; where the store has a size, the oldest runs go before it is full, then
the oldest hours. Counts by day, incidents and what is believed now stay.
"""

from datetime import datetime, timedelta

from sqlalchemy import Column, Connection, Table, delete, func, select
from sqlmodel import col

from monitor.model import HistorySettings
from monitor.store.database import Rows
from monitor.store.rollup_job import HOURS_FROM, RUNS_FROM
from monitor.store.run_rows import DAY_MS, HOUR_MS, millis
from monitor.store.schema import (
    CHECKS,
    DAYS,
    EVIDENCE,
    HOURS,
    RUNS,
    WORDS,
    LedgerRow,
    OutboxRow,
    mark,
    set_value,
)

STEP = 2000
"""Rows of one step."""
ROOM = 0.9
"""A store with a limit keeps below this share of it."""
_OUTBOX_KEPT, LEDGER_KEPT = timedelta(days=30), timedelta(days=400)


class RowSteps:
    """Deletes row by row, about `STEP` of them at once; see `Rows`."""

    def whole(self, column: Column[int], cutoff: int) -> int:  # noqa: ARG002  # a row is a unit
        return cutoff

    def end(self, connection: Connection, column: Column[int], cutoff: int) -> int | None:
        oldest = select(column).where(column < cutoff).order_by(column).limit(STEP).subquery()
        newest = connection.execute(select(func.max(oldest.c[0]))).scalar()
        return None if newest is None else int(newest) + 1

    def cut(self, connection: Connection, column: Column[int], cutoff: int) -> bool:
        end = self.end(connection, column, cutoff)
        if end is None:
            return False
        table = column.table
        assert isinstance(table, Table)
        deleted = connection.execute(delete(table).where(column < end)).rowcount
        return deleted >= STEP


def prune_step(connection: Connection, now: datetime, history: HistorySettings, rows: Rows) -> bool:
    """Forget some of what is too old. True while there is more."""
    more = False
    if history.raw is not None:
        more |= _cut_runs(connection, millis(now - history.raw), rows)
    if history.evidence is not None:
        more |= rows.cut(connection, EVIDENCE.c.at, millis(now - history.evidence))
    if history.hours is not None:
        more |= _cut_hours(connection, millis(now - history.hours) // HOUR_MS, rows)
    if history.days is not None:
        more |= rows.cut(connection, DAYS.c.period, millis(now - history.days) // DAY_MS)
    connection.execute(delete(OutboxRow).where(col(OutboxRow.done) < now - _OUTBOX_KEPT))
    first = (now - LEDGER_KEPT).date().isoformat()
    connection.execute(delete(LedgerRow).where(col(LedgerRow.day) < first))
    if not more:
        _prune_words(connection)
    return more


def drop_oldest(connection: Connection, rows: Rows) -> bool:
    """Forget the oldest runs and their evidence, or where none may go, the oldest hours. True if any went."""
    end = rows.end(connection, RUNS.c.at, _rolled(connection))
    if end is not None:
        rows.cut(connection, EVIDENCE.c.at, end)
        _cut_runs(connection, end, rows)
        return True
    end = rows.end(connection, HOURS.c.period, _rolled(connection) // HOUR_MS)
    if end is not None:
        _cut_hours(connection, end, rows)
    return end is not None


def _rolled(connection: Connection) -> int:
    """Return the unix millisecond before which every run is in the rollups."""
    return connection.execute(select(func.min(CHECKS.c.rolled_until))).scalar() or 0


def _cut_runs(connection: Connection, cutoff: int, rows: Rows) -> bool:
    """Forget runs, but never those that are not in a rollup yet."""
    cutoff = rows.whole(RUNS.c.at, min(cutoff, _rolled(connection)))
    newest = connection.execute(select(func.max(RUNS.c.at)).where(RUNS.c.at < cutoff)).scalar()
    if newest is not None:
        _raise(connection, RUNS_FROM, newest // HOUR_MS + 1)
    return rows.cut(connection, RUNS.c.at, cutoff)


def _cut_hours(connection: Connection, cutoff: int, rows: Rows) -> bool:
    cutoff = min(cutoff, _rolled(connection) // HOUR_MS)
    period = HOURS.c.period
    newest = connection.execute(select(func.max(period)).where(period < cutoff)).scalar()
    if newest is not None:
        _raise(connection, HOURS_FROM, newest + 1)
    return rows.cut(connection, period, cutoff)


def _raise(connection: Connection, name: str, hour: int) -> None:
    if hour > (mark(connection, name) or 0):
        set_value(connection, name, str(hour))


def _prune_words(connection: Connection) -> None:
    """Forget the words that no run needs that is still there."""
    oldest = connection.execute(select(func.min(RUNS.c.at))).scalar()
    if oldest is not None:
        connection.execute(delete(WORDS).where(WORDS.c.used < oldest // DAY_MS - 1))
