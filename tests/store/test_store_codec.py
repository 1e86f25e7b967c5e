"""A run read back is the run that was written, to the units of its columns; so is a rollup."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from store_cast import CHAT, NOON, entry, streamed, tables

from monitor.model import TIMING_NAMES, Result, Rollup, RunRecord, Stream, Timings, Usage
from monitor.model.rollup import merge, quantile
from monitor.store.histogram import Histogram, HistogramFigures, Sum, decode, encode
from monitor.store.run_rows import COUNTED_RUNS, Ids, WordCache, counted_row, result_from
from monitor.store.schema import RUNS
from monitor.store.transaction import WriteSet, write


def results_up_to(tenths: int, count: int, cost: int) -> st.SearchStrategy[Result]:
    times = st.none() | st.integers(0, tenths).map(lambda number: number / 10)
    counts = st.none() | st.integers(0, count)
    return st.builds(
        streamed,
        timings=st.builds(
            Timings,
            dns=times,
            connect=times,
            tls=times,
            ttfb=times,
            ttft=times,
            ttft_visible=times,
            total=times,
        ),
        stream=st.none()
        | st.builds(
            Stream,
            events=st.integers(0, count),
            content_chunks=st.integers(0, count),
            tokens_out=counts,
            tokens_per_s=times,
            stall_max_ms=times,
            icl_p50_ms=times,
            icl_p95_ms=times,
            complete=st.booleans(),
            tokens_estimated=st.booleans(),
            heartbeats=st.integers(0, min(count, 99)),
        ),
        usage=st.none()
        | st.builds(
            Usage,
            tokens_in=st.integers(0, count),
            tokens_out=counts,
            cost_usd=st.none() | st.integers(0, cost).map(lambda number: number / 1e8),
        ),
        trusted_timings=st.booleans(),
        late_ms=st.integers(0, count).map(float),
        retry_after=st.none() | st.just(timedelta(seconds=7)),
        remote_ip=st.sampled_from(["192.0.2.7", "192.0.2.8"]),
    )


results = results_up_to(65_535, 255, 65_535) | results_up_to(10**7, 10**9, 10**14)
runs = st.builds(entry, results, in_maintenance=st.booleans(), missed=st.integers(0, 99))


@settings(deadline=None, max_examples=20)
@given(given_runs=st.lists(runs, min_size=1, max_size=5))
def test_what_is_read_back_is_what_was_written(
    fresh_url: Callable[[], str], given_runs: list[RunRecord]
) -> None:
    given_runs = [
        replace(run, result=replace(run.result, at=NOON + place * timedelta(seconds=1)))
        for place, run in enumerate(given_runs)
    ]
    words = WordCache()
    with tables(fresh_url()) as engine, engine.begin() as connection:
        write(connection, Ids(), WriteSet.of(given_runs), NOON, vantage="local")
        rows = connection.execute(select(RUNS)).all()
        words.learn(connection, rows)
        results = [result_from(row, CHAT, "local", words.texts) for row in rows]
        assert results == [run.result for run in given_runs]
        counted = connection.execute(COUNTED_RUNS.order_by(RUNS.c.at)).all()
        assert [tuple(row[2:]) for row in counted] == [*map(counted_row, given_runs)]


@pytest.mark.parametrize(
    ("value", "stored"),
    [(math.nan, None), (math.inf, 1 << 53), (-math.inf, 0), (-3.0, 0), (1e300, 1 << 53)],
)
def test_what_is_no_figure_is_nothing_or_the_end(value: float, stored: int | None) -> None:
    row = counted_row(entry(streamed(timings=Timings(total=value))))
    assert row[12] == stored


def share(run: RunRecord) -> Rollup:
    return replace(Rollup.of(run.result, in_maintenance=run.in_maintenance), missed=run.missed)


@given(st.lists(runs, max_size=6), st.lists(runs, max_size=6))
def test_a_sum_of_rows_is_that_of_their_results_also_from_its_bytes(
    first: list[RunRecord], second: list[RunRecord]
) -> None:
    total, expected = Sum(), merge(map(share, first + second))
    for some in (first, second):
        part = Sum.of_rows([*map(counted_row, some)])
        total.add(Sum(part.counts, part.kinds, decode(encode(part.figures))))
    assert total.rollup == expected


histograms = st.dictionaries(st.integers(-300, 900), st.integers(1, 10**6), min_size=1, max_size=30)


def of_counts(counts: dict[int, int]) -> Histogram:
    return sum(
        (Histogram(number, count) for number, count in counts.items()),
        start=Histogram(min(counts), 0),
    )


@given(a=histograms, b=histograms, q=st.floats(0, 1))
def test_histograms_add_up_and_answer_as_their_counts_do(
    a: dict[int, int], b: dict[int, int], q: float
) -> None:
    both = {number: a.get(number, 0) + b.get(number, 0) for number in a.keys() | b.keys()}
    total = of_counts(a) + of_counts(b)
    assert total.by_bucket == both
    assert total.quantiles([q]) == [quantile(both, q)]
    figures = HistogramFigures([{"ttft": of_counts(a)}, {"ttft": of_counts(b)}, {}])
    assert (dict(figures), len(figures)) == ({"ttft": both}, 1)
    assert figures.quantile("ttft", q) == figures.quantile("ttft", q) == quantile(both, q)
    assert figures.quantile("total", q) is None
    assert decode(encode({"ttft": total}))["ttft"].by_bucket == both


@given(
    hours=st.lists(
        st.lists(st.integers(1, 3_000_000), min_size=1, max_size=40), min_size=1, max_size=6
    ),
    q=st.sampled_from([0.5, 0.95, 0.99]),
)
def test_percentiles_of_stored_rollups_are_within_one_percent(
    hours: list[list[int]], q: float
) -> None:
    """However the values are spread over them, and of each figure."""
    total = Sum()
    for values in hours:
        timings = [Timings(**dict.fromkeys(TIMING_NAMES, value / 10)) for value in values]
        rows = [counted_row(entry(streamed(timings=timing))) for timing in timings]
        total.add(Sum(figures=decode(encode(Sum.of_rows(rows).figures))))
    rising = sorted(value for values in hours for value in values)
    exact = rising[max(1, math.ceil(q * len(rising))) - 1] / 10
    for name in TIMING_NAMES:
        stored = total.rollup.quantile(name, q)
        assert stored is not None
        assert abs(stored / exact - 1) <= 0.01
