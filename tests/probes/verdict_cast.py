"""Makes answers and errors as values, and asks for the verdict on them."""

import json
from datetime import UTC, datetime
from typing import Any

from monitor.model import FailureKind, Timings
from monitor.probes.exchange import Chunk, ErrorType, Exchange, TransportError, TransportPhase
from monitor.probes.verdict.classify import judge_http

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def answer(status: int, body: Any = b"", **headers: str) -> Exchange:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Exchange(timings=Timings(), status=status, headers=names, chunks=(Chunk(1.0, data),))


def kind(
    status: int, body: Any = b"", *, known_good: bool = False, **headers: str
) -> FailureKind | None:
    failure = judge_http(answer(status, body, **headers), had_key=True, known_good=known_good)
    return failure and failure.kind


def broken(stage: TransportPhase, what: ErrorType, body: bytes = b"") -> Exchange:
    return Exchange(
        timings=Timings(),
        error=TransportError(stage, what, "because"),
        status=200 if stage is TransportPhase.BODY else None,
        chunks=(Chunk(1.0, body),) if body else (),
    )


def error(message: str = "words", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}
