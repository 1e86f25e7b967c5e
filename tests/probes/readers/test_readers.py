import base64
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from monitor.model import Usage
from monitor.probes.kinds.messages import MESSAGES
from monitor.probes.readers import (
    AnthropicReader,
    ChatReader,
    GeminiReader,
    Piece,
    ProtocolReader,
    ResponsesReader,
    SpeechReader,
)
from monitor.probes.readers.base import ToolCall
from monitor.probes.readers.sse import Event


def read(reader: ProtocolReader, *values: Any) -> list[Piece]:
    return [reader.read(Event(v if isinstance(v, str) else json.dumps(v))) for v in values]


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields}]}


def test_a_role_or_an_empty_text_is_no_content() -> None:
    pieces = read(
        ChatReader(), delta(role="assistant", content=""), {"choices": []}, delta(content=None)
    )
    assert [piece.is_content for piece in pieces] == [False, False, False]


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm", "reasoning_details": [{"text": "hm"}]},
        {"reasoning_details": [{"text": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
    ],
)
def test_reasoning_has_many_names_and_counts_once(fields: dict[str, Any]) -> None:
    reader = ChatReader()
    assert read(reader, delta(**fields)) == [Piece(reasoning="hm")]
    assert (reader.text, reader.reasoning) == ("", "hm")


def test_tool_calls_come_in_fragments_by_index() -> None:
    reader = ChatReader()
    for call_id, name, arguments in (("c1", "f", ""), (None, None, '{"a"'), ("c1", None, ":1}")):
        call = {"index": 0, "id": call_id, "function": {"name": name, "arguments": arguments}}
        read(reader, delta(content=None, tool_calls=[call]))
    assert reader.tools == {0: ToolCall("c1", "f", '{"a":1}')}


CALL = ToolCall("c1", "f", '{"a": 1}')
SIGNED = {"extra_content": {"google": {"thought_signature": "s"}}}
ITEM = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'}
USE = {"type": "tool_use", "id": "c1", "name": "f"}
FUNCTION = {"name": "f", "arguments": '{"a": 1}'}


@pytest.mark.parametrize(
    ("reader", "values", "call"),
    [
        pytest.param(
            ChatReader,
            [{"choices": [{"message": {"tool_calls": [{"id": "c1", "function": FUNCTION}]}}]}],
            CALL,
            id="a whole chat answer",
        ),
        pytest.param(
            ChatReader,
            [delta(tool_calls=[{"id": "c1", "function": FUNCTION, **SIGNED}])],
            replace(CALL, beside=SIGNED),
            id="with the signature of a thought",
        ),
        pytest.param(
            ResponsesReader,
            [{"object": "response", "output": [{"type": "reasoning"}, ITEM]}],
            CALL,
            id="a whole response",
        ),
        pytest.param(
            ResponsesReader,
            [
                {"type": "response.output_item.added", "output_index": 1, "item": ITEM},
                {"type": "response.output_item.done", "output_index": 1, "item": ITEM},
                {"type": "response.completed", "response": {"output": [ITEM]}},
            ],
            CALL,
            id="a response without deltas",
        ),
        pytest.param(
            ResponsesReader,
            [{"type": "response.completed", "response": {"output": [ITEM]}}],
            CALL,
            id="a response that comes with its end",
        ),
        pytest.param(
            AnthropicReader,
            [{"type": "message", "content": [USE | {"input": {"a": 1}}]}],
            CALL,
            id="a whole message",
        ),
        pytest.param(
            AnthropicReader,
            [
                {"type": "content_block_start", "index": 0, "content_block": USE | {"input": {}}},
                *(
                    {"type": "content_block_delta", "index": 0, "delta": {"partial_json": part}}
                    for part in ("", '{"a":', " 1}")
                ),
            ],
            CALL,
            id="a message in pieces",
        ),
        pytest.param(
            AnthropicReader,
            [
                {
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": USE | {"input": {"a": 1}},
                }
            ],
            CALL,
            id="a message whose block begins whole",
        ),
        pytest.param(
            AnthropicReader,
            [
                {
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": USE | {"input": {"b": 2}},
                },
                {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"partial_json": '{"a": 1}'},
                },
            ],
            CALL,
            id="pieces that replace a whole beginning",
        ),
        pytest.param(
            GeminiReader,
            [
                {
                    "candidates": [
                        {
                            "content": {
                                "parts": [
                                    {
                                        "functionCall": {"name": "f", "args": {"a": 1}},
                                        "thoughtSignature": "s",
                                    }
                                ]
                            }
                        }
                    ]
                }
            ],
            ToolCall("", "f", '{"a": 1}', {"thoughtSignature": "s"}),
            id="Gemini's",
        ),
    ],
)
def test_a_tool_call_is_whole_with_its_id_however_it_comes(
    reader: type[ProtocolReader], values: list[Any], call: ToolCall
) -> None:
    reading = reader()
    read(reading, *values)
    assert list(reading.tools.values()) == [call]
    assert (reading.call, reading.spoke, reading.text) == (call, True, "")


@pytest.mark.parametrize(
    "values",
    [
        [
            {
                "type": "message",
                "content": [
                    {"type": "thinking", "thinking": "hm hm", "signature": "s1"},
                    {"type": "thinking", "thinking": "unsigned"},
                    {"type": "redacted_thinking", "data": "d"},
                    USE,
                ],
            }
        ],
        [
            {
                "type": "content_block_start",
                "index": 0,
                "content_block": {"type": "thinking", "thinking": "", "signature": ""},
            },
            *(
                {"type": "content_block_delta", "index": 0, "delta": part}
                for part in ({"thinking": "hm "}, {"thinking": "hm"}, {"signature": "s1"})
            ),
            {
                "type": "content_block_start",
                "index": 1,
                "content_block": {"type": "redacted_thinking", "data": "d"},
            },
        ],
    ],
)
def test_signed_thoughts_go_back_with_a_tools_result(values: list[Any]) -> None:
    reader = AnthropicReader()
    read(reader, *values)
    assert reader.signed_thoughts == [
        {"type": "thinking", "thinking": "hm hm", "signature": "s1"},
        {"type": "redacted_thinking", "data": "d"},
    ]
    body = MESSAGES.with_result({"messages": ["question"]}, reader, {"number": 7})
    assert [block["type"] for block in body["messages"][1]["content"]] == [
        "thinking",
        "redacted_thinking",
        "tool_use",
    ]


def test_arguments_without_a_place_belong_to_the_call_that_began_last() -> None:
    reader = ResponsesReader()
    read(
        reader,
        {
            "type": "response.output_item.added",
            "output_index": 1,
            "item": ITEM | {"arguments": ""},
        },
        {"type": "response.function_call_arguments.delta", "delta": '{"a": 1}'},
    )
    assert reader.tools == {1: CALL}


def test_the_last_usage_counts_wherever_it_stands() -> None:
    reader = ChatReader()
    read(
        reader,
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
        {"choices": [], "usage": None},
    )
    assert reader.usage == Usage(tokens_in=1, tokens_out=2)


def test_usage_under_x_groq_counts_where_there_is_no_other() -> None:
    reader = ChatReader()
    read(reader, {"choices": [], "x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}})
    assert reader.usage == Usage(tokens_in=3, tokens_out=4)


def test_reasoning_counted_outside_of_the_completion_is_added() -> None:
    details = {"reasoning_tokens": 129}
    usage = {"prompt_tokens": 165, "completion_tokens": 2, "total_tokens": 296}
    reader = ChatReader()
    read(reader, {"choices": [], "usage": usage | {"completion_tokens_details": details}})
    assert reader.usage == Usage(tokens_in=165, tokens_out=131)


def test_a_whole_answer_is_read_like_a_stream_of_one() -> None:
    reader = ChatReader()
    reader.take(
        {"model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    )
    assert (reader.text, reader.finish_reason, reader.model) == ("hi", "stop", "m")


@pytest.mark.parametrize("reader", [ChatReader, AnthropicReader, ResponsesReader, GeminiReader])
@pytest.mark.parametrize(
    "value",
    [
        1,
        [],
        "x",
        {},
        {"choices": 5},
        {"choices": [None, {"delta": 7}]},
        {"choices": [{"delta": {"content": 1, "tool_calls": [{"index": "x", "function": 3}]}}]},
        {"usage": {"prompt_tokens": -1, "completion_tokens": "2"}},
        {"candidates": [{"content": []}]},
        {"type": "content_block_delta", "delta": None},
        {"type": "message_start", "message": 1},
        {"type": "response.completed", "response": []},
        {"delta": {"message": 1}, "type": "content-delta"},
    ],
)
def test_no_shape_upsets_a_reader(reader: type[ProtocolReader], value: Any) -> None:
    reading = reader()
    (piece,) = read(reading, value)
    assert (piece.is_content, reading.text, reading.error) == (False, "", None)
    assert reading.usage in {None, Usage()}


def test_what_is_no_json_is_skipped() -> None:
    reader = ChatReader()
    pieces = read(reader, "{oops", "[" * 100_000, "[DONE]")
    assert [piece.is_content for piece in pieces] == [False, False, False]
    assert (reader.text, reader.error, reader.done, reader.marked_end) == ("", None, True, False)


def test_anthropic_ends_with_message_stop_and_counts_usage_in_two_parts() -> None:
    reader = AnthropicReader()
    start = {"model": "claude-x", "usage": {"input_tokens": 9, "output_tokens": 1}}
    pieces = read(
        reader,
        {"type": "message_start", "message": start},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"thinking": "hm"}},
        {"type": "content_block_delta", "index": 1, "delta": {"text": "hi"}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 7},
        },
        {"type": "message_stop"},
    )
    assert pieces[2:4] == [Piece(reasoning="hm"), Piece(text="hi")]
    assert (reader.ended, reader.finish_reason) == (True, "end_turn")
    assert (reader.model, reader.usage) == ("claude-x", Usage(tokens_in=9, tokens_out=7))


def test_responses_end_with_a_terminal_event_that_holds_the_usage() -> None:
    reader = ResponsesReader()
    last = {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "usage": {"input_tokens": 1, "output_tokens": 16},
    }
    read(
        reader,
        {"type": "response.output_text.delta", "delta": "po"},
        {"type": "response.output_text.delta", "delta": "ng"},
        {"type": "response.output_text.done", "text": "pong"},
        {"type": "response.incomplete", "response": last},
    )
    assert (reader.text, reader.ended, reader.finish_reason) == ("pong", True, "max_output_tokens")
    assert reader.usage == Usage(tokens_in=1, tokens_out=16)


def test_a_failed_response_is_an_error_and_no_end() -> None:
    reader = ResponsesReader()
    read(reader, {"type": "response.failed", "response": {"error": {"code": "insufficient_quota"}}})
    assert (reader.ended, reader.error is not None) == (False, True)


def test_gemini_tells_thoughts_from_text_and_bills_both() -> None:
    reader = GeminiReader()
    parts = [{"text": "hm", "thought": True}, {"text": "hi"}]
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1, "thoughtsTokenCount": 5}
    read(
        reader,
        {
            "candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}],
            "usageMetadata": usage,
        },
    )
    assert (reader.text, reader.reasoning, reader.finish_reason) == ("hi", "hm", "STOP")
    assert reader.usage == Usage(tokens_in=3, tokens_out=6)


def test_a_blocked_gemini_prompt_is_a_refusal() -> None:
    reader = GeminiReader()
    read(reader, {"promptFeedback": {"blockReason": "SAFETY"}})
    assert (reader.refused, reader.finish_reason) == (True, "SAFETY")


def test_sound_in_fifty_thousand_pieces_is_put_together_at_once() -> None:
    """Joined piece by piece it would take long, and hold up every other probe for that long."""
    reader = SpeechReader()
    piece = json.dumps(
        {"type": "speech.audio.delta", "audio": base64.b64encode(b"y" * 60).decode()}
    )
    started = time.process_time()
    for _ in range(50_000):
        reader.read(Event(piece))
    assert len(reader.data) == 3_000_000
    assert time.process_time() - started < 5
