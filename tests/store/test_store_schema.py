"""A store of every released schema is opened, and the tables are such that PostgreSQL has them too.

`python tests/store/test_store_schema.py` prints today's schema, to be kept as `schemas/N.sql` when
schema N is released.
"""

import sqlite3
import tempfile
from pathlib import Path

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable
from sqlmodel import SQLModel
from store_cast import CHAT, NOON, entry, opened, streamed

from monitor.clock import Clock
from monitor.store import migrations
from monitor.store.engine import writing
from monitor.store.tables import RESULTS

SCHEMAS = sorted((Path(__file__).parent / "schemas").glob("*.sql"))


def schema_of(path: Path) -> str:
    engine = writing(path)
    with engine.begin() as connection:
        migrations.create(connection)
    engine.dispose()
    with sqlite3.connect(path) as connection:
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY name"
        said = ";\n".join(row[0] for row in connection.execute(query)) + ";\n"
    connection.close()
    return said


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
async def test_a_store_of_a_released_schema_is_opened_and_written(
    path: Path, tmp_path: Path, clock: Clock
) -> None:
    with sqlite3.connect(tmp_path / "m.db") as connection:
        connection.executescript(path.read_text())
        connection.execute("INSERT INTO meta VALUES ('schema', ?)", (path.stem,))
    connection.close()
    async with opened(f"sqlite:///{tmp_path / 'm.db'}", clock) as store:
        store.record(entry(streamed()))
        await store.flush()
        assert await store.results(CHAT, since=NOON) == (streamed(),)


def test_the_newest_schema_is_the_one_that_is_kept(tmp_path: Path) -> None:
    kept = SCHEMAS[-1]
    assert int(kept.stem) == len(migrations.MIGRATIONS)
    assert schema_of(tmp_path / "m.db") == kept.read_text()


@pytest.mark.parametrize("table", SQLModel.metadata.sorted_tables, ids=lambda table: table.name)
def test_every_table_is_one_of_postgresql_too(table) -> None:  # noqa: ANN001
    said = str(CreateTable(table).compile(dialect=postgresql.dialect()))
    assert said.strip().startswith(f"CREATE TABLE {table.name}")
    assert "INTEGER" not in said or table is not RESULTS, "32 bits there"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(schema_of(Path(folder) / "m.db"), end="")
