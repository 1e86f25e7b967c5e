"""The dashboard that reads the store itself: what it asks is answered by a PostgreSQL that a daemon wrote.

Grafana replaces macros and variables before it asks. What it makes of them is in its documentation of the
PostgreSQL data source, and done here in the same way.
"""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import virtual_time
from daemon_life import live
from store_cast import asked
from virtual_time import START

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[2] / "docs"
DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana" / "postgresql.json").read_text())
(RANGE,) = re.findall(r"`(WHERE at_ms BETWEEN [^`]+)`", (DOCS / "history.md").read_text())
"""What the document tells people to write in a query of their own."""
SINCE, UNTIL = START - timedelta(hours=1), START + timedelta(hours=3, minutes=30)
INTERVAL_S = 300
MACRO = re.compile(r"\$(__\w+)\(([^)]*)\)")
"""As Grafana finds one: its arguments can have no parentheses."""
EMPTY = {
    "Tokens per second, median",  # the relay answers in one piece
    "Runs that did not happen",
}
WITHOUT_RANGE = {"Open incidents", "Messages not yet delivered", "Size of the store"}


@pytest.fixture(scope="session")
def engine() -> str:
    return "postgresql"


def macro(match: re.Match[str]) -> str:
    name, arguments = match[1], [each.strip() for each in match[2].split(",")]
    match name:
        case "__timeFilter":
            return f"{arguments[0]} BETWEEN '{SINCE:%FT%TZ}' AND '{UNTIL:%FT%TZ}'"
        case "__unixEpochFrom":
            return f"{SINCE.timestamp():.0f}"
        case "__unixEpochTo":
            return f"{UNTIL.timestamp():.0f}"
        case "__unixEpochGroupAlias":
            assert arguments[1] == f"{INTERVAL_S // 60}m"
            return f'floor(({arguments[0]})/{INTERVAL_S})*{INTERVAL_S} AS "time"'
    pytest.fail(f"{name} is none of those whose meaning this test knows")


def filled(query: str, **chosen: list[str]) -> str:
    """Replace as Grafana does: variables of several values first, as texts with commas between them."""
    query = query.replace("$__interval", f"{INTERVAL_S // 60}m")
    for name, values in chosen.items():
        query = query.replace(f"${name}", ",".join(f"'{value}'" for value in values))
    query = MACRO.sub(macro, query)
    assert "$" not in query, query
    return query


def offered(url: str) -> dict[str, list[str]]:
    """What the variables offer, each one asked with those before it."""
    chosen: dict[str, list[str]] = {}
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["definition"] == variable["query"]
            rows = asked(url, filled(variable["query"], **chosen))
            chosen[variable["name"]] = [str(row[0]) for row in rows]
    return chosen


def columns_of(url: str, query: str) -> list[str]:
    """Name the columns of a query, which is wrapped as a person's `SELECT *` of it would be."""
    import psycopg

    with psycopg.connect(url) as connection:
        return [column.name for column in connection.execute(query).description or ()]


def test_every_query_is_answered_by_the_store_that_a_daemon_wrote(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    virtual_time.run(monkeypatch, lambda loop, clock: live(loop, clock, tmp_path, url))
    chosen = offered(url)
    assert chosen == {"service": ["relay"], "endpoint": ["direct"], "vantage": ["local"]}
    answers, empty = {}, set()
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            title, query = panel["title"], filled(target["rawSql"], **chosen)
            answers[title] = rows = asked(url, query)
            if not any(value is not None for row in rows for value in row[1:] or row):
                empty.add(title)
            if target["format"] == "time_series":
                is_a_series(columns_of(url, query), rows, title)
            nowhere = asked(
                url, filled(target["rawSql"], service=["x"], endpoint=["x"], vantage=["x"])
            )
            if title not in WITHOUT_RANGE | {"Since the last run"}:
                assert [row for row in nowhere if any(row)] == [], title
    assert empty == EMPTY
    ranged = f"SELECT count(*) FROM runs_readable {filled(RANGE)}"
    ((counted,),) = asked(url, ranged)
    assert counted == asked(url, "SELECT count(*) FROM runs")[0][0]
    agrees_with_what_happened(answers)
    monkeypatch.setattr(sys.modules[__name__], "SINCE", UNTIL - timedelta(minutes=1))
    (incidents,) = [
        target["rawSql"]
        for panel in DASHBOARD["panels"]
        if panel["title"] == "Incidents of the range"
        for target in panel["targets"]
    ]
    still_open = [row[1] for row in answers["Incidents of the range"] if row[5] is None]
    assert [row[1] for row in asked(url, filled(incidents, **chosen))] == still_open
    assert len(still_open) == 1, "it opened before the range"


def is_a_series(columns: list[str], rows: list[tuple[Any, ...]], title: str) -> None:
    """A column `time` by which rows are sorted, perhaps one of texts, which must be `metric`, and numbers."""
    assert columns[0] == "time", title
    times = [row[0] for row in rows]
    assert times == sorted(times), title
    for at in times:
        moment = (
            at.replace(tzinfo=UTC) if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
        )
        day = timedelta(days=1)
        assert SINCE - day <= moment <= UNTIL, title
    for name, *values in zip(columns[1:], *(row[1:] for row in rows), strict=True):
        texts = [value for value in values if isinstance(value, str)]
        if name == "metric":
            assert len(texts) == len(values), title
        else:
            kinds = int | float | Decimal | None
            assert all(isinstance(value, kinds) for value in values), (title, name)


def agrees_with_what_happened(answers: dict[str, list[tuple[Any, ...]]]) -> None:
    """Three hours, of which the second was an outage; the answers of the others are wrong ones."""
    assert answers["Open incidents"] == [(1,)]
    assert 0.5 < answers["Availability"][0][0] < 0.8
    kinds = {kind for _, kind, _ in answers["Failures by kind"]}
    assert kinds == {"bad_gateway", "content_mismatch"}
    (newest,) = answers["Checks whose newest run was not up"]
    assert newest[1:5] == ("relay/direct/chat", "local", "degraded", "content_mismatch")
    (of_the_range,) = answers["Checks over the range"]
    assert of_the_range[2] == answers["Availability"][0][0]
    assert {row[0] for row in answers["Size of the store"]} >= {"runs", "evidence", "hour_rollups"}
    failed = sum(count for *_, count in answers["Failures by kind"])
    assert len(answers["Newest failing runs"]) == failed > 50
