"""Results to put into a store, and stores to put them into."""

import contextlib
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cast import HandClock
from sqlalchemy import Engine

from monitor.clock import Clock
from monitor.model import (
    AlertState,
    CheckHistory,
    EntryKind,
    Evidence,
    Failure,
    FailureKind,
    Habit,
    Incident,
    NotificationType,
    OutboxMessage,
    Outcome,
    Phase,
    Result,
    Rollup,
    RunRecord,
    Severity,
    Spend,
    StoreError,
    Stream,
    TimelineEntry,
    Timings,
    TokenHistory,
    Usage,
)
from monitor.store import Store
from monitor.store.engines import database

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
CHAT, MODELS = "a/direct/chat", "a/direct/models"


@asynccontextmanager
async def opened(url: str, clock: Clock) -> AsyncIterator[Store]:
    store = Store(url, clock=clock)
    store.open()
    try:
        yield store
    finally:
        await store.close()


in_a_file = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What a test asks of is the file itself."""


@contextmanager
def tables(url: str) -> Iterator[Engine]:
    """Of a store in which nothing is yet."""
    place = database(url)
    upkeep = place.upkeep(
        clock=HandClock(NOON),
        note=print,
        replaced=lambda: None,
        max_size=None,
        is_read_long=lambda: False,
    )
    upkeep.prepare()
    engine = place.writing()
    yield engine
    engine.dispose()
    upkeep.release()


def asked(url: str, query: str) -> list[tuple[Any, ...]]:
    """Ask the tables themselves."""
    engine = database(url).reading()
    try:
        with engine.begin() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]
    finally:
        engine.dispose()


def told(url: str, *statements: str) -> None:
    engine = database(url).writing()
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def streamed(at: datetime = NOON, **changes: Any) -> Result:
    given: dict[str, Any] = {
        "check": CHAT,
        "vantage": "local",
        "at": at,
        "outcome": Outcome.UP,
        "timings": Timings(
            dns=3.1,
            connect=11.9,
            tls=24.5,
            ttfb=412.7,
            ttft=633.2,
            ttft_visible=633.2,
            total=1204.8,
        ),
        "http_status": 200,
        "remote_ip": "192.0.2.7",
        "model": "gpt-4o-mini",
        "stream": Stream(
            events=42,
            content_chunks=40,
            tokens_out=40,
            tokens_per_s=68.2,
            stall_max_ms=61.3,
            icl_p50_ms=14.1,
            icl_p95_ms=20.7,
            finish_reason="stop",
            complete=True,
        ),
        "usage": Usage(tokens_in=31, tokens_out=40, cost_usd=0.00002865),
    }
    return Result(**{**given, **changes})


def failed(at: datetime = NOON, message: str = "got 502, want 200", **changes: Any) -> Result:
    failure = Failure(FailureKind.BAD_GATEWAY, message)
    bad = {"outcome": Outcome.DOWN, "failure": failure, "stream": None, "usage": None}
    return streamed(at, **{**bad, **changes})


def entry(result: Result, **changes: Any) -> RunRecord:
    return RunRecord(result=result, kind="chat", **changes)


def other_changes(number: int) -> dict[str, Any]:
    """Return what the result with this number changes besides: a belief, and every fifth time an incident."""
    state = AlertState(
        check=CHAT, vantage="local", rule="down", phase=Phase.SUSPECT, streak=number, since=NOON
    )
    if number % 5:
        return {"states": (state,)}
    incident = Incident(
        id=number + 1,
        service="a",
        severity=Severity.DOWN,
        opened=NOON,
        failure=Failure(FailureKind.BAD_GATEWAY, "got 502"),
        checks=(CHAT,),
        active=frozenset({CHAT}),
    )
    message = OutboxMessage(
        channel="phone",
        what=NotificationType.OPENED,
        severity=Severity.DOWN,
        incident=incident.id,
        created=NOON,
        not_before=NOON,
    )
    return {"states": (state,), "incidents": (incident,), "outgoing": (message,)}


STATE = AlertState(
    check=CHAT, vantage="local", rule="down", phase=Phase.SUSPECT, streak=1, since=NOON
)


MESSAGE = OutboxMessage(
    channel="phone",
    what=NotificationType.NOTICE,
    severity=Severity.MONITOR,
    incident=None,
    created=NOON,
    not_before=NOON,
    text="hello",
)


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def minute(store: Store, clock: HandClock) -> None:
    """As the daemon's heartbeat brings it."""
    clock.tick(61)
    for _ in range(2):  # the second comes after the writer has looked
        store.heartbeat(clock.now())
        with contextlib.suppress(StoreError):
            await store.flush()


def record(store: Store, count: int, start: int = 0) -> None:
    for step in range(start, start + count):
        store.record(entry(streamed(NOON + timedelta(seconds=step)), states=(STATE,)))


async def stored(store: Store) -> int:
    return len(await store.results(CHAT, since=NOON))


def sizes(path: Path) -> tuple[int, int]:
    with contextlib.closing(sqlite3.connect(path)) as other:
        names = ("page_count", "freelist_count")
        total, free = (other.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
        return total, free


INCIDENT = Incident(
    id=7,
    service="a",
    severity=Severity.DOWN,
    opened=NOON,
    failure=Failure(FailureKind.BAD_GATEWAY, "got 502 “quoted” \u4f60\u597d"),
    checks=(CHAT, "a/direct/models"),
    active=frozenset({CHAT}),
    failed_runs={"bad_gateway": 3, "slow": 1},
    timeline=(
        TimelineEntry(
            at=NOON, what=EntryKind.OPENED, check=CHAT, kind=FailureKind.BAD_GATEWAY, text="got 502"
        ),
        TimelineEntry(at=NOON + timedelta(minutes=1), what=EntryKind.LEFT, check="a/direct/models"),
    ),
    announced=False,
    reminded=2,
    remind_at=NOON + timedelta(hours=4),
)


HABIT = Habit(
    refused=frozenset({"max_tokens", "temperature"}),
    good=20,
    ends_with_done=20,
    has_finish_reason=19,
    has_usage=20,
    right_content_type=20,
    aliases=frozenset({"gpt-4o-mini-2024-07-18"}),
    prompt_tokens=25,
    bursts=2,
    mismatches=1,
    dimensions=1536,
    tokens=TokenHistory(baseline=(25, 72, 57), since=NOON, recent=((25, 72, 57), ())),
)


SEEN = Evidence(
    headers=(("server", "nginx"),), body="<html> 502", events=((1.5, 20, 3), (2.5, 21, 4))
)


def runs(start: datetime, count: int) -> list[RunRecord]:
    """A day and more of two checks, some of it bad, in maintenance, and after runs that were missed."""
    entries = []
    for step in range(count):
        at = start + timedelta(minutes=17 * step)
        bad = step % 5 == 0
        entries.append(
            entry(
                failed(at) if bad else streamed(at),
                in_maintenance=step % 7 == 0,
                missed=step % 3,
                states=(replace(STATE, streak=step),),
                spent=Spend(10, 0.5),
            )
        )
        entries.append(entry(streamed(at + timedelta(seconds=1), check=MODELS, stream=None)))
    return entries


def plain(rollup: Rollup) -> Rollup:
    figures = {name: dict(figure) for name, figure in rollup.figures.items()}
    return replace(rollup, figures=figures)


def comparable(history: CheckHistory) -> CheckHistory:
    """What two histories of the same runs agree in, to the bucket."""
    return replace(
        history,
        days={
            day: Rollup(outcomes=rollup.outcomes, maintenance=rollup.maintenance)
            for day, rollup in history.days.items()
        },
        last_24h=plain(history.last_24h),
        windows={length: plain(rollup) for length, rollup in history.windows.items()},
    )
