"""Whatever docs/history.md says of the file is true of a store that a daemon wrote."""

import asyncio
import contextlib
import json
import re
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import virtual_time
from aiohttp import web
from cast import HandClock
from listening import listening
from store_cast import INCIDENT, NOON, entry, failed, opened, runs
from virtual_time import START, VirtualClock, VirtualLoop, busy_with

from monitor.clock import SystemClock
from monitor.config import load
from monitor.daemon.app import Daemon
from monitor.model import Evidence, Resolution, Spend
from monitor.model.rollup import FIGURES
from monitor.store import Store

HOUR = 3600.0
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
        for run in runs(NOON, 150):
            store.record(run)
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
    with contextlib.closing(written):
        rows = written.execute(recent(query)).fetchall()
    assert rows
    assert any(value is not None for value in rows[0])


class Relay:
    """Answers a chat in one piece, which is the wrong one, and for an hour not at all."""

    url = ""

    async def answer(self, _: web.Request) -> web.Response:
        if HOUR < asyncio.get_running_loop().time() < 2 * HOUR:
            return web.Response(status=502, text="<h1>502</h1>")
        pieces = [
            {"choices": [{"index": 0, "delta": {"content": "hello"}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1}},
        ]
        text = "".join(f"data: {json.dumps({'model': 'm', **piece})}\n\n" for piece in pieces)
        return web.Response(text=f"{text}data: [DONE]\n\n", content_type="text/event-stream")


async def live(loop: VirtualLoop, clock: VirtualClock, folder: Path) -> None:
    """Three hours of a daemon, with an outage."""
    app, relay = web.Application(), Relay()
    app.router.add_post("/v1/chat/completions", relay.answer)
    async with listening(app) as relay.url:
        loop.rests()
        path = folder / "monitor.toml"
        path.write_text(
            f'[monitor]\nlisten = ""\nstore = "sqlite:///{folder}/m.db"\n[service.relay]\nkey = "k"\nmodel = "m"\n'
            f'endpoints = {{ direct = "{relay.url}" }}\nprobes = {{ chat = "3m" }}\n'
        )
        daemon = Daemon(load(path, {}), clock=clock, publish_every=timedelta(days=99))
        loop.busy = busy_with(daemon)
        task = asyncio.create_task(daemon.run())
        await asyncio.sleep(3 * HOUR)
        daemon.stop.set()
        await task
        loop.busy = []


@pytest.mark.slow
def test_every_query_of_the_document_has_an_answer_in_the_store_of_a_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    virtual_time.run(monkeypatch, lambda loop, clock: live(loop, clock, tmp_path))
    with contextlib.closing(sqlite3.connect(tmp_path / "m.db")) as store:
        answers = {name: store.execute(recent(query)).fetchall() for name, query in QUERIES}
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


def recent(query: str) -> str:
    """The query as it was asked when the store was written."""
    since_then = f"-{(SystemClock().now() - START).days + 40} days"
    return query.replace("'-1 day'", f"'{since_then}'").replace("'-30 days'", f"'{since_then}'")


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
    decoded = [(key, names["histograms"](body)) for key, body in rows]
    for (check, _), figures in known.items():
        mine = [each for key, each in decoded if key == check]
        assert any(
            {name: each.get(name, {}) for name in FIGURES if each.get(name)} == dict(figures)
            for each in mine
        )
