"""Upgrades: a copy before each step, a step is whole or not at all, what is newer is refused."""

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from sqlalchemy import Connection
from sqlmodel import SQLModel
from store_cast import CHAT, NOON, entry, opened, streamed, told

from monitor.model import Evidence, Habit, NewerSchemaError, Spend, StoreError
from monitor.store import Store, migrations
from monitor.store.engine import damage

HERE = Path(__file__).parent
KNOWN = migrations.MIGRATIONS
NOW, NEXT = str(len(KNOWN)), str(len(KNOWN) + 1)


def add_a_table(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)")
    connection.exec_driver_sql("INSERT INTO note (text) SELECT value FROM meta")


def break_down(connection: Connection) -> None:
    add_a_table(connection)
    connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Connection], None]], None]:
    """The release that brings another migration."""

    def bring(step: Callable[[Connection], None]) -> None:
        monkeypatch.setattr(migrations, "MIGRATIONS", (*KNOWN, step))

    return bring


async def old_store(path: Path, clock: HandClock) -> None:
    async with opened(f"sqlite:///{path}", clock) as store:
        store.record(entry(streamed()))


def schema(path: Path) -> str:
    reader = Store.read_only(f"sqlite:///{path}")
    try:
        return str(reader.note("schema"))
    finally:
        reader.close()


async def test_before_a_step_there_is_a_copy_which_the_old_version_opens(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.db"
    await old_store(path, clock)
    with monkeypatch.context() as release:
        release.setattr(migrations, "MIGRATIONS", (*KNOWN, add_a_table))
        async with opened(f"sqlite:///{path}", clock) as store:
            assert await store.results(CHAT, since=NOON) == (streamed(),)
        assert schema(path) == NEXT

    copy = tmp_path / f"m.db.schema-{NOW}"
    assert damage(copy) is None
    with pytest.raises(
        NewerSchemaError,
        match=f"the store has schema {NEXT}, this monitor knows {NOW}: install the newer version that wrote "
        "it, or go back to the backup beside the store",
    ):
        Store(f"sqlite:///{path}", clock=clock).open()
    copy.rename(path)
    async with opened(f"sqlite:///{path}", clock) as store:
        assert await store.results(CHAT, since=NOON) == (streamed(),)
    assert schema(path) == NOW


async def test_a_step_that_fails_leaves_the_store_as_it_was_and_the_daemon_goes_on(
    tmp_path: Path, clock: HandClock, second: Callable[..., None]
) -> None:
    path = tmp_path / "m.db"
    await old_store(path, clock)
    second(break_down)
    async with opened(f"sqlite:///{path}", clock) as store:
        assert "no such table: nowhere" in (store.trouble or "")
        store.record(entry(streamed(clock.now())))
        with pytest.raises(StoreError):
            await store.flush()
        assert schema(path) == NOW
        second(add_a_table)
        await store.flush()
        assert store.trouble is None
    assert schema(path) == NEXT
    assert [each.name for each in tmp_path.glob("m.db.schema-*")] == [f"m.db.schema-{NOW}"]


KILLED_MIDWAY = """
import os, signal, sys
from monitor.clock import SystemClock
from monitor.store import Store, migrations
from test_store_upgrade import add_a_table

def step(connection):
    add_a_table(connection)
    connection.exec_driver_sql("DELETE FROM result")
    print("midway", flush=True)
    signal.pause()

migrations.MIGRATIONS = (*migrations.MIGRATIONS, step)
Store(sys.argv[1], clock=SystemClock()).open()
"""


async def test_a_step_that_is_killed_is_done_again_from_the_beginning(
    tmp_path: Path, clock: HandClock, second: Callable[..., None]
) -> None:
    path = tmp_path / "m.db"
    await old_store(path, clock)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_MIDWAY, f"sqlite:///{path}"],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": f"{HERE}:{HERE.parent}:{HERE.parents[1]}"},
    ) as upgrade:
        assert upgrade.stdout is not None
        assert upgrade.stdout.readline() == b"midway\n"
        upgrade.kill()
    assert damage(path) is None
    second(add_a_table)
    async with opened(f"sqlite:///{path}", clock) as store:
        assert await store.results(CHAT, since=NOON) == (streamed(),)
    assert schema(path) == NEXT


async def test_whatever_is_found_or_decided_carries_its_vantage(
    tmp_path: Path, clock: HandClock
) -> None:
    """What does not: names for values, texts that runs share, and what people ask for."""
    tables = SQLModel.metadata.tables
    with_a_check_number = {"result", "evidence", "hour", "quarter", "day", "past"}
    assert {name for name, table in tables.items() if "vantage" not in table.columns} == {
        *with_a_check_number, "meta", "texts", "request",
    }  # fmt: skip
    path = tmp_path / "m.db"
    for vantage in ("shanghai", "frankfurt"):
        store = Store(f"sqlite:///{path}", clock=clock, vantage=vantage)
        store.open()
        at = NOON + timedelta(seconds=len(vantage))
        number = len(vantage) * 5
        run = streamed(at, vantage=vantage)
        store.record(entry(run, habit=Habit(good=1), spent=Spend(1), evidence=Evidence(body="!"), **told(number)))  # fmt: skip
        await store.close()
    reader = Store.read_only(f"sqlite:///{path}")
    found = {each.at: each.vantage for each in reader.each_result(CHAT)}
    reader.close()
    assert found == {
        NOON + timedelta(seconds=8): "shanghai", NOON + timedelta(seconds=9): "frankfurt",
    }  # fmt: skip
    with contextlib.closing(sqlite3.connect(path)) as new:
        for table in ("incident", "outbox"):
            query = f"SELECT vantage FROM {table} ORDER BY id"
            assert new.execute(query).fetchall() == [("shanghai",), ("frankfurt",)]
        for table in ("alert_state", "habit", "ledger"):
            assert new.execute(f"SELECT vantage FROM {table}").fetchall() == [("frankfurt",)]
