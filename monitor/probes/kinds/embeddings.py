"""Embeddings: nearly free, and its vector length is the strongest hint of a swapped model."""

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Spend, Usage
from monitor.probes.answer.check_answer import LEARNING_RUNS
from monitor.probes.kinds.api_call import judge_call, post
from monitor.probes.probe import Duration, Finding, ProbeSettings, Run
from monitor.probes.readers.base import as_count, as_object, as_text
from monitor.probes.verdict.error_body import read_json

_MAX_DIMENSIONS = 65_536


class EmbeddingsProbe(ProbeSettings):
    kind: ClassVar[str] = "embeddings"
    paid: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True

    every: Duration = Field(default=timedelta(minutes=5), description="how often it runs")
    model: str = Field(default="text-embedding-3-small", description="the embedding model")
    text: str | None = Field(default=None, description="embedded instead of a short random text")

    def worst_case(self, habit: Habit) -> Spend:  # noqa: ARG002
        return Spend(tokens=16 + len((self.text or "").encode()))

    async def run(self, run: Run) -> Finding:
        text = self.text or f"ping {run.rng.randrange(16**6):06x}"
        body = {"model": self.model, "input": text}
        ask = post(run.check.endpoint, "/v1/embeddings", body, self.timeout)
        exchange = await run.client.send(ask)
        habit = run.habit
        failure = judge_call(exchange, run)
        answer = as_object(read_json(exchange.body))
        if failure is None:
            failure, habit = judge_vector(answer, habit)
        return Finding(
            exchange=exchange,
            failure=failure,
            habit=habit,
            model=as_text(answer.get("model")) or None,
            usage=_usage(answer),
        )


def judge_vector(answer: Any, habit: Habit) -> tuple[Failure | None, Habit]:
    """Finite, not all zero, and as long as it was when we learned it."""
    vector = _vector(answer)
    if vector is None:
        return _bad("an answer without a vector", "`data[0].embedding`"), habit
    if not all(math.isfinite(number) for number in vector):
        return _bad("a vector with infinite or undefined numbers", "finite ones"), habit
    if not any(vector):
        return _bad(f"{len(vector)} zeros", "a vector"), habit
    if habit.good >= LEARNING_RUNS and habit.dimensions not in {None, len(vector)}:
        message = f"got a vector of {len(vector)} numbers, want {habit.dimensions} as before"
        return Failure(FailureKind.MODEL_MISMATCH, message), habit
    return None, replace(habit.worked(), dimensions=len(vector))


def _bad(got: str, want: str) -> Failure:
    return Failure(FailureKind.UNEXPECTED_BODY, f"got {got}, want {want}")


def _vector(answer: Any) -> Sequence[float] | None:
    data = as_object(answer).get("data")
    first = data[0] if isinstance(data, list) and data else None
    embedding = as_object(first).get("embedding")
    if isinstance(embedding, str):
        return _decoded(embedding)
    if not isinstance(embedding, list) or not 0 < len(embedding) <= _MAX_DIMENSIONS:
        return None
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in embedding):
        return None
    try:
        return [float(number) for number in embedding]
    except OverflowError:
        return [math.inf]


def _decoded(text: str) -> Sequence[float] | None:
    """Base64 of little-endian 32-bit floats, which some relays send without being asked to."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not raw or len(raw) % 4 or len(raw) // 4 > _MAX_DIMENSIONS:
        return None
    return struct.unpack(f"<{len(raw) // 4}f", raw)


def _usage(answer: Any) -> Usage | None:
    usage = as_object(answer).get("usage")
    if not isinstance(usage, dict):
        return None
    return Usage(tokens_in=as_count(usage.get("prompt_tokens")), tokens_out=0)
