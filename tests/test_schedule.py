"""When checks run: phases from hashes, no overlap, nothing lost silently, a polite end."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Self

import pytest
from cast import HandClock, until
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.clock import SystemClock
from monitor.model import Check, Endpoint
from monitor.probes.probe import ProbeSettings
from monitor.schedule import Due, Grid, GridTrigger, Pause, RunCheck, Schedule, grid_of, phase


class Ping(ProbeSettings):
    kind = "http"


def check(name: str, every: float = 0.2) -> Check:
    endpoint = Endpoint(id=name, service="s", url="http://127.0.0.1:9", name=name)
    return Check(
        service="s", endpoint=endpoint, probe=Ping(every=timedelta(seconds=every)).named("ping")
    )


@asynccontextmanager
async def running(run: RunCheck, *checks: Check) -> AsyncIterator[Schedule]:
    schedule = Schedule(run, SystemClock())
    schedule.start(checks, dict.fromkeys((each.key for each in checks), SystemClock().now()))
    try:
        yield schedule
    finally:
        await schedule.drain(timedelta(seconds=2))


async def test_the_turn_of_another_vantage_is_no_run_and_none_that_was_missed() -> None:
    turns, ran = iter([True, False, False, True, *[False] * 100]), list[int]()

    async def run(_: Check, due: Due) -> None:
        ran.append(due.missed)

    async with running(run, check("a", 0.1)) as schedule:
        schedule.is_turn = lambda _check, _at: next(turns)
        await until(lambda: len(ran) == 2)
        schedule._last_end -= 100
        await asyncio.sleep(0.25)
        assert ran == [0, 0]
        assert schedule.trouble() is None


def test_phases_spread_evenly_and_stay_the_same() -> None:
    minute = timedelta(minutes=1)
    phases = [phase(f"a/b{number}/chat", minute) for number in range(6000)]
    per_second = [sum(second <= at < second + 1 for at in phases) for second in range(60)]

    assert phase("ohmygpt/cf-cdn/chat", minute) == phase("ohmygpt/cf-cdn/chat", minute)
    assert min(per_second) > 60
    assert max(per_second) < 140


@given(
    st.floats(1, 86_400),
    st.floats(0, 1),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # hypothesis wants them naive
)
def test_the_next_point_is_after_now_and_at_most_one_period_away(
    every: float, part: float, now: datetime
) -> None:
    grid = Grid(every, every * part)
    following = GridTrigger(grid).get_next_fire_time(None, now)

    assert now - timedelta(milliseconds=1) < following <= now + timedelta(seconds=every + 0.001)
    assert grid.between(grid.latest(now), following) == 1


async def test_each_check_runs_on_its_own_beat() -> None:
    """However busy the machine: each run is at a point of its grid, and what was missed is told."""
    checks = {each.key: each for each in (check("a"), check("b", every=0.4))}
    seen: dict[str, list[Due]] = {key: [] for key in checks}

    async def run(each: Check, due: Due) -> None:
        seen[each.key].append(due)

    async with running(run, *checks.values()):
        await until(lambda: min(map(len, seen.values())) > 3)

    for key, (_, *dues) in seen.items():
        grid = grid_of(checks[key])
        assert [grid.nearest(due.at) for due in dues] == [due.at for due in dues]
        steps = [grid.between(one.at, other.at) for one, other in pairwise(dues)]
        assert steps == [due.missed + 1 for due in dues[1:]]


async def test_a_check_never_overlaps_itself_and_the_missed_runs_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    together, most, missed = 0, 0, []

    async def run(each: Check, due: Due) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        missed.append(due.missed)
        await asyncio.sleep(0.5)
        together -= 1

    async with running(run, check("a")) as schedule:
        await until(lambda: len(missed) > 3)

    assert most == 1
    assert schedule.missed >= 3
    assert sum(missed[1:]) >= 2
    assert [
        record.getMessage() for record in caplog.records if record.name == "monitor.schedule"
    ] == ["event=missed check=s/a/ping reason=still_running"], (
        "said once, until a run is on time again"
    )


async def test_a_run_may_ask_for_one_more_out_of_turn_which_disturbs_no_grid() -> None:
    seen: list[float] = []
    loop = asyncio.get_running_loop()

    async def run(each: Check, due: Due) -> float | None:
        seen.append(loop.time())
        return 0.2 if len(seen) == 1 else None

    async with running(run, check("a", every=2)):
        await until(lambda: len(seen) == 4)

    gaps = [later - earlier for earlier, later in pairwise(seen)]
    assert 0.15 < gaps[0] < 1
    assert 1 < gaps[2] < 3


async def test_a_run_out_of_turn_that_would_come_after_its_turn_does_not_come() -> None:
    seen: list[str] = []

    async def run(each: Check, due: Due) -> float | None:
        seen.append(each.key)
        return 5.0

    async with running(run, check("a", every=0.5)) as schedule:
        await asyncio.sleep(1.2)
        assert not schedule._again
    assert 1 <= len(seen) <= 3


async def test_a_turn_that_comes_while_a_run_out_of_turn_waits_leaves_one_of_them() -> None:
    """A clock that is set forward brings it: two that wait would ask twice as often from then on."""
    seen: list[float] = []

    async def run(each: Check, due: Due) -> float | None:
        seen.append(time.monotonic())
        return 0.5

    hourly = check("a", every=3600)
    async with running(run, hourly) as schedule:
        for _ in range(2):
            await schedule._fire(hourly, grid_of(hourly))
            await asyncio.sleep(0.2)
        await asyncio.sleep(2.2)
    gaps = [later - earlier for earlier, later in pairwise(seen[1:])]
    assert len(gaps) >= 2
    assert min(gaps) > 0.4


async def test_what_left_the_schedule_is_not_asked_out_of_turn() -> None:
    seen: list[str] = []

    async def run(each: Check, due: Due) -> float | None:
        seen.append(each.key)
        return 0.3

    async with running(run, check("a", every=3600)) as schedule:
        await run_now(schedule, check("a", every=3600))
        schedule.change([])
        await asyncio.sleep(0.6)
    assert seen == ["s/a/ping"]


async def test_what_another_agent_may_have_run_a_moment_ago_waits_for_its_point() -> None:
    """Else a check that moves from one agent to another would be run twice in an interval."""
    async with running(idle, check("a", every=3600)) as schedule:
        schedule.begins_soon = False
        schedule.change([check("a", every=3600), check("b", every=3600)])
        [point] = [job.next_run_time for job in schedule._scheduler.get_jobs() if "b" in job.id]
        assert point == grid_of(check("b", every=3600)).following(SystemClock().now())
        schedule.change([])
        schedule.begins_soon = True
        schedule.change([check("b", every=3600)])
        assert min(schedule.next_runs()) - SystemClock().now() < timedelta(seconds=11)


async def run_now(schedule: Schedule, each: Check) -> None:
    schedule._start(schedule._checks[each.key], Due(SystemClock().now(), 0.0, 0))
    while schedule.running():
        await asyncio.sleep(0.01)


async def test_one_check_that_crashes_or_hangs_leaves_its_neighbours_alone(caplog: object) -> None:
    seen: list[str] = []

    async def run(each: Check, due: Due) -> None:
        if each.endpoint.id == "crash":
            raise RuntimeError("a bug of ours")
        if each.endpoint.id == "hang":
            await asyncio.sleep(60)
        seen.append(each.key)

    schedule = Schedule(run, SystemClock())
    checks = [check("crash"), check("hang"), check("good")]
    schedule.start(checks, dict.fromkeys((each.key for each in checks), SystemClock().now()))
    await until(lambda: len(seen) > 3 and schedule.running())
    cut = await schedule.drain(timedelta(seconds=0.2))

    assert set(seen) == {"s/good/ping"}
    assert cut == 1


async def test_stopping_waits_for_what_runs() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def run(each: Check, due: Due) -> None:
        begun.set()
        await asyncio.sleep(0.3)
        ended.set()

    schedule = Schedule(run, SystemClock())
    schedule.start([check("a")], {"s/a/ping": SystemClock().now()})
    await begun.wait()
    cut = await schedule.drain(timedelta(seconds=20))

    assert (cut, ended.is_set()) == (0, True)


async def test_a_check_never_asked_before_does_not_wait_for_its_first_grid_point() -> None:
    asked = asyncio.Event()

    async def run(each: Check, due: Due) -> None:
        asked.set()

    schedule = Schedule(run, SystemClock())
    schedule.start([check("a", every=86_400)])
    await asyncio.wait_for(asked.wait(), 11)
    await schedule.drain(timedelta(seconds=1))


@example(every=1.166015625, part=0.0, moment=1.0)
@given(every=st.floats(1, 3600), part=st.floats(0, 1), moment=st.floats(0, 1))
def test_an_early_first_run_counts_as_its_points_and_is_not_followed_at_once(
    every: float, part: float, moment: float
) -> None:
    grid = Grid(every, every * part)
    first = datetime.fromtimestamp(1_700_000_000 + moment * every, UTC)
    second = GridTrigger(grid).get_next_fire_time(first, first + timedelta(milliseconds=1))

    assert every / 2 - 0.01 <= (second - first).total_seconds() <= every * 1.5 + 0.01
    assert grid.between(grid.nearest(first), second) == 1


class ShiftedClock(SystemClock):
    """Somebody set the wall clock by so much."""

    by = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.by


async def idle(each: Check, due: Due) -> None:
    """A run that takes no time."""


async def test_a_schedule_that_falls_behind_says_so() -> None:
    clock = ShiftedClock()
    schedule = Schedule(idle, clock)
    schedule.start([check("a", every=60)], {"s/a/ping": clock.now()})
    try:
        assert schedule.trouble() is None
        clock.by = timedelta(minutes=5)
        trouble = schedule.trouble()
        assert trouble is not None
        assert trouble.startswith("schedule: ")
        assert trouble.endswith(" s behind")
    finally:
        await schedule.drain(timedelta(seconds=1))


async def test_after_a_clock_step_every_check_goes_on_at_its_next_point(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """APScheduler would stay silent for the hour that the clock was set back."""
    clock = ShiftedClock()
    schedule = Schedule(idle, clock)
    checks = [check(name, every=60) for name in "abc"]
    schedule.start(checks, dict.fromkeys((each.key for each in checks), clock.now()))
    try:
        await asyncio.sleep(0.1)
        clock.by = timedelta(hours=-1)
        schedule.rearm()  # looked at before APScheduler, whose clock was not set, gets to it
        waits = [at - clock.now() for at in schedule.next_runs()]
        assert len(waits) == 3
        assert max(waits) <= timedelta(seconds=60)

        await until(lambda: "event=clock_step seconds=-3600.0" in caplog.text)
    finally:
        await schedule.drain(timedelta(seconds=1))


async def test_a_schedule_whose_runs_never_end_says_so(clock: HandClock) -> None:
    """Whatever the endpoints do, a run ends with its time limit: else we hang ourselves."""

    async def run(check: Check, due: Due) -> None:
        await asyncio.sleep(60)

    schedule = Schedule(run, clock)
    schedule.start([check("quick", 60), check("slow", 86_400)])
    try:
        clock.tick(3 * 60 + 30 + 30)
        schedule.rearm()
        assert schedule.trouble() is None
        clock.tick(1)
        schedule.rearm()
        assert schedule.trouble() == "probes: none has ended for 241 s"
    finally:
        await schedule.drain(timedelta(0))


class SetClock(datetime):
    """What APScheduler asks for the time, after somebody set it."""

    by = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        real = datetime.now(tz) + SetClock.by  # noqa: TID251
        return cls.fromtimestamp(real.timestamp(), tz)


@pytest.mark.slow
@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_step_of_an_hour_neither_stops_nor_bunches_the_runs(
    monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", SetClock)
    monkeypatch.setattr(SetClock, "by", timedelta(0))
    clock = ShiftedClock()
    ran: dict[str, list[float]] = {name: [] for name in "abcde"}
    told: list[Due] = []

    async def run(each: Check, due: Due) -> None:
        ran[each.endpoint.id].append(time.monotonic())
        told.append(due)

    schedule = Schedule(run, clock)
    checks = [check(name, every=1.0) for name in ran]
    schedule.start(checks, dict.fromkeys((each.key for each in checks), clock.now()))
    try:
        await asyncio.sleep(2.5)
        clock.by = timedelta(hours=hours)
        SetClock.by = timedelta(hours=hours)
        await asyncio.sleep(5.5)
    finally:
        await schedule.drain(timedelta(seconds=1))
    for times in ran.values():
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert max(gaps) < 3.5, "a period, and a second or two until the step is noticed"
        assert min(gaps) > 0.2, "no run of the hour is made up for"
        assert 5 <= len(times) <= 10
    assert max(due.late_ms for due in told) < 1500
    assert sum(due.missed for due in told) <= 10, "nor counted as missed"


async def test_three_thousand_first_runs_are_spread_over_their_interval(clock: HandClock) -> None:
    checks = [check(f"e{number}", every=60.0) for number in range(3_000)]
    schedule = Schedule(idle, clock)
    schedule.start(checks)
    try:
        begin = clock.now()
        seconds = Counter(int((at - begin).total_seconds()) for at in schedule.next_runs())
        assert sum(seconds.values()) == 3_000
        assert max(seconds.values()) < 90, "50 a second are their usual load"
        assert len(seconds) in {60, 61}
    finally:
        await schedule.drain(timedelta(0))


async def test_a_hundred_hourly_checks_are_all_asked_within_ten_seconds(clock: HandClock) -> None:
    schedule = Schedule(idle, clock)
    schedule.start([check(f"e{number}", every=3600.0) for number in range(100)])
    try:
        assert max(schedule.next_runs()) <= clock.now() + timedelta(seconds=10)
    finally:
        await schedule.drain(timedelta(0))


@dataclass
class Clocks:
    """A schedule with nothing to do, beside a clock that a test moves."""

    clock: HandClock
    schedule: Schedule

    def look(self) -> tuple[Pause, ...]:
        self.schedule._look_at_clock()
        return self.schedule.take_pauses()


@pytest.fixture
def clocks(clock: HandClock) -> Clocks:
    return Clocks(clock, Schedule(idle, clock))


async def test_a_suspend_is_a_pause_and_no_step_of_the_clock(clocks: Clocks) -> None:
    begin = clocks.clock.now()
    clocks.clock.suspend(600)
    assert clocks.look() == (Pause(begin, clocks.clock.now(), by_clock=False),)
    assert clocks.look() == ()


async def test_a_process_that_was_stopped_is_a_pause(clocks: Clocks) -> None:
    begin = clocks.clock.now()
    clocks.clock.tick(600)
    assert clocks.look() == (Pause(begin, clocks.clock.now(), by_clock=False),)


async def test_a_clock_set_forward_may_be_a_pause_and_one_set_back_is_none(clocks: Clocks) -> None:
    begin = clocks.clock.now()
    clocks.clock.step(600)
    assert clocks.look() == (Pause(begin, clocks.clock.now(), by_clock=True),)
    clocks.clock.step(-900)
    assert clocks.look() == ()
    clocks.clock.step(90 * 86_400)
    assert clocks.look() == (), "a clock that was wrong by months, not a pause of months"


async def test_what_hung_through_a_pause_is_not_judged(clock: HandClock) -> None:
    begun, cut = asyncio.Event(), asyncio.Event()

    async def hang(_: Check, __: Due) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.set()
            raise

    schedule = Schedule(hang, clock)
    schedule._start(check("a"), Due(clock.now(), 0.0, 0))
    await begun.wait()
    clock.suspend(600)
    schedule._look_at_clock()
    await asyncio.wait_for(cut.wait(), 10)
    await schedule.drain(timedelta(0))


async def test_a_check_that_a_person_asks_for_runs_at_once_or_after_the_run_under_way() -> None:
    begun, release = 0, asyncio.Event()

    async def run(_: Check, __: Due) -> None:
        nonlocal begun
        begun += 1
        await release.wait()

    async with running(run, check("a", every=86_400)) as schedule:
        schedule.run_now("s/a/ping")
        schedule.run_now("s/none/ping")
        await until(lambda: begun == 1)
        schedule.run_now("s/a/ping")
        await asyncio.sleep(0.05)
        assert begun == 1
        release.set()
        await until(lambda: begun == 2)


async def test_what_could_not_run_during_a_pause_is_no_trouble_of_the_schedule(
    clock: HandClock,
) -> None:
    resumed = []
    schedule = Schedule(idle, clock)
    schedule.on_resume = lambda: resumed.append(True)
    schedule.start([check("a", every=60.0)])
    try:
        clock.tick(600)
        schedule._look_at_clock()
        assert schedule.trouble() is None
        assert resumed == [True]
        assert min(schedule.next_runs()) > clock.now()
    finally:
        await schedule.drain(timedelta(0))
