"""A store of the released schema is opened, one of an unreleased build is refused, and the tables are
such that PostgreSQL has them too.

`python tests/store/test_store_schema.py N` writes today's schema as `schemas/N.sql` and a store's rows
as `schemas/N.rows.sql`, to be kept when schema N is released.
"""

import asyncio
import contextlib
import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from cast import HandClock
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from sqlmodel import SQLModel
from store_cast import CHAT, NOON, entry, failed, in_a_file, opened, other_changes, streamed

from monitor.model import (
    Evidence,
    Habit,
    OperatorRequest,
    RequestKind,
    Resolution,
    Rollup,
    Spend,
    StoreError,
)
from monitor.model.rollup import merge
from monitor.store import Store, schema
from monitor.store.sqlite import file_tables
from monitor.store.sqlite.connections import writing

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("[0-9].sql"))


def schema_of(path: Path) -> str:
    engine = writing(path)
    with engine.begin() as connection:
        file_tables.create(connection)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type = 'index', name"
        statements = ";\n".join(row[0] for row in connection.execute(query)) + ";\n"
    connection.close()
    return statements


LIFE = [
    entry(streamed()),
    entry(failed(NOON + MINUTE), evidence=Evidence(body="<h1>502</h1>"), **other_changes(5)),
    entry(streamed(NOON + 2 * MINUTE), habit=Habit(good=2), spent=Spend(71, 0.00002865)),
    entry(streamed(NOON + 2 * HOUR)),
]
"""Three runs that are rolled up when the store is closed, and one that is not."""


async def live(path: Path, clock: HandClock) -> None:
    async with opened(f"sqlite:///{path}", clock) as store:
        for run in LIFE:
            clock.wall = run.result.at
            store.record(run)
            await store.flush()
        clock.wall += HOUR
        store.heartbeat(clock.now())
        await store.flush()


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
async def test_a_store_that_a_released_version_wrote_is_read_and_written(
    path: Path, tmp_path: Path, clock: HandClock
) -> None:
    with closing(sqlite3.connect(tmp_path / "m.db")) as connection, connection:
        connection.executescript(path.read_text())
        connection.executescript(path.with_suffix(".rows.sql").read_text())
    connection.close()
    clock.wall = NOON + 3 * HOUR
    new = streamed(clock.wall)
    async with opened(f"sqlite:///{tmp_path / 'm.db'}", clock) as store:
        store.record(entry(new))
        await store.flush()
        results = [run.result for run in LIFE] + [new]
        assert list(await store.results(CHAT, since=NOON)) == results
        reader = Store.read_only(f"sqlite:///{tmp_path / 'm.db'}")
        hours = reader.rollups(CHAT, Resolution.HOUR)
        assert merge(hour.rollup for hour in hours) == merge(map(Rollup.of, results))
        assert [evidence[1:] for evidence in reader.each_evidence(CHAT)] == [
            (NOON + MINUTE, Evidence(body="<h1>502</h1>"))
        ]
        reader.close()
        memory = store.recall()
        assert tuple(memory.states.values()) == other_changes(5)["states"]
        assert memory.incidents == other_changes(5)["incidents"]
        assert memory.habits == {CHAT: Habit(good=2)}


def test_the_newest_schema_is_the_one_that_is_kept(tmp_path: Path) -> None:
    kept = SCHEMAS[-1]
    assert int(kept.stem) == schema.VERSION
    assert schema_of(tmp_path / "m.db") == kept.read_text()


@pytest.mark.parametrize("table", SQLModel.metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_is_one_of_postgresql_too(table) -> None:  # noqa: ANN001
    statement = str(CreateTable(table).compile(dialect=postgresql.dialect()))
    assert statement.strip().startswith(f"CREATE TABLE {table.name}")


@in_a_file
async def test_a_store_whose_tables_lack_a_column_is_one_of_an_unreleased_build(
    url: str, tmp_path: Path, clock: HandClock
) -> None:
    async with opened(url, clock):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "monitor.db")) as old:
        old.execute("ALTER TABLE checks DROP COLUMN kind").close()
    for asking in (Store(url, clock=clock).open, lambda: Store.read_only(url)):
        with pytest.raises(StoreError, match="written by an unreleased build of monitor"):
            asking()


@in_a_file
async def test_a_store_of_an_unreleased_build_is_refused_with_a_sentence_and_left_as_it_is(
    url: str, tmp_path: Path, clock: HandClock
) -> None:
    path = tmp_path / "monitor.db"
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        old.execute("CREATE TABLE result (key INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        old.execute("INSERT INTO meta VALUES ('schema', '1')")
        old.commit()
    before = path.read_bytes()
    refused = "written by an unreleased build of monitor, .* move the file away"
    request = OperatorRequest(at=NOON, what=RequestKind.SILENCE, target=CHAT)
    for asking in (
        Store(url, clock=clock).open,
        lambda: Store.read_only(url),
        lambda: Store.request(url, request),
    ):
        with pytest.raises(StoreError, match=refused):
            asking()
    assert path.read_bytes()[100:] == before[100:]  # the head says how it is opened
    assert not [*tmp_path.glob("monitor.db.corrupt*")]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(__file__).parent / "schemas" / f"{sys.argv[1]}.sql"
        kept.write_text(schema_of(Path(folder) / "empty.db"))
        asyncio.run(live(Path(folder) / "m.db", HandClock()))
        with contextlib.closing(sqlite3.connect(Path(folder) / "m.db")) as dumped:
            rows = [line for line in dumped.iterdump() if line.startswith("INSERT")]
        kept.with_suffix(".rows.sql").write_text("\n".join(rows) + "\n")
