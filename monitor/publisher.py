"""Loop 3: snapshot -> view -> files, on a beat of its own. Never on the probes' path."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol, TypeVar

from monitor.clock import Clock
from monitor.logs import RepeatFilter
from monitor.model import (
    BalanceHistory,
    Check,
    Evidence,
    Habit,
    Maintenance,
    Month,
    MonthRecord,
    Names,
    PageSettings,
    Service,
    Snapshot,
    StoreError,
    Vantage,
)
from monitor.page import (
    Folder,
    MonthPages,
    Pick,
    PickView,
    RenderCache,
    Renderer,
    Site,
    State,
    last_picks,
    pick_key,
    view,
)

T = TypeVar("T")
log = logging.getLogger(__name__)


class SnapshotSource(Protocol):
    """The part of the store that the publisher needs."""

    async def snapshot(self, now: datetime) -> Snapshot: ...

    async def evidence(self, check: str, at: datetime) -> Evidence | None: ...

    async def month(self, month: Month, now: datetime) -> MonthRecord: ...


Habits = Callable[[], Mapping[str, Habit]]
"""Returns what is learned of each check by now."""


def nothing_learned() -> Mapping[str, Habit]:
    return {}


class Upload(Protocol):
    """The command that takes the page elsewhere."""

    def offer(self, *, changed: bool) -> None: ...

    async def finish(self) -> None: ...


CALM_BEATS = 3
"""While nothing that is believed changes, so many beats pass from one page to the next."""
MOST_SHARE = 0.1
"""Of the time, unless that would be less often than while all is calm."""
LONG_S, PIECE_S = 0.5, 0.02
"""Rendering that lasts longer than the first rests after each of the second."""
MOST_REST_S = 0.5
"""A process that was paused for an hour has not worked for one, and need not rest for another."""
OnBest = Callable[[Mapping[str, PickView | None]], Awaitable[None]]
"""Called with what a page recommends, by service; None where it recommends nothing."""


async def no_listener(_: Mapping[str, PickView | None]) -> None:
    """Tell nobody what is recommended."""


class Publisher:
    def __init__(
        self,
        source: SnapshotSource,
        services: tuple[Service, ...],
        checks: tuple[Check, ...],
        settings: PageSettings,
        *,
        clock: Clock,
        vantage: str,
        version: str,
        maintenance: tuple[Maintenance, ...] = (),
        vantage_names: Names = (),
        vantages: tuple[Vantage, ...] = (),
        upload: Upload | None = None,
        habits: Habits = nothing_learned,
        balances: Mapping[str, BalanceHistory] | None = None,
    ) -> None:
        """`balances` are for a page that its operator alone reads."""
        self.on_best: OnBest = no_listener
        self._is_ending: Callable[[], bool] = lambda: False
        self._source = source
        self._upload = upload
        self._habits = habits
        self._balances = balances or {}
        self._clock = clock
        self._vantage, self._version = vantage, version
        self.change(services, checks, settings, maintenance, vantage_names, vantages)
        self._repeats = RepeatFilter()
        self._cache = RenderCache(holds_files=False)
        self._renderer = Renderer(self._cache)
        self._months = MonthPages(self._renderer)
        self._picks: Mapping[str, Pick] | None = None
        self._folder = Folder(settings.dir)

    def change(
        self,
        services: tuple[Service, ...],
        checks: tuple[Check, ...],
        settings: PageSettings,
        maintenance: tuple[Maintenance, ...] = (),
        vantage_names: Names = (),
        vantages: tuple[Vantage, ...] = (),
    ) -> None:
        """Set what the next page shows."""
        self._is_calm = False
        self.site = Site(
            services=services,
            checks=tuple(check for check in checks if check.probe.shown),
            settings=settings,
            vantage=self._vantage,
            version=self._version,
            maintenance=maintenance,
            vantage_names=vantage_names,
            vantages=vantages,
        )

    @property
    def picks(self) -> Mapping[str, Pick]:
        """Return what the page recommends, by service; empty before the first page."""
        return self._picks or {}

    async def run(
        self, stop: asyncio.Event, every: timedelta, changes: Callable[[], object] = int
    ) -> None:
        """Publish at each beat, but while all is calm only at each third one.

        `changes` tells of each change of what is believed by another value. All is calm while it
        stays the same, every base URL is known, and the last page was written. A page that takes
        long is made as seldom, so that it takes no more than `MOST_SHARE` of the time.
        """
        self._is_ending = stop.is_set
        beats, rest, seen = CALM_BEATS, 1, changes()
        while not stop.is_set():
            is_news = not self._is_calm or changes() != seen
            if beats >= (rest if is_news else CALM_BEATS):
                beats, seen = 0, changes()
                began = self._clock.monotonic()
                await self._publish_or_log()
                took_s = self._clock.monotonic() - began
                rest = min(CALM_BEATS, ceil(took_s / MOST_SHARE / every.total_seconds()) or 1)
            beats += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every.total_seconds())

    async def _publish_or_log(self) -> None:
        self._is_calm = False
        try:
            await self.publish()
            self._repeats.is_news("page", None)
        except (OSError, StoreError) as error:  # a full disk, a folder of somebody else's
            level = self._repeats.level("page", str(error), logging.DEBUG)
            log.log(level, 'event=page_not_written why="%s"', error)
        except Exception:  # the page grows stale and says so
            log.exception("event=internal loop=publisher")

    async def publish(self, *, stopped: bool = False) -> None:
        """Write the page as it is now; with `stopped` the last one, which says so and is stale from the start."""
        began = self._clock.monotonic()
        now = self._clock.now()
        snapshot = await self._source.snapshot(now)
        if self.site.settings.errors:
            snapshot = await self._with_evidence(snapshot)
        if self.site.settings.trust:
            snapshot = replace(snapshot, habits={**self._habits()})
        if self.site.settings.reports:
            await self._read_months(snapshot)
        if self._balances:
            snapshot = replace(snapshot, balances=self._balances)
        if stopped:
            snapshot = replace(snapshot, stopped_at=now)
        changed, best = await asyncio.to_thread(self._write, snapshot)
        took_ms = (self._clock.monotonic() - began) * 1000
        log.info(
            "event=published files_changed=%d took_ms=%.0f stopped=%s", changed, took_ms, stopped
        )
        if not stopped:
            await self.on_best(best)
        if self._upload and stopped:
            await self._upload.finish()
        elif self._upload:
            self._upload.offer(changed=changed > 0)

    async def _with_evidence(self, snapshot: Snapshot) -> Snapshot:
        """Add to a snapshot what the endpoints that fail now have answered."""
        checks = dict(snapshot.checks)
        for key, history in snapshot.checks.items():
            if history.latest and history.latest.failure:
                with contextlib.suppress(StoreError):  # it adorns the page, and no more
                    evidence = await self._source.evidence(key, history.latest.at)
                    checks[key] = replace(history, evidence=evidence)
        return replace(snapshot, checks=checks)

    async def _read_months(self, snapshot: Snapshot) -> None:
        """Report the months that have news. What cannot be read now stays as it is."""
        site = self.site
        with contextlib.suppress(StoreError):
            while months := self._months.wanted(site, snapshot):
                record = await self._source.month(months[0], snapshot.at)
                await asyncio.to_thread(self._months.put, site, snapshot, months[0], record)

    def _write(self, snapshot: Snapshot) -> tuple[int, Mapping[str, PickView | None]]:
        """Return how many files changed, and what the page recommends."""
        site = self.site
        folder = site.settings.dir
        if folder != self._folder.path:
            self._folder = Folder(folder)
            self._cache.forget_files()
            self._months.forget()
        picks = _previous_picks(site) if self._picks is None else self._picks
        page, self._picks = view(site, snapshot, picks, self._cache)
        try:
            reports = self._months.files() if site.settings.reports else {}
            changed = self._folder.publish(
                at_ease(self._renderer.each_file(page, reports), self._clock.monotonic, self._rest)
            )
        except BaseException:  # nobody knows what was written
            self._cache.forget_files()
            self._months.forget()
            raise
        self._cache.forget_files(self._folder.lost)
        self._months.written(self._folder.lost)
        states = {endpoint.state for endpoint in page.endpoints}
        is_whole = site is self.site and not self._folder.lost
        self._is_calm = is_whole and bool(states) and State.UNKNOWN not in states
        best = {
            service.id: service.picks[0] if service.picks else None for service in page.for_users
        }
        return changed, best

    def _rest(self, seconds: float) -> None:
        if not self._is_ending():
            time.sleep(seconds)


def at_ease(
    files: Iterable[T], monotonic: Callable[[], float], rest: Callable[[float], None]
) -> Iterator[T]:
    """Give each file. Where they take long, rest as long as is worked, so that probes are on time."""
    first = began = monotonic()
    for file in files:
        yield file
        now = monotonic()
        if now - began > PIECE_S:
            if now - first > LONG_S:
                rest(min(now - began, MOST_REST_S))
            began = monotonic()


def _previous_picks(site: Site) -> Mapping[str, Pick]:
    """Return what the daemon before us recommended, from each place."""
    if not site.vantages:
        return _picks_in(site, "best.json")
    return {
        pick_key(site, vantage, service): pick
        for vantage in (site.vantage, *(place.id for place in site.vantages))
        for service, pick in _picks_in(site, f"best/{vantage}.json").items()
    }


def _picks_in(site: Site, name: str) -> Mapping[str, Pick]:
    try:
        return last_picks((site.settings.dir / name).read_bytes())
    except OSError:
        return {}
