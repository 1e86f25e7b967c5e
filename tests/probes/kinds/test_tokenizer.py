"""The tokenizer probe against a relay on a real socket that counts tokens by a rule."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from relay import Asked, Relay, kind_of, relaying
from token_cast import learned

from monitor.model import FailureKind, Habit, Spend, TokenHistory, Usage
from monitor.probes import PROBES
from monitor.probes.probe import RunCost

FRAME = len("Say OK. Ignore these notes:\ntime\nyear\npeople\nway\nday\nman\nthing\nlife\nEnd.")
BY_LETTERS = (FRAME, 51, 21, 42, 105)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        counting(relay, len)
        yield relay


def counting(
    relay: Relay,
    count: Callable[[str], int | None],
    content: str | None = "OK",
    **usage: Any,
) -> None:
    """Let a relay count by a rule; it answers with `content`."""

    async def answering(_request: web.Request, asked: Asked) -> web.StreamResponse:
        tokens = count(asked.json["messages"][-1]["content"])
        choice = {"message": {"content": content}, "finish_reason": "length"}
        counted = {"prompt_tokens": tokens, "completion_tokens": 1, **usage}
        answer = {"model": "model-x", "choices": [choice], "usage": counted}
        return web.json_response(
            {key: answer[key] for key in answer if tokens is not None or key != "usage"}
        )

    relay.answering = answering


async def test_eight_prompts_are_counted_in_calls_of_one_token(relay: Relay) -> None:
    finding = await relay.ask("tokenizer")

    assert finding.failure is None
    assert len(relay.asked) == 8
    assert {asked.json["max_tokens"] for asked in relay.asked} == {1}
    assert finding.habit.tokens == TokenHistory(recent=(BY_LETTERS,))
    assert finding.usage == Usage(tokens_in=8 * FRAME + 51 + 21 + 42 + 105, tokens_out=8)
    assert (finding.habit.prompt_tokens, finding.habit.good) == (None, 1)
    assert finding.evidence.note == (
        f"{FRAME} tokens around a text; 51/21/42/105 for 3 repeats of each"
    )

    again = await relay.ask("tokenizer", finding.habit, seed=8)
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    twice = (BY_LETTERS, BY_LETTERS)
    assert again.habit.tokens == TokenHistory(baseline=BY_LETTERS, since=now, recent=twice)


async def test_a_prompt_that_is_longer_in_two_runs_is_told_with_before_and_after(
    relay: Relay,
) -> None:
    counting(relay, lambda prompt: len(prompt) + 700)
    first = await relay.ask("tokenizer", Habit(good=9, tokens=learned(BY_LETTERS)))
    assert first.failure is None
    second = await relay.ask("tokenizer", first.habit)
    assert kind_of(second) is FailureKind.PROMPT_INJECTED
    assert second.failure is not None
    assert second.failure.message == (
        f"got {FRAME + 700} tokens counted around a text, want the {FRAME} of 2026-11-02"
    )


async def test_a_bill_that_is_higher_than_through_another_base_url_is_told_with_the_factor(
    relay: Relay,
) -> None:
    counting(relay, lambda prompt: len(prompt) * 13 // 10)
    first = await relay.ask("tokenizer")
    peers = (("CDN", Habit(tokens=learned(BY_LETTERS))),)
    second = await relay.ask("tokenizer", first.habit, peers=peers)
    assert kind_of(second) is FailureKind.OVER_BILLING
    assert second.failure is not None
    assert second.failure.message.startswith("got 1.3 times the tokens of CDN ")


@pytest.mark.parametrize(
    ("count", "calls"),
    [(lambda _: None, 1), (lambda _: 0, 1), (lambda _: -3, 1), (lambda _: 12, 8)],
    ids=["no usage", "none counted", "nonsense", "always the same"],
)
async def test_counts_that_say_nothing_are_no_failure_and_called_that(
    relay: Relay, count: Callable[[str], int | None], calls: int
) -> None:
    counting(relay, count)
    finding = await relay.ask("tokenizer", Habit(tokens=learned(BY_LETTERS)))
    assert (finding.failure, len(relay.asked)) == (None, calls)
    assert finding.habit.tokens.recent[-1] == ()
    assert finding.evidence.note.startswith("cannot be judged: ")


async def test_a_relay_that_turns_between_two_upstreams_is_not_judged(relay: Relay) -> None:
    added: Iterator[int] = iter([0, 300] * 4)
    counting(relay, lambda prompt: len(prompt) + next(added))
    finding = await relay.ask("tokenizer", Habit(tokens=learned(BY_LETTERS)))
    assert (finding.failure, finding.habit.tokens.recent[-1]) == (None, ())


@pytest.mark.parametrize("content", ["", None])
async def test_a_model_that_thinks_its_one_token_away_is_counted_all_the_same(
    relay: Relay, content: str | None
) -> None:
    thoughts = {"reasoning_tokens": 64}
    counting(relay, len, content, completion_tokens=65, completion_tokens_details=thoughts)
    finding = await relay.ask("tokenizer")
    assert (finding.failure, len(relay.asked)) == (None, 8)
    assert finding.habit.tokens.recent == (BY_LETTERS,)


async def test_a_model_that_refuses_so_few_tokens_is_asked_with_more(relay: Relay) -> None:
    counting(relay, len)
    usual = relay.answering
    assert usual is not None

    async def answering(request: web.Request, asked: Asked) -> web.StreamResponse:
        if asked.json["max_tokens"] > 1:
            return await usual(request, asked)
        why = "Could not finish the message because max_tokens or model output limit was reached."
        return web.json_response({"error": {"message": why}}, status=400)

    relay.answering = answering
    finding = await relay.ask("tokenizer")
    assert (finding.failure, len(relay.asked)) == (None, 9)
    assert finding.habit.tokens.recent == (BY_LETTERS,)
    assert finding.habit.reasons
    relay.asked.clear()
    assert (await relay.ask("tokenizer", finding.habit)).failure is None
    assert {asked.json["max_tokens"] for asked in relay.asked} == {1024}
    few = await relay.ask("tokenizer", max_tokens=1)
    assert kind_of(few) is FailureKind.BUDGET_TOO_SMALL


async def test_answers_that_count_more_than_was_asked_for_are_left_to_other_probes(
    relay: Relay,
) -> None:
    counting(relay, len, completion_tokens=16)
    habit = Habit(good=20, prompt_tokens=5)
    assert kind_of(await relay.ask("tokenizer", habit)) is None


async def test_a_call_that_fails_in_between_ends_the_run_and_says_nothing_of_tokens(
    relay: Relay,
) -> None:
    def count(prompt: str) -> int:
        if len(relay.asked) == 4:
            raise web.HTTPTooManyRequests
        return len(prompt)

    counting(relay, count)
    before = learned(BY_LETTERS)
    finding = await relay.ask("tokenizer", Habit(tokens=before))
    assert (kind_of(finding), len(relay.asked)) == (FailureKind.RATE_LIMITED, 4)
    assert finding.habit.tokens == before


async def test_calls_that_leave_no_time_for_the_next_are_slow(relay: Relay) -> None:
    finding = await relay.ask("tokenizer", timeout="1s")
    assert (kind_of(finding), len(relay.asked)) == (FailureKind.SLOW, 1)


def test_a_run_costs_eight_short_prompts() -> None:
    assert PROBES["tokenizer"]().usual_cost() == RunCost(questions=8, tokens_in=470, tokens_out=8)
    responses = PROBES["tokenizer"](api="responses")
    assert responses.usual_cost() == RunCost(questions=8, tokens_in=470, tokens_out=128)
    assert PROBES["tokenizer"]().reserve(Habit()) == Spend(tokens=911)
    long = Habit(tokens=learned((3000, 51, 21, 42, 105)))
    assert PROBES["tokenizer"]().reserve(long) == Spend(tokens=24_431)
