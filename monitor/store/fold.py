"""Results become hours, hours become days when the day is over.

Every result before the mark `rolled` (unix hours, in `meta`) is in the hours, and those of days that
ended before it are in the days; every later one is only in the results, and whoever reads adds up. So a result and its share of every figure are
committed by the same insert, nothing half-counted can survive a crash, and the hot path pays for no
histogram. A result that comes late for an hour that is already rolled makes that hour anew, in the
same transaction.
"""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, Table, bindparam, select, update

from monitor.store.meta import number_of, set_meta
from monitor.store.names import Names
from monitor.store.runs import rows_between
from monitor.store.sql import upsert
from monitor.store.tables import CHECKS, DAYS, HOURS, NUMBER_BITS, NUMBER_MASK
from monitor.store.tally import HALVES, Row, Tally
from monitor.store.times import half_of_key, hour_of_key, key_of_hour

ROLLED = "rolled"
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
    reached = min(found + 1, before)
    if reached // 24 > hour // 24:  # nothing lies between the two but what is written now
        for day in {hour // 24, found // 24} - {reached // 24}:
            _write_day(connection, day, None)
    set_meta(connection, ROLLED, str(reached))
    names.forget_marks()
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
    over = (number_of(connection, ROLLED) or 0) // 24
    for day, numbers in days.items():
        if day < over:
            _write_day(connection, day, numbers)


def _write_hour(connection: Connection, names: Names, hour: int, only: set[int] | None) -> None:
    rows: dict[int, list[Row]] = defaultdict(list)
    last: dict[int, int] = {}
    for key, body in rows_between(connection, key_of_hour(hour), key_of_hour(hour + 1)):
        number = key & NUMBER_MASK
        if only is None or number in only:
            shape = names.shape_of(connection, body)
            rows[number].append((shape, half_of_key(key) % HALVES, body))
            last[number] = key
    tallies: Tallies = defaultdict(Tally)
    for number, found in rows.items():
        tallies[number].add_rows(found)
    _write(connection, HOURS, hour, tallies)
    if last:
        given = [{"of": number, "seen": key} for number, key in last.items()]
        connection.execute(_SEEN, given)


_SEEN = (
    update(CHECKS)
    .where(CHECKS.c.number == bindparam("of"), CHECKS.c.last < bindparam("seen"))
    .values(last=bindparam("seen"))
)


def _write_day(connection: Connection, day: int, only: set[int] | None) -> None:
    tallies: Tallies = defaultdict(Tally)
    query = select(HOURS.c.key, HOURS.c.body).where(
        HOURS.c.key >= day * 24 << NUMBER_BITS, HOURS.c.key < (day + 1) * 24 << NUMBER_BITS
    )
    for key, body in connection.execute(query):
        number = key & NUMBER_MASK
        if only is None or number in only:
            tallies[number].add_body(body)
    _write(connection, DAYS, day, tallies)


def _write(connection: Connection, table: Table, period: int, tallies: Tallies) -> None:
    rows = [
        {"key": period << NUMBER_BITS | number, "body": tally.to_bytes()}
        for number, tally in sorted(tallies.items())
    ]
    upsert(connection, table, rows)
