"""The chat probe against a relay on a real socket: what it asks, and what it makes of each answer."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from every_kind import USUAL
from relay import Answering, Asked, Relay, kind_of, plain, relaying, streaming

from monitor.model import FailureKind, Habit, LatencyLimit, Spend
from monitor.probes.kinds.chat import ChatProbe
from monitor.probes.probe import Finding


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        relay.answering = counting
        yield relay


def numbers(asked: Asked) -> list[str]:
    first, last = map(int, re.findall(r"\d+", asked.json["messages"][0]["content"])[:2])
    return [f"{n} " for n in range(first, last + 1)]


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    delta = {} if text is None else {"content": text}
    value = {
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"delta": delta, "finish_reason": finish}],
    }
    return f"data: {json.dumps(value | more)}\n\n".encode()


USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":128}}\n\n'
DONE = b"data: [DONE]\n\n"


async def counting(request: web.Request, asked: Asked) -> web.StreamResponse:
    parts = [part for number in numbers(asked) for part in (chunk(number), 0.004)]
    return await streaming(*parts, chunk(None, "stop") + USAGE + DONE)(request, asked)


async def ask(relay: Relay, habit: Habit = Habit(), **settings: Any) -> Finding:  # noqa: B008
    return await relay.ask("chat", habit, model="gpt-4o-mini", **settings)


async def test_a_healthy_stream_is_up_and_teaches_its_habits(relay: Relay) -> None:
    got = await ask(relay)
    assert got.failure is None
    assert got.habit == Habit(
        good=1,
        ends_with_done=1,
        has_finish_reason=1,
        has_usage=1,
        right_content_type=1,
        prompt_tokens=20,
        marks=(("usage completion_tokens", 0), ("usage prompt_tokens", 0)),
    )
    assert got.stream is not None
    assert (got.stream.complete, got.stream.content_chunks, got.stream.tokens_out) == (
        True,
        64,
        128,
    )
    assert got.stream.tokens_per_s is not None
    assert got.ttft is not None
    assert (got.model, got.usage and got.usage.tokens_in) == ("gpt-4o-mini-2024-07-18", 20)


async def test_it_asks_for_the_least(relay: Relay) -> None:
    await ask(relay)
    asked = relay.asked[0].json
    assert re.findall(r"\d+", asked.pop("messages")[0]["content"])
    assert asked == {
        "model": "gpt-4o-mini",
        "max_tokens": 320,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert relay.asked[0].headers["Authorization"] == "Bearer the-key"


async def test_what_a_server_refuses_is_left_out_and_is_no_failure(relay: Relay) -> None:
    async def picky(request: web.Request, asked: Asked) -> web.StreamResponse:
        for name in ("max_tokens", "temperature", "stream_options"):
            if name in asked.json:
                error = {
                    "message": f"Unsupported parameter: '{name}'.",
                    "code": "unsupported_parameter",
                }
                return web.json_response({"error": error}, status=400)
        return await counting(request, asked)

    relay.answering = picky
    got = await ask(relay)
    assert got.failure is None
    assert got.habit.refused == {"max_tokens", "temperature", "stream_options"}
    assert relay.asked[-1].json["max_completion_tokens"] == 320
    relay.asked.clear()
    await ask(relay, got.habit)
    assert len(relay.asked) == 1


@pytest.mark.parametrize(
    ("answering", "want"),
    [
        (streaming(chunk("200 "), cut=True), FailureKind.TRUNCATED),
        (streaming(chunk("200 ")), FailureKind.TRUNCATED),
        (streaming(chunk("200 "), DONE), FailureKind.TRUNCATED),
        (
            streaming(b'data: {"error":{"message":"upstream died","code":502}}\n\n'),
            FailureKind.STREAM_ERROR,
        ),
        (streaming(chunk(None, "stop"), DONE), FailureKind.EMPTY_COMPLETION),
        (streaming(), FailureKind.EMPTY_COMPLETION),
        (plain(b"<!doctype html><title>Panel</title>", kind="text/html"), FailureKind.HTML_ANSWER),
        (
            plain({"error": {"message": "no money", "code": "insufficient_quota"}}),
            FailureKind.QUOTA_EXHAUSTED,
        ),
        (plain({"error": {"message": "Incorrect API key"}}, 401), FailureKind.AUTH_INVALID),
        (
            plain({"error": {"message": "slow down"}}, 429),
            FailureKind.RATE_LIMITED,
        ),
        (plain({"error": {"code": "model_not_found"}}, 503), FailureKind.NO_CHANNEL),
    ],
)
async def test_every_way_to_fail_has_its_own_name(
    relay: Relay, answering: Answering, want: FailureKind
) -> None:
    relay.answering = answering
    got = await ask(relay, USUAL)
    assert kind_of(got) is want
    assert got.habit == USUAL


async def test_a_stream_of_heartbeats_alone_runs_into_the_timeout(relay: Relay) -> None:
    relay.answering = streaming(*[b": ping\n\n", 0.05] * 40)
    got = await ask(relay, timeout="400ms")
    assert kind_of(got) is FailureKind.NO_FIRST_TOKEN
    assert got.stream is not None
    assert got.stream.heartbeats > 1


async def test_json_in_place_of_a_stream_still_gets_its_answer_checked(relay: Relay) -> None:
    async def ignores_stream(request: web.Request, asked: Asked) -> web.StreamResponse:
        text = "".join(numbers(asked))
        return web.json_response(
            {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
        )

    relay.answering = ignores_stream
    assert kind_of(await ask(relay)) is FailureKind.STREAM_NOT_SUPPORTED


async def test_three_bursts_in_a_row_make_fake_streaming(relay: Relay) -> None:
    async def buffered(request: web.Request, asked: Asked) -> web.StreamResponse:
        text = b"".join(chunk(number) for number in numbers(asked))
        return await streaming(0.6, text + chunk(None, "stop") + USAGE + DONE)(request, asked)

    relay.answering = buffered
    kinds, habit = [], Habit()
    for _ in range(3):
        got = await ask(relay, habit)
        kinds.append(kind_of(got))
        habit = got.habit
    assert kinds == [None, None, FailureKind.FAKE_STREAMING]


async def test_only_the_third_wrong_answer_in_a_row_is_a_mismatch(relay: Relay) -> None:
    relay.answering = streaming(chunk("Hello!", "stop"), DONE)
    kinds, habit = [], Habit()
    for _ in range(3):
        got = await ask(relay, habit)
        kinds.append(kind_of(got))
        habit = got.habit
    assert kinds == [None, None, FailureKind.CONTENT_MISMATCH]
    relay.answering = counting
    assert (await ask(relay, habit)).habit.mismatches == 0


async def test_another_model_is_an_alias_at_first_and_a_mismatch_later(relay: Relay) -> None:
    async def other(request: web.Request, asked: Asked) -> web.StreamResponse:
        text = "".join(numbers(asked))
        return await streaming(chunk(text, "stop", model="cheap-7b"), USAGE + DONE)(request, asked)

    relay.answering = other
    young = await ask(relay)
    old = await ask(relay, USUAL)
    assert (kind_of(young), young.habit.aliases) == (None, {"cheap-7b"})
    assert kind_of(old) is FailureKind.MODEL_MISMATCH


async def test_usage_that_vanishes_or_swells_is_told(relay: Relay) -> None:
    def counts(end: bytes) -> Answering:
        async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
            return await streaming(chunk("".join(numbers(asked)), "stop"), end)(request, asked)

        return answering

    relay.answering = counts(DONE)
    assert kind_of(await ask(relay, USUAL)) is FailureKind.MISSING_USAGE
    relay.answering = counts(USAGE.replace(b":20", b":900") + DONE)
    assert kind_of(await ask(relay, USUAL)) is FailureKind.OVER_BILLING


async def test_a_plain_call_asks_a_sum(relay: Relay) -> None:
    async def adds(request: web.Request, asked: Asked) -> web.StreamResponse:
        total = sum(map(int, re.findall(r"\d+", asked.json["messages"][0]["content"])))
        choice = {"message": {"content": f"{total}"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 17, "completion_tokens": 1}
        return web.json_response({"model": "gpt-4o-mini", "choices": [choice], "usage": usage})

    relay.answering = adds
    got = await ask(relay, stream=False)
    assert (got.failure, got.stream, got.habit.good) == (None, None, 1)
    assert relay.asked[0].json["max_tokens"] == 16
    assert "stream_options" not in relay.asked[0].json


async def test_an_own_question_expects_an_own_answer(relay: Relay) -> None:
    relay.answering = streaming(chunk("It is Paris.", "stop"), DONE)
    got = await ask(relay, text="Capital of France?", answer="Paris")
    assert (got.failure, got.habit.mismatches) == (None, 0)
    assert relay.asked[0].json["messages"] == [{"role": "user", "content": "Capital of France?"}]


def test_defaults_follow_from_whether_it_streams() -> None:
    streams, plain_ = ChatProbe(), ChatProbe(stream=False)
    assert (streams.timeout.total_seconds(), plain_.timeout.total_seconds()) == (120, 30)
    assert [limit.timing for limit in (*streams.slow, *plain_.slow)] == ["ttft", "total"]
    assert isinstance(streams.slow[0], LatencyLimit)
    assert ChatProbe(slow=[]).slow == ()
    assert streams.worst_case(Habit()) == Spend(tokens=380)
    with pytest.raises(ValueError, match="`answer` without `text`"):
        ChatProbe(answer="Paris")
