"""What could make a good endpoint look bad, a bad one good, or leave a habit that harms later runs."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from aiohttp import web
from attempt_cast import FINE, KEY, Told, kind, run
from cast import HandClock
from every_kind import USUAL
from odd_server import Server
from relay import Answering, Asked, Relay, kind_of, plain, relaying
from stream_cast import DONE, chunk, heard, judge, stream, usage

from monitor.model import Evidence, FailureKind, Habit, LatencyLimit
from monitor.probes.answer.challenges import COUNT, addition, continuing, counting
from monitor.probes.answer.stream_recorder import StreamRecorder
from monitor.probes.exchange import Chunk
from monitor.probes.kinds.embeddings import judge_vector
from monitor.probes.kinds.models import judge_models
from monitor.probes.readers import ChatReader


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        yield relay


# --- habits ---------------------------------------------------------------------------------------


async def test_refusals_that_leaving_out_does_not_mend_are_no_habit(relay: Relay) -> None:
    """Else one bad hour would leave calls without a cap for ever."""
    relay.answering = plain({"error": {"message": "bad max_tokens or temperature"}}, status=400)
    result = await relay.ask("chat")
    assert (kind_of(result), result.habit) == (FailureKind.REQUEST_REJECTED, Habit())


def one_400_before(answering: Answering) -> Answering:
    seen: list[Asked] = []

    async def first_refusing(request: web.Request, asked: Asked) -> web.StreamResponse:
        seen.append(asked)
        if len(seen) > 1:
            return await answering(request, asked)
        return web.json_response({"error": {"message": "no temperature"}}, status=400)

    return first_refusing


async def test_a_refusal_is_no_habit_while_the_call_without_it_fails(relay: Relay) -> None:
    relay.answering = one_400_before(plain({"error": "down"}, status=500))
    assert (await relay.ask("chat")).habit.refused == frozenset()
    relay.answering = one_400_before(Server())
    assert (await relay.ask("chat")).habit.refused == {"temperature"}


async def test_one_count_that_was_too_small_is_forgotten_again(relay: Relay) -> None:
    usual = {"prompt_tokens": 40, "completion_tokens": 128}
    relay.answering = Server(usage=usual)
    habit, seen = replace(USUAL, prompt_tokens=1), []
    for _ in range(6):
        result = await relay.ask("chat", habit)
        seen.append(kind_of(result))
        habit = result.habit
    assert (seen[0], seen[-1]) == (FailureKind.OVER_BILLING, None)


async def test_counts_fifty_times_too_large_stay_news_for_long(relay: Relay) -> None:
    relay.answering = Server(usage={"prompt_tokens": 1000, "completion_tokens": 128})
    habit = USUAL
    for _ in range(3):
        habit = (await relay.ask("chat", habit)).habit
    assert kind_of(await relay.ask("chat", habit)) is FailureKind.OVER_BILLING
    assert habit.prompt_tokens is not None
    assert habit.prompt_tokens < 25


def test_a_first_vector_of_another_length_is_not_believed_for_ever() -> None:
    short, long = ({"data": [{"embedding": [1.0] * size}]} for size in (3, 8))
    habit = judge_vector(short, Habit())[1]
    for _ in range(3):
        failure, habit = judge_vector(long, habit)
        assert failure is None
    failure, _ = judge_vector(short, habit)
    assert failure is not None
    assert failure.kind is FailureKind.MODEL_MISMATCH


# --- our own lag ----------------------------------------------------------------------------------


def test_a_burst_that_our_own_lag_made_is_none() -> None:
    whole = "".join(chunk("aaaa") for _ in range(80))
    at_once = stream((2000, whole + chunk(None, "stop") + usage(80) + DONE))
    assert heard(at_once).burst is True
    assert heard(replace(at_once, lag_ms=900.0)).burst is None


def test_a_silence_that_our_own_lag_made_is_no_stall() -> None:
    paused = stream((100, chunk("a")), (11_000, chunk("b") + chunk(None, "stop") + DONE))
    failure = judge(paused)
    assert failure is not None
    assert failure.kind is FailureKind.STALLED
    assert judge(replace(paused, lag_ms=3_000.0)) is None


async def test_slowness_of_our_own_is_not_the_endpoints(clock: HandClock) -> None:
    slow = (LatencyLimit("total", timedelta(seconds=1)),)
    took = replace(FINE.exchange, timings=replace(FINE.exchange.timings, total=1500.0))
    theirs = await run(Told(finds=replace(FINE, exchange=took), slow=slow), clock)
    ours = await run(
        Told(finds=replace(FINE, exchange=replace(took, lag_total_ms=900.0)), slow=slow), clock
    )
    assert (kind(theirs), kind(ours)) == (FailureKind.SLOW, FailureKind.OVERRUN)


# --- figures --------------------------------------------------------------------------------------


def test_an_event_without_its_blank_line_comes_when_its_bytes_came() -> None:
    listener = StreamRecorder(ChatReader())
    for number in range(300):
        listener.feed(Chunk(100.0 + number, chunk("a").encode()))
    listener.feed(Chunk(900.0, chunk("b").rstrip().encode()))
    listener.close()
    assert listener.content_at == [*(100.0 + number for number in range(300)), 900.0]


def test_a_relay_cannot_count_itself_fast() -> None:
    arrivals = [(100.0 + 20 * number, chunk("aaaa")) for number in range(64)]
    end = (1400.0, chunk(None, "stop") + usage(1_000_000) + DONE)
    speed = heard(stream(*arrivals, end)).stream.tokens_per_s
    assert speed is not None
    assert speed <= 256 / 1.26


def test_tokens_that_are_only_estimated_make_no_speed() -> None:
    arrivals = [(100.0 + 20 * number, chunk("aaaa")) for number in range(64)]
    got = heard(stream(*arrivals, (1400.0, chunk(None, "stop") + DONE))).stream
    assert (got.tokens_out, got.tokens_estimated, got.tokens_per_s) == (64, True, None)


def test_a_model_that_needs_half_a_second_for_all_of_it_holds_nothing_back() -> None:
    whole = "".join(chunk("aaaa") for _ in range(128))
    end = chunk(None, "stop") + usage(128) + DONE
    assert heard(stream((240.0, whole), (280.0, end))).burst is False
    assert heard(stream((1600.0, whole), (1640.0, end))).burst is True


# --- content --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [counting, addition, continuing])
def test_no_cache_has_seen_the_question(make: object) -> None:
    """Six base URLs asked every five minutes for four days, with one cache behind them."""
    assert callable(make)
    rng = Random(3)
    asked = [make(rng).prompt for _ in range(6 * 288 * 4)]
    assert len(set(asked)) > 0.9 * len(asked)


def test_a_sentence_with_numbers_may_stand_before_the_count() -> None:
    count = counting(Random(1))
    last = count.first + COUNT - 1
    numbers = " ".join(str(count.first + n) for n in range(COUNT))
    for before in (f"Here are the {COUNT} numbers from {count.first} to {last}:", "1.", "2 of 2:"):
        assert count.check(f"{before} {numbers}")
    assert not count.check(f"{count.prompt} {count.first} {last}")


# --- lists of models ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ({"data": [{"id": "claude-haiku-4-5-20251001"}]}, "claude-haiku-4-5"),
        ({"data": [{"id": "models/gemini-2.5-flash"}]}, "gemini-2.5-flash"),
        ({"data": [{"id": "llama3.2:latest"}]}, "llama3.2"),
        ({"data": [{"id": "one"}], "has_more": True}, "on-the-next-page"),
        ([{"id": "meta-llama/Llama-3.3-70B"}], "meta-llama/Llama-3.3-70B"),
    ],
)
def test_a_model_is_listed_under_any_of_its_names(answer: object, wanted: str) -> None:
    assert judge_models(answer, wanted) is None


def test_a_sister_is_not_the_model() -> None:
    failure = judge_models({"data": [{"id": "gpt-4o-mini"}], "has_more": False}, "gpt-4o")
    assert failure is not None
    assert failure.kind is FailureKind.MODEL_NOT_FOUND


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("between", ["\0", "\u200b", "\u2066", "\x7f"])
async def test_a_secret_does_not_come_together_by_cleaning(clock: HandClock, between: str) -> None:
    body = json.dumps({"echo": "x"}) + between.join(KEY)
    exchange = replace(
        FINE.exchange, chunks=(Chunk(1.0, body.encode()),), headers={"x": between.join(KEY)}
    )
    failing = replace(
        FINE, exchange=exchange, failure=None, evidence=Evidence(note=between.join(KEY))
    )
    told = await run(Told(finds=failing), clock)
    assert told.evidence is None or KEY not in str(told.evidence)
    slow = (LatencyLimit("total", timedelta(seconds=0.01)),)
    told = await run(Told(finds=failing, slow=slow), clock)
    assert told.evidence is not None
    assert KEY not in str(told.evidence)
