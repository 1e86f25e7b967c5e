"""The dashboards for Grafana, as far as they can be judged without Grafana.

Their queries are asked elsewhere: of a Prometheus in tests/integration, of a PostgreSQL in tests/store.
"""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in (DOCS / "grafana").glob("*.json")
}
SOURCES = {"monitor": "prometheus", "postgresql": "grafana-postgresql-datasource"}
QUERY = {"monitor": "expr", "postgresql": "rawSql"}
METRIC = re.compile(r"\b(?:probe|monitor)_[a-z_]+[a-z]\b")
GLOBAL = re.compile(r"__\w+")
"""A variable or macro that is Grafana's own."""


@pytest.fixture(params=DASHBOARDS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def panels(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = DASHBOARDS[name]["panels"]
    return found


def variables(name: str) -> dict[str, dict[str, Any]]:
    return {variable["name"]: variable for variable in DASHBOARDS[name]["templating"]["list"]}


def queries(name: str) -> list[str]:
    return [target[QUERY[name]] for panel in panels(name) for target in panel.get("targets", ())]


def test_there_is_one_for_each_source_and_they_can_stand_in_one_grafana() -> None:
    assert set(DASHBOARDS) == set(SOURCES)
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)
    assert len({dashboard["title"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)


def test_every_panel_has_a_number_of_its_own_and_a_title(name: str) -> None:
    numbers = [panel["id"] for panel in panels(name)]
    assert len(set(numbers)) == len(numbers) > 20
    titles = [panel["title"] for panel in panels(name)]
    assert len(set(titles)) == len(titles)
    assert all(titles)


def test_no_panel_lies_over_another_or_leaves_the_grid(name: str) -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in panels(name)]
    for title, at in places:
        assert 0 <= at["x"] < at["x"] + at["w"] <= 24, title
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or apart, f"{one} lies over {other}"


def test_every_variable_that_is_used_is_defined_and_every_defined_one_is_used(name: str) -> None:
    asked = [variable.get("query") for variable in variables(name).values()]
    used = set(re.findall(r"\$\{?(\w+)\}?", json.dumps([panels(name), asked])))
    assert {each for each in used if not GLOBAL.fullmatch(each)} == set(variables(name))


def test_every_query_goes_to_the_data_source_that_the_reader_chooses(name: str) -> None:
    chosen = {"type": SOURCES[name], "uid": "${datasource}"}
    for panel in panels(name):
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == chosen, panel["title"]
        assert panel["targets"], panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters), panel["title"]
        assert all(target["datasource"] == chosen for target in panel["targets"]), panel["title"]
    datasource = variables(name)["datasource"]
    assert (datasource["type"], datasource["query"]) == ("datasource", SOURCES[name])


def test_what_belongs_to_a_check_is_chosen_by_service_base_url_and_place() -> None:
    chosen = 'service=~"$service",endpoint=~"$endpoint",vantage=~"$vantage"'
    for query in queries("monitor"):
        for selector in re.findall(r"\bprobe_[a-z_]+(\{[^}]*\}|)", query):
            assert chosen in selector, query
    for query in queries("postgresql"):
        if re.search(r"FROM (?:runs_readable|hours)\b", query):
            assert "split_part(check_key, '/', 1) IN ($service)" in query
            assert "split_part(check_key, '/', 2) IN ($endpoint)" in query
            assert "vantage IN ($vantage)" in query


def test_only_metrics_are_asked_for_that_the_page_explains() -> None:
    page = (DOCS / "metrics.md").read_text()
    explained = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    definitions = [variable.get("definition", "") for variable in variables("monitor").values()]
    asked = {
        metric for query in queries("monitor") + definitions for metric in METRIC.findall(query)
    }
    assert len(asked) > 20
    assert {metric.removesuffix("_bucket") for metric in asked} <= explained


def test_large_tables_are_asked_for_the_range_alone() -> None:
    """A range of `at_ms` finds the partitions of its days, and one of `period` the key."""
    for query in queries("postgresql"):
        ranges = {"runs_readable": "at_ms BETWEEN ", "hours": "period BETWEEN ", "runs": "at >= "}
        for table in re.findall(r"FROM (runs_readable|hours|runs)\b", query):
            assert ranges[table] in query, query
