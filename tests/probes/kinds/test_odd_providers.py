"""Odd but honest: what good servers do that a strict reader would take for a fault."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from odd_server import Server, prompt
from relay import Answering, Asked, Relay, kind_of, plain, relaying

from monitor.demo.replies import answer
from monitor.model import FailureKind, Habit, Usage


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        yield relay


# --- tokens and caps ------------------------------------------------------------------------------


async def test_a_tokenizer_with_a_token_for_each_digit_finds_room_in_our_cap(relay: Relay) -> None:
    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        return await Server(cap=asked.json["max_tokens"])(request, asked)

    relay.answering = answering
    result = await relay.ask("chat", Habit(mismatches=9))
    assert kind_of(result) is None
    assert result.stream is not None
    assert result.stream.finish_reason == "stop"


async def test_a_count_that_our_own_cap_ends_is_our_own_fault(relay: Relay) -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 50}
    relay.answering = Server(cap=100, usage=usage)
    ours = await relay.ask("chat", Habit(mismatches=9), max_tokens=50)
    assert kind_of(ours) is FailureKind.BUDGET_TOO_SMALL
    assert ours.failure is not None
    assert "max_tokens = 50" in ours.failure.message
    theirs = await relay.ask("chat", Habit(mismatches=9), max_tokens=200)
    assert kind_of(theirs) is FailureKind.TRUNCATED  # a smaller cap than ours ended a right answer
    relay.answering = Server(text="no " * 500, cap=100, usage=usage)
    assert kind_of(await relay.ask("chat", Habit(mismatches=9), max_tokens=50)) is (
        FailureKind.CONTENT_MISMATCH
    )


async def test_a_count_that_our_usual_cap_ends_gets_more_room(relay: Relay) -> None:
    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        cap = asked.json["max_tokens"]
        return await Server(cap=cap // 2, usage={"prompt_tokens": 20, "completion_tokens": cap})(
            request, asked
        )

    relay.answering = answering
    result = await relay.ask("chat")
    assert kind_of(result) is None
    assert result.habit.reasons
    assert [asked.json["max_tokens"] for asked in relay.asked] == [320, 1024]


async def test_thoughts_that_nobody_reports_are_thoughts_where_tokens_were_counted(
    relay: Relay,
) -> None:
    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        cap = asked.json["max_tokens"]
        if cap > 1000:
            return await Server()(request, asked)
        usage = {"prompt_tokens": 20, "completion_tokens": cap}
        return await Server(text=" ", cap=0, usage=usage)(request, asked)

    relay.answering = answering
    assert kind_of(await relay.ask("chat")) is None
    small = await relay.ask("chat", max_tokens=300)
    assert kind_of(small) is FailureKind.BUDGET_TOO_SMALL


@pytest.mark.parametrize("usage", [{"prompt_tokens": 0, "completion_tokens": 0}, {}])
async def test_no_count_is_no_baseline(relay: Relay, usage: Any) -> None:
    relay.answering = Server(usage=usage)
    habit = (await relay.ask("chat")).habit
    assert habit.prompt_tokens is None
    relay.answering = Server(usage={"prompt_tokens": 700, "completion_tokens": 128})
    assert kind_of(await relay.ask("chat", habit)) is None


@pytest.mark.parametrize("number", [10**30, -1, 1.5, True, "20", 10**9 + 1])
async def test_a_count_that_cannot_be_is_none(relay: Relay, number: Any) -> None:
    relay.answering = Server(usage={"prompt_tokens": number, "completion_tokens": number})
    result = await relay.ask("chat")
    assert kind_of(result) is None
    assert result.usage == Usage(tokens_in=None, tokens_out=None)


async def test_what_went_through_anthropics_cache_counts(relay: Relay) -> None:
    counts = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 10,
        "cache_read_input_tokens": 300,
        "output_tokens": 3,
    }
    content = [{"type": "text", "text": "yes"}]
    whole = {"type": "message", "model": "model-x", "content": content, "stop_reason": "end_turn"}
    relay.answering = plain(whole | {"usage": counts})
    result = await relay.ask("messages", stream=False, text="Say yes.", answer="yes")
    assert kind_of(result) is None
    assert result.usage == Usage(tokens_in=315, tokens_out=3)


# --- thoughts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("begin", ["<think>", "\n<think>\n", ""])
async def test_thoughts_in_the_text_are_no_part_of_the_answer(relay: Relay, begin: str) -> None:
    relay.answering = Server(before=f"{begin}From 1 to 9, then? No: as asked.</think>\n\n")
    for stream in (True, False):
        relay.answering = relay.answering if stream else whole(f"{begin}Is it 7?</think> 8")
        own = {} if stream else {"text": "Say 8.", "answer": "8"}
        result = await relay.ask("chat", Habit(mismatches=9), stream=stream, **own)
        assert kind_of(result) is None
        assert result.habit.mismatches == 0


async def test_a_thought_is_a_token_and_not_a_visible_one(relay: Relay) -> None:
    relay.answering = Server(before="<think>" + "hm " * 20 + "</think>", gap=0.005)
    result = await relay.ask("chat")
    assert kind_of(result) is None
    assert result.ttft is not None
    assert result.ttft_visible is not None
    assert result.ttft_visible - result.ttft > 50


def whole(text: str) -> Answering:
    choice = {"message": {"content": text}, "finish_reason": "stop"}
    return plain({"model": "model-x", "choices": [choice]})


HIDDEN = {
    "prompt_tokens": 20,
    "completion_tokens": 828,
    "completion_tokens_details": {"reasoning_tokens": 700},
}


async def test_tokens_thought_out_of_sight_make_no_stream_faster(relay: Relay) -> None:
    relay.answering = Server(usage=HIDDEN, think_s=0.2, gap=0.005)
    result = await relay.ask("chat", max_tokens=1000)
    assert kind_of(result) is None
    assert result.stream is not None
    assert result.stream.tokens_out == 828
    assert result.stream.tokens_per_s is not None
    assert result.stream.tokens_per_s < 400  # 128 tokens in 64 pieces, 5 ms apart


async def test_a_short_answer_after_long_thoughts_is_no_burst(relay: Relay) -> None:
    relay.answering = Server(text="yes", usage=HIDDEN, think_s=0.1)
    asked = {"text": "Say yes.", "answer": "yes", "max_tokens": 1000}
    assert (await relay.ask("chat", Habit(bursts=9), **asked)).habit.bursts == 9
    uncounted = {"prompt_tokens": 20, "completion_tokens": 828}
    relay.answering = Server(text="yes", usage=uncounted, think_s=0.1)
    assert kind_of(await relay.ask("chat", Habit(bursts=9), **asked)) is None


# --- words ----------------------------------------------------------------------------------------


async def test_the_question_may_be_repeated_before_the_answer(relay: Relay) -> None:
    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        first, *_, last = answer(prompt(asked)).split()
        return await Server(before=f"The numbers {first} to {last}: ")(request, asked)

    relay.answering = answering
    assert kind_of(await relay.ask("chat", Habit(mismatches=9))) is None


async def test_an_error_object_with_nothing_in_it_is_no_error(relay: Relay) -> None:
    nothing = {"message": "", "type": "", "param": "", "code": None}
    choice = {"message": {"content": "yes"}, "finish_reason": "stop"}
    relay.answering = plain({"model": "model-x", "choices": [choice], "error": nothing})
    result = await relay.ask("chat", stream=False, text="Say yes.", answer="yes")
    assert kind_of(result) is None


async def test_a_refused_parameter_is_found_wherever_it_is_named(relay: Relay) -> None:
    refusal = {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Not permitted"}
    body = {"object": "error", "message": {"detail": [refusal]}, "type": "invalid_request_error"}

    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        if "stream_options" in asked.json:
            return web.json_response(body, status=422)
        return await Server()(request, asked)

    relay.answering = answering
    result = await relay.ask("chat")
    assert kind_of(result) is None
    assert result.habit.refused == {"stream_options"}


async def test_errors_in_a_list_speak_too(relay: Relay) -> None:
    errors = [{"code": 7003, "message": "no room at the inn"}]
    relay.answering = plain({"success": False, "errors": errors, "messages": [], "result": {}})
    result = await relay.ask("embeddings")
    assert kind_of(result) is FailureKind.SERVER_ERROR
    assert result.failure is not None
    assert "no room at the inn" in result.failure.message


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_connection_kept_open_after_the_end_makes_no_answer_longer(relay: Relay) -> None:
    relay.answering = Server(keeps_open=True)
    result = await relay.ask("chat")
    assert kind_of(result) is None
    assert result.exchange.timings.total is not None
    assert result.exchange.timings.total < 1500
