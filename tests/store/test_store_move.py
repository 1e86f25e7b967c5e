"""A store is moved to the other engine and back: whole or not at all, and the daemon goes on there."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from postgres import Server
from store_cast import (
    CHAT,
    HABIT,
    NOON,
    SEEN,
    asked,
    comparable,
    entry,
    failed,
    opened,
    other_changes,
    runs,
    streamed,
)

from monitor.model import AgentState, OperatorRequest, RequestKind, Resolution, StoreError
from monitor.store import Store
from monitor.store import move as moving
from monitor.store.agents import ReceivedBatch, receive
from monitor.store.move import move

TABLES = [
    "alert_states",
    "checks",
    "day_rollups",
    "evidence",
    "habits",
    "hour_rollups",
    "incidents",
    "ledger",
    "outbox",
    "requests",
    "runs",
    "vantages",
    "words",
    "agents",
]


async def lived(url: str, clock: HandClock) -> None:
    """Two days of two checks and of another place, an incident, evidence, a habit, a request."""
    async with opened(url, clock) as store:
        store.recall()
        for number, run in enumerate(runs(NOON, 150)):
            store.record(run)
            if number % 50 == 0:
                at = run.result.at
                extra = failed(at + timedelta(milliseconds=5), message=f"“{number}” 你好")
                store.record(entry(extra, evidence=SEEN, habit=HABIT, **other_changes(number)))
        request = OperatorRequest(at=NOON, what=RequestKind.SILENCE, target="a", until=NOON)
        await store.add_request(request)
        batch = ReceivedBatch(
            state=AgentState(vantage="cn", stream="s", upto=1, heard=NOON),
            first=1,
            sent_ms=0,
            runs=(entry(streamed(vantage="cn")),),
            taken_over_after=timedelta(),
        )
        await receive(store, batch, [1])
        clock.tick(2 * 86_400)
        for _ in range(3):
            store.heartbeat(clock.now())
            await store.flush()


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    orders = {table: f"SELECT * FROM {table}" for table in TABLES}
    return {table: sorted(asked(url, query), key=repr) for table, query in orders.items()}


def answers(url: str, clock: HandClock) -> list[object]:
    with closing(Store.read_only(url)) as reader:
        snapshot = reader.snapshot(clock.now(), others=["cn"])
        return [
            {key: comparable(each) for key, each in snapshot.checks.items()},
            [*reader.each_result()],
            [*reader.each_evidence()],
            [*reader.each_period(Resolution.HOUR)],
            [*reader.each_period(Resolution.DAY)],
            reader.incidents(),
            reader.requests(),
            reader.last_seen(),
        ]


@pytest.mark.slow
async def test_a_store_is_moved_to_the_other_engine_and_back_and_is_the_same(
    server: Server, tmp_path: Path, clock: HandClock
) -> None:
    first, there, back = (
        f"sqlite:///{tmp_path}/a.db",
        server.fresh(),
        f"sqlite:///{tmp_path}/b.db",
    )
    await lived(first, clock)
    told_of: list[int] = []
    counts = move(first, there, clock=clock, progress=told_of.append)
    assert counts["runs"] == 307
    assert counts["agents"] == 1
    assert told_of[-1] == sum(counts.values())
    assert answers(there, clock) == answers(first, clock)
    assert asked(there, "SELECT count(*) FROM runs_rest") == [(0,)]
    assert move(there, back, clock=clock) == counts
    assert rows(back) == rows(first)
    assert answers(back, clock) == answers(first, clock)


@pytest.mark.slow
async def test_a_daemon_goes_on_where_its_store_was_moved_to(
    server: Server, tmp_path: Path, clock: HandClock
) -> None:
    """New checks, texts and requests get numbers that none has."""
    first, there = f"sqlite:///{tmp_path}/a.db", server.fresh()
    await lived(first, clock)
    move(first, there, clock=clock)
    async with opened(there, clock) as store:
        assert store.recall().stopped_cleanly
        new = [
            streamed(clock.now(), check="a/new/chat", model="a new model"),
            failed(clock.now(), message="a new message"),
        ]
        for result in new:
            store.record(entry(result))
        await store.add_request(OperatorRequest(at=NOON, what=RequestKind.ACK, target="1"))
        await store.flush()
        assert await store.results("a/new/chat", since=NOON) == (new[0],)
        assert (await store.results(CHAT, since=NOON))[-1] == new[1]
        assert len({request.id for request in await store.requests()}) == 2


async def test_what_is_there_already_is_never_overwritten(
    url: str, tmp_path: Path, clock: HandClock
) -> None:
    first = f"sqlite:///{tmp_path}/a.db"
    await lived(first, clock)
    async with opened(url, clock) as other:
        other.record(entry(streamed()))
        await other.flush()
    with pytest.raises(StoreError, match=r"there is a history in .* already; name an empty place"):
        move(first, url, clock=clock)
    with closing(Store.read_only(url)) as reader:
        assert [*reader.each_result()] == [streamed()]


async def test_a_store_that_a_daemon_writes_is_not_moved(
    url: str, tmp_path: Path, clock: HandClock
) -> None:
    first = f"sqlite:///{tmp_path}/a.db"
    async with opened(first, clock):
        with pytest.raises(StoreError, match="is in use by another monitor; stop that one first"):
            move(first, url, clock=clock)


async def test_a_move_that_fails_half_way_leaves_nothing_and_may_be_tried_again(
    url: str,
    fresh_url: Callable[[], str],
    tmp_path: Path,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = f"sqlite:///{tmp_path}/a.db"
    await lived(first, clock)
    monkeypatch.setattr(moving, "_PAGE", 100)

    def stop(rows: int) -> None:
        if rows > 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        move(first, url, clock=clock, progress=stop)
    assert asked(url, "SELECT count(*) FROM checks") == [(0,)]
    move(first, url, clock=clock)
    assert answers(url, clock) == answers(first, clock)


def test_nothing_is_made_for_a_store_that_is_not_there(
    url: str, tmp_path: Path, clock: HandClock
) -> None:
    with pytest.raises(StoreError, match="there is no store at"):
        move(f"sqlite:///{tmp_path}/none.db", url, clock=clock)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(StoreError, match="is the store itself"):
        move(url, url, clock=clock)
