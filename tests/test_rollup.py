"""Counts and histograms: a monoid, and percentiles within one percent of the exact ones."""

import math
from datetime import UTC, datetime
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Failure, Kind, Outcome, Result, Rollup, Timings, Usage
from monitor.model.rollup import NOTHING, merge

AT = datetime(2026, 11, 24, tzinfo=UTC)
milliseconds = st.floats(0.1, 120_000)


@st.composite
def results(draw: st.DrawFn) -> Result:
    kind = draw(st.sampled_from([None, Kind.SLOW, Kind.BAD_GATEWAY, Kind.NO_KEY, Kind.OVERRUN]))
    failure = Failure(kind, "got it") if kind else None
    tokens = st.integers(0, 10_000)
    return Result(
        check="a/b/c",
        vantage="v",
        at=AT,
        outcome=failure.outcome if failure else Outcome.UP,
        failure=failure,
        timings=Timings(ttfb=draw(milliseconds), ttft=draw(milliseconds), total=draw(milliseconds)),
        usage=Usage(tokens_in=draw(tokens), tokens_out=draw(tokens)),
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
    served = sum(each.outcome in {Outcome.UP, Outcome.DEGRADED} for each in found)
    down = sum(each.outcome is Outcome.DOWN for each in found)
    unknown = sum(each.outcome is Outcome.UNKNOWN for each in found)

    assert rollup.availability == (
        served / (served + down) if served + down else None
    ) or math.isclose(rollup.availability or 0, served / (served + down))
    assert (rollup.unknown, rollup.counted) == (unknown, served + down)


@given(st.lists(milliseconds, min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_within_one_percent_of_the_exact_one(values: list[float], q: float) -> None:
    found = [
        Result(check="a/b/c", vantage="v", at=AT, outcome=Outcome.UP, timings=Timings(ttft=each))
        for each in values
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
        failure=Failure(Kind.BAD_GATEWAY, ""),
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
        failure=Failure(Kind.BAD_GATEWAY, ""),
    )
    rollup = Rollup.of(down, in_maintenance=True)
    assert (rollup.availability, rollup.maintenance, rollup.kinds) == (None, 1, {})
