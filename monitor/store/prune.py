"""Forgetting, a little at a time: each step is one short transaction."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, delete, select

from monitor.model import HistorySettings
from monitor.store.batch import FLOOR
from monitor.store.fold import ROLLED
from monitor.store.meta import number_of, set_meta
from monitor.store.tables import (
    DAYS,
    EVIDENCE,
    HOURS,
    LEDGER,
    NUMBER_BITS,
    OUTBOX,
    RESULTS,
    TEXTS,
)
from monitor.store.times import from_millis, hours, key_from, key_of_hour, micros

STEP = 2000
_OUTBOX_KEPT = timedelta(days=30)
_LEDGER_KEPT = timedelta(days=400)


def prune_step(connection: Connection, now: datetime, history: HistorySettings) -> bool:
    """True while there is more to do."""
    more = False
    if history.raw is not None:
        more |= _prune_results(connection, now - history.raw)
    for table, kept, unit in ((HOURS, history.hours, 1), (DAYS, history.days, 24)):
        if kept is not None:
            more |= _cut(connection, table, hours(now - kept) // unit << NUMBER_BITS)
    _prune_small(connection, now)
    return more


def _prune_results(connection: Connection, before: datetime) -> bool:
    """Never what is not in a rollup yet."""
    cutoff = min(key_from(before), key_of_hour(number_of(connection, ROLLED) or 0))
    if cutoff > (number_of(connection, FLOOR) or 0):
        set_meta(connection, FLOOR, str(cutoff))
    more = _cut(connection, RESULTS, cutoff)
    more |= _cut(connection, EVIDENCE, cutoff)
    if not more:
        day = from_millis(cutoff >> NUMBER_BITS).date().toordinal() - 1
        connection.execute(delete(TEXTS).where(TEXTS.c.used < day))
    return more


def _cut(connection: Connection, table: Table, cutoff: int) -> bool:
    """Delete the oldest rows before `cutoff`, at most `STEP` of them."""
    old = select(table.c.key).where(table.c.key < cutoff).order_by(table.c.key)
    edge = connection.execute(old.offset(STEP).limit(1)).scalar()
    connection.execute(delete(table).where(table.c.key < (cutoff if edge is None else edge)))
    return edge is not None


def _prune_small(connection: Connection, now: datetime) -> None:
    connection.execute(delete(OUTBOX).where(OUTBOX.c.done < micros(now - _OUTBOX_KEPT)))
    connection.execute(delete(LEDGER).where(LEDGER.c.day < (now - _LEDGER_KEPT).date().toordinal()))
