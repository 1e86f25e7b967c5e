"""A full disk: what was held in reserve takes results for a while, and the last of it only alerts."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import (
    INCIDENT,
    MESSAGE,
    NOON,
    STATE,
    entry,
    failed,
    minute,
    mounted,
    opened,
    record,
    stored,
)

from monitor.model import StoreError
from monitor.store import Store
from monitor.store.sqlite.health import Reserve

SIZE = (8 << 20) // 16


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "8m") as folder:
        yield folder


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("ab") as filler:
        while True:
            filler.write(bytes(4096))
            filler.flush()


async def until_refused(store: Store) -> int:
    """How many results the disk still took."""
    taken = 0
    while taken < 100_000:
        record(store, 500, start=1000 + taken)
        try:
            await store.flush()
        except StoreError:
            return taken
        taken += 500
    raise AssertionError("it was never full")


async def after_a_kill(disk: Path, tmp_path: Path, clock: HandClock) -> Store:
    """The store as it lies on the disk, opened somewhere else."""
    shutil.copytree(disk, tmp_path / "copy", ignore=shutil.ignore_patterns("filler", "*.lock"))
    store = Store(f"sqlite:///{tmp_path / 'copy' / 'm.db'}", clock=clock)
    store.open()
    return store


async def test_a_full_disk_takes_results_from_the_reserve_and_then_alerts_alone(
    disk: Path, tmp_path: Path, clock: HandClock
) -> None:
    async with opened(f"sqlite:///{disk / 'm.db'}", clock) as store:
        record(store, 100)
        await store.flush()
        reserve = disk / "m.db.reserve"
        assert reserve.stat().st_size == SIZE
        fill(disk)

        taken = await until_refused(store)
        assert taken > 0
        assert reserve.stat().st_size == 0
        assert "the disk is full (what little is left is for alerts, 0 MB free, " in (
            store.trouble or ""
        )

        store.record(
            entry(failed(NOON), states=(STATE,), incidents=(INCIDENT,), outgoing=(MESSAGE,))
        )
        with pytest.raises(StoreError):
            await store.flush()
        killed = await after_a_kill(disk, tmp_path, clock)
        memory = killed.recall()
        assert (memory.incidents, memory.states) == ((INCIDENT,), {STATE.key: STATE})
        assert [message.text for message in await killed.due(clock.now())] == ["hello"]
        await killed.close()

        (disk / "filler").unlink()
        await minute(store, clock)
        await minute(store, clock)
        assert store.trouble is None
        assert reserve.stat().st_size == SIZE
        assert await stored(store) == 100 + taken + 500 + 1


async def test_life_on_the_reserve_is_told(disk: Path, clock: HandClock) -> None:
    async with opened(f"sqlite:///{disk / 'm.db'}", clock) as store:
        fill(disk)
        while (disk / "m.db.reserve").stat().st_size == SIZE:
            record(store, 100)
            await store.flush()
        await minute(store, clock)
        assert "the store lives on what was held in reserve; make room" in (store.trouble or "")


def test_where_there_is_no_room_there_is_no_reserve(disk: Path) -> None:
    fill(disk)
    reserve = Reserve(disk / "m.db")
    reserve.hold()
    assert (reserve.is_short, reserve.is_gone, reserve.give()) == (False, False, False)


def test_a_reserve_that_was_given_back_is_known_after_a_restart(disk: Path) -> None:
    first = Reserve(disk / "m.db")
    first.hold()
    assert first.give()
    fill(disk)
    second = Reserve(disk / "m.db")
    second.hold()
    assert (second.is_short, second.is_gone) == (True, False)
    assert second.give()
    assert (second.is_gone, second.give()) == (True, False)
