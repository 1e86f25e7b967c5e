"""The map for assistants is true: each file that it names is there, and says what it is said to say."""

import json
import re
from dataclasses import replace

import pytest
from hostile_site import hostile_site
from page_cast import SITE
from rendering import rendered
from worlds import SITES, WORLDS, all_good, files, mixed

from monitor.page import Site, view

LINK = re.compile(r"^- \[([\w./-]+)\]\(([^)]+)\): .*\.$", re.MULTILINE)


@pytest.mark.parametrize("world", WORLDS)
def test_each_file_that_it_names_is_there_under_its_address(world: str) -> None:
    published = files(world)
    text = published["llms.txt"].decode()
    links = LINK.findall(text)
    assert len(links) == len(re.findall("^- \\[", text, re.MULTILINE)) >= 8
    for name, address in links:
        assert name in published
        assert address == f"https://status.example/{name}"
    ours = {name.split("/")[-1] for name in published}
    named = re.findall(r"`([\w-]+\.[a-z]+)`", text)
    assert set(named) <= ours, "in a sentence too"


def test_the_fields_that_it_explains_are_those_of_the_files() -> None:
    published = files("everything-down")
    text = published["llms.txt"].decode()
    assert {"valid_until", "null", "unknown", "flaw", "_ms"} <= set(re.findall(r"`(\w+)`", text))
    best, status = json.loads(published["best.json"]), json.loads(published["status.json"])
    assert best["services"] == {"ohmygpt": None}
    assert published["best.txt"] == b"\n"
    assert {"valid_until"} <= best.keys() & status.keys()
    assert json.loads(files("mock")["best.json"])["services"]["ohmygpt"]["flaw"] is False
    assert "`ohmygpt`" in text


def test_it_is_the_same_whatever_is_measured() -> None:
    site = SITES["all-good"]
    first, later = (rendered(view(site, each(), {})[0])["llms.txt"] for each in (all_good, mixed))
    assert first == later


def test_it_names_what_this_page_has() -> None:
    def named(world: str, site: Site | None = None) -> set[str]:
        return {name for name, _ in LINK.findall(files(world, site)["llms.txt"].decode())}

    nameless = replace(SITE, settings=replace(SITE.settings, hosts=False))
    assert named("all-good") - named("all-good", nameless) == {"best.txt"}
    assert named("places") - named("all-good") == {
        "best/fra.json",
        "best/cn.json",
        "best/hk.json",
        "best/laptop.json",
    }
    assert named("mock") - named("all-good") == {"maintenance.ics"}
    without_address = replace(SITE, settings=replace(SITE.settings, url=None))
    text = files("all-good", without_address)["llms.txt"].decode()
    assert "- [best.json](best.json): " in text


def test_a_name_of_the_operators_makes_no_line_of_its_own() -> None:
    plain, hostile = (
        rendered(view(site, all_good(), {})[0])["llms.txt"].decode()
        for site in (SITE, hostile_site())
    )
    assert hostile.count("\n") == plain.count("\n")


def test_a_service_that_is_not_public_is_not_in_it() -> None:
    both = SITES["crowded"]
    private = replace(both, services=(both.services[0], replace(both.services[1], public=False)))
    text = files("crowded", private)["llms.txt"].decode()
    assert "of OhMyGPT answer" in text
    assert "Websites" not in text
    assert "sites" not in text
