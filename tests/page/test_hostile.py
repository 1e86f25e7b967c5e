"""Names, titles and addresses that somebody chose to hurt: they are text, wherever they are shown."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
import worlds
from hostile_site import ADDRESS, HOSTILE, hostile_site, tags
from page_cast import NOW, SITE, incident, key
from rendering import rendered

from monitor.model import EntryKind, FailureKind, Severity, TimelineEntry
from monitor.page import Site, view


def files(site: Site, text: str) -> Mapping[str, bytes]:
    """With a person's note."""
    noted = incident(7, Severity.DOWN, FailureKind.BAD_GATEWAY, NOW, None, key("cf-cdn"))
    note = TimelineEntry(at=NOW, what=EntryKind.NOTE, text=text)
    mixed = worlds.mixed()
    with_note = replace(noted, timeline=(*noted.timeline, note))
    snapshot = replace(mixed, incidents=(with_note, *mixed.incidents))
    return rendered(view(site, snapshot, {})[0])


@pytest.fixture(scope="module")
def published() -> Mapping[str, bytes]:
    return files(hostile_site(), HOSTILE)


def test_hostile_text_makes_no_element_and_no_attribute(published: Mapping[str, bytes]) -> None:
    plain = files(SITE, "a plain note")
    for name, content in published.items():
        if not name.endswith((".html", ".svg")) or name not in plain:
            continue
        expected = [(tag, set(attributes)) for tag, attributes in tags(plain[name])]
        kinds = {tag for tag, _ in expected}
        assert {tag for tag, _ in tags(content)} <= kinds, name
        for tag, attributes in tags(content):
            assert not [attribute for attribute in attributes if attribute.startswith("on")], name
            assert (tag, set(attributes)) in expected, name


def test_only_our_own_script_is_loaded(published: Mapping[str, bytes]) -> None:
    for name, content in published.items():
        if name.endswith(".html") and "embed/" not in name:
            scripts = [attributes["src"] for tag, attributes in tags(content) if tag == "script"]
            assert len(scripts) == 1, name
            own = r"[./]*" if not name.endswith("404.html") else re.escape(f"{ADDRESS}/")
            assert re.fullmatch(rf"{own}status\.[0-9a-f]{{10}}\.js", scripts[0] or "")


def test_a_hostile_address_does_not_widen_the_policy(published: Mapping[str, bytes]) -> None:
    policies = {
        attributes["content"]
        for name, content in published.items()
        if name.endswith(".html") and "embed/" not in name
        for tag, attributes in tags(content)
        if attributes.get("http-equiv") == "Content-Security-Policy"
    }
    assert len(policies) == 1
    (policy,) = policies
    assert policy is not None
    assert [part.split()[0] for part in policy.split("; ")] == [
        "default-src",
        "style-src",
        "script-src",
        "img-src",
        "connect-src",
        "base-uri",
        "form-action",
    ]


def test_every_file_for_programs_can_still_be_read(published: Mapping[str, bytes]) -> None:
    for name, content in published.items():
        if name.endswith(".json"):
            json.loads(content)
        if name.endswith((".svg", ".atom")):
            ET.fromstring(content)
    assert json.loads(published["status.json"])["title"] == HOSTILE.removesuffix("\u202e")
    assert published["best.txt"].count(b"\n") == 1


def test_a_service_that_is_not_public_is_in_no_file() -> None:
    more = worlds.SITES["crowded"]
    half = replace(more, services=(more.services[0], replace(more.services[1], public=False)))
    for name, content in rendered(view(half, worlds.crowded(), {})[0]).items():
        assert b"Websites" not in content, name
        assert b"www1.example.com" not in content, name
        assert "sites/" not in name
