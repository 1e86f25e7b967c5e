"""A history in memory says what one says that is loaded from the file, whatever came in between."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cast import HandClock
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store_cast import CHAT, NOON, entry, failed, opened, streamed

from monitor.model import (
    WINDOWS,
    CheckHistory,
    Failure,
    FailureKind,
    Outcome,
    Rollup,
    RunRecord,
    Timings,
)
from monitor.store import Store

FIGURES = ("dns", "ttfb", "ttft", "ttft_visible", "total", "tokens_per_s")
MINUTE = timedelta(minutes=1)
runs = st.tuples(
    st.sampled_from([0, 0, 1, 3, 5, 30, 70, 60 * 13]),
    st.integers(1, 900),
    st.sampled_from([CHAT, "a/cdn/chat"]),
)
"""So many minutes ago, with this time to first token."""
steps = st.tuples(
    st.lists(runs, max_size=4),
    st.sampled_from([1, 1, 7, 29, 60, 60 * 5, 60 * 25, 60 * 24 * 8]),
    st.sampled_from(["ask", "do not ask", "restart"]),
)
"""Runs, then minutes that pass, and whether somebody asks before."""
Steps = list[tuple[list[tuple[int, int, str]], int, str]]


def run(minutes: int, ttft: int, check: str, now: datetime) -> RunRecord:
    at, timings = now - minutes * MINUTE, Timings(dns=3.0, ttfb=ttft / 2, ttft=float(ttft))
    result = streamed(at, timings=timings, check=check) if ttft < 700 else failed(at, check=check)
    if ttft >= 800:
        failure = Failure(FailureKind.OFFLINE, "no network")
        result = replace(result, outcome=Outcome.UNKNOWN, failure=failure)
    return entry(result, in_maintenance=ttft % 7 == 0, missed=ttft % 3)


def figures_of(history: CheckHistory) -> tuple[object, ...]:
    """All that it says, with percentiles as they are asked for."""
    rollups = (history.last_24h, *(history.windows[length] for length in WINDOWS))
    percentiles = [
        [rollup.quantile(figure, q) for figure in FIGURES for q in (0.5, 0.95, 0.99, 1.0)]
        for rollup in rollups
    ]
    return replace(history, recent=()), [run.at for run in history.recent], percentiles


@pytest.mark.slow
@settings(deadline=None, max_examples=15)
@given(given_steps=st.lists(steps, min_size=2, max_size=8))
@example([([(0, 100, CHAT)], 60 * 24 * 8, "ask"), ([(0, 200, CHAT)], 1, "ask")])
@example([([(0, 850, CHAT)], 60 * 13, "ask"), ([(0, 860, CHAT)], 60, "restart"), ([], 1, "ask")])
@example([([(0, 406, CHAT)], 60, "ask"), ([], 29, "ask"), ([(70, 1, CHAT)], 1, "ask")])
def test_it_says_what_one_says_that_is_loaded(
    fresh_url: Callable[[], str], given_steps: Steps
) -> None:
    asyncio.run(live(fresh_url(), given_steps))


async def live(url: str, given_steps: Steps) -> None:
    clock = HandClock(NOON)
    async with opened(url, clock) as first:
        store = first
        for given_runs, minutes, asking in given_steps:
            for each in given_runs:
                store.record(run(*each, clock.now()))
            if asking == "restart":
                await store.close()
                store = Store(url, clock=clock)
                store.open()
            if asking != "do not ask":
                await store.flush()
                snapshot, loaded = await store.snapshot(clock.now()), read(url, clock.now())
                assert {
                    key: figures_of(history) for key, history in snapshot.checks.items()
                } == loaded
            clock.tick(minutes * 60)
            store.heartbeat(clock.now())
        if store is not first:
            await store.close()


def read(url: str, now: datetime) -> dict[str, tuple[object, ...]]:
    reader = Store.read_only(url)
    try:
        return {key: figures_of(history) for key, history in reader.snapshot(now).checks.items()}
    finally:
        reader.close()


async def test_what_waits_while_a_load_goes_on_is_counted_once(url: str, clock: HandClock) -> None:
    """Runs that are committed before a load begins, those that wait, and those that come meanwhile."""
    given_runs = [entry(streamed(NOON + step * timedelta(seconds=1))) for step in range(300)]
    async with opened(url, clock) as store:
        for place, run in enumerate(given_runs):
            store.record(run)
            if place == 99:
                await store.flush()
            if place == 199:
                clock.tick(43_200)
                first_look = asyncio.create_task(store.snapshot(clock.now()))
                await asyncio.sleep(0)
        await first_look
        history = (await store.snapshot(clock.now())).checks[CHAT]
        assert history.windows[7] == replace(
            history.windows[7], outcomes={"up": 300}, tokens_out=300 * 40
        )
        assert history.days[NOON.date()] == Rollup(outcomes={"up": 300})
        assert history.last_24h.counted == 300
