"""Runs become hours and days: those of a check that began before its `rolled_until` are in both.

Every later run is in `runs` only, and whoever reads adds up. So a run and its share of every figure are
committed by one insert, nothing half-counted survives a crash, and the hot path pays for no histogram. A
run that comes late, for an hour that is already rolled up, is added to its hour and day in the
transaction that writes it. What another program has counted, hours and days without runs, is added too.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    func,
    not_,
    select,
    update,
)

from monitor.model import PastCounts, Resolution
from monitor.model.rollup import QUANTILES
from monitor.store.histogram import (
    COUNT_NAMES,
    SHOWN_QUANTILES,
    CountedRow,
    PackedSum,
    Sum,
    encode,
    kinds_from,
    kinds_text,
)
from monitor.store.run_rows import COUNTED_RUNS, DAY_MS, HOUR_MS, KnownId, millis
from monitor.store.schema import CHECKS, DAYS, HOURS, PERCENTILES, RUNS, mark, upsert

HOURS_FROM, RUNS_FROM = "hours_from", "runs_from"
"""Marks: the first hour whose rollups are all kept, and the first whose runs are."""
_AT_ONCE = 250
"""Checks of one transaction: short, so that results are written in between."""
_MOST = (1 << 63) - 1
"""The largest number of a column: what an agent says of tokens and money must not stop the rollups of all."""
COUNTS = slice(2, 2 + len(COUNT_NAMES))
Sums = Mapping[tuple[int, int], Sum]
"""By period and check."""


def roll_next(connection: Connection, before: int) -> bool:
    """Roll up the runs of some checks that began before unix ms `before`. True while there are more."""
    query = select(CHECKS.c.id, CHECKS.c.rolled_until).where(CHECKS.c.rolled_until < before)
    checks = connection.execute(query.order_by(CHECKS.c.id).limit(_AT_ONCE)).all()
    if not checks:
        return False
    ids, first = [check for check, _ in checks], min(rolled for _, rolled in checks)
    rolled_until = dict(map(tuple, checks))
    last: dict[int, int] = {}
    rows: list[tuple[int, int, CountedRow]] = []
    these = RUNS.c.at.between(first, before - 1) & RUNS.c.check_id.in_(ids)
    for row in connection.execute(COUNTED_RUNS.where(these)).all():
        at, check = row[0], row[1]
        if at >= rolled_until[check]:
            rows.append((at, check, row[2:]))
            last[check] = max(at, last.get(check, at))
    add_runs(connection, rows)
    connection.execute(_ROLLED, [{"of": check, "until": before} for check in ids])
    if last:
        connection.execute(_LAST, [{"of": check, "last": at} for check, at in last.items()])
    return True


_ROLLED = (
    update(CHECKS).where(CHECKS.c.id == bindparam("of")).values(rolled_until=bindparam("until"))
)
_LAST = update(CHECKS).where(CHECKS.c.id == bindparam("of")).values(last_at=bindparam("last"))


def add_runs(connection: Connection, runs: Iterable[tuple[int, int, CountedRow]]) -> None:
    """Add runs (begin, check, what is counted) to their hours, where those are kept, and days."""
    hours_from = mark(connection, HOURS_FROM) or 0
    rows: dict[tuple[int, int], list[CountedRow]] = defaultdict(list)
    for at, check, counted in runs:
        rows[at // HOUR_MS, check].append(counted)
    hours = {key: Sum.of_rows(some) for key, some in rows.items()}
    days: dict[tuple[int, int], Sum] = defaultdict(Sum)
    for (hour, check), total in hours.items():
        days[hour // 24, check].add(total)
    add_sums(
        connection, HOURS, {key: total for key, total in hours.items() if key[0] >= hours_from}
    )
    add_sums(connection, DAYS, days)


def add_past_counts(connection: Connection, check: KnownId, counts: Iterable[PastCounts]) -> None:
    """Add the counts of hours to hours and days, those of days to days alone. They have no times.

    None of their runs may be stored.
    """
    hours_from = mark(connection, HOURS_FROM) or 0
    sums: dict[Table, dict[tuple[int, int], Sum]] = {HOURS: {}, DAYS: {}}
    for counted in counts:
        places = [(DAYS, millis(counted.at) // DAY_MS)]
        hour = millis(counted.at) // HOUR_MS
        if counted.resolution is Resolution.HOUR and hour >= hours_from:
            places.append((HOURS, hour))
        for table, period in places:
            sums[table].setdefault((period, check.id), Sum()).add(_sum(counted))
    for table, some in sums.items():
        add_sums(connection, table, some)


def _sum(counted: PastCounts) -> Sum:
    named = {"up": counted.up, "down": counted.down, "maintenance": counted.maintenance}
    return Sum([named.get(name, 0) for name in COUNT_NAMES])


def add_sums(connection: Connection, table: Table, more: Sums) -> None:
    """Add sums to what is rolled up already, which changes them."""
    checks: dict[int, list[int]] = defaultdict(list)
    for period, check in more:
        checks[period].append(check)
    for period, ids in checks.items():
        for first in range(0, len(ids), _AT_ONCE):
            some = ids[first : first + _AT_ONCE]
            query = summed(table).where(table.c.period == period, table.c.check_id.in_(some))
            for row in connection.execute(query):
                more[period, row[1]].add(sum_from(row))
    write(connection, table, more)


def write(connection: Connection, table: Table, sums: Sums) -> None:
    upsert(connection, table, [_row(*key, total) for key, total in sorted(sums.items(), key=_key)])


def _key(pair: tuple[tuple[int, int], Sum]) -> tuple[int, int]:
    return pair[0]


def _row(period: int, check: int, total: Sum) -> dict[str, Any]:
    row: dict[str, Any] = {"period": period, "check_id": check, "kinds": kinds_text(total.kinds)}
    row |= {
        name: min(max(count, 0), _MOST)
        for name, count in zip(COUNT_NAMES, total.counts, strict=True)
    }
    for name in ("ttft", "total"):
        histogram = total.figures.get(name)
        values = histogram.quantiles(SHOWN_QUANTILES) if histogram else (None,) * len(QUANTILES)
        for quantile, value in zip(QUANTILES, values, strict=True):
            row[f"{name}_{quantile}_100us"] = None if value is None else round(value * 10)
    return {**row, "histograms": encode(total.figures)}


def summed(table: Table) -> Select[Any]:
    """Ask for what `sum_from` takes of hours or days."""
    return select(*(column for column in table.columns if column.name not in PERCENTILES))


def sum_from(row: Sequence[Any]) -> PackedSum:
    """Return a row of hours or days without its key; json.JSONDecodeError or ValueError where its kinds are damaged."""
    return PackedSum(row[COUNTS], kinds_from(row[COUNTS.stop]), row[-1])


def sums(
    connection: Connection,
    checks: Collection[int],
    table: Table,
    length: int,
    span: tuple[int, int],
) -> dict[tuple[int, int], Sum]:
    """Add up by period and check what is rolled up, and runs that are not or not any more.

    `span` is the first period and the one behind the last, each of `length` hours.
    """
    totals: dict[tuple[int, int], Sum] = defaultdict(Sum)
    these: ColumnElement[bool] = table.c.period.between(span[0], span[1] - 1)
    if len(checks) == 1:
        these &= table.c.check_id == next(iter(checks))
    for row in connection.execute(summed(table).where(these)):
        if row[1] in checks:
            totals[row[0], row[1]].add(sum_from(row))
    begin, end = (edge * length * HOUR_MS for edge in span)
    runs = [sums_of_runs(connection, checks, length, (begin, end))]
    if table is HOURS:
        first, last = ((mark(connection, name) or 0) * HOUR_MS for name in (RUNS_FROM, HOURS_FROM))
        kept = max(begin, first), min(end, last)
        runs.append(sums_of_runs(connection, checks, length, kept, are_rolled=True))
    for key, total in chain.from_iterable(part.items() for part in runs):
        totals[key].add(total)
    return dict(totals)


def sums_of_runs(
    connection: Connection,
    checks: Collection[int],
    length: int,
    span: tuple[int, int],
    *,
    are_rolled: bool = False,
) -> dict[tuple[int, int], Sum]:
    """Add up runs that began in `span` (unix ms), by periods of so many hours and by check.

    Only those that are in no rollup yet; with `are_rolled` only the others.
    """
    begin, end = span
    rolled_until = select(CHECKS.c.rolled_until).where(CHECKS.c.id == RUNS.c.check_id)
    is_new = RUNS.c.at >= rolled_until.scalar_subquery()
    if not are_rolled:
        oldest = select(func.min(CHECKS.c.rolled_until))
        begin = max(begin, connection.execute(oldest).scalar() or 0)
    if begin >= end:
        return {}
    these = RUNS.c.at.between(begin, end - 1) & (not_(is_new) if are_rolled else is_new)
    if len(checks) == 1:
        these &= RUNS.c.check_id == next(iter(checks))
    rows: dict[tuple[int, int], list[CountedRow]] = defaultdict(list)
    for at, check, *counted in connection.execute(COUNTED_RUNS.where(these)):
        if check in checks:
            rows[at // HOUR_MS // length, check].append(counted)
    return {key: Sum.of_rows(some) for key, some in rows.items()}


def remake(connection: Connection, table: Table, keys: Iterable[tuple[int, int]]) -> None:
    """Add up hours from their runs, or days from their hours, where all of those are kept."""
    for period, check in keys:
        total = Sum()
        if table is HOURS and period >= (mark(connection, RUNS_FROM) or 0):
            these = RUNS.c.at.between(period * HOUR_MS, (period + 1) * HOUR_MS - 1)
            rows = connection.execute(COUNTED_RUNS.where(these & (RUNS.c.check_id == check)))
            total = Sum.of_rows([row[2:] for row in rows])
        elif table is DAYS and period * 24 >= (mark(connection, HOURS_FROM) or 0):
            hours = HOURS.c.period.between(period * 24, period * 24 + 23)
            for row in connection.execute(summed(HOURS).where(hours & (HOURS.c.check_id == check))):
                total.add(sum_from(row))
        if any(total.counts):
            write(connection, table, {(period, check): total})
