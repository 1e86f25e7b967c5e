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
from monitor.store.brief import briefs
from monitor.store.layout import Kin, kin_of
from monitor.store.names import Names
from monitor.store.numbers import head
from monitor.store.runs import read_run, rows_between
from monitor.store.tables import NUMBER_BITS, NUMBER_MASK, RESULTS
from monitor.store.tally import HALVES, Tally
from monitor.store.times import (
    half_of_key,
    key_from,
    key_of_hour,
)

_AGAIN = timedelta(minutes=6)
_SET_BACK = timedelta(minutes=1)
"""A clock that goes back further was set: what is newest now was thought old, or is not read again."""
RECENT = timedelta(minutes=30)
_MINUTE = NUMBER_BITS + 16
"""Bits of a key below its minute, which has 65.536 seconds."""

_NEVER = 1 << 63
"""No key is as large."""

_Row = tuple[int, bytes]
"""Key and body."""
_Alike = tuple[Kin, int | None]
"""With the HTTP status."""
_Groups = dict[_Alike, list[_Row]]


@dataclass(slots=True)
class Newest:
    """Of one check."""

    recent: dict[int, Result] = field(default_factory=dict)
    """By key."""
    oldest: int = _NEVER
    """The smallest of these keys; larger than any where there is none."""
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
        if self._looked is not None and now < self._looked - _SET_BACK:
            self.checks, self._seen, self._looked = {}, {}, None
        recent, unrolled = key_from(now - RECENT), key_of_hour(rolled)
        first = min(recent, unrolled) >> _MINUTE
        again = (
            first if self._looked is None or late else key_from(self._looked - _AGAIN) >> _MINUTE
        )
        found = {minute: keys for minute, keys in self._seen.items() if minute >= first}
        rows = self._rows(connection, self._new(connection, found, again))
        names = {number: self._names.check(connection, number) for number in rows}
        self._seen, self._looked = found, now  # nothing is asked from here on, and so nothing fails
        for number, groups in rows.items():
            check = self.checks.get(number) or self.checks.setdefault(number, Newest())
            _take(check, names[number], groups, recent=recent)
            _add_up(check, groups, unrolled)
        for check in self.checks.values():
            if check.oldest < recent or min(check.open, default=rolled) < rolled:
                _forget(check, rolled, recent)

    def _rows(self, connection: Connection, found: Iterable[_Row]) -> dict[int, _Groups]:
        """By check number."""
        alike: dict[bytes, _Alike] = {}
        rows: dict[int, _Groups] = defaultdict(lambda: defaultdict(list))
        for key, body in found:
            mark = head(body)
            if mark not in alike:
                shape = self._names.shape_of(connection, body)
                alike[mark] = kin_of(shape, body), shape.status
            rows[key & NUMBER_MASK][alike[mark]].append((key, body))
        return rows

    def _new(
        self, connection: Connection, seen: dict[int, "array[int]"], first: int
    ) -> Iterable[_Row]:
        """Rows from this minute on that are not among those `seen`, where they are put."""
        minute = (RESULTS.c.key // (1 << _MINUTE)).label("at")
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

    def latest(self, connection: Connection, number: int, rolled: int) -> Result | None:
        """None where the one with the key `rolled` is newer: it came late, and was rolled up before a look."""
        check = self.checks.get(number)
        if check is None or check.last is None or check.last[0] < rolled:
            return None
        key, body = check.last
        if self._latest.get(number, (0, None))[0] != key:
            self._latest[number] = key, read_run(connection, self._names, key, body).result
        return self._latest[number][1]


def _take(check: Newest, names: tuple[str, str], groups: _Groups, *, recent: int) -> None:
    for (kin, status), rows in groups.items():
        check.seen += len(rows)
        check.last = max(rows) if check.last is None else max(*rows, check.last)
        lately = [row for row in rows if row[0] >= recent]
        if lately:
            keys, bodies = zip(*lately, strict=True)
            found = briefs(kin, status, names, [key >> NUMBER_BITS for key in keys], bodies)
            check.recent.update(zip(keys, found, strict=True))
            check.oldest = min(check.oldest, *keys)


def _add_up(check: Newest, groups: _Groups, unrolled: int) -> None:
    hours: dict[int, dict[tuple[Kin, int], list[bytes]]] = {}
    for (kin, _), rows in groups.items():
        for key, body in rows:
            if key >= unrolled:
                hour, half = divmod(half_of_key(key), HALVES)
                hours.setdefault(hour, {}).setdefault((kin, half), []).append(body)
    check.grown += len(hours)
    for hour, found in hours.items():
        tally = check.open.get(hour) or check.open.setdefault(hour, Tally())
        tally.add_alike((kin, half, bodies) for (kin, half), bodies in found.items())


def recent_results(check: Newest | None) -> tuple[Result, ...]:
    return () if check is None else tuple(check.recent[key] for key in sorted(check.recent))


def _forget(check: Newest, rolled: int, recent: int) -> None:
    for hour in [hour for hour in check.open if hour < rolled]:
        del check.open[hour]
        check.grown += 1
    for key in [key for key in check.recent if key < recent]:
        del check.recent[key]
        check.seen += 1
    check.oldest = min(check.recent, default=_NEVER)
