"""A result read back is the result that was written, to the resolution that shape.py states."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from store_cast import streamed

from monitor.model import TIMING_NAMES, Rollup, Stream, Timings, Usage
from monitor.model.rollup import merge
from monitor.store.decoding import Packed, Run, decode
from monitor.store.encoding import encode, to_blob
from monitor.store.lanes import opened
from monitor.store.rolled import from_bytes, split
from monitor.store.sums import Sum, total
from monitor.store.tally import Row, Tally
from monitor.store.varint import pack, unpack

tenths = st.none() | st.integers(0, 10**7).map(lambda number: number / 10)
counts = st.none() | st.integers(0, 10**9)
results = st.builds(
    streamed,
    timings=st.builds(
        Timings, dns=tenths, connect=tenths, tls=tenths, ttfb=tenths, ttft=tenths,
        ttft_visible=tenths, total=tenths,
    ),
    stream=st.none() | st.builds(
        Stream, events=st.integers(0, 999), content_chunks=st.integers(0, 999), tokens_out=counts,
        tokens_per_s=tenths, stall_max_ms=tenths, icl_p50_ms=tenths, icl_p95_ms=tenths,
        complete=st.booleans(), tokens_estimated=st.booleans(), heartbeats=st.integers(0, 99),
    ),
    usage=st.none() | st.builds(Usage, tokens_in=counts, tokens_out=counts, cost_usd=tenths),
    trusted_timings=st.booleans(),
    late_ms=st.integers(0, 10**6).map(float),
)  # fmt: skip


@given(result=results, missed=st.integers(0, 99), in_maintenance=st.booleans())
def test_what_is_decoded_is_what_was_encoded(result, missed, in_maintenance) -> None:  # noqa: ANN001
    coded = encode(result, message=None, in_maintenance=in_maintenance, missed=missed)
    at_ms = round(result.at.timestamp() * 1000)
    run = decode(Packed(coded.shape, to_blob(7, coded)), result.check, "local", at_ms, "")
    assert (run.result, run.in_maintenance, run.missed) == (result, in_maintenance, missed)


def rollup_of(run: Run) -> Rollup:
    return replace(Rollup.of(run.result, in_maintenance=run.in_maintenance), missed=run.missed)


runs = st.builds(Run, results, in_maintenance=st.booleans(), missed=st.integers(0, 99))


def tally_of(found: list[Run]) -> Tally:
    rows: list[Row] = []
    for place, run in enumerate(found):
        coded = encode(run.result, message=3, in_maintenance=run.in_maintenance, missed=run.missed)
        rows.append((coded.shape, place % 2, [7, *coded.numbers]))
    tally = Tally()
    tally.add_rows(rows)
    return tally


@given(st.lists(runs, max_size=5))
def test_a_rollup_of_rows_is_that_of_their_results_also_from_its_bytes(found: list[Run]) -> None:
    tally = tally_of(found * 2)
    expected = merge(map(rollup_of, found * 2))
    assert total([tally]) == expected
    assert from_bytes(tally.to_bytes()) == expected


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
    sums: list[Sum] = []
    for values in hours:
        sums.append(Sum())
        timings = [Timings(**dict.fromkeys(TIMING_NAMES, value / 10)) for value in values]
        given_now = [
            Run(streamed(timings=each), in_maintenance=False, missed=0) for each in timings
        ]
        parts = split(tally_of(given_now).to_bytes())
        sums[-1].add(parts, opened(parts.figures))
    rising = sorted(value for values in hours for value in values)
    exact = rising[max(1, math.ceil(q * len(rising))) - 1] / 10
    for name in TIMING_NAMES:
        found = total(sums).quantile(name, q)
        assert found is not None
        assert abs(found / exact - 1) <= 0.01


@given(st.lists(runs, max_size=4), st.lists(runs, max_size=4))
def test_what_was_added_to_a_sum_can_be_taken_away_again(a: list[Run], b: list[Run]) -> None:
    stays, goes = Tally(), split(tally_of(b).to_bytes())
    stays.add_body(tally_of(a).to_bytes())
    stays.add(goes, opened(goes.figures))
    stays.take(goes, opened(goes.figures))
    assert total([stays]) == merge(map(rollup_of, a))


@given(st.lists(st.integers(0, 2**60)))
def test_numbers_survive_their_bytes(numbers: list[int]) -> None:
    assert unpack(pack(numbers)) == numbers
