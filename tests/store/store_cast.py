"""Results to put into a store, and stores to put them into."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from monitor.clock import Clock
from monitor.model import (
    AlertState,
    Failure,
    FailureKind,
    Incident,
    NotificationType,
    OutboxMessage,
    Outcome,
    Phase,
    Result,
    RunRecord,
    Severity,
    Stream,
    Timings,
    Usage,
)
from monitor.store import Store, migrations
from monitor.store.engine import writing

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHAT = "a/direct/chat"


@asynccontextmanager
async def opened(url: str, clock: Clock) -> AsyncIterator[Store]:
    store = Store(url, clock=clock)
    store.open()
    try:
        yield store
    finally:
        await store.close()


@contextmanager
def tables() -> Iterator[Engine]:
    """Of a store in which nothing is yet."""
    with tempfile.TemporaryDirectory() as folder:
        engine = writing(Path(folder) / "m.db")
        with engine.begin() as connection:
            migrations.create(connection)
        yield engine
        engine.dispose()


def streamed(at: datetime = NOON, **changes: Any) -> Result:
    given: dict[str, Any] = {
        "check": CHAT,
        "vantage": "local",
        "at": at,
        "outcome": Outcome.UP,
        "timings": Timings(
            dns=3.1, connect=11.9, tls=24.5,
            ttfb=412.7, ttft=633.2, ttft_visible=633.2, total=1204.8,
        ),
        "http_status": 200,
        "remote_ip": "192.0.2.7",
        "model": "gpt-4o-mini",
        "stream": Stream(
            events=42, content_chunks=40, tokens_out=40, tokens_per_s=68.2, stall_max_ms=61.3,
            icl_p50_ms=14.1, icl_p95_ms=20.7, finish_reason="stop", complete=True,
        ),
        "usage": Usage(tokens_in=31, tokens_out=40, cost_usd=0.00002865),
    }  # fmt: skip
    return Result(**{**given, **changes})


def failed(at: datetime = NOON, message: str = "got 502, want 200", **changes: Any) -> Result:
    failure = Failure(FailureKind.BAD_GATEWAY, message)
    bad = {"outcome": Outcome.DOWN, "failure": failure, "stream": None, "usage": None}
    return streamed(at, **{**bad, **changes})


def entry(result: Result, **changes: Any) -> RunRecord:
    return RunRecord(result=result, kind="chat", **changes)


def told(number: int) -> dict[str, Any]:
    """What the result with this number changes besides: a belief, and every fifth time an incident."""
    state = AlertState(check=CHAT, rule="down", phase=Phase.SUSPECT, streak=number, since=NOON)
    if number % 5:
        return {"states": (state,)}
    incident = Incident(
        id=number + 1, service="a", severity=Severity.DOWN, opened=NOON,
        failure=Failure(FailureKind.BAD_GATEWAY, "got 502"), checks=(CHAT,), active=frozenset({CHAT}),
    )  # fmt: skip
    message = OutboxMessage(
        channel="phone", what=NotificationType.OPENED, severity=Severity.DOWN,
        incident=incident.id, created=NOON, not_before=NOON,
    )  # fmt: skip
    return {"states": (state,), "incidents": (incident,), "outgoing": (message,)}
