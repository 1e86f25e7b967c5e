"""Badges: the schema of shields.io, SVG that stands alone, and no good news from a dead monitor."""

import json
from xml.etree import ElementTree as ET

import pytest
from rendering import rendered
from worlds import SITES, WORLDS

from monitor.page import view
from monitor.page.badges import shields, svg
from monitor.page.states import State


def badges(world: str) -> dict[str, bytes]:
    files = rendered(view(SITES[world], WORLDS[world](), {})[0])
    return {name: content for name, content in files.items() if name.startswith("badge")}


def messages(world: str) -> dict[str, str]:
    return {
        name.removesuffix(".json"): json.loads(content)["message"]
        for name, content in badges(world).items()
        if name.endswith(".json")
    }


def test_there_is_one_of_all_of_each_service_and_of_each_endpoint() -> None:
    assert messages("mixed") == {
        "badge": "partial outage",
        "badge/ohmygpt": "partial outage",
        "badge/ohmygpt/us-direct": "major outage",
        "badge/ohmygpt/cf-cdn": "operational",
        "badge/ohmygpt/cf-worker": "degraded",
        "badge/ohmygpt/fast-cdn": "operational",
        "badge/ohmygpt/proxy-1": "operational",
        "badge/ohmygpt/proxy-2": "operational",
    }


@pytest.mark.parametrize("world", ["stopped", "fresh"])
def test_where_nothing_is_known_nothing_is_said(world: str) -> None:
    assert set(messages(world).values()) == {"no data"}
    assert all(
        b"no data" in badge for name, badge in badges(world).items() if name.endswith(".svg")
    )


@pytest.mark.parametrize("state", State)
def test_shields_can_draw_it(state: State) -> None:
    badge = shields("api status", state)
    assert set(badge) == {"schemaVersion", "label", "message", "color", "cacheSeconds"}
    assert badge["schemaVersion"] == 1
    assert all(badge.values())


def test_a_hostile_name_stays_inside_and_wide_letters_have_room() -> None:
    badge = ET.fromstring(svg('<b> & "优化 CDN"', State.MAJOR))
    assert badge.get("aria-label") == '<b> & "优化 CDN": major outage'
    assert badge.get("width") == str(14 + 7 * 12 + 11 * 2 + 14 + 7 * len("major outage"))
    assert len(svg("api status", State.OPERATIONAL)) < 800
