import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from aiohttp import web
from listening import listening

from monitor.model import Check, Endpoint, FailureKind, Habit, LatencyLimit, Secret, Spend
from monitor.probes.kinds.chat import ChatProbe
from monitor.probes.probe import Finding, Run
from monitor.probes.wire.client import Client

Answering = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]
SETTLED_HABIT = Habit(
    good=20,
    has_finish_reason=20,
    ends_with_done=20,
    has_usage=20,
    right_content_type=20,
    prompt_tokens=20,
)


class Relay:
    """A server on a real socket that answers as the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answering: Answering = counting
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        return await self.answering(request, body)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", relay.handle)
    async with listening(app) as relay.url:
        yield relay


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    await client.close()


def numbers(body: dict[str, Any]) -> list[str]:
    first, last = map(int, re.findall(r"\d+", body["messages"][0]["content"])[:2])
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


async def sse(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    return response


async def counting(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    response = await sse(request)
    for number in numbers(body):
        await response.write(chunk(number))
        await asyncio.sleep(0.004)
    await response.write(chunk(None, "stop") + USAGE + DONE)
    return response


def steps(*parts: bytes | float, cut: bool = False) -> Answering:
    """Writes bytes, sleeps seconds, and may cut the connection at the end."""

    async def answering(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = await sse(request)
        for part in parts:
            if isinstance(part, bytes):
                await response.write(part)
            else:
                await asyncio.sleep(part)
        if cut and request.transport is not None:
            request.transport.abort()
        return response

    return answering


def plain(status: int, body: Any, **headers: str) -> Answering:
    async def answering(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html", headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return answering


async def ask(relay: Relay, client: Client, habit: Habit = Habit(), **settings: Any) -> Finding:  # noqa: B008
    probe = ChatProbe(**settings)
    endpoint = Endpoint(id="e", service="s", url=relay.url, name="E", key=Secret("the-key"))
    check = Check(service="s", endpoint=endpoint, probe=probe, model="gpt-4o-mini")
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    return await probe.run(Run(check=check, habit=habit, client=client, rng=Random(7), now=now))


def kind(finding: Finding) -> FailureKind | None:
    return finding.failure and finding.failure.kind


async def test_a_healthy_stream_is_up_and_teaches_its_habits(relay: Relay, client: Client) -> None:
    got = await ask(relay, client)
    assert got.failure is None
    assert got.habit == Habit(
        good=1,
        ends_with_done=1,
        has_finish_reason=1,
        has_usage=1,
        right_content_type=1,
        prompt_tokens=20,
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


async def test_it_asks_for_the_least(relay: Relay, client: Client) -> None:
    await ask(relay, client)
    asked = relay.asked[0]
    assert re.findall(r"\d+", asked.pop("messages")[0]["content"])
    assert asked == {
        "model": "gpt-4o-mini",
        "max_tokens": 320,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert relay.headers[0]["Authorization"] == "Bearer the-key"


async def test_what_a_server_refuses_is_left_out_and_is_no_failure(
    relay: Relay, client: Client
) -> None:
    async def picky(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        for name in ("max_tokens", "temperature", "stream_options"):
            if name in body:
                error = {
                    "message": f"Unsupported parameter: '{name}'.",
                    "code": "unsupported_parameter",
                }
                return web.json_response({"error": error}, status=400)
        return await counting(request, body)

    relay.answering = picky
    got = await ask(relay, client)
    assert got.failure is None
    assert got.habit.refused == {"max_tokens", "temperature", "stream_options"}
    assert relay.asked[-1]["max_completion_tokens"] == 320
    relay.asked.clear()
    await ask(relay, client, got.habit)
    assert len(relay.asked) == 1


@pytest.mark.parametrize(
    ("answering", "want"),
    [
        (steps(chunk("200 "), cut=True), FailureKind.TRUNCATED),
        (steps(chunk("200 ")), FailureKind.TRUNCATED),
        (steps(chunk("200 "), DONE), FailureKind.TRUNCATED),
        (
            steps(b'data: {"error":{"message":"upstream died","code":502}}\n\n'),
            FailureKind.STREAM_ERROR,
        ),
        (steps(chunk(None, "stop"), DONE), FailureKind.EMPTY_COMPLETION),
        (steps(), FailureKind.EMPTY_COMPLETION),
        (plain(200, "<!doctype html><title>Panel</title>"), FailureKind.HTML_ANSWER),
        (
            plain(200, {"error": {"message": "no money", "code": "insufficient_quota"}}),
            FailureKind.QUOTA_EXHAUSTED,
        ),
        (plain(401, {"error": {"message": "Incorrect API key"}}), FailureKind.AUTH_INVALID),
        (
            plain(429, {"error": {"message": "slow down"}}, **{"Retry-After": "7"}),
            FailureKind.RATE_LIMITED,
        ),
        (plain(503, {"error": {"code": "model_not_found"}}), FailureKind.NO_CHANNEL),
    ],
)
async def test_every_way_to_fail_has_its_own_name(
    relay: Relay, client: Client, answering: Answering, want: FailureKind
) -> None:
    relay.answering = answering
    got = await ask(relay, client, SETTLED_HABIT)
    assert kind(got) is want
    assert got.habit == SETTLED_HABIT


async def test_a_stream_of_heartbeats_alone_runs_into_the_timeout(
    relay: Relay, client: Client
) -> None:
    relay.answering = steps(*[b": ping\n\n", 0.05] * 40)
    got = await ask(relay, client, timeout="400ms")
    assert kind(got) is FailureKind.NO_FIRST_TOKEN
    assert got.stream is not None
    assert got.stream.heartbeats > 1


async def test_json_in_place_of_a_stream_still_gets_its_answer_checked(
    relay: Relay, client: Client
) -> None:
    async def ignores_stream(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        text = "".join(numbers(body))
        return web.json_response(
            {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
        )

    relay.answering = ignores_stream
    assert kind(await ask(relay, client)) is FailureKind.STREAM_NOT_SUPPORTED


async def test_three_bursts_in_a_row_make_fake_streaming(relay: Relay, client: Client) -> None:
    async def buffered(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        text = b"".join(chunk(number) for number in numbers(body))
        return await steps(0.6, text + chunk(None, "stop") + USAGE + DONE)(request, body)

    relay.answering = buffered
    kinds, habit = [], Habit()
    for _ in range(3):
        got = await ask(relay, client, habit)
        kinds.append(kind(got))
        habit = got.habit
    assert kinds == [None, None, FailureKind.FAKE_STREAMING]


async def test_only_the_third_wrong_answer_in_a_row_is_a_mismatch(
    relay: Relay, client: Client
) -> None:
    relay.answering = steps(chunk("Hello!", "stop"), DONE)
    kinds, habit = [], Habit()
    for _ in range(3):
        got = await ask(relay, client, habit)
        kinds.append(kind(got))
        habit = got.habit
    assert kinds == [None, None, FailureKind.CONTENT_MISMATCH]
    relay.answering = counting
    assert (await ask(relay, client, habit)).habit.mismatches == 0


async def test_another_model_is_an_alias_at_first_and_a_mismatch_later(
    relay: Relay, client: Client
) -> None:
    async def other(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        text = "".join(numbers(body))
        return await steps(chunk(text, "stop", model="cheap-7b"), USAGE + DONE)(request, body)

    relay.answering = other
    young = await ask(relay, client)
    old = await ask(relay, client, SETTLED_HABIT)
    assert (kind(young), young.habit.aliases) == (None, {"cheap-7b"})
    assert kind(old) is FailureKind.MODEL_MISMATCH


async def test_usage_that_vanishes_or_swells_is_told(relay: Relay, client: Client) -> None:
    def counts(end: bytes) -> Answering:
        async def answering(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            return await steps(chunk("".join(numbers(body)), "stop"), end)(request, body)

        return answering

    relay.answering = counts(DONE)
    assert kind(await ask(relay, client, SETTLED_HABIT)) is FailureKind.MISSING_USAGE
    relay.answering = counts(USAGE.replace(b":20", b":900") + DONE)
    assert kind(await ask(relay, client, SETTLED_HABIT)) is FailureKind.OVER_BILLING


async def test_a_plain_call_asks_a_sum(relay: Relay, client: Client) -> None:
    async def adds(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        total = sum(map(int, re.findall(r"\d+", body["messages"][0]["content"])))
        choice = {"message": {"content": f"{total}"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 17, "completion_tokens": 1}
        return web.json_response({"model": "gpt-4o-mini", "choices": [choice], "usage": usage})

    relay.answering = adds
    got = await ask(relay, client, stream=False)
    assert (got.failure, got.stream, got.habit.good) == (None, None, 1)
    assert relay.asked[0]["max_tokens"] == 16
    assert "stream_options" not in relay.asked[0]


async def test_an_own_question_expects_an_own_answer(relay: Relay, client: Client) -> None:
    relay.answering = steps(chunk("It is Paris.", "stop"), DONE)
    got = await ask(relay, client, text="Capital of France?", answer="Paris")
    assert (got.failure, got.habit.mismatches) == (None, 0)
    assert relay.asked[0]["messages"] == [{"role": "user", "content": "Capital of France?"}]


def test_defaults_follow_from_whether_it_streams() -> None:
    streams, plain_ = ChatProbe(), ChatProbe(stream=False)
    assert (streams.timeout.total_seconds(), plain_.timeout.total_seconds()) == (120, 30)
    assert [limit.timing for limit in (*streams.slow, *plain_.slow)] == ["ttft", "total"]
    assert isinstance(streams.slow[0], LatencyLimit)
    assert ChatProbe(slow=[]).slow == ()
    assert streams.worst_case(Habit()) == Spend(tokens=380)
    with pytest.raises(ValueError, match="`answer` without `text`"):
        ChatProbe(answer="Paris")
