"""Counts and histograms: a monoid, and percentiles within one percent of the exact ones."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import reduce
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Failure, FailureKind, Outcome, Result, Rollup, Stream, Timings, Usage
from monitor.model.result import TIMING_NAMES
from monitor.model.rollup import (
    NOTHING,
    Figures,
    Histogram,
    bucket,
    merge,
    middle,
    quantile,
    quantiles,
)

AT = datetime(2026, 11, 24, tzinfo=UTC)
milliseconds = st.floats(0.1, 120_000)


@st.composite
def results(draw: st.DrawFn) -> Result:
    kind = draw(
        st.sampled_from(
            [
                None,
                FailureKind.SLOW,
                FailureKind.BAD_GATEWAY,
                FailureKind.NO_KEY,
                FailureKind.OVERRUN,
            ]
        )
    )
    failure = Failure(kind, "got it") if kind else None
    tokens = st.integers(0, 10_000)
    return Result(
        check="a/b/c",
        vantage="v",
        at=AT,
        outcome=failure.outcome if failure else Outcome.UP,
        failure=failure,
        timings=Timings(ttfb=draw(milliseconds), ttft=draw(milliseconds), total=draw(milliseconds)),
        usage=Usage(
            tokens_in=draw(tokens),
            tokens_out=draw(tokens),
            cost_usd=draw(st.none() | st.floats(0, 10)),
        ),
        late_ms=draw(st.floats(0, 3000)),
        trusted_timings=draw(st.booleans()),
    )


rollups = st.lists(results(), max_size=6).map(lambda found: merge(map(Rollup.of, found)))


@given(rollups, rollups, rollups)
def test_it_is_a_commutative_monoid(a: Rollup, b: Rollup, c: Rollup) -> None:
    assert (a | b) | c == a | (b | c)
    assert a | b == b | a
    assert a | NOTHING == a


@given(st.lists(results(), max_size=20))
def test_availability_is_exactly_that_of_the_results(found: list[Result]) -> None:
    rollup = reduce(lambda total, each: total | Rollup.of(each), found, NOTHING)
    served = sum(result.outcome in {Outcome.UP, Outcome.DEGRADED} for result in found)
    down = sum(result.outcome is Outcome.DOWN for result in found)
    unknown = sum(result.outcome is Outcome.UNKNOWN for result in found)

    assert rollup.availability == (
        served / (served + down) if served + down else None
    ) or math.isclose(rollup.availability or 0, served / (served + down))
    assert (rollup.unknown, rollup.counted) == (unknown, served + down)


@given(st.lists(milliseconds, min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_within_one_percent_of_the_exact_one(values: list[float], q: float) -> None:
    found = [
        Result(check="a/b/c", vantage="v", at=AT, outcome=Outcome.UP, timings=Timings(ttft=value))
        for value in values
    ]
    got = merge(map(Rollup.of, found)).quantile("ttft", q)
    exact = sorted(values)[max(1, math.ceil(q * len(values))) - 1]

    assert got is not None
    assert abs(got / exact - 1) <= 0.01


def test_runs_that_failed_or_lagged_say_nothing_about_speed() -> None:
    timings = Timings(total=100.0)
    down = Result(
        check="a/b/c",
        vantage="v",
        at=AT,
        outcome=Outcome.DOWN,
        failure=Failure(FailureKind.BAD_GATEWAY, ""),
        timings=timings,
    )
    lagged = Result(
        check="a/b/c",
        vantage="v",
        at=AT,
        outcome=Outcome.UP,
        timings=timings,
        trusted_timings=False,
    )

    assert (Rollup.of(down) | Rollup.of(lagged)).quantile("total", 0.5) is None


def test_results_in_maintenance_count_apart() -> None:
    down = Result(
        check="a/b/c",
        vantage="v",
        at=AT,
        outcome=Outcome.DOWN,
        failure=Failure(FailureKind.BAD_GATEWAY, ""),
    )
    rollup = Rollup.of(down, in_maintenance=True)
    assert (rollup.availability, rollup.maintenance, rollup.kinds) == (None, 1, {})


def run(**more: Any) -> Result:
    return Result(check="a/b/c", vantage="v", at=AT, **{"outcome": Outcome.UP, **more})


def test_all_that_one_run_adds() -> None:
    timings = Timings(
        dns=1.0, connect=2.0, tls=3.0, ttfb=4.0, ttft=5.0, ttft_visible=6.0, total=7.0
    )
    slow = run(
        outcome=Outcome.DEGRADED,
        failure=Failure(FailureKind.SLOW, ""),
        timings=timings,
        stream=Stream(tokens_per_s=8.0),
        usage=Usage(tokens_in=30, tokens_out=4, cost_usd=0.0123),
        late_ms=1000.1,
    )
    values = {**{name: getattr(timings, name) for name in TIMING_NAMES}, "tokens_per_s": 8.0}
    assert Rollup.of(slow) == Rollup(
        outcomes={"degraded": 1},
        kinds={"slow": 1},
        late=1,
        figures={name: {bucket(value): 1} for name, value in values.items()},
        tokens_in=30,
        tokens_out=4,
        cost_e8=1_230_000,
    )
    assert Rollup.of(slow).cost == 0.0123


def test_what_a_run_did_not_say_counts_nothing() -> None:
    nothing = Rollup(outcomes={"up": 1})
    assert Rollup.of(run(late_ms=1000.0)) == nothing
    assert Rollup.of(run(usage=Usage(), stream=Stream())) == nothing


def test_sums_are_of_everything() -> None:
    one = Rollup(
        outcomes={"up": 1, "down": 2},
        kinds={"slow": 3},
        maintenance=4,
        late=5,
        missed=6,
        figures={"ttft": {7: 8}, "dns": {1: 2}},
        tokens_in=9,
        tokens_out=10,
        cost_e8=11,
    )
    other = Rollup(
        outcomes={"up": 10, "unknown": 20},
        kinds={"slow": 30},
        maintenance=40,
        late=50,
        missed=60,
        figures={"ttft": {7: 80, 8: 1}, "total": {3: 4}},
        tokens_in=90,
        tokens_out=100,
        cost_e8=110,
    )
    assert merge([one, other]) == Rollup(
        outcomes={"up": 11, "down": 2, "unknown": 20},
        kinds={"slow": 33},
        maintenance=44,
        late=55,
        missed=66,
        figures={"ttft": {7: 88, 8: 1}, "dns": {1: 2}, "total": {3: 4}},
        tokens_in=99,
        tokens_out=110,
        cost_e8=121,
    )


def test_shares_are_of_what_could_be_seen() -> None:
    seen = Rollup(outcomes={"up": 5, "degraded": 1, "down": 2, "unknown": 8})
    assert (seen.counted, seen.unknown, seen.availability, seen.excluded) == (8, 8, 0.75, 0.5)
    assert (NOTHING.counted, NOTHING.availability, NOTHING.excluded) == (0, None, None)
    blind = Rollup(outcomes={"unknown": 3})
    assert (blind.availability, blind.excluded) == (None, 1.0)


def test_a_bucket_is_two_per_cent_wide_and_read_at_its_middle() -> None:
    assert [bucket(value) for value in (1.0001, 1.0199, 1.0201, 0.99, 1e-9, 0)] == [
        0,
        0,
        1,
        -1,
        bucket(1e-3),
        bucket(1e-3),
    ]
    assert middle(0) == math.sqrt(1.02)
    assert quantiles({0: 1, 35: 98, 40: 1}, (0, 0.01, 0.02, 0.99, 0.995, 1)) == [
        middle(0),
        middle(0),
        middle(35),
        middle(35),
        middle(40),
        middle(40),
    ]
    assert (quantiles({}, (0.5,)), quantile({}, 0.5), NOTHING.quantile("ttft", 0.5)) == (
        [],
        None,
        None,
    )


def test_figures_may_answer_for_themselves() -> None:
    class Remembered(Figures):
        def __getitem__(self, name: str) -> Histogram:
            raise KeyError(name)

        def __iter__(self) -> Iterator[str]:
            return iter(())

        def __len__(self) -> int:
            return 0

        def quantile(self, figure: str, q: float) -> float | None:
            return {("ttft", 0.5): 42.0}.get((figure, q))

    assert Rollup(figures=Remembered()).quantile("ttft", 0.5) == 42.0
