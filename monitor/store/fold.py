"""Results become hours, hours become days when the day is over.

Every result before the mark `rolled` (unix hours, in `meta`) is in the hours, and those of days that
ended before it are in the days; every later one is only in the results, and whoever reads adds up. So a result and its share of every figure are
committed by the same insert, nothing half-counted can survive a crash, and the hot path pays for no
histogram. A result that comes late for an hour that is already rolled makes that hour anew, in the
same transaction.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice

from sqlalchemy import Connection, Table, bindparam, select, update

from monitor.store import quarters, upkeep
from monitor.store.layout import Kin, kin_of
from monitor.store.meta import number_of, set_meta
from monitor.store.names import Names
from monitor.store.numbers import head
from monitor.store.rolled import split
from monitor.store.runs import rows_between
from monitor.store.sql import upsert
from monitor.store.sums import added_up
from monitor.store.tables import CHECKS, DAYS, HOURS, NUMBER_BITS, NUMBER_MASK
from monitor.store.tally import HALVES, Group, Tally
from monitor.store.times import hour_of_key, key_of_half, key_of_hour

ROLLED = "rolled"
_AT_ONCE = 500


def begin(connection: Connection, hour: int) -> None:
    """The first result of all is of this hour; one of a day before it can still come."""
    set_meta(connection, ROLLED, str(hour))
    upkeep.roll(connection, hour // 24)


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
    quarters.roll(connection, (found,), hour, reached)
    if reached // 24 > hour // 24:  # nothing lies between the two but what is written now
        for day in {hour // 24, found // 24} - {reached // 24}:
            _write_day(connection, day, None)
        upkeep.roll(connection, reached // 24)
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
    rolled = number_of(connection, ROLLED) or 0
    quarters.remade(connection, late, rolled)
    over = rolled // 24
    for day, numbers in days.items():
        if day < over:
            before = _bodies(connection, day, numbers)
            _write_day(connection, day, numbers)
            upkeep.remade(connection, day, before, _bodies(connection, day, numbers))


def _write_hour(connection: Connection, names: Names, hour: int, only: set[int] | None) -> None:
    found: dict[int, list[Group]] = defaultdict(list)
    last: dict[int, int] = {}
    for half in range(HALVES):
        alike = _Alike(connection, names)
        begin = HALVES * hour + half
        for key, body in rows_between(connection, key_of_half(begin), key_of_half(begin + 1)):
            number = key & NUMBER_MASK
            if only is None or number in only:
                alike[head(body)][number].append(body)
                last[number] = key
        for kin, by_check in alike.kin.items():
            for number, bodies in by_check.items():
                found[number].append((kin, half, bodies))
    tallies: dict[int, Tally] = defaultdict(Tally)
    for number, groups in found.items():
        tallies[number].add_alike(groups)
    stored = {number: tally.to_bytes() for number, tally in tallies.items()}
    _write(connection, HOURS, hour, stored)
    if last:
        given = [{"of": number, "seen": key} for number, key in last.items()]
        connection.execute(_SEEN, given)


class _Alike(dict[bytes, dict[int, list[bytes]]]):
    """The bodies of rows by their head, then by check; those whose heads are kin stand together."""

    def __init__(self, connection: Connection, names: Names) -> None:
        super().__init__()
        self._connection, self._names = connection, names
        self.kin: dict[Kin, dict[int, list[bytes]]] = {}

    def __missing__(self, which: bytes) -> dict[int, list[bytes]]:
        kin = kin_of(self._names.shape_of(self._connection, which), which)
        self[which] = self.kin.setdefault(kin, defaultdict(list))
        return self[which]


_SEEN = (
    update(CHECKS)
    .where(CHECKS.c.number == bindparam("of"), CHECKS.c.last < bindparam("seen"))
    .values(last=bindparam("seen"))
)


def _write_day(connection: Connection, day: int, only: set[int] | None) -> None:
    found: dict[int, list[bytes]] = defaultdict(list)
    for number, body in quarters.of_day(connection, day) or _hours_of(connection, day):
        if only is None or number in only:
            found[number].append(body)
    _write(
        connection,
        DAYS,
        day,
        {number: added_up([*map(split, rows)]) for number, rows in found.items()},
    )


def _hours_of(connection: Connection, day: int) -> Iterable[tuple[int, bytes]]:
    """By number of their check."""
    these = quarters.between(HOURS, day * 24, (day + 1) * 24)
    for key, body in connection.execute(select(HOURS.c.key, HOURS.c.body).where(these)):
        yield key & NUMBER_MASK, body


def _bodies(connection: Connection, day: int, numbers: Iterable[int]) -> dict[int, bytes]:
    """By check number."""
    keys = iter([day << NUMBER_BITS | number for number in numbers])
    found: dict[int, bytes] = {}
    while some := [*islice(keys, _AT_ONCE)]:
        rows = connection.execute(select(DAYS.c.key, DAYS.c.body).where(DAYS.c.key.in_(some)))
        found.update((key & NUMBER_MASK, body) for key, body in rows)
    return found


def _write(connection: Connection, table: Table, period: int, bodies: Mapping[int, bytes]) -> None:
    """By check number."""
    rows = [
        {"key": period << NUMBER_BITS | number, "body": body}
        for number, body in sorted(bodies.items())
    ]
    upsert(connection, table, rows)
