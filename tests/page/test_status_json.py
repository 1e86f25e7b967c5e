"""`status.json` holds everything the page shows, in the shape that its published schema promises."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from page_cast import CHECKS, NOW, key
from rendering import rendered
from worlds import SITES, WORLDS, all_good, mixed

from monitor.model import Rollup, Snapshot
from monitor.model.rollup import bucket
from monitor.page import Site, view
from monitor.page.machine_files import detail_schema, status_schema
from monitor.page.render_cache import RenderCache

SCHEMA, DETAIL = json.loads(status_schema()), json.loads(detail_schema())


def status(world: str, snapshot: Snapshot | None = None, site: Site | None = None) -> Any:
    page = view(site or SITES[world], snapshot or WORLDS[world](), {})[0]
    return json.loads(rendered(page)["status.json"])


def endpoint(document: Any, name: str) -> Any:
    return next(known for known in document["services"][0]["endpoints"] if known["id"] == name)


def detail(world: str, name: str, snapshot: Snapshot | None = None) -> Any:
    """What the file says that `status.json` names."""
    page = view(SITES[world], snapshot or WORLDS[world](), {})[0]
    files = rendered(page)
    named = endpoint(json.loads(files["status.json"]), name)["detail"]
    return json.loads(files[named])


def breaches(document: Any, schema: Any = SCHEMA) -> list[str]:
    checker = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(document)]


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_keeps_to_the_published_schema(world: str) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator.check_schema(DETAIL)
    files = rendered(view(SITES[world], WORLDS[world](), {})[0])
    document = json.loads(files["status.json"])
    assert breaches(document) == []
    for service in document["services"]:
        for listed in (*service["endpoints"], *service["retired"]):
            assert breaches(json.loads(files[listed["detail"]]), DETAIL) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("state",), "fine"),
        (("generated_at",), 7),
        (("services", 0, "endpoints", 0, "trouble"), "tired"),
        (("services", 0, "endpoints", 0, "availability_90d"), "99 %"),
        (("incidents", 0, "closed"), False),
    ],
)
def test_the_schema_refuses_what_is_not_promised(
    path: tuple[str | int, ...], value: object
) -> None:
    document = status("mixed")
    place = document
    for step in path[:-1]:
        place = place[step]
    assert path[-1] in (place if isinstance(place, dict) else range(len(place)))
    place[path[-1]] = value
    assert breaches(document) != []


def test_no_field_that_is_promised_may_be_missing() -> None:
    document = status("mixed")
    del document["valid_until"], document["services"][0]["endpoints"][0]["detail"]
    assert len(breaches(document)) == 2


def test_it_says_how_long_it_may_be_believed_and_what_to_use() -> None:
    document = status("mixed")
    assert (document["generated_at"], document["valid_until"], document["stopped_at"]) == (
        "2026-11-23T13:42:05Z",
        "2026-11-23T13:52:05Z",
        None,
    )
    service = document["services"][0]
    assert service["best"] == "https://www.aigptx.top"
    assert service["picks"] == [
        {
            "endpoint": "ohmygpt/proxy-1",
            "url": "https://www.aigptx.top",
            "median_ms": 940.0,
            "long_call": False,
            "flaw": False,
        }
    ]
    assert status("stopped")["services"][0]["picks"] == []


def test_an_endpoint_that_fails_says_why_and_whose_fault_it_is() -> None:
    failing = endpoint(status("mixed"), "us-direct")
    assert (failing["state"], failing["trouble"], failing["fault"]) == (
        "major_outage",
        "dns_poisoned",
        "path",
    )
    assert failing["checks"]["chat"] == {
        "kind": "chat",
        "state": "major_outage",
        "text": "DNS pollution suspected",
        "failure": "dns_poisoned",
        "median_ms": pytest.approx(593.7),
        "model": None,
    }
    past = detail("mixed", "us-direct")
    assert (past["service"], past["id"], past["retired"]) == ("ohmygpt", "us-direct", False)
    assert len(past["days"]) == 90
    assert past["days"][-1] == {"day": "2026-11-23", "state": "major_outage", "minutes": 138}
    assert len(past["last_24h"]) == 48
    assert past["latest"] == "2026-11-23T13:42:05Z"


def test_percentiles_and_failures_by_kind_of_every_window() -> None:
    week = Rollup(
        outcomes={"up": 97, "down": 3, "unknown": 25},
        kinds={"bad_gateway": 1, "no_first_token": 2, "no_key": 25},
        figures={"ttft": {bucket(100): 90, bucket(2000): 10}, "ttfb": {bucket(50): 100}},
    )
    before = all_good()
    history = replace(before.checks[key("cf-cdn")], windows={7: week, 30: week, 90: week})
    after = replace(before, checks={**before.checks, key("cf-cdn"): history})
    windows = detail("all-good", "cf-cdn", after)["windows"]

    assert [window["days"] for window in windows] == [1, 7, 30, 90]
    month = windows[1]
    assert (month["runs"], month["availability"], month["excluded"]) == (125, 0.97, 0.2)
    assert list(month["failures"].items()) == [
        ("no_key", 25),
        ("no_first_token", 2),
        ("bad_gateway", 1),
    ]
    assert month["ttft_ms"] == {
        "p50": pytest.approx(100, rel=0.01),
        "p95": pytest.approx(2000, rel=0.01),
        "p99": pytest.approx(2000, rel=0.01),
    }
    assert month["total_ms"] is None


def test_incidents_carry_their_timeline_newest_first() -> None:
    incidents = {each["id"]: each for each in status("mixed")["incidents"]}
    assert incidents[9]["closed"] is None
    assert [each["label"] for each in incidents[9]["updates"]] == ["Spread", "Spread", "Began"]
    assert [each["label"] for each in incidents[2]["updates"]] == ["Resolved", "Began"]
    assert incidents[6]["endpoints"] == ["ohmygpt/cf-cdn", "ohmygpt/cf-worker"]


def test_maintenance_is_announced_with_its_time_and_what_it_covers() -> None:
    windows = status("mock")["maintenance"]
    assert windows != []
    assert {window["active"] for window in windows} <= {True, False}
    for window in windows:
        assert window["begins"] < window["ends"]
        assert all(path.startswith("ohmygpt/") for path in window["endpoints"])


def test_an_endpoint_without_news_is_not_computed_again() -> None:
    site, cache = SITES["mixed"], RenderCache()
    first = view(site, mixed(), {}, cache)[0]
    quicker = replace(mixed().checks[key("cf-cdn")], recent=())
    later = replace(mixed(), checks={**mixed().checks, key("cf-cdn"): quicker})
    second = view(site, later, {}, cache)[0]
    pairs = zip(first.endpoints, second.endpoints, strict=True)
    assert [one.path for one, other in pairs if one is not other] == ["ohmygpt/cf-cdn"]


def test_what_is_remembered_is_what_would_be_worked_out() -> None:
    """Minute by minute, past midnight and past the age at which nothing is known any more."""
    known = RenderCache()
    for minutes in (0, 1, 9, 11, 60, 700):
        moved = replace(mixed(), at=NOW + timedelta(minutes=minutes))
        assert view(SITES["mixed"], moved, {}, known)[0] == view(SITES["mixed"], moved, {})[0]


def test_what_the_operator_does_not_show_is_null() -> None:
    quiet, told = status("mixed"), status("told")
    assert quiet["services"][0]["spend"] is None
    assert detail("mixed", "us-direct")["errors"] is None
    assert told["services"][0]["spend"]["today"] == {"tokens": 123_456, "money": 0.0312}
    assert detail("told", "us-direct")["errors"][0]["body"].startswith('{"error"')


def test_nothing_moves_but_the_time_when_nothing_has_happened() -> None:
    first = status("mixed")
    again = status("mixed", replace(mixed(), at=NOW))
    assert first == again
    assert {check.endpoint.id for check in CHECKS} == {
        known["id"] for known in first["services"][0]["endpoints"]
    }
