"""Results become hours, hours become days.

Every result before the mark `rolled` (unix hours, in `meta`) is in the rollups; every later one is
only in the results, and whoever reads adds those up. So a result and its share of every figure are
committed by the same insert, nothing half-counted can survive a crash, and the hot path pays for no
histogram. A result that comes late for an hour that is already rolled makes that hour anew, in the
same transaction.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, Table, bindparam, select, update

from monitor.store.meta import number_of, set_meta
from monitor.store.names import Names
from monitor.store.runs import rows_between
from monitor.store.sql import upsert
from monitor.store.tables import CHECKS, DAYS, HOURS, NUMBER_BITS, NUMBER_MASK
from monitor.store.tally import Tally, from_bytes, to_bytes
from monitor.store.times import hour_of_key, key_of_hour
from monitor.store.varint import unpack

ROLLED, REMADE = "rolled", "remade"
Tallies = dict[int, Tally]


def roll_next(connection: Connection, names: Names, before: int) -> bool:
    """Roll up the oldest hour that is not, if it lies before unix hour `before`."""
    hour = number_of(connection, ROLLED)
    if hour is None:
        return False
    first = next(rows_between(connection, key_of_hour(hour), None), None)
    found = before if first is None else min(hour_of_key(first[0]), before)
    if hour >= before:
        return False
    if found < before:
        _write_hour(connection, names, found, None)
        _add_to_day(connection, found)
    set_meta(connection, ROLLED, str(min(found + 1, before)))
    return True


def remake(connection: Connection, names: Names, keys: Iterable[int]) -> None:
    """Roll the hours of these late results again, and their days."""
    late: dict[int, set[int]] = {}
    for key in keys:
        late.setdefault(hour_of_key(key), set()).add(key & NUMBER_MASK)
    days: dict[int, set[int]] = {}
    for hour, numbers in late.items():
        _write_hour(connection, names, hour, numbers)
        days.setdefault(hour // 24, set()).update(numbers)
    for day, numbers in days.items():
        _remake_day(connection, day, numbers)


def _write_hour(connection: Connection, names: Names, hour: int, only: set[int] | None) -> None:
    tallies: Tallies = {}
    last: dict[int, int] = {}
    for key, body in rows_between(connection, key_of_hour(hour), key_of_hour(hour + 1)):
        number = key & NUMBER_MASK
        if only is None or number in only:
            numbers = unpack(body)
            tally = tallies.get(number) or tallies.setdefault(number, Tally())
            tally.add_row(names.shape(connection, numbers[0]), numbers)
            last[number] = key
    _write(connection, HOURS, hour, tallies)
    if last:
        given = [{"of": number, "seen": key} for number, key in last.items()]
        connection.execute(_SEEN, given)


_SEEN = (
    update(CHECKS)
    .where(CHECKS.c.number == bindparam("of"), CHECKS.c.last < bindparam("seen"))
    .values(last=bindparam("seen"))
)


def _add_to_day(connection: Connection, hour: int) -> None:
    day = hour // 24
    tallies: Tallies = {}
    for table, period in ((HOURS, hour), (DAYS, day)):
        _gather(connection, table, (period, period + 1), tallies, None)
    _write(connection, DAYS, day, tallies)


def _remake_day(connection: Connection, day: int, numbers: set[int]) -> None:
    tallies: Tallies = {}
    _gather(connection, HOURS, (day * 24, day * 24 + 24), tallies, numbers)
    _write(connection, DAYS, day, tallies)


def _gather(
    connection: Connection,
    table: Table,
    periods: tuple[int, int],
    tallies: Tallies,
    only: set[int] | None,
) -> None:
    for key, body in connection.execute(
        select(table.c.key, table.c.body).where(
            table.c.key >= periods[0] << NUMBER_BITS, table.c.key < periods[1] << NUMBER_BITS
        )
    ):
        number = key & NUMBER_MASK
        if only is None or number in only:
            tallies.setdefault(number, Tally()).add(from_bytes(body))


def _write(connection: Connection, table: Table, period: int, tallies: Tallies) -> None:
    rows = [
        {"key": period << NUMBER_BITS | number, "body": to_bytes(tally.rollup())}
        for number, tally in sorted(tallies.items())
    ]
    upsert(connection, table, rows)
