"""Every protocol that talks to a model: what it asks, and every verdict, over a real socket."""

import base64
import re
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from relay import KEY, Answering, Asked, Relay, event, kind_of, plain, relaying, streaming

from monitor.model import FailureKind, Habit, Spend, Usage
from monitor.probes import PROBES
from monitor.probes.answer.challenges import COLOURS

KINDS = ("completions", "responses", "messages", "gemini", "vision")
SETTLED = Habit(
    good=20, has_finish_reason=20, ends_with_done=20, has_usage=20, right_content_type=20
)
TOKENS = Usage(tokens_in=20, tokens_out=9)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        yield relay


@dataclass(frozen=True)
class Speaker:
    """How a protocol says a piece of text, how it ends, and how it says all at once."""

    piece: Callable[[str], bytes]
    end: bytes
    whole: Callable[[str], Any]
    error: bytes
    empty: Any


def chat_choice(**choice: Any) -> dict[str, Any]:
    return {"model": "model-x", "choices": [{"index": 0, **choice}]}


CHAT_USAGE = {"prompt_tokens": 20, "completion_tokens": 9}
CHAT_END = event({"choices": [], "usage": CHAT_USAGE}) + b"data: [DONE]\n\n"
PARTS_USAGE = {"input_tokens": 20, "output_tokens": 9}
GEMINI_USAGE = {"promptTokenCount": 20, "candidatesTokenCount": 9}


def gemini(text: str | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    parts = {} if text is None else {"parts": [{"text": text}]}
    candidate = {"content": {"role": "model", **parts}}
    return {
        "candidates": [candidate | ({"finishReason": finish} if finish else {})],
        "modelVersion": "model-x",
        **more,
    }


def response(text: str | None, status: str = "completed") -> dict[str, Any]:
    content = [] if text is None else [{"type": "output_text", "text": text}]
    return {
        "object": "response",
        "model": "model-x",
        "status": status,
        "output": [{"type": "message", "content": content}],
        "usage": PARTS_USAGE,
        "error": None,
    }


def message(text: str | None) -> dict[str, Any]:
    return {
        "type": "message",
        "model": "model-x",
        "content": [] if text is None else [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "usage": PARTS_USAGE,
    }


CHAT = Speaker(
    piece=lambda text: event(chat_choice(delta={"content": text}, finish_reason=None)),
    end=event(chat_choice(delta={}, finish_reason="stop")) + CHAT_END,
    whole=lambda text: (
        chat_choice(message={"content": text}, finish_reason="stop") | {"usage": CHAT_USAGE}
    ),
    error=event({"error": {"message": "upstream died", "code": 502}}),
    empty=chat_choice(message={"content": ""}, finish_reason="stop"),
)
SPEAKERS = {
    "vision": CHAT,
    "completions": Speaker(
        piece=lambda text: event(chat_choice(text=text, finish_reason=None)),
        end=event(chat_choice(text="", finish_reason="stop")) + CHAT_END,
        whole=lambda text: chat_choice(text=text, finish_reason="stop") | {"usage": CHAT_USAGE},
        error=CHAT.error,
        empty=chat_choice(text="", finish_reason="stop"),
    ),
    "responses": Speaker(
        piece=lambda text: event(
            {"type": "response.output_text.delta", "delta": text}, "response.output_text.delta"
        ),
        end=event({"type": "response.completed", "response": response(None)}, "response.completed"),
        whole=response,
        error=event(
            {
                "type": "response.failed",
                "response": {"status": "failed", "error": {"code": "server_error", "message": "x"}},
            },
            "response.failed",
        ),
        empty=response(None),
    ),
    "messages": Speaker(
        piece=lambda text: event(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            },
            "content_block_delta",
        ),
        end=event({"type": "message_start", "message": message(None)}, "message_start")
        + event(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 9},
            },
            "message_delta",
        )
        + event({"type": "message_stop"}, "message_stop"),
        whole=message,
        error=event({"type": "error", "error": {"type": "api_error", "message": "x"}}, "error"),
        empty=message(None),
    ),
    "gemini": Speaker(
        piece=lambda text: event(gemini(text)).replace(b"\n", b"\r\n"),
        end=event(gemini(None, "STOP", usageMetadata=GEMINI_USAGE)),
        whole=lambda text: gemini(text, "STOP", usageMetadata=GEMINI_USAGE),
        error=b'{\n  "error": {\n    "code": 500,\n    "message": "x"\n  }\n}\n',
        empty=gemini(None, "STOP"),
    ),
}


def question(kind: str, asked: Asked) -> Any:
    match kind:
        case "completions":
            return asked.json["prompt"]
        case "responses":
            return asked.json["input"]
        case "gemini":
            return asked.json["contents"][0]["parts"][0]["text"]
        case _:
            return asked.json["messages"][0]["content"]


def pixel(content: Any) -> tuple[int, ...]:
    """The colour of the picture that was sent."""
    png = base64.b64decode(content[1]["image_url"]["url"].partition(",")[2])
    at, data = 8, b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        name, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(
            name + body
        )
        data += body if name == b"IDAT" else b""
        at += size + 12
    rows = zlib.decompress(data)
    assert len(rows) == 64 * (1 + 3 * 64)
    assert {rows[at + 1 :][: 3 * 64] for at in range(0, len(rows), 193)} == {rows[1:4] * 64}
    return tuple(rows[1:4])


def right_answer(kind: str, asked: Asked) -> list[str]:
    said = question(kind, asked)
    if kind == "vision":
        found = pixel(said)
        near = min(
            COLOURS,
            key=lambda name: sum(abs(a - b) for a, b in zip(COLOURS[name], found, strict=True)),
        )
        return [near.capitalize(), "."]
    numbers = [int(digits) for digits in re.findall(r"\d+", said)]
    if kind == "completions":
        return [f" {number}" for number in range(numbers[-1] + 1, numbers[-1] + 40)]
    if "plus" in said:
        return [str(sum(numbers[:2]))]
    return [f"{number} " for number in range(numbers[0], numbers[1] + 1)]


def answering(kind: str, *, stream: bool = True) -> Answering:
    speaker = SPEAKERS[kind]

    async def answer(request: web.Request, asked: Asked) -> web.StreamResponse:
        pieces = right_answer(kind, asked)
        if not stream:
            return await plain(speaker.whole("".join(pieces)))(request, asked)
        said = [speaker.piece(text) for text in pieces]
        return await streaming(*said, speaker.end)(request, asked)

    return answer


@pytest.mark.parametrize("kind", KINDS)
async def test_a_right_stream_is_up(relay: Relay, kind: str) -> None:
    relay.answering = answering(kind)
    got = await relay.ask(kind)
    assert got.failure is None
    assert got.stream is not None
    assert (got.stream.complete, got.model, got.usage) == (
        True,
        "model-x",
        TOKENS,
    )
    assert got.ttft is not None
    assert got.habit.good == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_right_plain_answer_is_up(relay: Relay, kind: str) -> None:
    relay.answering = answering(kind, stream=False)
    got = await relay.ask(kind, stream=False)
    assert (got.failure, got.stream, got.usage, got.habit.good) == (None, None, TOKENS, 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_one_plain_answer_is_no_stream(relay: Relay, kind: str) -> None:
    relay.answering = answering(kind, stream=False)
    assert kind_of(await relay.ask(kind)) is FailureKind.STREAM_NOT_SUPPORTED


@pytest.mark.parametrize("kind", KINDS)
async def test_the_third_wrong_answer_in_a_row_is_a_mismatch(relay: Relay, kind: str) -> None:
    speaker = SPEAKERS[kind]
    relay.answering = streaming(speaker.piece("I am a canned text."), speaker.end)
    kinds, habit = [], Habit()
    for seed in range(3):
        got = await relay.ask(kind, habit, seed)
        kinds.append(kind_of(got))
        habit = got.habit
    assert kinds == [None, None, FailureKind.CONTENT_MISMATCH]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_fails_within_200_is_told_apart(relay: Relay, kind: str) -> None:
    speaker = SPEAKERS[kind]
    some = speaker.piece("200 201 ")
    cases = {
        "error": (streaming(some, speaker.error), FailureKind.STREAM_ERROR),
        "cut": (streaming(some, cut=True), FailureKind.TRUNCATED),
        "no end": (streaming(some), FailureKind.TRUNCATED),
        "nothing": (streaming(), FailureKind.EMPTY_COMPLETION),
        "end alone": (streaming(speaker.end), FailureKind.EMPTY_COMPLETION),
        "empty": (plain(speaker.empty), FailureKind.EMPTY_COMPLETION),
        "page": (plain(b"<!doctype html><title>x</title>"), FailureKind.HTML_ANSWER),
        "money": (plain({"error": {"code": "insufficient_quota"}}), FailureKind.QUOTA_EXHAUSTED),
        "money in a list": (
            plain([{"error": {"code": "insufficient_quota"}}]),
            FailureKind.QUOTA_EXHAUSTED,
        ),
        "something else": (plain({"hello": "world"}), FailureKind.UNEXPECTED_BODY),
        "a number": (plain([1]), FailureKind.UNEXPECTED_BODY),
    }
    got = {}
    for name, (relay.answering, _) in cases.items():
        got[name] = kind_of(await relay.ask(kind, SETTLED))
    assert got == {name: want for name, (_, want) in cases.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (401, {"error": {"message": "Incorrect API key"}}, FailureKind.AUTH_INVALID),
        (404, {"error": {"message": "no", "code": "model_not_found"}}, FailureKind.MODEL_NOT_FOUND),
        (404, {"error": {"message": "Invalid URL (POST /v1/x)"}}, FailureKind.ROUTE_GONE),
        (429, {"error": {"message": "slow down"}}, FailureKind.RATE_LIMITED),
        (503, {"error": {"code": "model_not_found"}}, FailureKind.NO_CHANNEL),
    ],
)
async def test_statuses_mean_the_same_in_every_protocol(
    relay: Relay, kind: str, status: int, body: Any, want: FailureKind
) -> None:
    relay.answering = plain(body, status)
    assert kind_of(await relay.ask(kind, SETTLED)) is want


async def test_each_asks_its_own_route_with_its_own_headers(relay: Relay) -> None:
    relay.answering = plain({}, 500)
    for kind in KINDS:
        await relay.ask(kind)
    await relay.ask("gemini", stream=False)
    names = ("Authorization", "x-api-key", "x-goog-api-key", "anthropic-version")
    got = [
        (asked.path, {name: asked.headers[name] for name in names if name in asked.headers})
        for asked in relay.asked
    ]
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert got == [
        ("/v1/completions", bearer),
        ("/v1/responses", bearer),
        ("/v1/messages", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}),
        ("/v1beta/models/model-x:streamGenerateContent?alt=sse", {"x-goog-api-key": KEY}),
        ("/v1/chat/completions", bearer),
        ("/v1beta/models/model-x:generateContent", {"x-goog-api-key": KEY}),
    ]


async def test_each_asks_for_the_least(relay: Relay) -> None:
    relay.answering = plain({}, 500)
    got = {}
    for kind in KINDS:
        await relay.ask(kind)
        body = relay.asked[-1].json
        for name in ("prompt", "input", "messages", "contents"):
            body.pop(name, None)
        got[kind] = body
    usage = {"include_usage": True}
    assert got == {
        "completions": {
            "model": "model-x",
            "max_tokens": 200,
            "temperature": 0,
            "stream": True,
            "stream_options": usage,
        },
        "responses": {
            "model": "model-x",
            "max_output_tokens": 320,
            "temperature": 0,
            "store": False,
            "stream": True,
        },
        "messages": {"model": "model-x", "max_tokens": 320, "temperature": 0, "stream": True},
        "gemini": {
            "generationConfig": {
                "maxOutputTokens": 320,
                "temperature": 0,
                "thinkingConfig": {"thinkingBudget": 0},
            }
        },
        "vision": {
            "model": "model-x",
            "max_tokens": 16,
            "temperature": 0,
            "stream": True,
            "stream_options": usage,
        },
    }


@pytest.mark.parametrize(
    ("kind", "complaint", "refused"),
    [
        ("completions", "Unsupported parameter: 'stream_options'", "stream_options"),
        ("responses", "Unsupported parameter: 'temperature'", "temperature"),
        ("messages", "`temperature` is deprecated for this model.", "temperature"),
        (
            "gemini",
            "Budget 0 is invalid. This model only works in thinking mode.",
            "thinkingConfig",
        ),
        ("gemini", 'Unknown name "thinkingBudget": Cannot find field.', "thinkingConfig"),
        ("vision", "Use 'max_completion_tokens' instead of 'max_tokens'", "max_tokens"),
    ],
)
async def test_what_is_refused_is_left_out_from_then_on(
    relay: Relay, kind: str, complaint: str, refused: str
) -> None:
    async def picky(request: web.Request, asked: Asked) -> web.StreamResponse:
        if f'"{refused}"' in asked.body.decode():
            return await plain({"error": {"message": complaint}}, 400)(request, asked)
        return await answering(kind)(request, asked)

    relay.answering = picky
    first = await relay.ask(kind)
    assert (first.failure, first.habit.refused, len(relay.asked)) == (None, {refused}, 2)
    second = await relay.ask(kind, first.habit)
    assert (second.failure, len(relay.asked)) == (None, 3)


async def test_a_model_that_reasons_is_asked_to_think_least(relay: Relay) -> None:
    relay.answering = plain({}, 500)
    await relay.ask("chat", Habit(refused=frozenset({"max_tokens"})))
    await relay.ask("chat", Habit(reasons=True))
    await relay.ask("chat", effort="minimal")
    await relay.ask("chat", Habit(refused=frozenset({"max_tokens", "reasoning_effort"})))
    await relay.ask("responses", Habit(refused=frozenset({"temperature"})))
    await relay.ask("responses", Habit(refused=frozenset({"temperature", "reasoning"})))
    got = [asked.json.get("reasoning_effort", asked.json.get("reasoning")) for asked in relay.asked]
    assert got == ["low", "low", "minimal", None, {"effort": "low"}, None]


async def test_thinking_that_eats_the_whole_cap_is_our_own_fault(relay: Relay) -> None:
    usage = {"promptTokenCount": 20, "thoughtsTokenCount": 199}
    relay.answering = streaming(event(gemini(None, "MAX_TOKENS", usageMetadata=usage)))
    capped = await relay.ask("gemini", SETTLED, max_tokens=200)
    assert (kind_of(capped), len(relay.asked)) == (FailureKind.BUDGET_TOO_SMALL, 1)
    incomplete = response(None, "incomplete") | {
        "incomplete_details": {"reason": "max_output_tokens"},
        "usage": PARTS_USAGE | {"output_tokens_details": {"reasoning_tokens": 9}},
    }
    relay.answering = streaming(event({"type": "response.incomplete", "response": incomplete}))
    assert kind_of(await relay.ask("responses", SETTLED)) is FailureKind.BUDGET_TOO_SMALL


async def test_a_model_that_thinks_away_our_cap_is_asked_again_with_a_larger_one_for_good(
    relay: Relay,
) -> None:
    async def thoughtful(request: web.Request, asked: Asked) -> web.StreamResponse:
        if asked.json["max_tokens"] >= 1000:
            return await answering("completions")(request, asked)
        usage = CHAT_USAGE | {"completion_tokens_details": {"reasoning_tokens": 9}}
        end = event(chat_choice(delta={}, finish_reason="length") | {"usage": usage})
        return await streaming(end, b"data: [DONE]\n\n")(request, asked)

    relay.answering = thoughtful
    first = await relay.ask("completions")
    assert (first.failure, first.habit.reasons, len(relay.asked)) == (None, True, 2)
    assert first.usage == Usage(tokens_in=40, tokens_out=18)
    second = await relay.ask("completions", first.habit)
    assert (second.failure, len(relay.asked)) == (None, 3)
    assert PROBES["completions"]().worst_case(first.habit) == Spend(tokens=1084)


async def test_a_name_that_the_operator_declared_is_no_other_model(relay: Relay) -> None:
    relay.answering = answering("completions")
    names = frozenset({"model-x"})
    known = await relay.ask("completions", SETTLED, model="my-alias", aliases=names)
    other = await relay.ask("completions", model="my-alias", aliases=frozenset({"model-y"}))
    assert (known.failure, kind_of(other)) == (None, FailureKind.MODEL_MISMATCH)
    assert other.habit.aliases == frozenset()


async def test_a_list_of_answers_is_geminis_stream_for_those_who_did_not_ask_for_one(
    relay: Relay,
) -> None:
    async def lists(request: web.Request, asked: Asked) -> web.StreamResponse:
        chunks = [gemini(text) for text in right_answer("gemini", asked)]
        return await plain([*chunks, gemini(None, "STOP")])(request, asked)

    relay.answering = lists
    got = await relay.ask("gemini", stream=True)
    assert (kind_of(got), got.habit.mismatches) == (FailureKind.STREAM_NOT_SUPPORTED, 0)


async def test_a_base_url_may_end_in_v1beta(relay: Relay) -> None:
    relay.answering = plain({}, 500)
    relay.url += "/v1beta"
    await relay.ask("gemini")
    assert relay.asked[0].path.startswith("/v1beta/models/")


async def test_all_colours_at_once_are_no_answer(relay: Relay) -> None:
    relay.answering = streaming(CHAT.piece(" ".join(COLOURS)), CHAT.end)
    assert (await relay.ask("vision")).habit.mismatches == 1


def test_a_run_has_a_worst_case() -> None:
    got = {kind: PROBES[kind]().worst_case(Habit()) for kind in ("responses", "vision")}
    assert got == {"responses": Spend(tokens=380), "vision": Spend(tokens=6076)}
    assert PROBES["gemini"](text="ääh", max_tokens=1000).worst_case(Habit()) == Spend(tokens=1065)
