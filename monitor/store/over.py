"""What is over of each check, as far as a page shows it: the hours of its last day, and the days before."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, not_, select

from monitor.model import WINDOWS, Rollup
from monitor.store import quarters, upkeep
from monitor.store.chart import Chart
from monitor.store.lanes import SummedBodies
from monitor.store.past import Bars, Seen
from monitor.store.rolled import Parts, bar_of, split
from monitor.store.sums import Summed, summed, summed_kinds
from monitor.store.tables import HOURS, NUMBER_BITS, NUMBER_MASK, QUARTERS
from monitor.store.times import day_date

DAY = 24
_AT_ONCE = 1000
_NO_PAST = Seen((), {}, None)
Rows = Sequence[tuple[int, bytes]]
"""Hours of one check, or six of them in one, by the first unix hour."""


class Marks(NamedTuple):
    """Unix hours: the one that goes on, and the first that is not rolled up."""

    hour: int
    rolled: int

    @property
    def today(self) -> int:
        """The first hour of the day that is not over, as far as it is rolled up."""
        return self.rolled // DAY * DAY

    @property
    def last_24(self) -> int:
        """The first of the last 24 hours."""
        return self.hour - DAY + 1


@dataclass(slots=True, kw_only=True)
class Over:
    """Of one check. As long as `version` stays, so does all that follows from the rows."""

    version: object
    last_24: Summed
    today: Sequence[Summed]
    """One, or none where nothing of it is rolled up."""
    windows: Sequence[Summed]
    """For each of `WINDOWS`, with what is rolled up of the day that is not over.

    Counts are of all of it, histograms of what the window before does not have.
    """
    chart: Chart
    days: Mapping[date, Rollup]


def nothing(marks: Marks) -> Over:
    """Of a check that is new."""
    return _over(None, marks, (), _NO_PAST)


def load(connection: Connection, marks: Marks, known: Mapping[int, Over]) -> dict[int, Over]:
    """By check number. What is `known` and has not changed is handed out again."""
    pasts = upkeep.read(connection, marks.hour // DAY, marks.rolled // DAY)
    hours = _hours(connection, marks)
    found: dict[int, Over] = {}
    for number in pasts.keys() | hours.keys():
        rows, past = hours.get(number, ()), pasts.get(number, _NO_PAST)
        version = marks, past.version, hash(tuple(rows))
        before = known.get(number)
        if before is not None and before.version == version:
            found[number] = before
        else:
            found[number] = _over(version, marks, rows, past)
    return found


def _hours(connection: Connection, marks: Marks) -> Mapping[int, Rows]:
    """By check number. One hour more than the last 24 has half an hour of the chart.

    Where six hours are summed up beside them, these are one row.
    """
    found: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    spans = quarters.spans(connection, sorted((marks.last_24, marks.today)), marks.rolled)
    apart = [
        not_(quarters.between(HOURS, span.start * quarters.LENGTH, span.stop * quarters.LENGTH))
        for span in spans
    ]
    first = min(marks.last_24 - 1, marks.today)
    _add_rows(connection, HOURS, [HOURS.c.key >= first << NUMBER_BITS, *apart], 1, found)
    for span in spans:
        these = quarters.between(QUARTERS, span.start, span.stop)
        _add_rows(connection, QUARTERS, [these], quarters.LENGTH, found)
    return found


def _add_rows(
    connection: Connection,
    table: Table,
    these: Sequence[ColumnElement[bool]],
    length: int,
    found: dict[int, list[tuple[int, bytes]]],
) -> None:
    query = select(table.c.key, table.c.body).where(*these)
    rows: Any = connection.execute(query.order_by(table.c.key))
    for some in rows.partitions(_AT_ONCE):
        for key, body in some:
            found[key & NUMBER_MASK].append(((key >> NUMBER_BITS) * length, body))


def _over(version: object, marks: Marks, rows: Rows, past: Seen) -> Over:
    """Each hour is opened once: what today and the last 24 hours share is one sum."""
    begin, both = sorted((marks.last_24, marks.today))
    early: list[Parts] = []
    late: list[Parts] = []
    points: dict[int, bytes] = {}
    for hour, body in rows:
        parts = split(body)
        points[hour] = parts.points
        if hour >= begin:
            (late if hour >= both else early).append(parts)
    shared = _summed(late)
    whole = _summed(early, shared)
    today = whole if begin == marks.today else shared
    return Over(
        version=version,
        last_24=summed(whole if begin == marks.last_24 else shared),
        today=today,
        windows=_windows(marks, past.sums, today),
        chart=Chart(points),
        days=_days(past.bars),
    )


def _summed(rows: Sequence[Parts], more: Sequence[Summed] = ()) -> Sequence[Summed]:
    """One, with `more`, or none where there is nothing."""
    if not rows:
        return more
    counts = [*map(sum, zip(*(parts.counts for parts in rows), strict=True))]
    mine = Summed(counts, summed_kinds(rows), ())
    numbers, kinds, parts = summed((mine, *more))
    bodies = [row.figures for row in rows]
    return (Summed(numbers, kinds, (SummedBodies(bodies, parts),)),)


def _windows(marks: Marks, days: Sequence[Summed], today: Sequence[Summed]) -> Sequence[Summed]:
    """Each reaches from today to where the next one goes on: what lies between is one span."""
    back, before = (marks.hour - marks.today) // DAY, 0
    found: list[Summed] = []
    for at, length in enumerate(WINDOWS):
        added = [*days[at : at + 1], *(today if before <= back < length else ())]
        mine = summed((*days[: at + 1], *(today if back < length else ())))
        found.append(mine._replace(parts=[part for each in added for part in each.parts]))
        before = length
    return found


def _days(bars: Bars) -> dict[date, Rollup]:
    return {day_date(day): bar_of(counts) for day, counts in bars.items()}
