"""Decides when each check runs. This is the only file that knows APScheduler.

A check's phase on the unix grid comes from a hash of its key: load is spread, two daemons agree,
and a restart moves nothing. A check never overlaps itself; a run that could not start counts as
missed and is told to the next run that does.
"""

import asyncio
import hashlib
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from monitor.clock import Clock
from monitor.logs import RepeatFilter
from monitor.model import Check

log = logging.getLogger(__name__)

_TICK = timedelta(milliseconds=1)
SET_CLOCK = timedelta(days=1)
"""A wall clock that goes further ahead at once was wrong and has been set: no machine was paused."""
CLOCK_STEP = 2.0
"""Seconds by which two clocks may part in a second before we call it a step, or a suspend."""
PAUSE = timedelta(minutes=2)
"""A daemon that did nothing for so long was paused: nobody lags like that."""
LATE = timedelta(seconds=1)
RETRY_S = 1.0
"""How long a run that a person asks for waits, again and again, for one that is under way."""
STUCK = timedelta(seconds=30)
"""The schedule is not well when its next run is overdue by this, or no run has ended for so much
longer than the quickest check may take."""
SOON = timedelta(seconds=10)
"""A check without a recent result need not wait for its first grid point longer than this."""
FIRST_RUNS_PER_S = 50
"""But so many checks are started in a second at most, beside those whose grid point it is."""


@dataclass(frozen=True, slots=True)
class Due:
    """Says why a run happens now: `missed` runs of this check were due before and did not happen."""

    at: datetime
    late_ms: float
    missed: int


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """Says what another configuration did to the schedule, by check."""

    new: frozenset[str]
    gone: frozenset[str]
    changed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which nothing was probed. `by_clock` means that only the wall clock tells of it.

    Then the machine was paused, or somebody set the clock forward: that cannot be told apart.
    """

    begin: datetime
    end: datetime
    by_clock: bool


@dataclass(frozen=True, slots=True)
class _Look:
    """Holds what the clocks said at one moment, in seconds."""

    wall: float
    monotonic: float
    """Stands still while the machine is suspended."""
    elapsed: float
    """Goes on while the machine is suspended."""


RunCheck = Callable[[Check, Due], Awaitable[float | None]]
"""Runs a check once; returns in how many seconds to run it again out of turn, or None."""


def phase(key: str, every: timedelta) -> float:
    """Return the seconds into the period at which `key` runs.

    They are even over keys, and the same on every machine.
    """
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * every.total_seconds()


@dataclass(frozen=True, slots=True)
class Grid:
    """The moments `offset + n x every` of the unix time line, in seconds."""

    every: float
    offset: float

    def latest(self, now: datetime) -> datetime:
        """Return the newest grid point that is not after `now`."""
        return self._point(self._steps(now))

    def following(self, now: datetime) -> datetime:
        return self._point(self._steps(now) + 1)

    def _steps(self, now: datetime) -> int:
        return math.floor((now.timestamp() - self.offset) / self.every)

    def _point(self, steps: int) -> datetime:
        """Compute a grid point always by the same sum, so that equal points compare equal."""
        return datetime.fromtimestamp(steps * self.every + self.offset, UTC)

    def number(self, point: datetime) -> int:
        """Return how many periods of the time line come before a grid point."""
        return round((point.timestamp() - self.offset) / self.every)

    def nearest(self, now: datetime) -> datetime:
        return self.latest(now + timedelta(seconds=self.every / 2))

    def between(self, earlier: datetime, later: datetime) -> int:
        """Return how many periods lie between two grid points."""
        return round((later - earlier).total_seconds() / self.every)


def grid_of(check: Check) -> Grid:
    return Grid(check.probe.every.total_seconds(), phase(check.key, check.probe.every))


def whose_turn(check: Check, at: datetime, able: Collection[str]) -> str:
    """Return which vantage runs a check with `turns` at the grid point next to `at`.

    All agree, because they have the same order and the same grid. The turn of one that is not `able` is the hub's.
    """
    grid = grid_of(check)
    place = check.turns[grid.number(grid.nearest(at)) % len(check.turns)]
    return place if place in able else check.turns[0]


class GridTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler 3 ships no types
    """Fires at the next grid point after now: a backlog after a clock step is never enumerated.

    A first run that came early, less than half a period before its point, counts as that point's.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        following = self.grid.following(now)
        if previous is not None and self.grid.nearest(previous) >= following:
            return self.grid.following(following + _TICK)
        return following


class Schedule:
    """Starts runs and keeps them: APScheduler says when, we hold the tasks and drain them."""

    def __init__(self, run: RunCheck, clock: Clock) -> None:
        self.on_resume: Callable[[], None] = lambda: None
        """Called after a pause, for whoever waits for an answer that could not come meanwhile."""
        self.is_turn: Callable[[Check, datetime], bool] = lambda _check, _at: True
        """Says whether a check whose grid point has come is run here: several vantages may take turns."""
        self.begins_soon = True
        """Says whether a check that comes with a change runs soon; else it waits for its next grid point, because
        another agent may have run it a moment ago."""
        self._run = run
        self._clock = clock
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._repeat_filter = RepeatFilter()
        self._checks: dict[str, Check] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._last_due: dict[str, datetime] = {}
        self._not_before: dict[str, datetime] = {}
        """Set by a step of the clock: a check's next grid point, which no run comes before."""
        self._last_look = self._read_clocks()
        self._pauses: list[Pause] = []
        self._clock_watch: asyncio.Task[None] | None = None
        self._last_end = clock.monotonic()
        self._again: dict[str, asyncio.TimerHandle] = {}
        self._draining = False
        self.late = 0
        self.missed = 0

    def start(self, checks: Iterable[Check], last: Mapping[str, datetime] | None = None) -> None:
        """Begin to run checks. `last` says when each was asked before: one that is overdue runs soon."""
        checks = tuple(checks)
        for check in checks:
            self._add(check, (last or {}).get(check.key), len(checks))
        self._scheduler.start()
        self._clock_watch = asyncio.create_task(self._watch_clock(), name="schedule watch")

    def _add(self, check: Check, last: datetime | None, count: int) -> None:
        """Schedule a check, one of `count` that are added at once."""
        self._checks[check.key] = check
        grid, now = grid_of(check), self._clock.now()
        overdue = last is None or now - last >= check.probe.every
        first = grid.following(now)
        spread = max(SOON, timedelta(seconds=count / FIRST_RUNS_PER_S))
        if spread < check.probe.every:  # else the grid is as soon, and as even as can be
            first = min(first, now + timedelta(seconds=phase(check.key, spread)))
        self._scheduler.add_job(
            self._fire,
            GridTrigger(grid),
            args=(check, grid),
            id=check.key,
            next_run_time=first if overdue else grid.following(now),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,  # the default of 1 s drops runs whenever the loop is busy
        )

    def change(self, checks: Iterable[Check]) -> ScheduleChange:
        """Replace the checks. Unchanged ones keep their grid and a run under way; others are cut off."""
        wanted = {check.key: check for check in checks}
        gone = {key for key in self._checks if key not in wanted}
        new = {key for key in wanted if key not in self._checks}
        changed = {
            key for key, check in wanted.items() if key not in new and check != self._checks[key]
        }
        for key in gone | changed:
            self._remove(key)
        for key in [key for key in wanted if key in new | changed]:
            last = None if self.begins_soon else self._clock.now()
            self._add(wanted[key], last, len(new | changed))
        return ScheduleChange(frozenset(new), frozenset(gone), frozenset(changed))

    def _remove(self, key: str) -> None:
        """Remove a check at once: a result that nobody waits for any more must not be judged."""
        self._scheduler.remove_job(key)
        del self._checks[key]
        self._last_due.pop(key, None)
        self._not_before.pop(key, None)
        if timer := self._again.pop(key, None):
            timer.cancel()
        if task := self._running.pop(key, None):
            task.cancel()

    async def _fire(self, check: Check, grid: Grid) -> None:
        """Start a run in a task of ours: APScheduler cancels its own at shutdown, we want to drain."""
        self._look_at_clock()
        now = self._clock.now()
        if now < self._not_before.get(check.key, now):
            return  # due only by a clock that has been set since
        self._not_before.pop(check.key, None)
        if check.key in self._running:
            self.missed += 1
            level = self._repeat_filter.level(check.key, "still_running", logging.DEBUG)
            log.log(level, "event=missed check=%s reason=still_running", check.key)
            return
        due = self._due(check.key, grid, now)
        if not self.is_turn(check, due.at):
            # That there is nothing to run is no stand-still.
            self._last_end = self._clock.monotonic()
            return
        if not due.missed:
            self._repeat_filter.is_news(check.key, None)
        self.late += due.late_ms > LATE / timedelta(milliseconds=1)
        self._start(check, due)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Forget a task that ended, unless a changed check has taken its place."""
        self._last_end = self._clock.monotonic()
        if self._running.get(task.get_name()) is task:
            del self._running[task.get_name()]

    def _due(self, key: str, grid: Grid, now: datetime) -> Due:
        """Return why a check runs now, and note its grid point as served."""
        before = self._last_due.get(key)
        if before is None:  # the first run may come before its first grid point
            self._last_due[key] = grid.nearest(now)
            return Due(now, 0.0, 0)
        at = self._last_due[key] = grid.latest(now)
        missed = max(0, grid.between(before, at) - 1)
        return Due(at, (now - at) / timedelta(milliseconds=1), missed)

    async def _run_safely(self, check: Check, due: Due) -> None:
        """Run a check; nothing that it raises may end the schedule."""
        try:
            again_s = await self._run(check, due)
        except Exception:
            log.exception("event=internal check=%s", check.key)
        else:
            if again_s is not None:
                self._ask_again(check, again_s)

    def _ask_again(self, check: Check, seconds: float) -> None:
        """Run a check out of turn, unless its turn comes first. The grid and its counts ignore it."""
        if self._draining or self._checks.get(check.key) is not check:
            return
        now = self._clock.now()
        if grid_of(check).following(now) - now > timedelta(seconds=seconds):
            loop = asyncio.get_running_loop()
            if before := self._again.pop(check.key, None):  # its turn came first: the clock was set
                before.cancel()
            self._again[check.key] = loop.call_later(seconds, self._fire_again, check)

    def _fire_again(self, check: Check) -> None:
        self._again.pop(check.key, None)
        if check.key not in self._running:
            self._start(check, Due(self._clock.now(), 0.0, 0))

    def run_now(self, key: str) -> None:
        """Run a check out of turn: at once, or a second later while a run of it is under way."""
        if timer := self._again.pop(key, None):
            timer.cancel()
        check = self._checks.get(key)
        if check is None or self._draining:
            return
        if key in self._running:
            loop = asyncio.get_running_loop()
            self._again[key] = loop.call_later(RETRY_S, self.run_now, key)
        else:
            self._start(check, Due(self._clock.now(), 0.0, 0))

    def _start(self, check: Check, due: Due) -> None:
        task = asyncio.create_task(self._run_safely(check, due), name=check.key)
        self._running[check.key] = task
        task.add_done_callback(self._ended)

    async def _watch_clock(self) -> None:
        """Look for clock steps: APScheduler sleeps towards wall times, and would miss a step back."""
        while True:
            await asyncio.sleep(1)
            self._look_at_clock()

    def _look_at_clock(self) -> None:
        before, now = self._last_look, self._read_clocks()
        self._last_look = now
        elapsed = now.elapsed - before.elapsed
        suspended = elapsed - (now.monotonic - before.monotonic)
        step = now.wall - before.wall - elapsed
        if abs(step) > CLOCK_STEP:
            log.warning("event=clock_step seconds=%.1f", step)
        if suspended > CLOCK_STEP or elapsed > PAUSE.total_seconds():
            log.warning("event=paused seconds=%.1f", elapsed)
        self._note_pause(now, elapsed, step)
        if max(abs(step), suspended) > CLOCK_STEP or elapsed > PAUSE.total_seconds():
            self.rearm()

    def _note_pause(self, now: _Look, elapsed: float, step: float) -> None:
        """Note a time without probes, if there was one, and end the runs that it has cut."""
        by_clock = elapsed <= PAUSE.total_seconds()
        lasted = step if by_clock else elapsed
        if lasted <= PAUSE.total_seconds() or (by_clock and lasted > SET_CLOCK.total_seconds()):
            return
        begin = datetime.fromtimestamp(now.wall - lasted, UTC)
        self._pauses.append(Pause(begin, datetime.fromtimestamp(now.wall, UTC), by_clock))
        if not by_clock:
            self._last_end = self._clock.monotonic()
            self.on_resume()
            for task in self._running.values():  # what they waited for is over, for whatever reason
                task.cancel()

    def _read_clocks(self) -> _Look:
        clock = self._clock
        return _Look(clock.now().timestamp(), clock.monotonic(), clock.elapsed())

    def take_pauses(self) -> tuple[Pause, ...]:
        """Return the pauses since the last call."""
        pauses, self._pauses = tuple(self._pauses), []
        return pauses

    def rearm(self) -> None:
        """Forget the old due times; every check goes on at its next grid point, none before.

        After a step forward all are overdue at once, and APScheduler may have begun to start them.
        """
        self._last_due.clear()
        now = self._clock.now()
        for job in self._scheduler.get_jobs():
            following = job.trigger.get_next_fire_time(None, now)
            self._not_before[job.id] = following
            job.modify(next_run_time=following)

    def running(self) -> frozenset[asyncio.Task[None]]:
        return frozenset(self._running.values())

    def next_runs(self) -> list[datetime]:
        """Return when each check is due next."""
        return [job.next_run_time for job in self._scheduler.get_jobs() if job.next_run_time]

    def trouble(self) -> str | None:
        """Return why the schedule is stuck, or None.

        An exception inside APScheduler ends it while it says that it runs, so the next job is looked at.
        """
        times = self.next_runs()
        if not times:
            return None
        behind = self._clock.now() - min(times)
        if behind > STUCK:
            return f"schedule: {behind.total_seconds():.0f} s behind"
        idle = self._clock.monotonic() - self._last_end
        return f"probes: none has ended for {idle:.0f} s" if idle > self._patience() else None

    def _patience(self) -> float:
        """Return the seconds within which some check must have run to its end."""
        longest = min(
            3 * check.probe.every + check.probe.timeout for check in self._checks.values()
        )
        return (longest + STUCK).total_seconds()

    async def drain(self, patience: timedelta) -> int:
        """Start nothing more, wait for what runs, and return how many runs had to be cut off."""
        self._draining = True
        for timer in self._again.values():
            timer.cancel()
        if self._clock_watch:
            self._clock_watch.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        running = set(self._running.values())
        if not running:
            return 0
        _, late = await asyncio.wait(running, timeout=patience.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)
