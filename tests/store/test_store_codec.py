"""A result read back is the result that was written, to the resolution that shape.py states."""

from hypothesis import given
from hypothesis import strategies as st
from store_cast import streamed

from monitor.model import Rollup, Stream, Timings, Usage
from monitor.store.decoding import Packed, Run, decode
from monitor.store.encoding import encode, to_blob
from monitor.store.tally import Tally, from_bytes, to_bytes
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


@given(result=results, missed=st.integers(0, 99), in_maintenance=st.booleans())
def test_a_rollup_read_from_the_row_is_that_of_the_result(result, missed, in_maintenance) -> None:  # noqa: ANN001
    coded = encode(result, message=3, in_maintenance=in_maintenance, missed=missed)
    fast, slow = Tally(), Tally()
    fast.add_row(coded.shape, [7, *coded.numbers])
    slow.add_run(Run(result, in_maintenance, missed))
    assert fast.rollup() == slow.rollup()


@given(st.lists(st.integers(0, 2**60)))
def test_numbers_survive_their_bytes(numbers: list[int]) -> None:
    assert unpack(pack(numbers)) == numbers


@given(result=results)
def test_a_rollup_survives_its_bytes(result) -> None:  # noqa: ANN001
    rollup = Rollup.of(result)
    assert from_bytes(to_bytes(rollup)) == rollup
