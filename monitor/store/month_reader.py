"""Reads what the store has of one month: hours at its edges, days between them, incidents and the ledger."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from monitor.model import Month, MonthCounts, MonthRecord, Period, Resolution, Rollup, Span
from monitor.model.rollup import Histogram
from monitor.store import schema, small_tables
from monitor.store.reader import Reader
from monitor.store.retention import LEDGER_KEPT
from monitor.store.rollup_job import HOURS_FROM, RUNS_FROM
from monitor.store.run_rows import EPOCH

FIGURES = ("ttft", "total")
_DAY = timedelta(days=1)


def read_month(reader: Reader, month: Month, now: datetime) -> MonthRecord:
    """Read a month. `reader` answers for every vantage. Raises StoreError where it cannot be read."""
    counted = month.counted(reader.ask(_hours_since))
    sums: dict[tuple[str, str], _MonthSum] = defaultdict(_MonthSum)
    for period in _periods(reader, counted):
        sums[period.check, period.vantage].add(period)
    first, last = month.days
    is_kept = first >= (now - LEDGER_KEPT).astimezone(UTC).date()
    return MonthRecord(
        counted=counted,
        counts=tuple(
            MonthCounts(
                check=check, vantage=vantage, rollup=total.rollup, measured=tuple(total.measured)
            )
            for (check, vantage), total in sorted(sums.items())
        ),
        incidents=reader.incidents(since=month.begin, until=month.end),
        spent=reader.ask(lambda connection: small_tables.spent_between(connection, first, last))
        if is_kept
        else None,
        measured_since=reader.measured_since(),
        seen_until=reader.last_seen(),
    )


def _hours_since(connection: Connection) -> datetime:
    """Return from when on every hour is kept, or all of its runs are."""
    first = min(schema.mark(connection, name) or 0 for name in (HOURS_FROM, RUNS_FROM))
    return EPOCH + timedelta(hours=first)


def _periods(reader: Reader, counted: Span) -> Iterator[Period]:
    begin, end = counted
    midnights = (_midnight(begin + _DAY - timedelta(microseconds=1)), _midnight(end))
    yield from _within(reader, Resolution.HOUR, begin, midnights[0])
    yield from _within(reader, Resolution.DAY, *midnights)
    yield from _within(reader, Resolution.HOUR, midnights[1], end)


def _within(
    reader: Reader, resolution: Resolution, since: datetime, until: datetime
) -> Iterator[Period]:
    if since < until:
        yield from reader.each_period(resolution, since=since, until=until)


def _midnight(at: datetime) -> datetime:
    return Resolution.DAY.begin(at)


@dataclass(slots=True)
class _MonthSum:
    """Adds up periods in place: a month of many checks is many histograms."""

    outcomes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    maintenance: int = 0
    missed: int = 0
    figures: dict[str, Counter[int]] = field(
        default_factory=lambda: {name: Counter() for name in FIGURES}
    )
    measured: list[Span] = field(default_factory=list)

    def add(self, period: Period) -> None:
        rollup = period.rollup
        self.outcomes.update(rollup.outcomes)
        self.kinds.update(rollup.kinds)
        self.maintenance += rollup.maintenance
        self.missed += rollup.missed
        for name, histogram in self.figures.items():
            histogram.update(rollup.figures.get(name, {}))
        if rollup.counted:
            self.measured.append((period.at, period.resolution.end(period.at)))

    @property
    def rollup(self) -> Rollup:
        figures: dict[str, Histogram] = {name: some for name, some in self.figures.items() if some}
        return Rollup(
            outcomes={outcome: runs for outcome, runs in self.outcomes.items() if runs},
            kinds=dict(self.kinds),
            maintenance=self.maintenance,
            missed=self.missed,
            figures={name: dict(some) for name, some in figures.items()},
        )
