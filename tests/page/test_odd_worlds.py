"""Worlds that should not be: the page is still whole, valid, and says nothing absurd."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
import worlds
from jsonschema import Draft202012Validator
from page_cast import CHECKS, ENDPOINTS, NOW, SERVICE, SITE
from rendering import rendered

from monitor.model import Point, Rollup, Service, Snapshot, Timings
from monitor.page import Site, view
from monitor.page.machine_files import detail_schema, status_schema

STATUS = Draft202012Validator(json.loads(status_schema()))
DETAIL = Draft202012Validator(json.loads(detail_schema()))
EVIL = "\u202egnp.exe\u2066 <script>alert(1)</script> & \" ' ]]> \x00\x07" + "x" * 10_000
EMPTY = Snapshot(at=NOW, checks={}, incidents=())


def published(site: Site, snapshot: Snapshot) -> Mapping[str, bytes]:
    """Every file can be read by what reads it."""
    files = rendered(view(site, snapshot, {})[0])
    for name, content in files.items():
        if name.endswith(".json"):
            document = json.loads(content, parse_constant=_refuse)
            if name == "status.json":
                assert list(STATUS.iter_errors(document)) == []
            elif name.startswith("endpoints/"):
                assert list(DETAIL.iter_errors(document)) == []
        elif name.endswith((".svg", ".atom", ".xml")):
            ET.fromstring(content)
        elif name.endswith(".html"):
            assert (
                re.findall(r"[^\w-](?:nan|inf)[^\w]|\x00|\u202e|\u2066", content.decode()) == []
            ), name
    return files


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def with_figure(value: float) -> Snapshot:
    """Every timing, point and speed is this."""
    timings = Timings(dns=value, connect=value, tls=value, ttfb=value, ttft=value, total=value)
    snapshot = worlds.all_good()
    checks = {
        name: replace(
            history,
            latest=history.latest and replace(history.latest, timings=timings),
            recent=tuple(replace(run, timings=timings) for run in history.recent),
            series=tuple(Point(point.at, value, value, value) for point in history.series),
        )
        for name, history in snapshot.checks.items()
    }
    return replace(snapshot, checks=checks)


@pytest.mark.parametrize("value", [-5.0, math.nan, math.inf, 0.0, 1e300])
def test_an_absurd_figure_does_not_cost_the_page(value: float) -> None:
    home = published(SITE, with_figure(value))["index.html"].decode()
    assert home.count('class="chart"') == 12


def test_without_any_service_or_public_one_there_is_a_page() -> None:
    hidden = replace(SITE, services=(replace(SERVICE, public=False),))
    for site in (replace(SITE, services=(), checks=()), hidden):
        files = published(site, worlds.mixed())
        assert files["best.txt"] == b""
        assert b"ohmygpt" not in b"".join(files.values()).replace(b"OhMyGPT", b"")


def test_one_base_url_is_enough() -> None:
    site = replace(SITE, services=(replace(SERVICE, endpoints=ENDPOINTS[:1]),), checks=CHECKS[:3])
    assert b"All base URLs work." in published(site, worlds.all_good())["index.html"]
    assert b"Nothing has been measured yet." in published(site, EMPTY)["index.html"]


@pytest.mark.slow
def test_fifty_services_with_chinese_names() -> None:
    services: list[Service] = []
    checks, known = [], {}
    for number in range(50):
        moved = replace(ENDPOINTS[0], service=f"s{number}")
        services.append(
            replace(SERVICE, id=f"s{number}", name=f"服务{number}号", endpoints=(moved,))
        )
        for check in CHECKS[:3]:
            checks.append(replace(check, service=f"s{number}", endpoint=moved))
            known[checks[-1].key] = replace(
                worlds.all_good().checks[check.key], check=checks[-1].key
            )
    site = replace(SITE, services=tuple(services), checks=tuple(checks))
    files = published(site, replace(EMPTY, checks=known))
    assert files["best.txt"].count(b"https://api.ohmygpt.com\n") == 50
    assert files["index.html"].count('lang="zh">服务7号'.encode()) >= 1


def test_names_that_turn_the_words_around_them_are_cut_and_cleaned() -> None:
    evil = {endpoint.id: replace(endpoint, name=EVIL, tags=(EVIL,)) for endpoint in ENDPOINTS}
    site = replace(
        SITE,
        services=(replace(SERVICE, name=EVIL, endpoints=tuple(evil.values())),),
        checks=tuple(replace(check, endpoint=evil[check.endpoint.id]) for check in CHECKS),
        settings=replace(SITE.settings, title=EVIL, links=((EVIL, "https://a.example/?b=<"),)),
    )
    for name, content in published(site, worlds.mixed()).items():
        assert b"x" * 200 not in content, name
        assert not name.endswith(".html") or b"<script>alert" not in content, name


def test_a_check_that_did_not_run_for_ninety_days_is_not_known() -> None:
    snapshot = worlds.all_good()
    long_ago = {
        name: replace(
            history,
            days={},
            windows={},
            recent=(),
            last_24h=Rollup(),
            latest=history.latest and replace(history.latest, at=NOW - timedelta(days=200)),
        )
        for name, history in snapshot.checks.items()
    }
    home = published(SITE, replace(snapshot, checks=long_ago))["index.html"]
    assert b"We cannot measure right now." in home


@pytest.mark.parametrize("year", [1971, 2038, 2099])
def test_the_clock_may_say_any_year(year: int) -> None:
    published(SITE, replace(worlds.mixed(), at=NOW.replace(year=year, month=1, day=19)))


def test_incidents_of_a_clock_that_was_set_back() -> None:
    snapshot = worlds.mixed()
    for change in ({"opened": NOW + timedelta(days=9)}, {"closed": NOW - timedelta(days=900)}):
        moved = tuple(replace(incident, **change) for incident in snapshot.incidents)  # type: ignore[arg-type]
        published(SITE, replace(snapshot, incidents=moved))
