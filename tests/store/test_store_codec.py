"""A result read back is the result that was written, to the resolution that shape.py states."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_cast import entry, failed, streamed

from monitor.model import TIMING_NAMES, Outcome, Result, Rollup, Stream, Timings, Usage
from monitor.model.rollup import merge
from monitor.store.alike import Alike
from monitor.store.decoding import Packed, Run, decode
from monitor.store.encoding import encode
from monitor.store.lanes import opened
from monitor.store.numbers import fixed, head, head_of, id_in
from monitor.store.rolled import from_bytes, split
from monitor.store.shape import FIXED, Shape
from monitor.store.sums import Sum, total
from monitor.store.tally import Row, Tally
from monitor.store.varint import pack, unpack


def results_up_to(tenths: int, count: int, cost: int) -> st.SearchStrategy[Result]:
    times = st.none() | st.integers(0, tenths).map(lambda number: number / 10)
    counts = st.none() | st.integers(0, count)
    return st.builds(
        streamed,
        timings=st.builds(
            Timings, dns=times, connect=times, tls=times, ttfb=times, ttft=times,
            ttft_visible=times, total=times,
        ),
        stream=st.none() | st.builds(
            Stream, events=st.integers(0, count), content_chunks=st.integers(0, count),
            tokens_out=counts, tokens_per_s=times, stall_max_ms=times, icl_p50_ms=times,
            icl_p95_ms=times, complete=st.booleans(), tokens_estimated=st.booleans(),
            heartbeats=st.integers(0, min(count, 99)),
        ),
        usage=st.none() | st.builds(
            Usage, tokens_in=counts, tokens_out=counts,
            cost_usd=st.none() | st.integers(0, cost).map(lambda number: number / 1e8),
        ),
        trusted_timings=st.booleans(),
        late_ms=st.integers(0, count).map(float),
        retry_after=st.none() | st.just(timedelta(seconds=7)),
        remote_ip=st.sampled_from(["192.0.2.7", "192.0.2.8"]),
    )  # fmt: skip


usual, large = results_up_to(65_535, 255, 65_535), results_up_to(10**7, 10**9, 10**14)
results = usual | large


@given(result=results, missed=st.integers(0, 99), in_maintenance=st.booleans())
def test_what_is_decoded_is_what_was_encoded(result, missed, in_maintenance) -> None:  # noqa: ANN001
    coded = encode(result, message=None, in_maintenance=in_maintenance, missed=missed)
    assert decoded(coded.shape, coded.body(7), result) == Run(result, in_maintenance, missed)


def decoded(shape: Shape, body: bytes, like: Result) -> Run:
    return decode(Packed(shape, body), like.check, "local", round(like.at.timestamp() * 1000), "")


@given(result=usual, larger=large)
def test_only_a_row_with_a_larger_number_than_usual_is_longer_than_its_shape_says(
    result: Result, larger: Result
) -> None:
    """So a slow or dear run costs as much room as its numbers need, and no more."""
    coded = encode(result, message=None, in_maintenance=False, missed=0)
    assert coded.shape.flags & FIXED
    assert len(coded.numbers) == fixed(coded.shape.flags & ~FIXED).size
    coded = encode(larger, message=None, in_maintenance=False, missed=0)
    if not coded.shape.flags & FIXED:
        numbers = Packed(coded.shape, coded.body(7)).numbers
        assert len(coded.numbers) == sum(max(1, -(-each.bit_length() // 7)) for each in numbers)


@given(
    shape_id=st.integers(1, 300) | st.integers(16_000, 17_000) | st.integers(1, 2**30 - 1),
    rest=st.binary(),
)
def test_a_row_tells_the_id_of_its_shape_whatever_comes_behind_it(
    shape_id: int, rest: bytes
) -> None:
    which = head_of(shape_id)
    assert (head(which + rest), id_in(which)) == (which, shape_id)


some = st.sampled_from(["timings", "stream", "usage", "late_ms", "remote_ip", "trusted_timings"])


@given(first=usual, other=results, changed=st.sets(some), missed=st.sampled_from([0, 0, 3]))
def test_a_result_that_is_written_as_an_earlier_one_was_is_still_itself(
    first: Result, other: Result, changed: set[str], missed: int
) -> None:
    """Or it is said to be like none."""
    alike, coded = Alike(), encode(first, message=None, in_maintenance=False, missed=0)
    alike.learn(entry(first), 7, coded, coded.body(7))
    result = replace(first, **{name: getattr(other, name) for name in changed})
    body = alike.body(entry(result, missed=missed), 7)
    if not changed and not missed and not first.retry_after:
        assert body == coded.body(7)
    if body is not None:
        assert decoded(coded.shape, body, result) == Run(result, False, missed)


@given(share=st.floats(0, 1), late=st.floats(0, 200))
def test_figures_between_two_steps_are_rounded_the_same_by_both_ways(
    share: float, late: float
) -> None:
    first = streamed(remote_ip=None)
    second = replace(first, timings=replace(first.timings, dns=3 + share), late_ms=late)
    alike, coded = Alike(), encode(first, message=None, in_maintenance=False, missed=0)
    alike.learn(entry(first), 7, coded, coded.body(7))
    again = encode(second, message=None, in_maintenance=False, missed=0)
    assert alike.body(entry(second), 7) == again.body(7)


@pytest.mark.parametrize(
    "result",
    [
        streamed(remote_ip="192.0.2.8"), streamed(http_status=201), streamed(late_ms=math.nan),
        streamed(late_ms=-3.0), streamed(usage=None), streamed(stream=None), failed(),
        streamed(outcome=Outcome.DEGRADED), streamed(timings=Timings(total=7000.0)),
    ],
)  # fmt: skip
def test_what_differs_in_more_than_its_figures_is_like_none(result: Result) -> None:
    alike, coded = Alike(), encode(streamed(), message=None, in_maintenance=False, missed=0)
    alike.learn(entry(streamed()), 7, coded, coded.body(7))
    assert alike.body(entry(streamed()), 7) == coded.body(7)
    assert alike.body(entry(streamed()), 8) is None  # its text must be marked with the new day
    assert alike.body(entry(result), 7) is None
    assert alike.body(entry(streamed(), in_maintenance=True), 7) is None


def rollup_of(run: Run) -> Rollup:
    return replace(Rollup.of(run.result, in_maintenance=run.in_maintenance), missed=run.missed)


runs = st.builds(Run, results, in_maintenance=st.booleans(), missed=st.integers(0, 99))


def tally_of(found: list[Run]) -> Tally:
    rows: list[Row] = []
    for place, run in enumerate(found):
        coded = encode(run.result, message=3, in_maintenance=run.in_maintenance, missed=run.missed)
        rows.append((coded.shape, place % 2, coded.body(7)))
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
