"""The shape of Statuspage's API v2: groups and components, words that its clients know, stable names."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from page_cast import NOW, ago, incident, key
from worlds import SITES, WORLDS, all_good, mixed

from monitor.model import FailureKind, Severity
from monitor.page import view
from monitor.page.statuspage import statuspage

STATUSES = {
    "operational",
    "degraded_performance",
    "partial_outage",
    "major_outage",
    "under_maintenance",
}


def documents(world: str) -> Mapping[str, Any]:
    by_name: Mapping[str, Any] = json.loads(
        json.dumps(statuspage(view(SITES[world], WORLDS[world](), {})[0]))
    )
    return by_name


@pytest.mark.parametrize("world", WORLDS)
def test_every_word_is_one_that_clients_know(world: str) -> None:
    by_name = documents(world)
    summary = by_name["summary"]
    assert summary["status"]["indicator"] in {"none", "minor", "major", "critical", "maintenance"}
    assert {part["status"] for part in summary["components"]} <= STATUSES
    for shown in by_name["incidents"]["incidents"]:
        assert shown["impact"] in {"none", "minor", "major", "critical"}
        assert shown["status"] in {"investigating", "identified", "monitoring", "resolved"}
        assert all(part["body"] and part["status"] for part in shown["incident_updates"])


@pytest.mark.parametrize("world", WORLDS)
def test_every_call_belongs_to_the_group_of_its_base_url_and_each_name_is_there_once(
    world: str,
) -> None:
    components = documents(world)["components"]["components"]
    groups = {component["id"]: component for component in components if component["group"]}
    for component in components:
        if not component["group"]:
            assert component["id"] in groups[component["group_id"]]["components"]
    listed = [child for group in groups.values() for child in group["components"]]
    assert sorted(listed) == sorted(
        component["id"] for component in components if not component["group"]
    )
    assert len({component["name"] for component in components}) == len(components)
    assert [component["position"] for component in components] == list(
        range(1, len(components) + 1)
    )


def test_a_component_moves_only_with_its_incidents() -> None:
    components = {
        document["id"]: document for document in documents("mixed")["components"]["components"]
    }
    assert components["ohmygpt/us-direct"]["updated_at"] == "2026-11-23T11:24:05Z"
    assert components["ohmygpt/cf-worker"]["updated_at"] == "2026-11-23T12:58:05Z"
    assert (
        components["ohmygpt/fast-cdn"]["start_date"]
        == (NOW - timedelta(days=70)).date().isoformat()
    )


def test_open_incidents_are_those_of_the_summary_and_the_others_are_resolved() -> None:
    by_name = documents("mixed")
    unresolved = by_name["incidents/unresolved"]["incidents"]
    assert [incident["id"] for incident in unresolved] == ["9", "8"]
    assert by_name["summary"]["incidents"] == unresolved
    past = [
        incident for incident in by_name["incidents"]["incidents"] if incident not in unresolved
    ]
    assert {incident["status"] for incident in past} == {"resolved"}
    assert all(incident["incident_updates"][0]["status"] == "resolved" for incident in past)
    assert len(mixed().incidents) == len(past) + 2


def test_an_incident_names_its_base_urls_in_the_order_of_the_page() -> None:
    snapshot = all_good()
    both = incident(
        1, Severity.DOWN, FailureKind.SLOW, ago(hours=1), 5, key("proxy-1"), key("cf-cdn")
    )
    page = view(SITES["mixed"], replace(snapshot, incidents=(both,)), {})[0]
    assert page.incidents[0].endpoints == ("ohmygpt/proxy-1", "ohmygpt/cf-cdn")
    (shown,) = statuspage(page)["incidents"]["incidents"]
    assert [component["id"] for component in shown["components"]] == [
        "ohmygpt/cf-cdn",
        "ohmygpt/proxy-1",
    ]


def test_updates_keep_their_names_when_another_one_comes() -> None:
    newest = documents("mixed")["incidents"]["incidents"][0]
    assert [update["id"] for update in newest["incident_updates"]] == ["9-3", "9-2", "9-1"]


def test_maintenance_is_scheduled_or_in_progress_and_names_its_components() -> None:
    by_name = documents("mock")
    works = by_name["scheduled-maintenances"]["scheduled_maintenances"]
    assert works == by_name["summary"]["scheduled_maintenances"] != []
    parts = {
        "in_progress": by_name["scheduled-maintenances/active"]["scheduled_maintenances"],
        "scheduled": by_name["scheduled-maintenances/upcoming"]["scheduled_maintenances"],
    }
    assert sum(map(len, parts.values())) == len(works)
    for status, listed in parts.items():
        for work in listed:
            assert (work["status"], work["impact"]) == (status, "maintenance")
            assert work["scheduled_for"] < work["scheduled_until"]
            assert [part["id"] for part in work["components"]] != []


def test_additions_begin_with_x() -> None:
    known = {
        "id",
        "name",
        "status",
        "created_at",
        "updated_at",
        "position",
        "description",
        "showcase",
        "start_date",
        "group_id",
        "page_id",
        "group",
        "only_show_if_degraded",
        "components",
    }
    for document in documents("mixed")["components"]["components"]:
        assert all(name.startswith("x_") for name in document.keys() - known)
