"""A look that remembers the ones before it says what a first look says, whatever came in between."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from store_cast import CHAT, NOON, entry, failed, streamed, tables

from monitor.model import WINDOWS, CheckHistory, RunRecord, Timings
from monitor.store import fold
from monitor.store.batch import gather, write
from monitor.store.look import Looker
from monitor.store.names import Names
from monitor.store.times import hours

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
    st.sampled_from([1, 1, 7, 29, 60, 60 * 5, 60 * 25]),
    st.booleans(),
    st.booleans(),
)
"""Runs, then minutes that pass, whether what is over is rolled up, and whether somebody asks."""


def run(minutes: int, ttft: int, check: str, now: datetime) -> RunRecord:
    at, timings = now - minutes * MINUTE, Timings(dns=3.0, ttfb=ttft / 2, ttft=float(ttft))
    result = streamed(at, timings=timings, check=check) if ttft < 800 else failed(at, check=check)
    return entry(result, in_maintenance=ttft % 7 == 0, missed=ttft % 3)


def told(history: CheckHistory) -> tuple[object, ...]:
    """With percentiles as they are asked for."""
    asked = (history.last_24h, *(history.windows[length] for length in WINDOWS))
    return history, [
        [rollup.quantile(figure, q) for figure in FIGURES for q in (0.5, 0.95, 0.99, 1.0)]
        for rollup in asked
    ]


@settings(deadline=None, max_examples=25)
@given(given_steps=st.lists(steps, min_size=2, max_size=8))
def test_it_says_what_a_first_look_says(
    given_steps: list[tuple[list[tuple[int, int, str]], int, bool, bool]],
) -> None:
    now, names, kept = NOON, Names(), Looker(None)
    with tables() as engine:
        for given_runs, minutes, rolling, asking in given_steps:
            given_now = [run(*each, now) for each in given_runs]
            with engine.begin() as connection:
                write(connection, names, gather(given_now), now, vantage="local", crowded=True)
                while rolling and fold.roll_next(connection, names, hours(now)):
                    pass
            with engine.begin() as connection:
                seen = kept.snapshot(connection, now)
                first = Looker(None).snapshot(connection, now)
            if asking:
                assert {key: told(each) for key, each in seen.checks.items()} == {
                    key: told(each) for key, each in first.checks.items()
                }
            now += minutes * MINUTE
        assert seen == first
