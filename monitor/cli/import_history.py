"""Adds the heartbeats of Uptime Kuma to the history of the checks that its monitors became.

Newest first, and only what is older than all that is known of a check: so it can be done again, also after it was
interrupted, and nothing is there twice.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

from monitor.clock import SystemClock
from monitor.config import Config
from monitor.imports import KumaDatabase
from monitor.imports.kuma_heartbeats import (
    complete_since,
    moment,
    newest_moment,
    past_counts,
    result_of,
    written,
)
from monitor.model import Check, Resolution, RunRecord
from monitor.store import Store

_AT_ONCE = 2000
_CONNECTING = frozenset({"tcp", "tls"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedHistory:
    """Says what was added of one check."""

    check: str
    has_heartbeats: bool = True
    runs: int = 0
    hours: int = 0
    days: int = 0
    first: datetime | None = None


async def add_history(
    config: Config,
    database: KumaDatabase,
    monitors: Mapping[str, str],
    advance: Callable[[int], None],
) -> tuple[AddedHistory, ...]:
    """Add what the database knows of these monitors, given by the key of the check that each became.

    Raises StoreError where a daemon holds the store, or it cannot be written.
    """
    clock = SystemClock()
    store = Store(config.store, clock=clock, vantage=config.vantage, history=config.history)
    store.open()
    try:
        added, now = [], clock.now()
        for check in config.checks:
            if check.key in monitors:
                work = _Adding(config, store, database, check, monitors[check.key], advance)
                added.append(await work.add(now))
                await store.prune(clock.now(), config.history)
        return tuple(added)
    finally:
        await store.close()


class _Adding:
    def __init__(
        self,
        config: Config,
        store: Store,
        database: KumaDatabase,
        check: Check,
        monitor: str,
        advance: Callable[[int], None],
    ) -> None:
        self._config, self._store, self._database = config, store, database
        self._check, self._monitor, self._advance = check, monitor, advance

    async def add(self, now: datetime) -> AddedHistory:
        key = self._check.key
        before = await asyncio.to_thread(self._oldest) or now
        newest = newest_moment(self._database.heartbeats(self._monitor, written(now)))
        if newest is None:
            return AddedHistory(check=key, has_heartbeats=False)
        since = complete_since(self._database.version, newest)
        runs, first = 0, None
        entries_left = self._entries(before, since)
        while entries := tuple(islice(entries_left, _AT_ONCE)):
            await self._store.mark_imported(key, before)
            await self._store.backfill(entries)
            runs, first = runs + len(entries), entries[-1].result.at
        counts = past_counts(
            self._database.statistics(self._monitor, "stat_hourly"),
            self._database.statistics(self._monitor, "stat_daily"),
            min(since, Resolution.HOUR.begin(before)),
        )
        if counts:
            await self._store.mark_imported(key, before)
            await self._store.backfill_counts(key, self._check.probe.kind, counts)
            first = min(counted.at for counted in counts)
        hours = sum(counted.resolution is Resolution.HOUR for counted in counts)
        return AddedHistory(
            check=key, runs=runs, hours=hours, days=len(counts) - hours, first=first
        )

    def _oldest(self) -> datetime | None:
        """Return the begin of the oldest that is known of the check: of a run, or of a day before all runs."""
        with closing(Store.read_only(self._config.store, vantage=self._config.vantage)) as reader:
            run = next(reader.each_result(self._check.key), None)
            day = next(reader.each_period(Resolution.DAY, self._check.key), None)
        times = [run.at] if run else []
        if day and not (run and Resolution.DAY.begin(run.at) <= day.at):
            times.append(day.at)
        return min(times, default=None)

    def _entries(self, before: datetime, since: datetime) -> Iterator[RunRecord]:
        """Yield the runs of the heartbeats in this time, newest first."""
        check, kind = self._check.key, self._check.probe.kind
        rows = self._database.heartbeats(self._monitor, written(before))
        for row in takewhile(lambda row: (moment(row.get("time")) or since) >= since, rows):
            self._advance(1)
            result = result_of(row, check, self._config.vantage, connects=kind in _CONNECTING)
            if result is not None and result.at < before:
                before = result.at
                yield RunRecord(result=result, kind=kind)
