"""Chat streams as values, and what is judged of them."""

import json
from typing import Any

from streams import judged, listen

from monitor.model import Failure, FailureKind, Habit, Timings
from monitor.probes.answer.stream_verdict import StreamStats, stream_stats
from monitor.probes.exchange import Chunk, ErrorType, Exchange, TransportError, TransportPhase
from monitor.probes.readers import ChatReader

DONE = "data: [DONE]\n\n"


def chunk(text: str | None = None, finish: str | None = None, **more: Any) -> str:
    choice = {
        "index": 0,
        "delta": {} if text is None else {"content": text},
        "finish_reason": finish,
    }
    return f"data: {json.dumps({'model': 'm', 'choices': [choice]} | more)}\n\n"


def usage(out: int, **details: Any) -> str:
    table = {"prompt_tokens": 9, "completion_tokens": out, "completion_tokens_details": details}
    return f"data: {json.dumps({'choices': [], 'usage': table})}\n\n"


def stream(
    *arrivals: tuple[float, str], end: float | None = None, broken: ErrorType | None = None
) -> Exchange:
    return Exchange(
        timings=Timings(ttfb=1.0, total=end or arrivals[-1][0]),
        status=200,
        headers={"content-type": "text/event-stream"},
        chunks=tuple(Chunk(at, text.encode()) for at, text in arrivals),
        error=TransportError(TransportPhase.BODY, broken) if broken else None,
    )


def judge(exchange: Exchange, habit: Habit = Habit()) -> Failure | None:  # noqa: B008
    return judged(exchange, ChatReader(), habit)


def kind(exchange: Exchange, habit: Habit = Habit()) -> FailureKind | None:  # noqa: B008
    failure = judge(exchange, habit)
    return failure and failure.kind


def heard(exchange: Exchange) -> StreamStats:
    return stream_stats(listen(exchange, ChatReader()), exchange, Habit())
