"""Probes embeddings, which are nearly free; the vector's length is the strongest hint of a swapped model."""

import base64
import binascii
import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from monitor.model import Failure, FailureKind, Habit, Usage
from monitor.probes.answer.check_answer import LEARNING_RUNS
from monitor.probes.exchange import Exchange
from monitor.probes.kinds.api_call import TextCall
from monitor.probes.probe import Finding
from monitor.probes.readers.base import as_count, as_number, as_object, as_text
from monitor.probes.verdict.error_body import read_json

_MAX_DIMENSIONS = 65_536


class EmbeddingsProbe(TextCall):
    kind: ClassVar[str] = "embeddings"
    title: ClassVar[str] = "Embeddings"
    main_rank: ClassVar[int] = 20
    word_of_models: ClassVar[str] = "embed"
    route: ClassVar[str] = "/v1/embeddings"

    model: str = Field(default="text-embedding-3-small", description="the embedding model")
    text: str | None = Field(default=None, description="embedded instead of a short random text")

    def judge(self, exchange: Exchange, habit: Habit) -> Finding:
        answer = as_object(read_json(exchange.body))
        failure, habit = judge_vector(answer, habit)
        usage = answer.get("usage")
        tokens_in = as_count(as_object(usage).get("prompt_tokens"))
        return Finding(
            exchange=exchange,
            failure=failure,
            habit=habit,
            model=as_text(answer.get("model")) or None,
            usage=Usage(tokens_in=tokens_in, tokens_out=0) if isinstance(usage, dict) else None,
        )


def judge_vector(answer: Any, habit: Habit) -> tuple[Failure | None, Habit]:
    """Require a vector that is finite, not all zero, and as long as it was when it was learned."""
    vector = _vector(answer)
    if vector is None:
        return _unusable("an answer without a vector", "`data[0].embedding`"), habit
    if not all(math.isfinite(number) for number in vector):
        return _unusable("a vector with infinite or undefined numbers", "finite ones"), habit
    if not any(vector):
        return _unusable(f"{len(vector)} zeros", "a vector"), habit
    if habit.good >= LEARNING_RUNS and habit.dimensions not in {None, len(vector)}:
        message = f"got a vector of {len(vector)} numbers, want {habit.dimensions} as before"
        return Failure(FailureKind.MODEL_MISMATCH, message), habit
    return None, replace(habit.worked(), dimensions=len(vector))


def _unusable(got: str, want: str) -> Failure:
    return Failure(FailureKind.UNEXPECTED_BODY, f"got {got}, want {want}")


def _vector(answer: Any) -> Sequence[float] | None:
    data = as_object(answer).get("data")
    first = data[0] if isinstance(data, list) and data else None
    embedding = as_object(first).get("embedding")
    if isinstance(embedding, str):
        return _decode_floats(embedding)
    if not isinstance(embedding, list) or not 0 < len(embedding) <= _MAX_DIMENSIONS:
        return None
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in embedding):
        return None
    numbers = map(as_number, embedding)
    return [math.inf if number is None else number for number in numbers]


def _decode_floats(text: str) -> Sequence[float] | None:
    """Decode base64 of little-endian 32-bit floats, which some relays send without being asked to."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not raw or len(raw) % 4 or len(raw) // 4 > _MAX_DIMENSIONS:
        return None
    return struct.unpack(f"<{len(raw) // 4}f", raw)
