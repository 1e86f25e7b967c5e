"""Sums over spans of hours or days that move along with time, and read only what enters and leaves."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Table, select

from monitor.store.lanes import opened
from monitor.store.rolled import Parts, split
from monitor.store.sums import Sum
from monitor.store.tables import NUMBER_BITS, NUMBER_MASK

T = TypeVar("T")
Span = tuple[int, int]
"""The first period, and the one after the last; nothing where that is no later."""


class Sliding(Generic[T]):
    """`sums[i]` by check number is what lies in the i-th span, as far as `wanted` figures go.

    What `keep` makes of each row is in `kept`, by check and period, while the row lies in any span.
    """

    def __init__(self, table: Table, wanted: Collection[str], keep: Callable[[Parts], T]) -> None:
        self._table, self._wanted, self._keep = table, wanted, keep
        self._begin(0)

    def _begin(self, spans: int) -> None:
        self._spans: Sequence[Span] = ((0, 0),) * spans
        self._rows: Counter[int] = Counter()
        self.sums: tuple[dict[int, Sum], ...] = tuple({} for _ in range(spans))
        self.kept: dict[int, dict[int, T]] = {}

    def move(self, connection: Connection, spans: Sequence[Span]) -> None:
        if not self._spans:
            self._begin(len(spans))
        try:
            if not self._moved(connection, spans):
                self._begin(len(spans))
                self._moved(connection, spans)
        except BaseException:
            self._begin(0)  # halfway is nowhere
            raise

    def _moved(self, connection: Connection, spans: Sequence[Span]) -> bool:
        """False where rows that were added are gone since, and so cannot be taken away again."""
        before, self._spans = self._spans, spans
        periods = {period for span in (*before, *spans) for period in range(*span)}
        for period in sorted(periods):
            was, now = _holding(before, period), _holding(spans, period)
            if was == now:
                continue
            rows = 0
            for number, parts in _rows(connection, self._table, period):
                rows += 1
                self._shift(number, parts, was, now)
                if not was:
                    self.kept.setdefault(number, {})[period] = self._keep(parts)
            if was and rows != self._rows[period]:
                return False
            self._rows[period] = rows
            if not now:
                self._forget(period)
        return True

    def _shift(self, number: int, parts: Parts, was: set[int], now: set[int]) -> None:
        figures = [*opened(parts.figures, self._wanted)]
        for at in was - now:
            self.sums[at][number].take(parts, figures)
        for at in now - was:
            sums = self.sums[at]
            (sums.get(number) or sums.setdefault(number, Sum())).add(parts, figures)

    def _forget(self, period: int) -> None:
        del self._rows[period]
        for kept in self.kept.values():
            kept.pop(period, None)

    def of(self, number: int, spans: Sequence[int]) -> list[Sum]:
        """The sums of one check over these spans; absent where there is nothing."""
        return [found for at in spans if (found := self.sums[at].get(number))]


def _holding(spans: Sequence[Span], period: int) -> set[int]:
    return {at for at, (begin, end) in enumerate(spans) if begin <= period < end}


def _rows(connection: Connection, table: Table, period: int) -> Iterator[tuple[int, Parts]]:
    first = period << NUMBER_BITS
    query = select(table.c.key, table.c.body)
    found: Any = connection.execute(query.where(table.c.key.between(first, first | NUMBER_MASK)))
    for key, body in found:
        yield key & NUMBER_MASK, split(body)
