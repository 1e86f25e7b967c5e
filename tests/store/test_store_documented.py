"""Whatever docs/history.md says of the file is true of a store that a daemon wrote."""

import contextlib
import json
import re
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cast import HandClock
from store_cast import INCIDENT, NOON, entry, failed, opened, runs

from monitor.clock import SystemClock
from monitor.model import Evidence, Resolution, Spend
from monitor.model.rollup import FIGURES
from monitor.store import Store

DOC = (Path(__file__).parents[2] / "docs" / "history.md").read_text()
QUERIES = re.findall(r"\n([^\n]+):\n\n```sql\n(.*?)```", DOC, re.DOTALL)
VIEWS = {
    name: re.findall(r"`(\w+)`", columns)
    for name, columns in re.findall(r"^\| `(\w+)` \| one [^|]*\| (.*) \|$", DOC, re.MULTILINE)
}


@pytest.fixture
async def written(tmp_path: Path, clock: HandClock) -> sqlite3.Connection:
    """Two days of two checks, an incident, and what else a daemon leaves."""
    path = tmp_path / "m.db"
    async with opened(f"sqlite:///{path}", clock) as store:
        store.recall()
        for each in runs(NOON, 150):
            store.record(each)
        clock.tick(2 * 86_400)
        bad = failed(clock.now() - timedelta(minutes=3))
        evidence = Evidence(body="<h1>502</h1>")
        store.record(entry(bad, incidents=(INCIDENT,), spent=Spend(9, 0.5), evidence=evidence))
        await store.flush()
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


def test_there_are_ten() -> None:
    assert len(QUERIES) == 10
    assert set(VIEWS) == {"runs_readable", "hours", "days", "timeline"}


@pytest.mark.parametrize(
    "query", [query for _, query in QUERIES], ids=[name for name, _ in QUERIES]
)
async def test_every_query_of_the_document_has_an_answer(
    written: sqlite3.Connection, query: str
) -> None:
    since_then = f"-{abs((SystemClock().now() - NOON).days) + 40} days"
    query = query.replace("'-1 day'", f"'{since_then}'").replace("'-30 days'", f"'{since_then}'")
    with contextlib.closing(written):
        rows = written.execute(query).fetchall()
    assert rows
    assert any(value is not None for value in rows[0])


@pytest.mark.parametrize("view", VIEWS)
async def test_views_have_the_columns_that_the_document_names(
    written: sqlite3.Connection, view: str
) -> None:
    with contextlib.closing(written):
        columns = {row[1] for row in written.execute(f"PRAGMA table_info({view})")}
    named = set(VIEWS[view]) - {"hours", "2026"}
    assert named <= columns
    if view in {"runs_readable", "timeline"}:
        assert columns == named


async def test_every_table_of_the_file_is_documented(written: sqlite3.Connection) -> None:
    with contextlib.closing(written):
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        tables = {row[0] for row in written.execute(query)}
    documented = DOC.split("## The tables")[1].split("##")[0]
    named = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", documented, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(named))) == tables


async def test_runs_are_readable_with_times_names_and_units(written: sqlite3.Connection) -> None:
    with contextlib.closing(written):
        columns = "at, check_key, vantage, outcome, kind, ttft_ms, total_ms"
        first = written.execute(f"SELECT {columns} FROM runs_readable ORDER BY at").fetchone()
        day = written.execute(
            "SELECT at, up, down, maintenance, availability, ttft_p50_ms, kinds FROM days WHERE down"
        ).fetchone()
    assert first == (
        "2026-11-24T12:00:00.000Z",
        "a/direct/chat",
        "local",
        "down",
        "bad_gateway",
        633.2,
        1204.8,
    )
    at, up, down, _, availability, p50, kinds = day
    assert (at, availability) == ("2026-11-24", up / (up + down))
    assert abs(p50 / 633.2 - 1) < 0.01
    assert json.loads(kinds) == {"bad_gateway": down}


async def test_the_decoder_of_the_document_reads_every_histogram(
    written: sqlite3.Connection, tmp_path: Path
) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    names: dict[str, Any] = {}
    exec(source, names)
    with contextlib.closing(written):
        rows = written.execute(
            "SELECT key, histograms FROM day_rollups JOIN checks ON checks.id = check_id ORDER BY period, key"
        ).fetchall()
    reader = Store.read_only(f"sqlite:///{tmp_path / 'm.db'}")
    known = {
        (each.check, each.at): each.rollup.figures
        for each in reader.each_period(Resolution.DAY, until=NOON + timedelta(days=1))
    }
    reader.close()
    found = [(key, names["histograms"](body)) for key, body in rows]
    for (check, _), figures in known.items():
        mine = [each for key, each in found if key == check]
        assert any(
            {name: each.get(name, {}) for name in FIGURES if each.get(name)} == dict(figures)
            for each in mine
        )
