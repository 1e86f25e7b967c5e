"""The prompt cache through a relay on a real socket: what its usage says in each API, and when that is a fault."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError
from relay import Asked, Relay, kind_of, plain, relaying

from monitor.model import FailureKind, Habit, Spend, Usage
from monitor.probes import PROBES
from monitor.probes.probe import RunCost

MISSING, UNREPORTED = FailureKind.CACHE_MISSING, FailureKind.CACHE_UNREPORTED


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        yield relay


def chat(details: Any, **usage: Any) -> Any:
    usage = {
        "prompt_tokens": 1150,
        "completion_tokens": 2,
        "prompt_tokens_details": details,
        **usage,
    }
    choice = {"message": {"content": "141"}, "finish_reason": "stop"}
    return {"model": "model-x", "choices": [choice], "usage": usage}


def responses(cached: int) -> Any:
    content = [{"type": "output_text", "text": "141"}]
    return {
        "object": "response",
        "model": "model-x",
        "status": "completed",
        "output": [{"type": "message", "content": content}],
        "usage": {
            "input_tokens": 1150,
            "output_tokens": 2,
            "input_tokens_details": {"cached_tokens": cached},
        },
    }


def messages(cached: int) -> Any:
    return {
        "type": "message",
        "model": "model-x",
        "content": [{"type": "text", "text": "141"}],
        "stop_reason": "end_turn",
        "usage": {
            "input_tokens": 1150 - cached,
            "output_tokens": 2,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": 0,
        },
    }


def gemini(cached: int) -> Any:
    usage = {"promptTokenCount": 1150, "candidatesTokenCount": 2}
    candidate = {"content": {"parts": [{"text": "141"}]}, "finishReason": "STOP"}
    return {
        "modelVersion": "model-x",
        "candidates": [candidate],
        "usageMetadata": usage | ({"cachedContentTokenCount": cached} if cached else {}),
    }


def by_turns(relay: Relay, *answers: Any) -> None:
    """Answer with each in turn, for ever."""

    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        answer = answers[(len(relay.asked) - 1) % len(answers)]
        status = 200 if answer is not None else 503
        return await plain(answer or {"error": {"message": "no"}}, status)(request, asked)

    relay.answering = answering


async def runs(relay: Relay, count: int = 3) -> list[FailureKind | None]:
    habit, kinds = Habit(), []
    for seed in range(count):
        finding = await relay.ask("cache", habit, seed=seed, pause="1ms")
        habit = finding.habit
        kinds.append(kind_of(finding))
    return kinds


def texts(body: Any) -> Any:
    """Return what is asked of the model, wherever a protocol has it."""
    if "contents" in body:
        return body["contents"][0]["parts"][0]["text"]
    return body["input"] if "input" in body else body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("api", "miss", "hit"),
    [
        ("chat", chat({"cached_tokens": 0}), chat({"cached_tokens": 1024})),
        ("chat", chat(None), chat(None, prompt_cache_hit_tokens=1024)),
        ("chat", chat("x", cached_tokens=0), chat("x", cached_tokens=1024)),
        ("responses", responses(0), responses(1024)),
        ("messages", messages(0), messages(1024)),
        ("gemini", gemini(0), gemini(1024)),
    ],
)
async def test_a_hit_is_good_and_its_share_noted_whatever_the_api_calls_it(
    relay: Relay, api: str, miss: Any, hit: Any
) -> None:
    by_turns(relay, miss, hit)
    finding = await relay.ask("cache", Habit(mismatches=2), api=api, pause="1ms")
    assert (finding.failure, finding.habit.mismatches) == (None, 0)
    assert finding.habit.cached_share == 1024 / 1150
    assert finding.evidence.note == "1024 of 1150 prompt tokens from the cache"
    assert finding.usage == Usage(tokens_in=2300, tokens_out=4)
    first, second = (texts(asked.json) for asked in relay.asked)
    assert first != second
    if api == "messages":
        assert first[0] == second[0]
        assert first[0]["cache_control"] == {"type": "ephemeral"}
        first, second = first[0]["text"] + "\n\n", second[0]["text"] + "\n\n"
    prefix = first.partition("\n\n")[0]
    assert second.startswith(prefix + "\n\n")
    assert len(prefix.split()) >= 1100


async def test_every_run_has_a_text_that_no_cache_can_know(relay: Relay) -> None:
    by_turns(relay, chat({"cached_tokens": 0}), chat({"cached_tokens": 1024}))
    await runs(relay)
    beginnings = {texts(asked.json)[:20] for asked in relay.asked}
    assert (len(beginnings), len(relay.asked)) == (3, 6)


@pytest.mark.parametrize(
    ("answers", "kinds"),
    [
        ([chat({"cached_tokens": 0})], [None, None, MISSING]),
        ([chat({"cached_tokens": 512})], [None, None, MISSING]),
        ([chat({})], [None, None, UNREPORTED]),
        (
            [chat({"cached_tokens": 0})] * 5 + [chat({"cached_tokens": 1024})],
            [None, None, None, None, None, None],
        ),
        (
            [*[chat({"cached_tokens": 0})] * 4, None, *[chat({"cached_tokens": 0})] * 3],
            [None, None, FailureKind.SERVER_ERROR, MISSING],
        ),
    ],
    ids=["never hits", "counts what was there before", "no count", "hits at last", "one fails"],
)
async def test_three_runs_in_a_row_without_a_hit_are_a_fault(
    relay: Relay, answers: list[Any], kinds: list[FailureKind | None]
) -> None:
    by_turns(relay, *answers)
    assert await runs(relay, len(kinds)) == kinds


@pytest.mark.parametrize(
    ("first", "usage"),
    [
        (chat({}), Usage(tokens_in=1150, tokens_out=2)),
        (chat({}) | {"usage": None}, Usage()),  # something was spent, nobody says how much
    ],
)
async def test_what_the_first_call_cost_is_counted_where_the_second_fails(
    relay: Relay, first: Any, usage: Usage
) -> None:
    by_turns(relay, first, None)
    finding = await relay.ask("cache", pause="1ms")
    assert (kind_of(finding), finding.usage) == (FailureKind.SERVER_ERROR, usage)


async def test_a_miss_says_what_was_counted(relay: Relay) -> None:
    by_turns(relay, chat({"cached_tokens": 0}))
    finding = await relay.ask("cache", Habit(mismatches=2), pause="1ms")
    assert finding.failure is not None
    assert finding.failure.message == (
        "got 0 of 1150 prompt tokens from the cache, no hit 3 times in a row, want more than 0"
    )


async def test_a_first_call_that_leaves_no_time_for_the_second_is_slow(relay: Relay) -> None:
    by_turns(relay, chat({"cached_tokens": 0}))
    finding = await relay.ask("cache", pause="5s", timeout="5s")
    assert (kind_of(finding), len(relay.asked)) == (FailureKind.SLOW, 1)


async def test_a_longer_text_is_no_over_billing(relay: Relay) -> None:
    by_turns(relay, chat({"cached_tokens": 0}), chat({"cached_tokens": 1024}))
    short = Habit(good=20, prompt_tokens=150, has_usage=20)
    assert kind_of(await relay.ask("cache", short, pause="1ms", prefix_tokens=4200)) is None


def test_a_run_costs_two_prompts() -> None:
    probe = PROBES["cache"](prefix_tokens=4200)
    assert probe.usual_cost() == RunCost(questions=2, tokens_in=8500, tokens_out=6)
    assert probe.reserve(Habit()) == Spend(tokens=16_952)


def test_a_pause_in_which_caches_forget_is_refused() -> None:
    with pytest.raises(ValidationError, match='got "2m", want at most "1m"'):
        PROBES["cache"](pause="2m")
