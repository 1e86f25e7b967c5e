"""Keeps the rows of `past` true, in the transaction that changes the days they sum; and reads them.

The mark `past` (unix days, in `meta`) says up to which day they go. Where that is not the day up to
which days are rolled, nobody believes them: a reader adds up the days themselves, and the next day
that is over makes the rows anew.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select

from monitor.store.meta import number_of, set_meta
from monitor.store.past import Past, Seen, Span, holding, opened_past, seen, spans_of
from monitor.store.sql import insert_many
from monitor.store.tables import CHECKS, DAYS, NUMBER_BITS, NUMBER_MASK, PAST

MARK = "past"
_AT_ONCE = 256
"""Checks; while they change each takes 30 KB."""
_NOWHERE: Sequence[Span] = ()
Pasts = dict[int, Past]
"""By check number."""


def roll(connection: Connection, until: int) -> None:
    """The days before `until` are over."""
    mark = number_of(connection, MARK)
    if mark != until:
        _rewrite(connection, _spans_at(mark), spans_of(until, until), until)
        set_meta(connection, MARK, str(until))


def cut(connection: Connection, first: int) -> None:
    """Forget the days before `first`, as far as there are sums of them."""
    mark = number_of(connection, MARK)
    if mark is None:
        return
    before = spans_of(mark, mark)
    old = DAYS.c.key.between(before[-1][0] << NUMBER_BITS, (first << NUMBER_BITS) - 1)
    if connection.execute(select(DAYS.c.key).where(old).limit(1)).first():
        after = [(max(begin, first), max(end, first)) for begin, end in before]
        _rewrite(connection, before, after, mark)
        connection.execute(delete(DAYS).where(old))


def remade(
    connection: Connection, day: int, before: Mapping[int, bytes], after: Mapping[int, bytes]
) -> None:
    """A day of some checks was `before` and is `after`, by check number."""
    mark = number_of(connection, MARK)
    spans = holding(_spans_at(mark), day)
    if mark is None or not spans:
        return
    numbers = iter(sorted(after))
    while some := [*islice(numbers, _AT_ONCE)]:
        these = PAST.c.number.in_(some)
        pasts = _load(connection, these)
        for number in some:
            past = pasts.setdefault(number, Past())
            if number in before:
                past.shift(day, before[number], spans, ())
            past.shift(day, after[number], (), spans)
        _save(connection, these, pasts, mark)


def read(connection: Connection, today: int, end: int) -> dict[int, Seen]:
    """By check number, what `today` shows of the days before `end`, up to which they are rolled."""
    mark, spans = number_of(connection, MARK), spans_of(today, end)
    if mark == today == end:
        return {number: seen(body) for number, body in _rows(connection, PAST.c.number >= 0)}
    known = mark == end
    pasts = _load(connection, PAST.c.number >= 0) if known else {}
    _move(connection, pasts, _spans_at(mark) if known else _NOWHERE, spans, (0, NUMBER_MASK))
    return {number: past.seen() for number, past in pasts.items() if past.bars}


def _spans_at(mark: int | None) -> Sequence[Span]:
    return _NOWHERE if mark is None else spans_of(mark, mark)


def _rewrite(
    connection: Connection, before: Sequence[Span], after: Sequence[Span], until: int
) -> None:
    last = connection.execute(select(func.max(CHECKS.c.number))).scalar() or 0
    for first in range(0, last + 1, _AT_ONCE):
        numbers = first, first + _AT_ONCE - 1
        these = PAST.c.number.between(*numbers)
        pasts = _load(connection, these) if before else {}
        _move(connection, pasts, before, after, numbers)
        _save(connection, these, pasts, until)


def _move(
    connection: Connection,
    pasts: Pasts,
    before: Sequence[Span],
    after: Sequence[Span],
    numbers: tuple[int, int],
) -> None:
    for day in sorted({day for span in (*before, *after) for day in range(*span)}):
        was, now = holding(before, day), holding(after, day)
        if was != now:
            for number, body in _day(connection, day, numbers):
                past = pasts.get(number) or pasts.setdefault(number, Past())
                past.shift(day, body, was, now)


def _day(connection: Connection, day: int, numbers: tuple[int, int]) -> Iterator[tuple[int, bytes]]:
    first, last = (day << NUMBER_BITS | number for number in numbers)
    query = select(DAYS.c.key, DAYS.c.body).where(DAYS.c.key.between(first, last))
    for key, body in connection.execute(query):
        yield key & NUMBER_MASK, body


def _rows(connection: Connection, these: ColumnElement[bool]) -> Iterable[Any]:
    return connection.execute(select(PAST.c.number, PAST.c.body).where(these)).all()


def _load(connection: Connection, these: ColumnElement[bool]) -> Pasts:
    return {number: opened_past(body) for number, body in _rows(connection, these)}


def _save(connection: Connection, these: ColumnElement[bool], pasts: Pasts, until: int) -> None:
    connection.execute(delete(PAST).where(these))
    rows = [(number, past.to_bytes(until)) for number, past in pasts.items() if past.bars]
    if rows:
        insert_many(connection, PAST, rows)
