"""The dashboard for Grafana, as far as it can be judged without Grafana."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana" / "monitor.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
QUERIES = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
ASKED = [*QUERIES, *(variable.get("definition", "") for variable in VARIABLES.values())]
METRIC = re.compile(r"\b(?:probe|monitor)_[a-z_]+[a-z]\b")


def test_every_panel_has_a_number_of_its_own_and_a_title() -> None:
    numbers = [panel["id"] for panel in PANELS]
    assert len(set(numbers)) == len(numbers) > 20
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)
    assert all(titles)


def test_no_panel_lies_over_another_or_leaves_the_grid() -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in PANELS]
    for title, at in places:
        assert 0 <= at["x"] < at["x"] + at["w"] <= 24, title
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        apart = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or apart, f"{one} lies over {other}"


def test_every_variable_that_is_used_is_defined_and_every_defined_one_is_used() -> None:
    text = json.dumps([PANELS, [variable.get("query") for variable in VARIABLES.values()]])
    used = set(re.findall(r"\$\{?(\w+)\}?", text))
    assert used == set(VARIABLES)


def test_every_query_goes_to_the_data_source_that_the_reader_chooses() -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in PANELS:
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == chosen, panel["title"]
        assert panel["targets"], panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters), panel["title"]
        assert all(target["datasource"] == chosen for target in panel["targets"]), panel["title"]
    assert VARIABLES["datasource"]["type"] == "datasource"


def test_what_belongs_to_a_check_is_chosen_by_service_base_url_and_place() -> None:
    chosen = 'service=~"$service",endpoint=~"$endpoint",vantage=~"$vantage"'
    for query in QUERIES:
        for selector in re.findall(r"\bprobe_[a-z_]+(\{[^}]*\}|)", query):
            assert chosen in selector, query


def test_only_metrics_are_asked_for_that_the_page_explains() -> None:
    page = (DOCS / "metrics.md").read_text()
    explained = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    asked = {name for query in ASKED for name in METRIC.findall(query)}
    assert len(asked) > 20
    assert {name.removesuffix("_bucket") for name in asked} <= explained
