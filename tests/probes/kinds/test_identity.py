"""The identity probe against a server on a real socket that chooses its words as a model does."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from aiohttp import web
from drawn_words import drawn
from listening import listening

from monitor.demo.word_draws import draw
from monitor.model import Check, Endpoint, FailureKind, Habit, Secret, WordHistory
from monitor.probes.answer.one_word import BASELINE, WINDOW
from monitor.probes.kinds.identity import IdentityProbe
from monitor.probes.probe import Finding, Run
from monitor.probes.wire.client import Client

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)


class Relay:
    def __init__(self) -> None:
        self.model = "demo-mini"
        self.content: str | None = None
        self.asked: list[dict[str, Any]] = []
        self.url = ""
        self._rng = Random(1)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        word = draw(body["messages"][-1]["content"], self.model, self._rng)
        content = word if self.content is None else self.content
        choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 20, "completion_tokens": 1}
        return web.json_response({"model": "m", "choices": [choice], "usage": usage})


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    relay = Relay()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", relay.handle)
    async with listening(app) as relay.url:
        yield relay


async def ask(relay: Relay, habit: Habit, peers: tuple[tuple[str, Habit], ...] = ()) -> Finding:
    endpoint = Endpoint(id="e", service="s", url=relay.url, name="E", key=Secret("the-key"))
    probe = IdentityProbe()
    check = Check(service="s", endpoint=endpoint, probe=probe, model="m")
    async with Client() as client:
        run = Run(check=check, habit=habit, client=client, rng=Random(2), now=NOW, peers=peers)
        return await probe.run(run)


async def test_one_word_is_asked_for_in_a_sampled_answer_and_kept(relay: Relay) -> None:
    finding = await ask(relay, Habit())

    assert finding.failure is None
    (asked,) = relay.asked
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert (asked["temperature"], asked["max_tokens"], asked["stream"]) == (1, 16, False)
    assert finding.habit.words.baseline == finding.habit.words.recent
    assert finding.habit.words.baseline[0].startswith("number ")


async def test_a_substitute_under_the_same_name_is_suspect(relay: Relay) -> None:
    words = WordHistory(
        baseline=drawn("gpt-4o-mini", BASELINE, 3),
        since=datetime(2026, 11, 2, tzinfo=UTC),
        recent=drawn("deepseek-chat", 2 * WINDOW, 4),
    )
    finding = await ask(relay, Habit(words=words))

    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.MODEL_SUSPECT
    assert " unlike those of 2026-11-02" in finding.failure.message


async def test_a_base_url_that_answers_otherwise_than_its_peers_is_suspect(relay: Relay) -> None:
    mine = Habit(words=WordHistory(recent=drawn("deepseek-chat", 2 * WINDOW, 5)))
    peers = tuple(
        (name, Habit(words=WordHistory(recent=drawn("gpt-4o-mini", 2 * WINDOW, seed))))
        for seed, name in enumerate(("Direct", "CDN"), 6)
    )
    finding = await ask(relay, mine, peers)

    assert finding.failure is not None
    assert " unlike those of Direct, CDN" in finding.failure.message


async def test_an_empty_answer_fails_and_is_counted_as_one(relay: Relay) -> None:
    relay.content = ""
    finding = await ask(relay, Habit())

    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.EMPTY_COMPLETION
    assert finding.habit.words == WordHistory(recent=("number ",))
