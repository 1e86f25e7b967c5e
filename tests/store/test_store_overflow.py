"""A disk that fails for longer than memory reaches: the oldest good results are given up, counted and
told; bad ones last, and nothing that an alert needs.
"""

import contextlib
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import CHAT, HABIT, INCIDENT, MESSAGE, NOON, STATE, entry, failed, opened, streamed

from monitor.model import AlertState, Outcome, Result, RunRecord, Spend, StoreError
from monitor.store import write_queue
from monitor.store.transaction import Change
from monitor.store.write_queue import WriteQueue

MOST = 100


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_queue, "MOST_WAITING", MOST)


def nth(step: int) -> AlertState:
    return replace(STATE, streak=step)


def run(step: int) -> RunRecord:
    at = NOON + timedelta(seconds=step)
    bad = step % 4 == 0
    return entry(failed(at) if bad else streamed(at), states=(nth(step),), spent=Spend(1, 0.25))


def results(waits: WriteQueue) -> list[Result]:
    return [item.result for item in waits.all() if isinstance(item, RunRecord)]


def test_the_oldest_good_results_go_first_and_then_the_oldest_bad_ones() -> None:
    waits = WriteQueue()
    opening = entry(failed(NOON - timedelta(hours=1)), incidents=(INCIDENT,), outgoing=(MESSAGE,))
    waits.put(opening)
    for step in range(MOST):
        waits.put(run(step))
    kept = results(waits)
    assert waits.dropped == 11
    assert len(kept) == MOST - 10
    assert kept[0] == opening.result
    gone = {run(step).result.at for step in range(MOST)} - {result.at for result in kept}
    assert gone == {NOON + timedelta(seconds=step) for step in range(15) if step % 4}

    for step in range(MOST, 12 * MOST):
        waits.put(run(step))
    kept = results(waits)
    assert kept[0] == opening.result
    assert len(kept) <= MOST
    assert len(kept) + waits.dropped == 12 * MOST + 1
    assert {result.outcome for result in kept[1:40]} == {Outcome.DOWN}
    assert kept[-1] == run(12 * MOST - 1).result


def test_what_the_writer_has_in_hand_is_neither_dropped_nor_written_twice() -> None:
    waits = WriteQueue()
    for step in range(MOST):
        waits.put(run(step))
    taken = waits.take()
    for step in range(MOST, 2 * MOST + 1):
        waits.put(run(step))
    waits.done(taken)
    assert {result.at for result in results(waits)} <= {
        run(step).result.at for step in range(MOST, 2 * MOST + 1)
    }
    waits.take()
    waits.give_back()
    assert len(results(waits)) == MOST + 1 - waits.dropped


async def test_overflow_is_counted_and_told_and_costs_no_belief(
    tmp_path: Path, clock: HandClock
) -> None:
    path = tmp_path / "m.db"
    async with opened(f"sqlite:///{path}", clock) as store:
        store.recall()
        await store.flush()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            store.record(
                entry(
                    failed(NOON - timedelta(hours=1)),
                    habit=HABIT,
                    incidents=(INCIDENT,),
                    outgoing=(MESSAGE,),
                )
            )
            for step in range(5 * MOST):
                store.record(run(step))
            with pytest.raises(StoreError):
                await store.flush()
            lost = store.dropped
            assert store.overflow == (
                f"{lost} results that waited to be stored were given up, the oldest good ones first"
            )
        await store.flush()
        assert (store.overflow, store.dropped) == (None, lost)
        results = await store.results(CHAT, since=NOON - timedelta(hours=2))
        assert len(results) == 5 * MOST + 1 - lost
        memory = store.recall()
        assert memory.states == {(CHAT, "local", "down"): nth(5 * MOST - 1)}
        assert (memory.habits, memory.incidents) == ({CHAT: HABIT}, (INCIDENT,))
        assert memory.spent_today == {"a": Spend(5 * MOST, 1.25 * MOST)}
        assert [message.text for message in await store.due(clock.now())] == ["hello"]


def test_changes_without_a_result_do_not_pile_up() -> None:
    waits = WriteQueue()
    for step in range(20 * MOST):
        waits.put(Change(values=(("last_seen", str(step)),)))
    assert len(waits) <= MOST
    assert waits.all()[-1].values[-1] == ("last_seen", str(20 * MOST - 1))  # type: ignore[union-attr]
