import base64
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from aiohttp import web
from listening import listening

from monitor.model import Check, Endpoint, FailureKind, Habit, Secret, Usage
from monitor.probes.kinds.embeddings import EmbeddingsProbe, judge_vector
from monitor.probes.probe import Finding, Run
from monitor.probes.wire.client import Client


def vector(embedding: Any, **more: Any) -> dict[str, Any]:
    return {"data": [{"embedding": embedding}], "model": "text-embedding-3-small", **more}


class Relay:
    def __init__(self) -> None:
        self.body: Any = vector([0.6, 0.8], usage={"prompt_tokens": 3, "total_tokens": 3})
        self.status = 200
        self.asked: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        return web.json_response(self.body, status=self.status)


@pytest.fixture
async def relay() -> AsyncIterator[tuple[Relay, str, Client]]:
    relay = Relay()
    app = web.Application()
    app.router.add_post("/v1/embeddings", relay.handle)
    async with listening(app) as url, Client() as client:
        yield relay, url, client


async def ask(url: str, client: Client, habit: Habit) -> Finding:
    probe = EmbeddingsProbe()
    endpoint = Endpoint(id="e", service="s", url=url, name="E", key=Secret("the-key"))
    check = Check(service="s", endpoint=endpoint, probe=probe, model=probe.model)
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    return await probe.run(Run(check=check, habit=habit, client=client, rng=Random(7), now=now))


async def test_a_healthy_vector_is_up_and_its_length_becomes_the_habit(
    relay: tuple[Relay, str, Client],
) -> None:
    server, url, client = relay
    got = await ask(url, client, Habit())
    assert (got.failure, got.habit) == (None, Habit(good=1, dimensions=2))
    assert (got.model, got.usage) == ("text-embedding-3-small", Usage(tokens_in=3, tokens_out=0))
    assert server.asked[0]["model"] == "text-embedding-3-small"


@pytest.mark.parametrize(
    ("status", "body", "want"),
    [
        (401, {"error": {"message": "no"}}, FailureKind.AUTH_INVALID),
        (
            200,
            {"error": {"message": "no", "code": "insufficient_user_quota"}},
            FailureKind.QUOTA_EXHAUSTED,
        ),
        (200, {"data": []}, FailureKind.UNEXPECTED_BODY),
        (200, [1], FailureKind.UNEXPECTED_BODY),
        (200, vector([1.0, 2.0, 3.0]), FailureKind.MODEL_MISMATCH),
    ],
)
async def test_what_is_wrong_is_told(
    relay: tuple[Relay, str, Client], status: int, body: Any, want: FailureKind
) -> None:
    server, url, client = relay
    server.status, server.body = status, body
    got = await ask(url, client, Habit(good=5, dimensions=2))
    assert got.failure is not None
    assert got.failure.kind is want


def test_base64_of_floats_is_a_vector_too() -> None:
    packed = base64.b64encode(struct.pack("<3f", 1.0, 0.0, -1.0)).decode()
    assert judge_vector(vector(packed), Habit()) == (None, Habit(good=1, dimensions=3))


@pytest.mark.parametrize(
    "embedding",
    [
        [0.0, 0.0],
        [float("nan"), 1.0],
        [float("inf")],
        [],
        ["1"],
        [True],
        None,
        "not base64!",
        "AAA=",
        {},
        [10**400],
    ],
)
def test_what_is_no_vector_is_refused(embedding: Any) -> None:
    failure, habit = judge_vector(vector(embedding), Habit())
    assert failure is not None
    assert (failure.kind, habit) == (FailureKind.UNEXPECTED_BODY, Habit())
