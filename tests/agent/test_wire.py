"""A whole result survives the wire; whatever a stranger sends is a result or a refusal, never a crash."""

import json
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.agent.push import MOST_RUNS
from monitor.agent.wire import (
    MOST_EVIDENCE,
    MOST_VALUES,
    Batch,
    SentRun,
    TooManyValuesError,
    WireError,
    decode_batch,
    decode_run,
    encode_batch,
    encode_run,
    moved,
)
from monitor.model import (
    Evidence,
    Failure,
    FailureKind,
    Outcome,
    Result,
    Spend,
    Stream,
    Timings,
    Usage,
    clean_text,
)

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def texts(longest: int) -> st.SearchStrategy[str]:
    return st.text(max_size=longest).map(lambda text: clean_text(text, longest))


ms = st.none() | st.floats(0, 1e9)
counts = st.integers(0, 1 << 53)
durations = st.none() | st.integers(0, 1 << 40).map(lambda each: timedelta(milliseconds=each))
moments = st.integers(0, 1 << 42).map(
    lambda each: datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=each)
)
some_timings = st.builds(
    Timings, dns=ms, connect=ms, tls=ms, ttfb=ms, ttft=ms, ttft_visible=ms, total=ms
)
streams = st.builds(
    Stream,
    events=counts,
    content_chunks=counts,
    tokens_out=st.none() | counts,
    tokens_estimated=st.booleans(),
    tokens_per_s=ms,
    stall_max_ms=ms,
    icl_p50_ms=ms,
    icl_p95_ms=ms,
    finish_reason=st.none() | texts(120),
    complete=st.booleans(),
    heartbeats=counts,
)
usages = st.builds(
    Usage,
    tokens_in=st.none() | counts,
    tokens_out=st.none() | counts,
    cost_usd=st.none() | st.floats(0, 1e6),
)
evidences = st.builds(
    Evidence,
    headers=st.lists(st.tuples(texts(20), texts(40)), max_size=3).map(tuple),
    body=st.lists(texts(60), max_size=4).map("\n".join),
    events=st.lists(
        st.tuples(st.floats(0, 1e9), st.integers(0, 9999), st.integers(0, 9999)), max_size=5
    ).map(tuple),
    note=texts(50),
)


@st.composite
def runs(draw: st.DrawFn) -> SentRun:
    kind = draw(st.none() | st.sampled_from(FailureKind))
    failure = None if kind is None else Failure(kind, draw(texts(500)))
    result = Result(
        check=draw(texts(200).filter(bool)),
        vantage="cn",
        at=draw(moments),
        outcome=failure.outcome if failure else Outcome.UP,
        failure=failure,
        timings=draw(some_timings),
        http_status=draw(st.none() | st.integers(0, 999)),
        remote_ip=draw(st.none() | texts(120)),
        model=draw(st.none() | texts(120)),
        stream=draw(st.none() | streams),
        usage=draw(st.none() | usages),
        cert_expires=draw(st.none() | moments),
        cert_lifetime=draw(durations),
        retry_after=draw(durations),
        late_ms=draw(st.floats(0, 1e9)),
        trusted_timings=draw(st.booleans()),
        promise_kept=draw(st.sampled_from([None, failure is None])),
    )
    return SentRun(result=result, evidence=draw(st.none() | evidences), missed=draw(counts))


@settings(max_examples=20)
@given(runs())
def test_every_field_of_a_result_survives_the_wire(run: SentRun) -> None:
    assert decode_run(json.loads(encode_run(run)), "cn") == run


def result(**changes: Any) -> Result:
    return Result(
        **{"check": "a/x/http", "vantage": "cn", "at": AT, "outcome": Outcome.UP, **changes}
    )


def test_a_batch_says_what_the_agent_says_besides() -> None:
    batch = Batch(
        runs=(
            (4, SentRun(result=result())),
            (9, SentRun(result=result(at=AT + timedelta(seconds=1)), missed=2)),
        ),
        config="tag",
        version="0.1.0",
        blind=True,
        offset_ms=-420_000,
        buffered=12,
        dropped=3,
        refused=1,
        spend={(date(2026, 11, 24), "a"): Spend(71, 0.25)},
    )
    body = encode_batch(batch, [(number, encode_run(run)) for number, run in batch.runs])
    assert decode_batch(body, vantage="cn", first=4, last=9) == batch


def test_an_empty_batch_is_a_sign_of_life() -> None:
    assert decode_batch(encode_batch(Batch(), []), vantage="cn", first=1, last=0) == Batch()


def test_the_vantage_is_never_what_the_document_says() -> None:
    document = {**json.loads(encode_run(SentRun(result=result()))), "vantage": "fra"}
    assert decode_run(document, "cn").result.vantage == "cn"


def test_unknown_keys_are_ignored_and_a_newer_wire_is_refused() -> None:
    body = json.dumps(
        {"v": 1, "new": {"x": []}, "results": [[1, {**document(), "colour": 3}]]}
    ).encode()
    assert decode_batch(body, vantage="cn", first=1, last=1).runs[0][1].result == result()
    with pytest.raises(WireError, match="update the hub"):
        decode_batch(b'{"v":2,"results":[]}', vantage="cn", first=1, last=0)


def test_a_kind_of_a_newer_agent_is_left_out_and_counted_and_the_others_are_taken() -> None:
    newer = {**document(), "outcome": "down", "kind": "gremlins"}
    body = json.dumps({"v": 1, "results": [[1, newer], [2, document()]]}).encode()
    batch = decode_batch(body, vantage="cn", first=1, last=2)
    assert ([number for number, _ in batch.runs], batch.unknown) == ([2], 1)


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode_run(SentRun(result=result())))
    return found


def test_evidence_is_cut_to_its_limit() -> None:
    large = Evidence(
        headers=tuple((f"x-{number}", "y" * 300) for number in range(50)),
        body="文" * 4096,
        events=tuple((float(number), 1, 1) for number in range(200)),
        note="what was looked at",
    )
    sent = json.loads(encode_run(SentRun(result=result(), evidence=large)))
    assert len(json.dumps(sent["evidence"])) <= MOST_EVIDENCE
    evidence = decode_run(sent, "cn").evidence
    assert evidence is not None
    assert evidence.note == "what was looked at"
    assert len(evidence.body) > 500


def test_no_figure_that_is_no_number_travels() -> None:
    run = SentRun(result=result(timings=Timings(total=float("nan"), ttfb=1.5)))
    assert decode_run(json.loads(encode_run(run)), "cn").result.timings == Timings(ttfb=1.5)


def test_a_run_is_moved_by_a_clock_that_was_wrong() -> None:
    body = moved(encode_run(SentRun(result=result())), -420_000)
    assert decode_run(json.loads(body), "cn").result.at == AT - timedelta(minutes=7)


@pytest.mark.parametrize(
    "results",
    [
        "NaN",
        "[1]",
        "[[1,{}]]",
        "[[true,{}]]",
        '[[2,{"check":"a/x/http","at":1,"outcome":"up"}]]',
        '[[1,{"check":"a/x/http","at":NaN,"outcome":"up"}]]',
        '[[1,{"check":"a/x/http","at":1e300,"outcome":"up"}]]',
        '[[1,{"check":"a/x/http","at":1,"outcome":"up","timings":{"total":1e300}}]]',
        '[[1,{"check":"a/x/http","at":1,"outcome":"up","timings":{"total":1e999}}]]',
        '[[1,{"check":"a/x/http","at":1,"outcome":"up","timings":{"total":-1}}]]',
        '[[1,{"check":"a/x/http","at":1,"outcome":"up","usage":{"tokens_in":1e300}}]]',
        '[[1,{"check":"a/x/http","at":1,"outcome":"down"}]]',
        '[[1,{"check":"a/x/http","at":1,"outcome":"up","kind":"tls_timeout"}]]',
        '[[1,{"check":["a"],"at":1,"outcome":"up"}]]',
        '[[1,{"check":"a/x/http","at":' + "9" * 5000 + ',"outcome":"up"}]]',
        "[" * 100_000 + "]" * 100_000,
    ],
)
def test_what_is_no_result_is_refused_in_words_that_quote_nothing(results: str) -> None:
    body = f'{{"v":1,"results":{results}}}'.encode()
    with pytest.raises(WireError) as caught:
        decode_batch(body, vantage="cn", first=1, last=1)
    assert len(str(caught.value)) < 100


_MOST_BODY = 8 << 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["{},", "[],", '{"a":1},', "1.5,", '"ab",', "[[[[]]]],", '"😀aaaaaaaaaaaaaaaaaaaa",']
)
def test_a_hostile_body_costs_less_than_ten_times_its_bytes(piece: str) -> None:
    """2.8 million empty objects in a key that nobody reads took 200 MB."""
    body = b'{"v":1,"nobody":[' + piece.encode() * (_MOST_BODY // len(piece.encode())) + b"0]}"
    tracemalloc.start()
    try:
        with pytest.raises(TooManyValuesError):
            decode_batch(body, vantage="cn", first=1, last=0)
        refused = tracemalloc.get_traced_memory()[1]
        fits = body[: body.index(b"[") + 1]
        count = (MOST_VALUES - 9) // sum(map(piece.count, ",[{"))
        fits += piece.encode() * min(count, _MOST_BODY // len(piece.encode())) + b"0]}"
        tracemalloc.reset_peak()
        decode_batch(fits, vantage="cn", first=1, last=0)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused < 1 << 20
    assert taken < 10 * _MOST_BODY


def test_so_many_values_as_an_agent_ever_sends_at_once_are_taken() -> None:
    """A thousand runs with all that a run can have, and more evidence than fits."""
    filled = SentRun(
        result=Result(
            check="a/x/chat",
            vantage="cn",
            at=AT,
            outcome=Outcome.DOWN,
            failure=Failure(FailureKind.BAD_GATEWAY, "got 502, want 200"),
            timings=Timings(dns=1.5, connect=2.5, tls=3.5, ttfb=4.5, ttft=5.5, total=6.5),
            http_status=502,
            remote_ip="192.0.2.1",
            model="gpt-4o-mini",
            stream=Stream(events=9, content_chunks=8, tokens_out=7, stall_max_ms=6.5),
            usage=Usage(tokens_in=5, tokens_out=4, cost_usd=0.5),
            cert_expires=AT,
            cert_lifetime=timedelta(days=90),
            retry_after=timedelta(seconds=9),
            late_ms=7.5,
            trusted_timings=False,
        ),
        evidence=Evidence(
            headers=(("Name", "a value, or two"),) * 40, body="<p>no,\n" * 50, note="so"
        ),
        missed=3,
    )
    sent = [(number, encode_run(filled)) for number in range(1, MOST_RUNS + 1)]
    body = encode_batch(Batch(), sent)
    assert len(decode_batch(body, vantage="cn", first=1, last=MOST_RUNS).runs) == MOST_RUNS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=20)
@given(st.data(), JSON)
def test_a_hostile_value_anywhere_is_a_result_or_a_refusal(
    data: st.DataObject, hostile: Any
) -> None:
    whole = json.loads(encode_run(data.draw(runs())))
    place = whole
    name = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[name], dict) and place[name] and data.draw(st.booleans()):
        place = place[name]
        name = data.draw(st.sampled_from(sorted(place)))
    place[name] = hostile
    try:
        decode_run(json.loads(json.dumps(whole)), "cn")
    except WireError as error:
        assert len(str(error)) < 100  # noqa: PT017
