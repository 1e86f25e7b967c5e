"""Forgetting, a little at a time: each step is one short transaction.

What is too old goes by its kind; where the store has a size, the oldest runs go before it is full,
then the oldest hours. Counts by day, incidents and what is believed now stay.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, delete, func, select

from monitor.model import HistorySettings
from monitor.store import quarters, upkeep
from monitor.store.batch import FLOOR
from monitor.store.fold import ROLLED
from monitor.store.meta import number_of, set_meta
from monitor.store.pages import file_limit, sizes
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
from monitor.store.times import from_millis, hour_of_key, hours, key_from, key_of_hour, micros

STEP = 2000
ROOM = 0.9
"""A store with a limit keeps below this share of it."""
_OUTBOX_KEPT = timedelta(days=30)
_LEDGER_KEPT = timedelta(days=400)


def prune_step(connection: Connection, now: datetime, history: HistorySettings) -> bool:
    """True while there is more to do."""
    more = False
    if history.raw is not None:
        more |= _cut_results(connection, key_from(now - history.raw))
    if history.evidence is not None:
        more |= _cut(connection, EVIDENCE, key_from(now - history.evidence))
    if history.hours is not None:
        more |= _cut_hours(connection, hours(now - history.hours) << NUMBER_BITS)
    if history.days is not None:
        first = hours(now - history.days) // 24
        upkeep.cut(connection, first)
        more |= _cut(connection, DAYS, first << NUMBER_BITS)
    _prune_small(connection, now)
    if not more:
        _prune_texts(connection)
        more = limit_step(connection, history.max_size)
    return more


def limit_step(connection: Connection, max_size: int | None, room: float = ROOM) -> bool:
    """Make room where the store comes near its size. True if something went."""
    if max_size is None or sizes(connection).used <= room * file_limit(max_size):
        return False
    edge = _edge(connection, RESULTS, _rolled_key(connection))
    if edge is not None:
        _cut(connection, EVIDENCE, edge)
        _cut_results(connection, edge)
        return True
    edge = _edge(connection, HOURS, _settled_hours(connection))
    if edge is not None:
        _cut_hours(connection, edge)
    return edge is not None


def _edge(connection: Connection, table: Table, end: int) -> int | None:
    """The first key that stays when the oldest `STEP` rows before `end` go; None where none may."""
    old = select(table.c.key).where(table.c.key < end).order_by(table.c.key).limit(STEP)
    keys = connection.execute(old).scalars().all()
    return keys[-1] + 1 if keys else None


def _rolled_key(connection: Connection) -> int:
    return key_of_hour(number_of(connection, ROLLED) or 0)


def _cut_results(connection: Connection, cutoff: int) -> bool:
    """Never what is not in a rollup yet; and no hour of which a part is gone is made again."""
    cutoff = min(cutoff, _rolled_key(connection))
    newest = _newest(connection, RESULTS, cutoff)
    if newest is not None:
        _raise_floor(connection, hour_of_key(newest) + 1)
    return _cut(connection, RESULTS, cutoff)


def _cut_hours(connection: Connection, cutoff: int) -> bool:
    """Nor a day."""
    cutoff = min(cutoff, _settled_hours(connection))
    newest = _newest(connection, HOURS, cutoff)
    if newest is not None:
        _raise_floor(connection, ((newest >> NUMBER_BITS) // 24 + 1) * 24)
        quarters.cut(connection, ((cutoff - 1) >> NUMBER_BITS) + 1)
    return _cut(connection, HOURS, cutoff)


def _newest(connection: Connection, table: Table, cutoff: int) -> int | None:
    """That goes: while the clock was far ahead all went, but what comes when it is set right is new."""
    return connection.execute(select(func.max(table.c.key)).where(table.c.key < cutoff)).scalar()


def _settled_hours(connection: Connection) -> int:
    """Hours before it belong to days that are over, and so rolled up for good."""
    return (number_of(connection, ROLLED) or 0) // 24 * 24 << NUMBER_BITS


def _raise_floor(connection: Connection, hour: int) -> None:
    """Results that come late for a time before it are kept, but make no rollup anew."""
    floor = key_of_hour(hour)
    if floor > (number_of(connection, FLOOR) or 0):
        set_meta(connection, FLOOR, str(floor))


def _cut(connection: Connection, table: Table, cutoff: int) -> bool:
    """Delete the oldest rows before `cutoff`, at most `STEP` of them."""
    old = select(table.c.key).where(table.c.key < cutoff).order_by(table.c.key)
    edge = connection.execute(old.offset(STEP).limit(1)).scalar()
    connection.execute(delete(table).where(table.c.key < (cutoff if edge is None else edge)))
    return edge is not None


def _prune_texts(connection: Connection) -> None:
    """Those that no result uses that is still there."""
    oldest = connection.execute(select(func.min(RESULTS.c.key))).scalar()
    if oldest is not None:
        day = from_millis(oldest >> NUMBER_BITS).date().toordinal() - 1
        connection.execute(delete(TEXTS).where(TEXTS.c.used < day))


def _prune_small(connection: Connection, now: datetime) -> None:
    connection.execute(delete(OUTBOX).where(OUTBOX.c.done < micros(now - _OUTBOX_KEPT)))
    connection.execute(delete(LEDGER).where(LEDGER.c.day < (now - _LEDGER_KEPT).date().toordinal()))
