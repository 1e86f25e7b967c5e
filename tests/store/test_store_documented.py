"""Whatever docs/history.md says of the file is true of a store that a daemon wrote."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import virtual_time
from cast import HandClock
from daemon_life import live
from sqlalchemy import inspect
from store_cast import INCIDENT, NOON, asked, entry, failed, opened, runs
from virtual_time import START

from monitor.clock import SystemClock
from monitor.model import Evidence, Resolution, Spend
from monitor.model.rollup import FIGURES
from monitor.store import Store
from monitor.store.engines import database

PARTITION = re.compile(r"_(?:\d{8}|rest)$")
DOC = (Path(__file__).parents[2] / "docs" / "history.md").read_text()
HERE, _, THERE = DOC.partition("## The same on PostgreSQL")
QUERY = re.compile(r"\n([^\n]+):\n\n```sql\n(.*?)```", re.DOTALL)
QUERIES = dict(QUERY.findall(HERE))
DIFFERENT = dict(QUERY.findall(THERE))
"""Queries that have another form on PostgreSQL."""
VIEWS = {
    name: re.findall(r"`(\w+)`", columns)
    for name, columns in re.findall(r"^\| `(\w+)` \| one [^|]*\| (.*) \|$", DOC, re.MULTILINE)
}


@pytest.fixture
async def written(url: str, clock: HandClock) -> str:
    """Two days of two checks, an incident, and what else a daemon leaves."""
    async with opened(url, clock) as store:
        store.recall()
        for run in runs(NOON, 150):
            store.record(run)
        clock.tick(2 * 86_400)
        bad = failed(clock.now() - timedelta(minutes=3))
        evidence = Evidence(body="<h1>502</h1>")
        store.record(entry(bad, incidents=(INCIDENT,), spent=Spend(9, 0.5), evidence=evidence))
        await store.flush()
    return url


def query_of(name: str, url: str) -> str:
    """The document's query for the engine of a store, as it was asked when the store was written."""
    query = QUERIES[name] if url.startswith("sqlite") else DIFFERENT.get(name, QUERIES[name])
    days = (SystemClock().now() - START).days + 40
    for length in ("'-1 day'", "'-30 days'"):
        query = query.replace(length, f"'-{days} days'")
    for length in ("interval '1 day'", "interval '30 days'"):
        query = query.replace(length, f"interval '{days} days'")
    return query


def test_there_are_ten() -> None:
    assert len(QUERIES) == 10
    assert set(DIFFERENT) < set(QUERIES)
    assert set(VIEWS) == {"runs_readable", "hours", "days", "timeline"}


@pytest.mark.parametrize("name", QUERIES)
async def test_every_query_of_the_document_has_an_answer(written: str, name: str) -> None:
    rows = asked(written, query_of(name, written))
    assert rows
    assert any(value is not None for value in rows[0])


@pytest.mark.slow
def test_every_query_of_the_document_has_an_answer_in_the_store_of_a_daemon(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    virtual_time.run(monkeypatch, lambda loop, clock: live(loop, clock, tmp_path, url))
    answers = {name: asked(url, query_of(name, url)) for name in QUERIES}
    for name, rows in answers.items():
        assert rows, name
        assert any(value is not None for value in rows[0]), name
    (day,) = answers["Availability of the last 30 days, beside the good share"]
    assert day[0] == "relay/direct/chat"
    assert 0.5 < day[1] < 0.8
    (month,) = answers["What the probes cost, by month"]
    assert month[:2] == (START.strftime("%Y-%m"), "relay")
    kinds = {kind for _, kind, *_ in answers["What fails, and how often"]}
    assert kinds == {"bad_gateway", "content_mismatch"}


@pytest.mark.parametrize("view", VIEWS)
async def test_views_have_the_columns_that_the_document_names(written: str, view: str) -> None:
    engine = database(written).reading()
    columns = {column["name"] for column in inspect(engine).get_columns(view)}
    engine.dispose()
    named = set(VIEWS[view]) - {"hours", "2026"}
    assert named <= columns
    if view in {"runs_readable", "timeline"}:
        assert columns == named


async def test_every_table_is_documented(written: str) -> None:
    engine = database(written).reading()
    tables = {name for name in inspect(engine).get_table_names() if not PARTITION.search(name)}
    engine.dispose()
    documented = DOC.split("## The tables")[1].split("##")[0]
    named = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", documented, re.MULTILINE)
    there_only = {"commits"} if written.startswith("postgresql") else set()
    assert all(f"`{name}` names" in THERE for name in there_only)
    assert set(re.findall(r"`(\w+)`", " ".join(named))) | there_only == tables


async def test_runs_are_readable_with_times_names_and_units(written: str) -> None:
    columns = "at, check_key, vantage, outcome, kind, ttft_ms, total_ms"
    first, *_ = asked(written, f"SELECT {columns} FROM runs_readable ORDER BY at_ms")
    day, *_ = asked(
        written,
        "SELECT at, up, down, maintenance, availability, ttft_p50_ms, kinds FROM days WHERE down > 0 ORDER BY at",
    )
    assert first[:5] == (
        "2026-11-24T12:00:00.000Z",
        "a/direct/chat",
        "local",
        "down",
        "bad_gateway",
    )
    assert [*map(float, first[5:])] == [633.2, 1204.8]
    at, up, down, _, availability, p50, kinds = day
    assert at == "2026-11-24"
    assert float(availability) == pytest.approx(up / (up + down))
    assert abs(float(p50) / 633.2 - 1) < 0.01
    assert (json.loads(kinds) if isinstance(kinds, str) else kinds) == {"bad_gateway": down}


async def test_the_decoder_of_the_document_reads_every_histogram(written: str) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    names: dict[str, Any] = {}
    exec(source, names)
    rows = asked(
        written,
        "SELECT key, histograms FROM day_rollups JOIN checks ON checks.id = check_id ORDER BY period, key",
    )
    reader = Store.read_only(written)
    known = {
        (each.check, each.at): each.rollup.figures
        for each in reader.each_period(Resolution.DAY, until=NOON + timedelta(days=1))
    }
    reader.close()
    decoded = [(key, names["histograms"](body)) for key, body in rows]
    for (check, _), figures in known.items():
        mine = [each for key, each in decoded if key == check]
        assert any(
            {name: each.get(name, {}) for name in FIGURES if each.get(name)} == dict(figures)
            for each in mine
        )
