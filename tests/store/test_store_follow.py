"""A daemon that waits follows the history of the one that leads, and has it when it takes over."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta

import psycopg
import pytest
from cast import HandClock
from store_cast import (
    CHAT,
    MODELS,
    NOON,
    asked,
    comparable,
    entry,
    failed,
    opened,
    record,
    runs,
    streamed,
    told,
)

from monitor.model import Snapshot, StoreError
from monitor.store import InUseError, Store, follower
from monitor.store.commits import KEPT_S
from monitor.store.histogram import PackedSum, Sum

pytestmark = pytest.mark.slow
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture(scope="session")
def engine() -> str:
    return "postgresql"


async def follow(standby: Store) -> None:
    leader = await asyncio.to_thread(standby.leader)
    assert leader is not None
    await asyncio.to_thread(standby.follow, leader)


async def takes_over(standby: Store, clock: HandClock) -> Snapshot:
    """Open it, which must not load anything, and see what it has."""
    assert await asyncio.to_thread(standby.leader) is None
    standby.open()
    assert standby._load is None
    return await standby.snapshot(clock.now())


def seen(snapshot: Snapshot) -> object:
    places = [snapshot.checks, *snapshot.elsewhere.values()]
    return [{key: comparable(checks[key]) for key in checks} for checks in places]


async def test_what_was_followed_is_what_the_leader_had(url: str, clock: HandClock) -> None:
    """Also what came late: it belongs to hours that were long over, and to days of the past."""
    standby = Store(url, clock=clock, others=["cn"])
    rng = random.Random(7)
    async with opened(url, clock) as first:
        first.watch(["cn"])
        for run in runs(NOON - 3 * DAY, 200):
            first.record(run)
        await first.flush()
        await follow(standby)
        for step in range(30):
            clock.tick(60)
            now = clock.now()
            first.record(entry(streamed(now, check=rng.choice((CHAT, MODELS))), missed=step % 2))
            first.record(entry(failed(now - MINUTE / 2), in_maintenance=step % 3 == 0))
            late = now - rng.randrange(1, 60 * 24 * 80) * MINUTE
            first.record(entry(streamed(late, vantage="cn")))
            if step % 4 == 0:
                await first.flush()
                await follow(standby)
        await first.flush()
        expected = seen(await first.snapshot(clock.now()))
    snapshot = await takes_over(standby, clock)
    assert seen(snapshot) == expected
    await standby.close()


async def test_what_is_too_old_to_be_shown_is_forgotten_while_it_follows(
    url: str, clock: HandClock
) -> None:
    """Nobody asks a standby for a page, which would do that by the way."""
    standby = Store(url, clock=clock)
    async with opened(url, clock) as first:
        first.record(entry(streamed(clock.now())))
        await first.flush()
        await follow(standby)
        for _ in range(150):
            clock.tick(60)
            first.record(entry(streamed(clock.now())))
            await first.flush()
            await follow(standby)
        lately = standby._history.checks[CHAT, "local"].lately
        assert len(lately.recent) == 31
        assert [type(lately.hours[hour]) for hour in sorted(lately.hours)] == [
            PackedSum,
            PackedSum,
            Sum,
        ]
        expected = seen(await first.snapshot(clock.now()))
    assert seen(await takes_over(standby, clock)) == expected
    await standby.close()


async def test_who_follows_does_not_wait_for_a_lock_without_end(
    url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And goes on where it was when the lock is released."""
    monkeypatch.setitem(follower._LIMITS, "lock_timeout", "300ms")
    standby = Store(url, clock=clock)
    async with opened(url, clock) as first:
        record(first, 5)
        await first.flush()
        await follow(standby)
        record(first, 1, start=5)
        await first.flush()
        with psycopg.connect(url) as locking:
            locking.execute("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(StoreError, match="another session holds a lock for too long"):
                await asyncio.wait_for(follow(standby), 10)
        await follow(standby)
        expected = seen(await first.snapshot(clock.now()))
    assert seen(await takes_over(standby, clock)) == expected
    await standby.close()


async def test_under_another_leader_all_is_loaded_anew(url: str, clock: HandClock) -> None:
    """It may have done what no list of commits names: cut, or import."""
    standby = Store(url, clock=clock)
    async with opened(url, clock) as first:
        record(first, 5)
        await first.flush()
        await follow(standby)
    told(url, "DELETE FROM runs WHERE at > (SELECT min(at) FROM runs)")
    async with opened(url, clock) as second:
        await follow(standby)
        second.record(entry(streamed(NOON + MINUTE)))
        await second.flush()
    snapshot = await takes_over(standby, clock)
    assert snapshot.checks[CHAT].last_24h.counted == 2
    await standby.close()


@pytest.mark.parametrize("seconds", [KEPT_S, 86_400])
async def test_who_has_not_looked_for_long_or_since_yesterday_loads_all_anew(
    url: str, clock: HandClock, seconds: float
) -> None:
    standby = Store(url, clock=clock)
    async with opened(url, clock) as first:
        record(first, 5)
        await first.flush()
        await follow(standby)
        first.record(entry(streamed(NOON + MINUTE)))
        await first.flush()
        told(url, "DELETE FROM commits")
        clock.tick(seconds)
        await follow(standby)
        expected = seen(await first.snapshot(clock.now()))
    assert seen(await takes_over(standby, clock)) == expected
    await standby.close()


async def test_who_did_not_follow_loads_as_after_any_start(url: str, clock: HandClock) -> None:
    standby = Store(url, clock=clock)
    async with opened(url, clock) as first:
        record(first, 5)
        await first.flush()
        await follow(standby)
        clock.tick(KEPT_S)
    assert await asyncio.to_thread(standby.leader) is None
    standby.open()
    assert standby._load is not None
    assert (await standby.snapshot(clock.now())).checks[CHAT].last_24h.counted == 5
    await standby.close()


async def test_what_is_listed_is_forgotten_soon(
    url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.store.postgresql import upkeep

    monkeypatch.setattr(upkeep.ServerUpkeep, "look_every_s", 0.1)
    async with opened(url, clock) as store:
        record(store, 5)
        await store.flush()
        assert asked(url, "SELECT cardinality(begins) FROM commits") == [(5,)]
        told(url, f"UPDATE commits SET at = at - interval '{KEPT_S + 1} seconds'")
        store._upkeep._forgot_s = float("-inf")  # type: ignore[attr-defined]  # a minute ago
        began = time.monotonic()
        while asked(url, "SELECT * FROM commits") and time.monotonic() - began < 30:
            await asyncio.sleep(0.1)
        assert asked(url, "SELECT * FROM commits") == []


async def test_a_leader_that_cannot_renew_its_claim_leads_on_where_nobody_waits(
    url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where somebody does, it leads no more before its claim may be taken."""
    from monitor.store.postgresql import claim, upkeep

    monkeypatch.setattr(claim, "LEASE_S", 3.0)
    monkeypatch.setattr(upkeep.ServerUpkeep, "look_every_s", 0.3)
    alone, watched = (Store(url, clock=clock) for _ in range(2))
    alone.open()
    at = alone._upkeep
    at._renewed_s -= 60  # type: ignore[attr-defined]
    assert alone.lost is None
    await asyncio.to_thread(watched.leader)
    await asyncio.sleep(1)  # the next renewal tells it that somebody waits
    record(alone, 1)
    await alone.flush()
    at._renewed_s -= 2.1  # type: ignore[attr-defined]
    assert "this daemon leads no more" in (alone.lost or "")
    assert await alone.due(clock.now()) == ()
    with pytest.raises(StoreError, match="this daemon leads no more"):
        await alone.snapshot(clock.now())
    record(alone, 1, start=1)
    with pytest.raises(StoreError, match="this daemon leads no more"):
        await alone.flush()
    await alone.close()
    assert asked(url, "SELECT count(*) FROM runs") == [(1,)]
    assert await asyncio.to_thread(watched.leader) is None
    watched.open()
    with pytest.raises(InUseError, match="this daemon leads no more"):
        alone.open()
    await watched.close()


async def test_the_claim_of_a_daemon_that_hangs_runs_out_although_its_writer_goes_on(
    url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.store.postgresql import claim, upkeep

    monkeypatch.setattr(claim, "LEASE_S", 3.0)
    monkeypatch.setattr(upkeep, "_HANGS_S", 1.0)
    monkeypatch.setattr(upkeep.ServerUpkeep, "look_every_s", 0.3)
    async with opened(url, clock) as store:
        for _ in range(20):
            store.prove_life()
            await asyncio.sleep(0.25)
        assert Store.holder(url) is not None
        await asyncio.sleep(5)
        assert Store.holder(url) is None


WRITER = """
import sys, time
from monitor.clock import SystemClock
from monitor.store import Store
store = Store(sys.argv[1], clock=SystemClock())
store.open()
def hold(connection):
    connection.exec_driver_sql("INSERT INTO vantages VALUES ('half')")
    print("within", flush=True)
    time.sleep(1)
answer = store._writer.call(hold)
print(answer.exception(60), flush=True)
"""


async def test_one_that_is_stopped_within_a_transaction_holds_nobody_up_and_commits_nothing(
    url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.store.postgresql import claim

    monkeypatch.setattr(claim, "LEASE_S", 3.0)
    words = [sys.executable, "-c", WRITER, url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "within\n"
        other.send_signal(signal.SIGSTOP)
        began, standby = time.monotonic(), Store(url, clock=clock)
        while await asyncio.to_thread(standby.leader) is not None:
            await asyncio.sleep(0.2)
        standby.open()
        assert time.monotonic() - began < 30
        record(standby, 1)
        await standby.flush()
        other.send_signal(signal.SIGCONT)
        said = await asyncio.to_thread(other.stdout.readline)
        assert "the store cannot be written" in said
        other.kill()
    assert asked(url, "SELECT * FROM vantages WHERE name = 'half'") == []
    await standby.close()


async def test_a_long_transaction_ends_with_a_claim_that_is_fresh(
    url: str, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.store.postgresql import claim

    monkeypatch.setattr(claim, "LEASE_S", 4.0)
    async with opened(url, clock) as store:
        await store.transact(lambda connection: connection.exec_driver_sql("SELECT pg_sleep(5)"))
        assert Store.holder(url) is not None
