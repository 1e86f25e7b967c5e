"""The widget for frames of other pages: small, without a script, and never surer than the page."""

import gzip
import json
import re
from dataclasses import replace

import pytest
from page_cast import SITE
from page_text import page_text
from rendering import rendered
from worlds import WORLDS, files

from monitor.page import Site, view

WIDGETS = ("embed/index.html", "zh-CN/embed/index.html")


def lines(world: str, site: Site | None = None, name: str = WIDGETS[0]) -> list[str]:
    _, *said = page_text(files(world, site)[name].decode()).splitlines()
    return said


VALID = "Measured at 2026-11-23 13:42:05 UTC. Valid until 2026-11-23 13:52:05 UTC. This box does not renew itself."


def test_it_says_the_state_what_to_use_and_when_that_was_measured() -> None:
    assert lines("mock") == [
        "# OhMyGPT status",
        "Partial outage The service is up. One base URL is not reachable from Shanghai.",
        "Use https://www.aigptx.top",
        VALID,
    ]
    assert lines("mock", name=WIDGETS[1])[1:] == [
        "部分中断 服务正常。有 1\u00a0个端点从\u00a0Shanghai 无法访问。",
        "请用 https://www.aigptx.top",
        "测量于 2026-11-23 13:42:05 UTC。有效期至 2026-11-23 13:52:05 UTC。此框不会自动更新。",
    ]


@pytest.mark.parametrize(
    ("world", "said"),
    [
        ("places", ["From Shanghai use https://www.aigptx.top"]),
        (
            "crowded",
            ["OhMyGPT Use https://api.ohmygpt.com", "Websites Use https://www10.example.com"],
        ),
        ("everything-down", ["No base URL is known to work from here right now."]),
    ],
)
def test_of_each_service_it_says_which_base_url_to_use_or_that_none_is_known(
    world: str, said: list[str]
) -> None:
    assert lines(world)[2:] == [*said, VALID]


def test_of_a_monitor_that_stopped_it_says_the_last_known_state_and_recommends_nothing() -> None:
    assert lines("stopped")[1:] == [
        "Last known: Partial outage The service is up. One base URL is not reachable from Shanghai.",
        "Measured at 2026-11-23 13:42:05 UTC. Monitoring stopped at 2026-11-23 13:42:05 UTC. This box does not renew itself.",
    ]


def test_what_was_never_measured_has_no_time() -> None:
    assert lines("fresh")[-1].startswith("No recent measurements. Valid until ")


@pytest.mark.parametrize("world", WORLDS)
def test_it_recommends_what_best_json_does(world: str) -> None:
    pages = files(world)
    best = json.loads(pages["best.json"])["services"].values()
    for name in WIDGETS:
        used = re.findall("<code>(.*?)</code>", pages[name].decode())
        assert used == [pick["url"] for pick in best if pick]


def test_of_a_base_url_that_has_faults_it_says_so() -> None:
    page = view(SITE, WORLDS["all-good"](), {})[0]
    (service,) = page.services
    flawed = replace(service, picks=(replace(service.picks[0], flaw=True),))
    widget = rendered(replace(page, services=(flawed,)))[WIDGETS[0]].decode()
    assert "Use https://api.ohmygpt.com has faults" in page_text(widget)


def test_where_base_urls_are_not_shown_it_names_them() -> None:
    nameless = replace(SITE, settings=replace(SITE.settings, hosts=False))
    assert lines("all-good", nameless)[2] == "Use Direct to the US origin"


@pytest.mark.parametrize("world", WORLDS)
def test_it_is_small_and_loads_one_stylesheet_and_no_script(world: str) -> None:
    pages = files(world)
    (style,) = (name for name in pages if name.startswith("embed."))
    for name in WIDGETS:
        widget = pages[name].decode()
        loaded = re.findall(r"<(?:script|link|img|iframe)[^>]*>", widget)
        assert loaded == [f'<link rel="stylesheet" href="{"../" * name.count("/")}{style}">']
        assert len(gzip.compress(pages[name])) + len(gzip.compress(pages[style])) < 10_000


def test_search_engines_do_not_list_it() -> None:
    pages = files("mock")
    assert b"embed" not in pages["sitemap.xml"]
    for name in WIDGETS:
        assert b'<meta name="robots" content="noindex">' in pages[name]
    named = replace(SITE.services[0].endpoints[0], id="embed")
    checks = tuple(replace(check, endpoint=named) for check in SITE.checks[:1])
    site = replace(SITE, services=(replace(SITE.services[0], endpoints=(named,)),), checks=checks)
    assert b"/endpoints/ohmygpt/embed/</loc>" in files("all-good", site)["sitemap.xml"]
