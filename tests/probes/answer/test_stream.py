import json

import pytest
from stream_cast import DONE, chunk, heard, kind, stream, usage
from streams import judged

from monitor.model import FailureKind, Habit
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import Chunk, ErrorType
from monitor.probes.readers import ChatReader

SETTLED_HABIT = Habit(good=20, has_finish_reason=20, ends_with_done=20)


def test_speeds_are_counted_from_content_events() -> None:
    got = heard(
        stream(
            (50, chunk("")),
            (100, ": ping\n\n" + chunk(None, reasoning="x")),
            (150, chunk("aaaa")),
            (250, chunk("bbbb" * 20)),
            (650, chunk("cccc" * 20, "stop")),
            (660, usage(41) + DONE),
        )
    )
    assert (got.ttft, got.ttft_visible, got.burst) == (150, 150, None)
    assert got.stream.tokens_per_s == 80.0  # (41 - 1) tokens in half a second
    assert (got.stream.icl_p50_ms, got.stream.icl_p95_ms, got.stream.stall_max_ms) == (
        100,
        400,
        400,
    )
    assert (got.stream.events, got.stream.content_chunks, got.stream.heartbeats) == (7, 3, 1)
    assert (got.stream.complete, got.stream.finish_reason) == (True, "stop")


def test_reasoning_is_a_first_token_but_not_a_visible_one() -> None:
    thought = f"data: {json.dumps({'choices': [{'delta': {'reasoning_content': 'hm'}}]})}\n\n"
    got = heard(stream((100, thought), (900, chunk("a", "stop")), (901, DONE)))
    assert (got.ttft, got.ttft_visible) == (100, 900)


@pytest.mark.parametrize(
    ("out", "last"), [(31, 1000.0), (40, 250.0)], ids=["few tokens", "no window"]
)
def test_no_speed_is_given_where_it_would_be_noise(out: int, last: float) -> None:
    got = heard(stream((100, chunk("a")), (last, chunk("b", "stop") + usage(out) + DONE)))
    assert got.stream.tokens_per_s is None


def test_tokens_are_estimated_from_bytes_where_no_usage_came() -> None:
    got = heard(stream((1, chunk("é" * 6)), (2, chunk(None, "stop")), (3, DONE)))
    assert (got.stream.tokens_out, got.stream.tokens_estimated) == (3, True)


def test_a_burst_is_told_by_the_spread_of_arrivals() -> None:
    words = [chunk("word ") for _ in range(64)]
    end = chunk(None, "stop") + usage(64) + DONE
    steady = stream(*[(1000 + 20.0 * n, word) for n, word in enumerate(words)], (2300, end))
    at_once = stream((3000, "".join(words)), (3001, end))
    short = stream((3000, chunk("a")), (3001, chunk(None, "stop") + usage(9) + DONE))
    assert [heard(s).burst for s in (steady, at_once, short)] == [False, True, None]


def test_a_finish_reason_and_a_clean_end_are_enough() -> None:
    assert kind(stream((1, chunk("a")), (2, chunk(None, "stop")))) is None
    assert kind(stream((1, chunk("a")), (2, chunk(None, "stop") + DONE))) is None


def test_a_stream_that_just_ends_is_truncated() -> None:
    assert kind(stream((1, chunk("a")))) is FailureKind.TRUNCATED


def test_a_polite_done_hides_no_cut_where_a_finish_reason_is_the_habit() -> None:
    cut = stream((1, chunk("a")), (2, DONE))
    assert kind(cut, SETTLED_HABIT) is FailureKind.TRUNCATED
    assert kind(cut, Habit(good=20, ends_with_done=20)) is None


def test_no_end_marker_is_fine_where_that_is_the_habit_or_the_answer_is_whole() -> None:
    bare = stream((1, chunk("a")))
    assert kind(bare, Habit(good=20)) is None
    assert judged(bare, ChatReader(), proven=True) is None


def test_an_event_cut_in_the_middle_means_truncated() -> None:
    assert kind(stream((1, chunk("a") + chunk("b")[:-1]))) is FailureKind.TRUNCATED


@pytest.mark.parametrize("broken", [ErrorType.RESET, ErrorType.CLOSED, ErrorType.PROTOCOL])
def test_a_reset_after_some_text_is_truncated_and_before_any_a_disconnect(
    broken: ErrorType,
) -> None:
    assert kind(stream((1, chunk("a")), broken=broken)) is FailureKind.TRUNCATED
    assert kind(stream((1, chunk("")), broken=broken)) is FailureKind.HTTP_DISCONNECT


def test_what_breaks_after_done_has_broken_nothing() -> None:
    whole = stream((1, chunk("a", "stop")), (2, DONE), end=3000, broken=ErrorType.GAVE_UP)
    assert kind(whole) is None
    assert heard(whole).stream.stall_max_ms == 1


def test_silence_is_told_by_when_it_fell() -> None:
    beats = [(1000.0 * n, ": ping\n\n") for n in range(1, 60)]
    assert kind(stream(*beats, end=60_000, broken=ErrorType.GAVE_UP)) is FailureKind.NO_FIRST_TOKEN
    mute = stream((1, chunk("a")), *beats[:30], end=30_001, broken=ErrorType.GAVE_UP)
    assert kind(mute) is FailureKind.STALLED
    assert heard(mute).stream.stall_max_ms == 30_000
    flowing = [(100.0 * n, chunk("a")) for n in range(1, 20)]
    assert kind(stream(*flowing, end=2000, broken=ErrorType.TIMEOUT)) is FailureKind.BODY_TIMEOUT


def test_a_long_pause_in_a_whole_stream_is_a_stall_and_heartbeats_do_not_mend_it() -> None:
    paused = stream(
        (1, chunk("a")), (6000, ": ping\n\n"), (10_001, chunk("b", "stop")), (10_002, DONE)
    )
    assert kind(paused) is FailureKind.STALLED
    assert heard(paused).stream.stall_max_ms == 10_000


@pytest.mark.parametrize(
    ("said", "want"),
    [
        ('data: {"error":{"message":"x","code":502}}\n\n', FailureKind.STREAM_ERROR),
        ('data: {"error":"x"}\n\n', FailureKind.STREAM_ERROR),
        ('event: error\ndata: {"type":"overloaded_error"}\n\n', FailureKind.OVERLOADED),
        ("event: error\ndata: boom\n\n", FailureKind.STREAM_ERROR),
        ('data: {"object":"error","message":"x","code":500}\n\n', FailureKind.STREAM_ERROR),
        (
            'data: {"type":"error","error":{"type":"insufficient_quota"}}\n\n',
            FailureKind.QUOTA_EXHAUSTED,
        ),
        ('error: {"code": 500, "message": "died"}\n', FailureKind.STREAM_ERROR),
        (
            '{\n  "error": {\n    "code": 429,\n    "message": "slow"\n  }\n}\n',
            FailureKind.RATE_LIMITED,
        ),
        ('data: {"choices":[{"delta":{},"finish_reason":"error"}]}\n\n', FailureKind.STREAM_ERROR),
        ('data: {"error":{"message":"cut off", "code":500}}', FailureKind.STREAM_ERROR),
    ],
)
def test_an_error_inside_the_stream_is_heard_wherever_it_hides(
    said: str, want: FailureKind
) -> None:
    assert kind(stream((1, chunk("a")), (2, said))) is want


def test_an_empty_answer_is_told_from_a_cap_that_reasoning_used_up() -> None:
    assert kind(stream((1, chunk(None, "stop") + DONE))) is FailureKind.EMPTY_COMPLETION
    used_up = chunk(None, "length") + usage(16, reasoning_tokens=16) + DONE
    assert kind(stream((1, used_up))) is FailureKind.BUDGET_TOO_SMALL
    assert kind(stream((1, chunk(None, "content_filter") + DONE))) is FailureKind.CONTENT_FILTERED


def test_the_watch_gives_the_first_token_and_every_further_one_their_time() -> None:
    watch = StreamRecorder(ChatReader())
    deadlines = [watch.deadline_ms()]
    for at, text in [
        (5.0, ": ping\n\n"),
        (1000.0, chunk("a")),
        (2000.0, ": ping\n\n"),
        (2500.0, DONE),
    ]:
        watch.feed(Chunk(at, text.encode()))
        deadlines.append(watch.deadline_ms())
    assert deadlines == [60_000, 60_000, 31_000, 31_000, 4500]


def test_pieces_that_wait_have_the_time_of_their_arrival_and_many_are_read_unasked() -> None:
    watch = StreamRecorder(ChatReader())
    for at in range(3):
        watch.feed(Chunk(at * 10.0, chunk("a").encode()))
    assert watch.content_at == []
    watch.feed(Chunk(30.0, b": " + b"x" * 8192 + b"\n\n"))
    assert (watch.content_at, watch.heartbeats) == ([0.0, 10.0, 20.0], 1)


def test_the_watch_does_not_wait_for_more_after_an_error() -> None:
    watch = StreamRecorder(ChatReader())
    watch.feed(Chunk(700.0, b'data: {"error":"boom"}\n\n'))
    assert watch.deadline_ms() == 2700
