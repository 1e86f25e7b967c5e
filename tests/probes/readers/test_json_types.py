"""Any JSON type may stand anywhere: no reader and no judge of an answer is upset by it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import listen

from monitor.model import Failure, Habit, Timings
from monitor.probes.answer.challenges import Addition
from monitor.probes.answer.check_answer import CompletedAnswer, judge_answer
from monitor.probes.answer.error_text import judge_error_text
from monitor.probes.answer.stream_verdict import judge_stream, stream_stats
from monitor.probes.exchange import Chunk, Exchange
from monitor.probes.kinds.chosen_api import PROTOCOLS
from monitor.probes.kinds.embeddings import judge_vector
from monitor.probes.kinds.images import judge_picture
from monitor.probes.kinds.models import judge_models, read_list
from monitor.probes.kinds.moderations import judge_flag
from monitor.probes.kinds.rerank import judge_order
from monitor.probes.kinds.speech import judge_audio
from monitor.probes.readers import (
    AnthropicReader,
    ChatReader,
    GeminiReader,
    ImageReader,
    ProtocolReader,
    ResponsesReader,
    SpeechReader,
    TranscriptReader,
)
from monitor.probes.verdict.classify import is_error_object, judge_error_object

READERS = [
    AnthropicReader,
    ChatReader,
    GeminiReader,
    ImageReader,
    ResponsesReader,
    SpeechReader,
    TranscriptReader,
]
KEYS = [
    "args",
    "signature",
    "arguments",
    "call_id",
    "candidates",
    "candidatesTokenCount",
    "choices",
    "completion_tokens",
    "completion_tokens_details",
    "content",
    "content_block",
    "content_index",
    "data",
    "delta",
    "embedding",
    "error",
    "finishReason",
    "finish_reason",
    "flagged",
    "function",
    "functionCall",
    "id",
    "incomplete_details",
    "index",
    "input",
    "input_tokens",
    "item",
    "message",
    "model",
    "modelVersion",
    "name",
    "object",
    "output",
    "output_index",
    "output_tokens",
    "output_tokens_details",
    "part",
    "partial_json",
    "parts",
    "promptFeedback",
    "blockReason",
    "promptTokenCount",
    "prompt_tokens",
    "reason",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "reasoning_tokens",
    "refusal",
    "response",
    "relevance_score",
    "results",
    "status",
    "stop_reason",
    "summary",
    "text",
    "thinking",
    "thought",
    "thoughtSignature",
    "tool_calls",
    "total_tokens",
    "type",
    "url",
    "usage",
    "usageMetadata",
    "x_groq",
    "b64_json",
    "cachedContentTokenCount",
    "cache_read_input_tokens",
    "cached_tokens",
    "input_tokens_details",
    "prompt_tokens_details",
    "audio",
    "audio_data",
    "has_more",
    "code",
    "msg",
    "success",
    "base_resp",
]
TYPES = [
    "content_block_delta",
    "content_block_start",
    "error",
    "image_generation.completed",
    "image_generation.partial_image",
    "message",
    "message_delta",
    "message_start",
    "response",
    "response.completed",
    "response.failed",
    "response.function_call_arguments.delta",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.output_text.done",
    "redacted_thinking",
    "speech.audio.delta",
    "speech.audio.done",
    "thinking",
    "tool_use",
    "transcript.text.delta",
    "transcript.text.done",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-1, 10**12)
    | st.sampled_from([10**400, -(10**400)])  # more than a float holds
    | st.floats()
    | st.sampled_from(["", "stop", "x", "\ud800", "\0\x1b[31m", "error", "function_call", *TYPES])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
    max_leaves=25,
)


def spoiled(value: Any, replacement: Any) -> list[Any]:
    """Return copies of a JSON value, each with one part of it replaced."""
    copies = [replacement]
    if isinstance(value, dict):
        for key, inner in value.items():
            copies += [{**value, key: copy} for copy in spoiled(inner, replacement)]
    if isinstance(value, list):
        for at, inner in enumerate(value):
            copies += [
                [*value[:at], copy, *value[at + 1 :]] for copy in spoiled(inner, replacement)
            ]
    return copies


def check_reader(reader: ProtocolReader, *values: Any) -> None:
    """Read values as a stream, and judge it in every way."""
    data = "".join(f"data: {json.dumps(value)}\n\n" for value in values).encode()
    exchange = Exchange(timings=Timings(total=9.0), status=200, chunks=(Chunk(1.0, data),))
    recorder = listen(exchange, reader)
    judge_stream(recorder, exchange, stream_stats(recorder, exchange, Habit()))
    answer = CompletedAnswer(
        reader=reader,
        challenge=Addition(60, 70),
        model="m",
        cap=10,
        right_content_type=True,
        content_type="",
    )
    judge_answer(answer, Habit())
    assert isinstance(reader.text, str)
    assert isinstance(reader.reasoning, str)
    if reader.call is not None:
        for protocol in PROTOCOLS.values():  # what goes back in a second turn
            body = {"messages": [], "contents": [], "input": "x"}
            json.dumps(protocol.with_result(body, reader, {"number": 7}))
    assert reader.cached_tokens is None or reader.cached_tokens >= 0
    assert reader.model is None or isinstance(reader.model, str)


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=30, deadline=None)
@given(values=st.lists(JSON, min_size=1, max_size=3))
def test_no_json_upsets_a_reader(reader: type[ProtocolReader], values: list[Any]) -> None:
    check_reader(reader(), *values)


SHAPES: list[tuple[type[ProtocolReader], Any]] = [
    (
        ChatReader,
        {
            "model": "m",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "usage": {},
                    "error": None,
                    "delta": {
                        "content": [{"text": "a", "thinking": [{"text": "b"}]}],
                        "reasoning_details": [{"text": "c"}],
                        "tool_calls": [
                            {
                                "index": 0,
                                "id": "c",
                                "function": {"name": "f", "arguments": "{}"},
                                "extra_content": {},
                            }
                        ],
                    },
                }
            ],
            "usage": {
                "prompt_tokens": 1,
                "completion_tokens": 1,
                "completion_tokens_details": {"reasoning_tokens": 1},
                "prompt_tokens_details": {"cached_tokens": 1},
            },
        },
    ),
    (
        AnthropicReader,
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 1}}},
    ),
    (
        AnthropicReader,
        {"type": "content_block_delta", "index": 0, "delta": {"text": "a", "partial_json": "{"}},
    ),
    (
        AnthropicReader,
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}},
        },
    ),
    (
        AnthropicReader,
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "a", "signature": "b", "data": "c"},
        },
    ),
    (
        AnthropicReader,
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 1},
        },
    ),
    (
        AnthropicReader,
        {"type": "message", "content": [{"type": "tool_use", "input": {"a": 1}}], "usage": {}},
    ),
    (
        GeminiReader,
        {
            "candidates": [
                {
                    "content": {
                        "parts": [
                            {
                                "text": "a",
                                "functionCall": {"id": "c", "args": {}},
                                "thoughtSignature": "s",
                            }
                        ]
                    },
                    "finishReason": "STOP",
                }
            ],
            "promptFeedback": {"blockReason": "SAFETY"},
            "usageMetadata": {"promptTokenCount": 1},
        },
    ),
    (
        ResponsesReader,
        {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "a"},
    ),
    (
        ResponsesReader,
        {
            "type": "response.completed",
            "response": {
                "status": "completed",
                "incomplete_details": {"reason": "x"},
                "output": [{"type": "message", "content": [{"text": "a"}]}],
                "usage": {"output_tokens_details": {}},
            },
        },
    ),
    *(
        (
            ResponsesReader,
            {
                "type": f"response.output_item.{what}",
                "output_index": 0,
                "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            },
        )
        for what in ("added", "done")
    ),
    (
        ImageReader,
        {"type": "image_generation.completed", "b64_json": "AAAA", "usage": {"input_tokens": 1}},
    ),
    (SpeechReader, {"type": "speech.audio.delta", "audio": "AAAA"}),
    (TranscriptReader, {"type": "transcript.text.done", "text": "a", "usage": {"input_tokens": 1}}),
]


@pytest.mark.parametrize(
    "replacement", [None, True, -1, 10**400, float("nan"), 0.5, "x", [], [1], {}, {"type": []}]
)
@pytest.mark.parametrize(("reader", "shape"), SHAPES)
def test_no_field_of_another_type_upsets_a_reader(
    reader: type[ProtocolReader], shape: Any, replacement: Any
) -> None:
    for value in spoiled(shape, replacement):
        check_reader(reader(), value)
        if isinstance(value, dict):
            reader().take(value)


@settings(max_examples=60, deadline=None)
@given(value=JSON)
def test_no_json_upsets_a_judge_of_a_document(value: Any) -> None:
    body = json.dumps(value)
    found = [
        judge_vector(value, Habit())[0],
        judge_picture(value),
        judge_models(value, "m"),
        judge_flag(value, Habit(), harmless=True)[0],
        judge_order(value, Habit())[0],
        judge_audio(body.encode()),
        judge_error_text(body, wrong=True),
    ]
    assert all(failure is None or isinstance(failure, Failure) for failure in found)
    assert all(isinstance(name, str) for name in read_list(value).names)
    if is_error_object(value):
        judge_error_object(value)
