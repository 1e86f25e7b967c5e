"""A broken disk stops nothing: what was recorded waits, is written when it is mended, and the monitor
says within a minute what is wrong.
"""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from store_cast import (
    CHAT,
    MESSAGE,
    NOON,
    STATE,
    entry,
    failed,
    minute,
    mounted,
    opened,
    record,
    sizes,
    stored,
    streamed,
)

from monitor.model import (
    Habit,
    HistorySettings,
    OperatorRequest,
    RequestKind,
    StoreError,
)
from monitor.store import Store
from monitor.store.sqlite import connections, health


@pytest.fixture(scope="session")
def engine() -> str:
    """What befalls a file."""
    return "sqlite"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of four megabytes."""
    with mounted(tmp_path / "disk", "4m") as folder:
        yield folder


def remount(folder: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


@pytest.mark.slow
async def test_a_full_disk_is_named_messages_go_out_and_nothing_is_lost(
    disk: Path, clock: HandClock
) -> None:
    async with opened(f"sqlite:///{disk / 'm.db'}", clock) as store:
        record(store, 100)
        await store.flush()
        with contextlib.suppress(OSError), (disk / "filler").open("wb") as filler:
            while True:
                filler.write(bytes(4096))
                filler.flush()
        record(store, 10_000, start=100)
        with pytest.raises(StoreError, match=r"the disk is full .*, 0 MB free, .*m\.db"):
            await store.flush()
        assert "the disk is full" in (store.trouble or "")
        store.record(entry(failed(NOON), outgoing=(MESSAGE,)))
        assert [message.text for message in await store.due(clock.now())] == ["hello"]

        (disk / "filler").unlink()
        await store.flush()
        assert store.trouble is None
        assert await stored(store) == 10_101


async def test_a_daemon_starts_on_a_disk_that_became_read_only_and_catches_up(
    disk: Path, clock: HandClock
) -> None:
    url = f"sqlite:///{disk / 'm.db'}"
    async with opened(url, clock) as store:
        store.record(entry(streamed(), states=(STATE,), habit=Habit(good=7)))
    remount(disk, "ro")
    async with opened(url, clock) as store:
        assert "cannot be" in (store.trouble or "")
        assert store.recall().habits == {CHAT: Habit(good=7)}
        record(store, 10, start=1)
        assert await stored(store) == 1

        remount(disk, "rw")
        await store.flush()
        assert store.trouble is None
        assert await stored(store) == 11


async def test_a_lock_of_somebody_else_is_named_and_waited_out(
    store: Store, url: str, tmp_path: Path
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "monitor.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        record(store, 3)
        with pytest.raises(StoreError, match="another program keeps it locked"):
            await store.flush()
        other.rollback()
    await store.flush()
    assert (store.trouble, await stored(store)) == (None, 3)


@pytest.mark.parametrize("also_journal", [False, True])
async def test_a_deleted_store_is_written_again_whole(
    store: Store, url: str, clock: HandClock, tmp_path: Path, *, also_journal: bool
) -> None:
    record(store, 100)
    await store.flush()
    for suffix in ("", "-wal", "-shm") if also_journal else ("",):
        (tmp_path / f"monitor.db{suffix}").unlink()
    record(store, 50, start=100)
    await store.flush()  # into nothing, and SQLite does not mind

    await minute(store, clock)
    assert store.notes == (
        "the store was deleted while it was written; it was written again, whole",
    )
    record(store, 1, start=150)
    await store.flush()
    assert await stored(store) == 151
    with contextlib.closing(Store.read_only(url)) as reader:
        reader.backup(tmp_path / "copy.db")
    async with opened(f"sqlite:///{tmp_path / 'copy.db'}", clock) as copy:
        assert await stored(copy) == 151


async def test_a_deleted_folder_that_cannot_be_made_again_is_trouble(
    clock: HandClock, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    async with opened(f"sqlite:///{folder / 'm.db'}", clock) as store:
        record(store, 5)
        await store.flush()
        folder.rename(tmp_path / "elsewhere")
        folder.write_text("in the way")
        await minute(store, clock)
        assert "cannot be" in (store.trouble or "")

        folder.unlink()
        await minute(store, clock)
        await minute(store, clock)
        assert (store.trouble, await stored(store)) == (None, 5)


async def test_a_file_put_in_the_place_of_the_store_is_kept_beside_it(
    store: Store, clock: HandClock, tmp_path: Path
) -> None:
    record(store, 5)
    await store.flush()
    (tmp_path / "other").write_bytes(b"somebody's")
    (tmp_path / "other").rename(tmp_path / "monitor.db")
    await minute(store, clock)
    assert "what was found in its place is kept as monitor.db.found-2026" in store.notes[0]
    (kept,) = tmp_path.glob("monitor.db.found-*[0-9]Z")
    assert kept.read_bytes() == b"somebody's"
    assert await stored(store) == 5


def large(store: Store) -> None:
    """So many results that their pages lie behind all others."""
    record(store, 4000)


async def test_pages_overwritten_under_way_cost_runs_but_no_beliefs(
    store: Store, clock: HandClock, tmp_path: Path
) -> None:
    store.record(entry(failed(NOON), habit=Habit(good=7), states=(STATE,), outgoing=(MESSAGE,)))
    large(store)
    await store.flush()
    path = tmp_path / "monitor.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(size // 4))
    with contextlib.suppress(StoreError):
        await store.results(CHAT, since=NOON)
    await minute(store, clock)
    await minute(store, clock)

    assert "it is kept as monitor.db.corrupt-2026" in store.notes[0]
    record(store, 3)
    await store.flush()
    memory = store.recall()
    assert (await stored(store), store.trouble) == (3, None)
    assert (memory.states, memory.habits) == ({STATE.key: STATE}, {CHAT: Habit(good=7)})
    assert list(tmp_path.glob("monitor.db.corrupt-*"))


async def test_what_was_counted_stays_counted_when_its_runs_are_lost_and_a_late_one_comes(
    url: str, clock: HandClock, tmp_path: Path
) -> None:
    async with opened(url, clock) as store:
        record(store, 100)
        clock.tick(4500)
        await store.flush()
    hush = OperatorRequest(
        at=NOON, what=RequestKind.SILENCE, target=CHAT, until=NOON + timedelta(days=9)
    )
    Store.request(url, hush)
    spoil(tmp_path / "monitor.db", "runs")
    async with opened(url, clock) as store:
        assert "it is kept as" in store.notes[0]
        store.record(entry(failed(NOON + timedelta(minutes=30))))
        store.record(entry(failed(clock.now())))
        await store.flush()
        look = await store.snapshot(clock.now())
    assert look.checks[CHAT].last_24h.outcomes == {"up": 100, "down": 2}
    assert [silence.target for silence in look.silences] == [CHAT]


async def test_an_index_that_does_not_fit_its_table_is_damage(
    url: str, clock: HandClock, tmp_path: Path
) -> None:
    async with opened(url, clock) as store:
        record(store, 3)
    spoil(tmp_path / "monitor.db", "sqlite_autoindex_alert_states_1", b"a/direkt")
    async with opened(url, clock) as store:
        assert "it is kept as" in store.notes[0]
        assert store.recall().states == {STATE.key: STATE}


async def test_a_large_store_is_looked_through_after_the_start_and_holds_nothing_up(
    url: str, clock: HandClock, tmp_path: Path
) -> None:
    path = tmp_path / "monitor.db"
    async with opened(url, clock) as store:
        record(store, 100)
        await store.flush()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE filler (body)").close()
        other.execute("INSERT INTO filler VALUES (zeroblob(70000000))").close()
        other.commit()
    spoil(path, "sqlite_autoindex_alert_states_1", b"a/direkt")
    async with opened(url, clock) as store:
        assert store.notes == ()
        await store.prune(clock.now(), HistorySettings())
        await minute(store, clock)
        assert "it is kept as" in store.notes[0]


async def test_a_large_file_that_is_no_database_is_set_aside_at_the_start(
    url: str, clock: HandClock, tmp_path: Path
) -> None:
    (tmp_path / "monitor.db").write_bytes(b"no database" * 7_000_000)
    async with opened(url, clock) as store:
        assert "it is kept as" in store.notes[0]


def spoil(path: Path, what: str, by: bytes = b"\xff" * 200) -> None:
    """At the begin of its page, or where it has nearly the same."""
    with contextlib.closing(sqlite3.connect(path)) as other:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = other.execute(sql, (what,)).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        offset = file.read(4096).find(b"a/dire")
        file.seek((page - 1) * 4096 + max(offset, 0))
        file.write(by)


async def test_a_store_cut_short_under_way_is_noticed(
    store: Store, clock: HandClock, tmp_path: Path
) -> None:
    large(store)
    await store.flush()
    path = tmp_path / "monitor.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    await minute(store, clock)
    os.truncate(path, path.stat().st_size // 2)
    await minute(store, clock)
    await minute(store, clock)
    assert "it is kept as" in store.notes[0]
    record(store, 3)
    await store.flush()
    assert (await stored(store), store.trouble) == (3, None)


@pytest.mark.slow
async def test_a_store_keeps_below_its_size_journal_and_all_and_loses_the_oldest_runs_first(
    clock: HandClock, tmp_path: Path
) -> None:
    limit = 2_400_000
    history = HistorySettings(max_size=limit)
    store = Store(f"sqlite:///{tmp_path / 'm.db'}", clock=clock, history=history)
    store.open()
    await minute(store, clock)
    for hour in range(40):
        clock.wall = NOON + timedelta(hours=hour)
        for step in range(1000):
            store.record(entry(streamed(clock.wall + timedelta(seconds=step))))
        await store.flush()
        assert whole_size(tmp_path / "m.db") <= limit
        clock.tick(70 * 60)
        await minute(store, clock)
        assert store.trouble is None
        assert whole_size(tmp_path / "m.db") <= limit
    left = await store.results(CHAT, since=NOON)
    days = (await store.snapshot(clock.now())).checks[CHAT].days
    await store.close()
    assert left[-1].at == NOON + timedelta(hours=39, seconds=999)
    assert 10_000 < len(left) < 30_000
    assert sum(day.counted for day in days.values()) == 40_000


def whole_size(path: Path) -> int:
    """With the journal."""
    journal = path.with_name(path.name + "-wal")
    return path.stat().st_size + journal.stat().st_size


def trouble_while_we_read_ourselves(path: Path, clock: HandClock) -> str:
    engine = connections.writing(path)
    looks = health.FileHealth(
        path=path,
        engine=engine,
        clock=clock,
        note=print,
        replaced=lambda: None,
        reserve=health.Reserve(path.with_name("none")),
        is_read_long=lambda: True,
    )
    try:
        looks.look()
    except StoreError as error:
        return str(error)
    finally:
        looks.release()
        engine.dispose()
    return ""


async def test_a_reader_without_an_end_is_named(
    store: Store, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "MOST_JOURNAL", 50_000)
    record(store, 100)
    await store.flush()
    with contextlib.closing(
        sqlite3.connect(tmp_path / "monitor.db", isolation_level=None)
    ) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM runs").fetchone()
        for step in range(1, 20):
            record(store, 500, start=500 * step)
            await store.flush()
        await minute(store, clock)
        assert "another program reads without an end; end what else has" in (store.trouble or "")
        assert trouble_while_we_read_ourselves(tmp_path / "monitor.db", clock) == ""
    record(store, 1, start=20_000)
    await store.flush()
    record(store, 1, start=20_001)
    await store.flush()
    await minute(store, clock)
    assert store.trouble is None


@pytest.mark.slow
async def test_space_is_given_back_when_much_less_is_to_be_kept(
    clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "SPARE", 16)
    path = tmp_path / "m.db"
    async with opened(f"sqlite:///{path}", clock) as store:
        record(store, 20_000)
        await store.flush()
        clock.tick(9 * 3600)
        await minute(store, clock)
        await store.prune(clock.now(), HistorySettings(raw=timedelta(days=1)))
        before = sizes(path)
        await store.prune(clock.now(), HistorySettings(raw=timedelta(hours=1)))
        assert store.notes == ()
    after = sizes(path)
    assert before[0] > 200
    assert after[0] < before[0] / 4
    assert after[1] <= 32


REFUSED = """
import os, sys
from monitor.clock import SystemClock
from monitor.model import StoreError
from monitor.store import Store
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    Store(sys.argv[1], clock=SystemClock()).open()
except StoreError as error:
    print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_somebody_else_is_a_sentence(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    output = subprocess.run(
        [sys.executable, "-c", REFUSED, f"sqlite:///{tmp_path / 'm.db'}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    ).stdout
    assert output == f"{tmp_path / 'm.db'} cannot be written: Permission denied\n"
