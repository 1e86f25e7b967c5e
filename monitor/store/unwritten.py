"""A look at the store as if all that waits in memory were in it: for the page, while the disk fails.

Rollups are a monoid, so what waits is added to what was read; where nothing can be read, to what was
read last.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from monitor.model import (
    NO_SPEND,
    WINDOWS,
    AlertState,
    CheckHistory,
    Incident,
    OutboxMessage,
    Point,
    Result,
    Rollup,
    RunRecord,
    Snapshot,
    Spend,
)
from monitor.model.rollup import FIGURES, NOTHING, WINDOW_FIGURES
from monitor.store import chart
from monitor.store.batch import Item, gather
from monitor.store.brief import briefly
from monitor.store.live import RECENT
from monitor.store.sums import Sum, total
from monitor.store.tally import Values, no_values, point_of
from monitor.store.times import HALF_HOUR_MS, hours, millis


@dataclass(slots=True)
class _Waiting:
    """Of one check."""

    results: list[Result] = field(default_factory=list)
    days: dict[date, Sum] = field(default_factory=dict)
    last_24h: Sum = field(default_factory=Sum)
    halves: dict[int, Values] = field(default_factory=dict)

    def add(self, entry: RunRecord, now: datetime) -> None:
        result = entry.result
        rollup = Rollup.of(result, in_maintenance=entry.in_maintenance)
        rollup = replace(rollup, missed=entry.missed) if entry.missed else rollup
        self.results.append(result)
        self.days.setdefault(result.at.astimezone(UTC).date(), Sum()).add_rollup(rollup)
        if hours(now) - hours(result.at) < 24:  # the hour that runs, and the 23 before it
            self.last_24h.add_rollup(rollup)
        if rollup.figures:  # else the run says nothing about speed
            self._draw(result)

    def _draw(self, result: Result) -> None:
        half = millis(result.at) // HALF_HOUR_MS
        values = self.halves.get(half) or self.halves.setdefault(half, no_values())
        speed = result.stream.tokens_per_s if result.stream else None
        measured = (result.timings.ttfb, result.timings.ttft, speed)
        for tenths, value in zip(values, measured, strict=True):
            if value is not None:
                tenths.append(round(value * 10))


def with_unwritten(
    seen: Snapshot, items: Iterable[Item], outbox: tuple[OutboxMessage, ...], now: datetime
) -> Snapshot:
    """`seen` may be older than `now`; `outbox` is all that is undelivered."""
    batch = gather(items)
    checks: dict[str, _Waiting] = {}
    for entry in batch.entries:
        checks.setdefault(entry.result.check, _Waiting()).add(entry, now)
    states: dict[str, dict[str, AlertState]] = {}
    for (check, rule), state in batch.states.items():
        states.setdefault(check, {})[rule] = state
    keys = dict.fromkeys((*seen.checks, *checks))
    return replace(
        seen,
        at=now,
        checks={
            key: _history(seen.checks.get(key) or _none(key), checks.get(key), states.get(key, {}), now)
            for key in keys
        },
        incidents=_incidents(seen.incidents, batch.incidents),
        outbox=outbox,
        spent_today=_spent(seen.spent_today, batch.spent, first=now.date()),
        spent_month=_spent(seen.spent_month, batch.spent, first=now.date().replace(day=1)),
    )  # fmt: skip


def _none(check: str) -> CheckHistory:
    return CheckHistory(check=check, latest=None, states=(), days={}, last_24h=NOTHING)


def _history(
    seen: CheckHistory, waiting: _Waiting | None, states: Mapping[str, AlertState], now: datetime
) -> CheckHistory:
    found = {**{state.rule: state for state in seen.states}, **states}
    seen = replace(seen, states=tuple(found.values()))
    if waiting is None:
        return replace(seen, series=_series(seen.series, {}, now))
    results = sorted(waiting.results, key=lambda result: result.at)
    recent = (*seen.recent, *map(briefly, results))
    return replace(
        seen,
        latest=results[-1],
        days={
            **seen.days,
            **{day: _plus(seen.days.get(day), [more]) for day, more in waiting.days.items()},
        },
        last_24h=_plus(seen.last_24h, [waiting.last_24h]),
        windows={
            length: _plus(
                seen.windows.get(length), _within(waiting.days, length, now), WINDOW_FIGURES
            )
            for length in WINDOWS
        },
        recent=tuple(result for result in recent if now - result.at <= RECENT),
        series=_series(seen.series, waiting.halves, now),
    )


def _plus(seen: Rollup | None, more: Iterable[Sum], wanted: Collection[str] = FIGURES) -> Rollup:
    known = Sum()
    known.add_rollup(seen or NOTHING)
    return total([known, *more], wanted)


def _within(days: Mapping[date, Sum], length: int, now: datetime) -> list[Sum]:
    first = now.date() - timedelta(days=length - 1)
    return [found for day, found in days.items() if day >= first]


def _series(
    seen: tuple[Point, ...], halves: Mapping[int, Values], now: datetime
) -> tuple[Point, ...]:
    """What was read, moved on to now; what waits fills half hours of which nothing was read."""
    known = {point.at: point for point in seen if point.p50 is not None}
    waiting = chart.points({half: point_of(values) for half, values in halves.items()}, now)
    return tuple(known.get(point.at, point) for point in waiting)


def _incidents(seen: tuple[Incident, ...], waiting: Mapping[int, Incident]) -> tuple[Incident, ...]:
    """Newest first."""
    found = {incident.id: incident for incident in seen} | dict(waiting)
    return tuple(sorted(found.values(), key=lambda each: (each.opened, each.id), reverse=True))


def _spent(
    seen: Mapping[str, Spend], waiting: Mapping[tuple[date, str], Spend], first: date
) -> dict[str, Spend]:
    found = dict(seen)
    for (day, service), spend in waiting.items():
        if day >= first:
            found[service] = found.get(service, NO_SPEND) + spend
    return found
