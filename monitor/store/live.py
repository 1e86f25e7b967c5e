"""What a reader remembers of the newest results, so that the next look reads only what is new.

Results arrive in about the order of their keys, but not quite: each look counts again, minute by
minute, what began in the last six, and reads the minutes that have more than before. For anything
later than that the writer raises the mark `late`, and all of them are counted.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from monitor.model import Result
from monitor.store.decoding import Packed, brief
from monitor.store.names import Names
from monitor.store.runs import read_run, rows_between
from monitor.store.tables import NUMBER_BITS, NUMBER_MASK, RESULTS
from monitor.store.tally import HALVES, Row, Tally
from monitor.store.times import (
    half_of_key,
    key_from,
    key_of_hour,
)

_AGAIN = timedelta(minutes=6)
RECENT = timedelta(minutes=30)
_MINUTE = NUMBER_BITS + 16
"""Bits of a key below its minute, which has 65.536 seconds."""

_Rows = dict[tuple[int, int], list[Row]]
"""By check number and unix hour."""


@dataclass(slots=True)
class Newest:
    """Of one check."""

    recent: dict[int, Result] = field(default_factory=dict)
    """By key."""
    open: dict[int, Tally] = field(default_factory=dict)
    """By unix hour, of hours that are not rolled up."""
    last: tuple[int, bytes] | None = None
    grown: int = 0
    """Rises with whatever changes a rollup or a chart."""
    seen: int = 0
    """Rises with any change."""


class Live:
    def __init__(self, names: Names) -> None:
        self._names = names
        self.checks: dict[int, Newest] = {}
        self._seen: dict[int, array[int]] = {}
        """Keys by minute."""
        self._looked: datetime | None = None
        self._latest: dict[int, tuple[int, Result]] = {}

    def look(self, connection: Connection, now: datetime, rolled: int, *, late: bool) -> None:
        """Read what is new; `rolled` is the first hour that has no rollup."""
        recent, unrolled = key_from(now - RECENT), key_of_hour(rolled)
        first = min(recent, unrolled) >> _MINUTE
        again = (
            first if self._looked is None or late else key_from(self._looked - _AGAIN) >> _MINUTE
        )
        rows: _Rows = defaultdict(list)
        found = {minute: keys for minute, keys in self._seen.items() if minute >= first}
        for key, body in self._new(connection, found, again):
            shape = self._names.shape_of(connection, body)
            self._take(connection, key, Packed(shape, body), recent=recent)
            if key >= unrolled:
                half = half_of_key(key)
                rows[key & NUMBER_MASK, half // HALVES].append((shape, half % HALVES, body))
        self._seen, self._looked = found, now
        self._add_up(rows)
        for check in self.checks.values():
            _forget(check, rolled, recent)

    def _new(
        self, connection: Connection, seen: dict[int, "array[int]"], first: int
    ) -> Iterable[tuple[int, bytes]]:
        """Rows from this minute on that are not among those `seen`, where they are put."""
        minute = RESULTS.c.key.op(">>")(_MINUTE).label("at")
        counts = select(minute, func.count()).where(RESULTS.c.key >= first << _MINUTE)
        more = [
            at
            for at, count in connection.execute(counts.group_by("at"))
            if count != len(seen.get(at, ()))
        ]
        if not more:
            return
        begin, end = min(more), max(more) + 1
        known = {key for at in range(begin, end) for key in seen.get(at, ())}
        fresh: dict[int, list[int]] = defaultdict(list)
        for key, body in rows_between(connection, begin << _MINUTE, end << _MINUTE):
            if key not in known:
                fresh[key >> _MINUTE].append(key)
                yield key, body
        for at, keys in fresh.items():
            seen[at] = array("q", (*seen.get(at, ()), *keys))

    def _take(self, connection: Connection, key: int, packed: Packed, *, recent: int) -> None:
        check = self.checks.get(key & NUMBER_MASK)
        if check is None:
            check = self.checks[key & NUMBER_MASK] = Newest()
        check.seen += 1
        if check.last is None or check.last[0] < key:
            check.last = key, packed.body
        if key >= recent:
            name, vantage = self._names.check(connection, key & NUMBER_MASK)
            check.recent[key] = brief(packed, name, vantage, key >> NUMBER_BITS)

    def _add_up(self, rows: _Rows) -> None:
        for (number, hour), found in rows.items():
            check = self.checks[number]
            check.grown += 1
            tally = check.open.get(hour) or check.open.setdefault(hour, Tally())
            tally.add_rows(found)

    def latest(self, connection: Connection, number: int) -> Result | None:
        check = self.checks.get(number)
        if check is None or check.last is None:
            return None
        key, body = check.last
        if self._latest.get(number, (0, None))[0] != key:
            self._latest[number] = key, read_run(connection, self._names, key, body).result
        return self._latest[number][1]


def recent_results(check: Newest | None) -> tuple[Result, ...]:
    return () if check is None else tuple(check.recent[key] for key in sorted(check.recent))


def _forget(check: Newest, rolled: int, recent: int) -> None:
    for hour in [hour for hour in check.open if hour < rolled]:
        del check.open[hour]
        check.grown += 1
    if check.recent and min(check.recent) < recent:
        for key in [key for key in check.recent if key < recent]:
            del check.recent[key]
            check.seen += 1
