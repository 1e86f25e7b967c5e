"""The identity probe against a server on a real socket that chooses its words as a model does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random

import pytest
from aiohttp import web
from drawn_words import drawn
from relay import Answering, Asked, Relay, relaying

from monitor.demo.word_draws import draw
from monitor.model import FailureKind, Habit, WordHistory
from monitor.model.result import WORDS_OF_BASELINE, WORDS_OF_WINDOW


def saying(content: str | None = None) -> Answering:
    """Answer with `content`, or with a word that the model draws."""
    rng = Random(1)

    async def answering(_request: web.Request, asked: Asked) -> web.StreamResponse:
        word = draw(asked.json["messages"][-1]["content"], "demo-mini", rng)
        message = {"role": "assistant", "content": word if content is None else content}
        choice = {"message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 20, "completion_tokens": 1}
        return web.json_response({"model": "model-x", "choices": [choice], "usage": usage})

    return answering


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with relaying() as relay:
        relay.answering = saying()
        yield relay


async def test_one_word_is_asked_for_in_a_sampled_answer_and_kept(relay: Relay) -> None:
    finding = await relay.ask("identity")

    assert finding.failure is None
    body = relay.asked[0].json
    assert len(relay.asked) == 1
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert (body["temperature"], body["max_tokens"], body["stream"]) == (1, 16, False)
    assert finding.habit.words.baseline == finding.habit.words.recent
    assert finding.habit.words.baseline[0].startswith("number ")


async def test_a_substitute_under_the_same_name_is_suspect(relay: Relay) -> None:
    words = WordHistory(
        baseline=drawn("gpt-4o-mini", WORDS_OF_BASELINE, 3),
        since=datetime(2026, 11, 2, tzinfo=UTC),
        recent=drawn("deepseek-chat", 2 * WORDS_OF_WINDOW, 4),
    )
    finding = await relay.ask("identity", Habit(words=words))

    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.MODEL_SUSPECT
    assert " unlike those of 2026-11-02" in finding.failure.message


async def test_a_base_url_that_answers_otherwise_than_its_peers_is_suspect(relay: Relay) -> None:
    mine = Habit(words=WordHistory(recent=drawn("deepseek-chat", 2 * WORDS_OF_WINDOW, 5)))
    peers = tuple(
        (name, Habit(words=WordHistory(recent=drawn("gpt-4o-mini", 2 * WORDS_OF_WINDOW, seed))))
        for seed, name in enumerate(("Direct", "CDN"), 6)
    )
    finding = await relay.ask("identity", mine, peers=peers)

    assert finding.failure is not None
    assert " unlike those of Direct, CDN" in finding.failure.message


async def test_an_empty_answer_fails_and_is_counted_as_one(relay: Relay) -> None:
    relay.answering = saying("")
    finding = await relay.ask("identity")

    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.EMPTY_COMPLETION
    assert finding.habit.words == WordHistory(recent=("number ",))
