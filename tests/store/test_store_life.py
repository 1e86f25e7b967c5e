"""Whatever befalls a store and its clock, every answer is what all its runs add up to, one by one."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from cast import HandClock
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store_cast import CHAT, NOON, entry, failed, opened, streamed

from monitor.model import WINDOWS, HistorySettings, Resolution, Rollup, RunRecord, Snapshot
from monitor.model.rollup import merge
from monitor.store import Reader, Store
from monitor.store.run_rows import EPOCH

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
HALF_AN_HOUR = timedelta(minutes=30)
KEPT = HistorySettings(raw=None, hours=10 * DAY)
ago = st.one_of(st.just(0), st.integers(0, 7200), st.integers(0, 9 * 86_400))
ahead = st.one_of(st.integers(1, 7200), st.integers(1, 3 * 86_400), st.just(100 * 86_400))
back = st.one_of(st.integers(61, 7200), st.integers(61, 5 * 86_400), st.just(90 * 86_400))
steps = st.one_of(
    st.tuples(st.just("run"), st.lists(ago, min_size=1, max_size=4)),
    st.tuples(st.just("tick"), ahead),
    st.tuples(st.just("set"), st.one_of(ahead, back.map(lambda seconds: -seconds))),
    st.tuples(st.sampled_from(["prune", "restart", "look"]), st.none()),
)


class Life:
    """One store, and all that it was ever given."""

    def __init__(self, url: str, store: Store, clock: HandClock) -> None:
        self.url, self.store, self.clock = url, store, clock
        self.runs: dict[datetime, RunRecord] = {}

    async def step(self, what: str, value: Any) -> None:
        await self.settled()
        if what == "run":
            self._run(value)
        elif what == "tick":
            self.clock.tick(value)
        elif what == "set":
            self.clock.step(value)
        elif what == "prune":
            await self.store.prune(self.clock.now(), KEPT)
        self.store.heartbeat(self.clock.now())
        await self.settled()

    async def settled(self) -> None:
        for _ in range(2):  # hours are rolled up behind the first one
            await self.store.flush()

    def _run(self, seconds: list[int]) -> None:
        for ago in seconds:
            at = self.clock.now() - ago * SECOND
            make = failed if ago % 3 == 1 else streamed
            run = entry(make(at), in_maintenance=ago % 7 == 1, missed=ago % 2)
            self.store.record(run)
            while at in self.runs:
                at += timedelta(milliseconds=1)
            self.runs[at] = run

    def sums(self, of: Resolution) -> dict[datetime, Rollup]:
        rollups: dict[datetime, list[Rollup]] = defaultdict(list)
        for at, run in self.runs.items():
            rollups[of.begin(at)].append(rollup(run))
        return {at: merge(rollups[at]) for at in sorted(rollups)}


def rollup(run: RunRecord) -> Rollup:
    return replace(Rollup.of(run.result, in_maintenance=run.in_maintenance), missed=run.missed)


def counts(rollup: Rollup) -> tuple[dict[str, int], int]:
    return {name: count for name, count in rollup.outcomes.items() if count}, rollup.maintenance


def assert_read_as_lived(life: Life, reader: Reader, snapshot: Snapshot) -> None:
    now, today = life.clock.now(), life.clock.now().date()
    for of in (Resolution.DAY, Resolution.MONTH, Resolution.YEAR):
        assert {each.at: each.rollup for each in reader.rollups(CHAT, of)} == life.sums(of)
    assert [run.at for run in reader.results(CHAT, since=EPOCH)] == sorted(life.runs)
    histories = snapshot.checks
    if not life.runs:
        assert histories == {}
        return
    look, days = (
        histories[CHAT],
        {at.date(): each for at, each in life.sums(Resolution.DAY).items()},
    )
    shown = {day: counts(each) for day, each in look.days.items() if day <= today}
    assert shown == {day: counts(days[day]) for day in within(days, today, max(WINDOWS))}
    recent = sorted(at for at in life.runs if at >= now - HALF_AN_HOUR)
    assert [run.at for run in look.recent] == recent
    if (
        max(life.runs) <= now
    ):  # else the clock was set back, and what lies ahead belongs to no window
        for length in WINDOWS:
            wanted = merge(days[day] for day in within(days, today, length))
            assert counts(look.windows[length]) == counts(wanted)


def within(days: Iterable[date], today: date, length: int) -> list[date]:
    return [day for day in days if today - timedelta(days=length) < day <= today]


@pytest.mark.slow
@settings(max_examples=12)
@given(lived=st.lists(steps, min_size=1, max_size=10))
@example(lived=[("run", [2880, 600, 0]), ("look", None), ("set", -3600), ("look", None)])
@example(
    lived=[
        ("run", [0]),
        ("set", 3650 * 86_400),
        ("run", [0]),
        ("prune", None),
        ("set", -3648 * 86_400),
        ("run", [0]),
    ]
)
def test_every_answer_is_what_all_runs_add_up_to(
    fresh_url: Callable[[], str], lived: list[tuple[str, Any]]
) -> None:
    asyncio.run(live(fresh_url(), lived))


async def live(url: str, lived: list[tuple[str, Any]]) -> None:
    clock = HandClock(NOON)
    async with opened(url, clock) as store:
        life = Life(url, store, clock)
        with closing(Store.read_only(url)) as beside:
            for what, value in lived:
                if what == "restart":
                    await life.store.close()
                    life.store = Store(url, clock=clock)
                    life.store.open()
                await life.step(what, value)
                assert_read_as_lived(life, beside, await life.store.snapshot(clock.now()))
                assert_read_as_lived(life, beside, beside.snapshot(clock.now()))
        if life.store is not store:
            await life.store.close()
