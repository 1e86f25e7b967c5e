"""Streams as providers and relays really send them: what clients read is read, what breaks them is told."""

import json
from dataclasses import replace
from typing import Any

import pytest
from streams import listen

from monitor.model import Failure, FailureKind, Habit, Timings, Usage
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.answer.stream_verdict import judge_stream, stream_stats
from monitor.probes.exchange import Chunk, ErrorType, Exchange, TransportError, TransportPhase
from monitor.probes.readers import ChatReader, ProtocolReader, ResponsesReader
from monitor.probes.readers.base import ToolCall
from monitor.probes.readers.think_tags import MARKS

DONE = "data: [DONE]\n\n"


def event(value: Any, name: str = "") -> str:
    data = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return (f"event: {name}\n" if name else "") + f"data: {data}\n\n"


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> str:
    delta = {} if text is None else {"content": text}
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}]})


def exchange(*parts: str | tuple[float, str]) -> Exchange:
    timed = [(number, part) if isinstance(part, str) else part for number, part in enumerate(parts)]
    chunks = tuple(Chunk(at, text.encode()) for at, text in timed)
    return Exchange(timings=Timings(total=chunks[-1].at_ms), status=200, chunks=chunks)


def recorded(
    *parts: str | tuple[float, str], reader: ProtocolReader | None = None
) -> tuple[StreamRecorder, Failure | None]:
    whole = exchange(*parts)
    recorder = listen(whole, reader or ChatReader())
    return recorder, judge_stream(recorder, whole, stream_stats(recorder, whole, Habit()))


def judged(*parts: str | tuple[float, str]) -> Failure | None:
    return recorded(*parts)[1]


GOOD = (chunk("200 "), chunk("201"), chunk(None, "stop"), DONE)

# --- events that are no JSON ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        '{"id":"c1","object":"chat.completion.ch',
        'ion.chunk","choices":[]}',
        "ping",
        "[HEARTBEAT]",
        "null",
        "1",
        '"a string"',
        "OK",
    ],
)
def test_an_event_that_clients_cannot_parse_spoils_a_good_stream(broken: str) -> None:
    failure = judged(GOOD[0], event(broken), *GOOD[1:])
    assert failure is not None
    assert failure.kind is FailureKind.MALFORMED_STREAM
    assert " ".join(broken.split()) in failure.message


@pytest.mark.parametrize(
    "harmless",
    [
        "data:\n\n",
        "data: \n\n",
        ": keep-alive\n\n",
        "event: ping\n\n",
        "retry: 3000\n\n",
        "event: ping\ndata: ping\n\n",
        "event: keepalive\ndata: now\n\n",
        event({}),
        "id: 7\n\n",
    ],
)
def test_what_no_client_reads_spoils_nothing(harmless: str) -> None:
    assert judged(harmless, GOOD[0], harmless, *GOOD[1:]) is None


def test_an_event_that_the_end_cuts_is_no_malformed_one() -> None:
    failure = judged(GOOD[0], 'data: {"choices": [{"del')
    assert failure is not None
    assert failure.kind is FailureKind.TRUNCATED


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("[ERROR] upstream request timeout", FailureKind.STREAM_ERROR),
        ("upstream connect error or disconnect/reset before headers", FailureKind.STREAM_ERROR),
        ("Internal Server Error", FailureKind.STREAM_ERROR),
        ("当前分组上游负载已饱和\uff0c请稍后再试", FailureKind.OVERLOADED),
    ],
)
@pytest.mark.parametrize("ended", ["\n\n", "\n", ""])
def test_plain_words_that_end_a_stream_are_its_error_and_are_quoted(
    words: str, kind: FailureKind, ended: str
) -> None:
    failure = judged(GOOD[0], GOOD[1], f"data: {words}{ended}")
    assert failure is not None
    assert (failure.kind, words in failure.message) == (kind, True)


def test_plain_words_alone_are_an_error_too() -> None:
    failure = judged(event("Internal Server Error"), DONE)
    assert failure is not None
    assert failure.kind is FailureKind.STREAM_ERROR


def test_a_stream_without_empty_lines_is_told_as_that() -> None:
    failure = judged("".join(GOOD).replace("\n\n", "\n"))
    assert failure is not None
    assert failure.kind is FailureKind.UNEXPECTED_BODY
    assert "empty line" in failure.message


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ('{"id": "c1", "choices": [{"mess', FailureKind.UNEXPECTED_BODY, "breaks off"),
        ("Hello, I am a web server.", FailureKind.UNEXPECTED_BODY, "I am a web server"),
        ("Internal Server Error", FailureKind.SERVER_ERROR, "Internal Server Error"),
        ("您的余额不足", FailureKind.QUOTA_EXHAUSTED, "余额不足"),
    ],
)
def test_a_body_without_events_is_quoted(body: str, kind: FailureKind, words: str) -> None:
    failure = judged(body)
    assert failure is not None
    assert (failure.kind, words in failure.message) == (kind, True)


def test_half_a_document_is_none_of_a_stream_also_where_the_connection_broke() -> None:
    broken = replace(
        exchange('{"id": "c1", "choices": [{"mess'),
        error=TransportError(TransportPhase.BODY, ErrorType.CLOSED),
    )
    heard = listen(broken, ChatReader())
    failure = judge_stream(heard, broken, stream_stats(heard, broken, Habit()))
    assert failure is not None
    assert failure.kind is FailureKind.UNEXPECTED_BODY


def test_a_stream_of_broken_events_alone_is_of_no_use() -> None:
    failure = judged(event('{"id": "cut'), event('{"id": "cut'), DONE)
    assert failure is not None
    assert failure.kind is FailureKind.UNEXPECTED_BODY


# --- errors inside --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        chunk(None, None, error={"code": 429, "message": "temporarily rate-limited upstream"}),
        event({"choices": [{"delta": {"content": "", "error": {"code": 429, "message": "slow"}}}]}),
        event({"error": {"code": 429, "message": "Too many", "status": "RESOURCE_EXHAUSTED"}}),
        event({"code": 429, "message": "rate"}, "error"),
        event([{"error": {"code": 429, "message": "as a list"}}]),
        '{"error": {"code": 429,\n "message": "without data:"}}\n',
    ],
)
def test_an_error_object_is_found_wherever_it_stands(broken: str) -> None:
    failure = judged(GOOD[0], broken)
    assert failure is not None
    assert failure.kind is FailureKind.RATE_LIMITED


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("error", FailureKind.STREAM_ERROR),
        ("network_error", FailureKind.STREAM_ERROR),
        ("upstream_error", FailureKind.STREAM_ERROR),
        ("insufficient_system_resource", FailureKind.OVERLOADED),
    ],
)
def test_a_finish_reason_may_be_an_error(reason: str, kind: FailureKind) -> None:
    failure = judged(GOOD[0], chunk(None, reason), DONE)
    assert failure is not None
    assert failure.kind is kind


def test_an_empty_error_in_a_choice_is_none() -> None:
    assert judged(chunk("200", None, error=None), chunk(None, "stop", error={}), DONE) is None


# --- Responses ------------------------------------------------------------------------------------

COMPLETED = {
    "type": "response.completed",
    "response": {
        "model": "m",
        "status": "completed",
        "output": [
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "200 201"}]},
        ],
        "usage": {"input_tokens": 9, "output_tokens": 3},
    },
}
EMPTY = {**COMPLETED, "response": {"status": "completed", "output": []}}


def part(kind: str, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": 0, "content_index": index, **fields}


DELTA = part("output_text.delta", delta="200 ")
ITEM = part("output_item.done", item=COMPLETED["response"]["output"][1])
DONE_TEXT = part("output_text.done", text="200 201")


@pytest.mark.parametrize(
    "events",
    [
        [DELTA, part("output_text.delta", delta="201"), DONE_TEXT, COMPLETED],
        [DELTA, part("output_text.delta", delta="201"), EMPTY],
        [DONE_TEXT, COMPLETED],
        [DONE_TEXT, EMPTY],
        [COMPLETED],
        [DELTA, DONE_TEXT, COMPLETED],
        [part("content_part.done", part={"type": "output_text", "text": "200 201"}), EMPTY],
        [ITEM, EMPTY],
        [DELTA, DONE_TEXT, ITEM, COMPLETED],
        [{"type": "response.output_text.delta", "delta": "200 201"}, DONE_TEXT, ITEM, COMPLETED],
        [part("output_text.done", text="200 "), part("output_text.done", 1, text="201"), COMPLETED],
    ],
)
def test_the_text_of_a_response_counts_once_wherever_it_stands(events: list[Any]) -> None:
    reader = ResponsesReader()
    recorder, failure = recorded(*(event(e, e["type"]) for e in events), reader=reader)
    assert (failure, reader.text, recorder.reader.ended) == (None, "200 201", True)


def test_refusals_thoughts_and_arguments_may_come_whole_too() -> None:
    reader = ResponsesReader()
    events = [
        part("refusal.done", refusal="I will not"),
        part("reasoning_summary_text.done", summary_index=0, text="hm"),
        part("function_call_arguments.done", arguments="{}"),
        EMPTY,
    ]
    recorded(*map(event, events), reader=reader)
    assert (reader.refused, reader.reasoning, reader.tools) == (
        True,
        "hm",
        {0: ToolCall(arguments="{}")},
    )


# --- thoughts in the text -------------------------------------------------------------------------


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("mark", MARKS)
def test_marked_thoughts_are_no_answer_however_they_are_cut(mark: str, size: int) -> None:
    begin, end = mark.upper(), MARKS[mark]
    text = f"\n{begin}They want 1 2 3 < 4.{end}\n\n200 201"
    reader = ChatReader()
    recorder, _ = recorded(*map(chunk, pieces(text, size)), chunk(None, "stop"), reader=reader)
    assert (reader.text, reader.reasoning) == ("200 201", "They want 1 2 3 < 4.")
    first_visible = next(
        at for at, piece in enumerate(pieces(text, size)) if text.index("200") < (at + 1) * size
    )
    assert recorder.visible_at == first_visible


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("<b>200</b>", "<b>200</b>"),
        ("[1] 200", "[1] 200"),
        ("200 <think>not at the beginning</think>", "200 <think>not at the beginning"),
        ("<think></think><think>twice</think>200", "200"),
        ("<think>cut", ""),
        ("<thi", "<thi"),
    ],
)
def test_what_only_looks_like_a_mark_is_text(text: str, visible: str) -> None:
    reader = ChatReader()
    recorded(*map(chunk, pieces(text, 2)), reader=reader)
    assert reader.text.startswith(visible[:4])
    assert visible or reader.text == ""


@pytest.mark.parametrize("end", ["</think>", "</thinking>", "[/THINK]", "◁/think▷"])
def test_the_beginning_of_the_thoughts_may_be_swallowed(end: str) -> None:
    reader = ChatReader()
    recorded(chunk("They want 1 2 3."), chunk(end), chunk("\n200"), reader=reader)
    assert (reader.text, reader.reasoning) == ("200", "They want 1 2 3.")


# --- blank content --------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [" ", "\n", "\u200b", "\u2060\ufeff", "\u3164", "\u2800 "])
def test_blank_content_is_no_first_token_and_hides_no_burst(blank: str) -> None:
    words = "".join(chunk(f"{number} ") for number in range(200, 264))
    beats = [(500.0 * number, chunk(blank)) for number in range(6)]
    end = chunk(None, "stop") + event({"choices": [], "usage": {"completion_tokens": 130}}) + DONE
    whole = exchange(*beats, (3000.0, words + end))
    stats = stream_stats(listen(whole, ChatReader()), whole, Habit())
    assert (stats.ttft, stats.ttft_visible, stats.burst) == (3000.0, 3000.0, True)
    assert stats.stream.heartbeats == 6


def test_blank_content_for_long_is_a_stall() -> None:
    blanks = [(1000.0 * number, chunk("\u200b")) for number in range(1, 15)]
    failure = judged((0.0, chunk("200 ")), *blanks, (15_000.0, chunk("201", "stop") + DONE))
    assert failure is not None
    assert failure.kind is FailureKind.STALLED


def test_the_space_between_two_words_is_content() -> None:
    recorder, _ = recorded(chunk("200"), chunk(" "), chunk("201"), chunk(None, "stop"), DONE)
    assert recorder.content_at == [0, 1, 2]


@pytest.mark.parametrize("blank", ["\u200b", " \n", "<think>hm</think>\u200b"])
def test_an_answer_of_blanks_is_empty(blank: str) -> None:
    failure = judged(chunk(blank), chunk(None, "stop"), DONE)
    assert failure is not None
    assert failure.kind is FailureKind.EMPTY_COMPLETION


# --- usage ----------------------------------------------------------------------------------------


def test_usage_inside_the_last_choice_is_read() -> None:
    counts = {"prompt_tokens": 9, "completion_tokens": 3}
    recorder, _ = recorded(chunk("200"), chunk(None, "stop", usage=counts), DONE)
    assert recorder.reader.usage == Usage(tokens_in=9, tokens_out=3)


def test_a_last_chunk_that_repeats_the_whole_message_adds_nothing() -> None:
    whole = {"choices": [{"delta": {}, "message": {"content": "200 201"}, "finish_reason": "stop"}]}
    recorder, failure = recorded(chunk("200 "), chunk("201"), event(whole), DONE)
    assert (failure, recorder.reader.text) == (None, "200 201")


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_text": "hm"},
        {"thinking": "hm"},
        {"content": [{"type": "reasoning", "text": "hm"}]},
        {"content": [{"type": "thinking", "thinking": "hm"}]},
    ],
)
def test_thoughts_have_many_names(delta: dict[str, Any]) -> None:
    recorder, _ = recorded(event({"choices": [{"delta": delta}]}), *GOOD)
    assert (recorder.reader.reasoning, recorder.reader.text) == ("hm", "200 201")


def test_what_a_reader_raises_ends_the_record_and_is_raised_at_its_close() -> None:
    class Fragile(ChatReader):
        def _piece(self, value: Any) -> Any:
            raise TypeError("unhashable type: 'list'")

    recorder = StreamRecorder(Fragile())
    recorder.feed(Chunk(1.0, chunk("200").encode()))
    recorder.feed(Chunk(2.0, b"more"))
    assert recorder.deadline_ms() == 0.0
    with pytest.raises(TypeError):
        recorder.close()
