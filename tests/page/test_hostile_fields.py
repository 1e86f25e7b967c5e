"""`<script>` in every text that a snapshot holds: wherever the page shows it, it stays text."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import worlds
from hostile_site import HOSTILE, hostile_site, tags
from page_cast import SITE
from rendering import rendered

from monitor.model import Evidence, Failure, OutboxMessage, Result, Stream, TimelineEntry
from monitor.page import Site, view

TEXTS: Mapping[type, tuple[str, ...]] = {
    Failure: ("message",),
    Evidence: ("body", "note"),
    TimelineEntry: ("text",),
    Result: ("model", "remote_ip"),
    Stream: ("finish_reason",),
    OutboxMessage: ("last_error", "text"),
}
"""What comes from outside, or from a person."""


def poisoned(value: Any, text: str) -> Any:
    """The same value with `text` in every field of `TEXTS` that is set."""
    if isinstance(value, Enum) or (
        not isinstance(value, tuple | list | dict) and not is_dataclass(value)
    ):
        return value
    if isinstance(value, dict):
        return {name: poisoned(item, text) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(poisoned(item, text) for item in value)
    assert not isinstance(value, type)
    changed = {
        field.name: poisoned(getattr(value, field.name), text)
        for field in fields(value)
        if field.init
    }
    changed |= {
        name: text for name in TEXTS.get(type(value), ()) if getattr(value, name) is not None
    }
    if isinstance(value, Evidence):
        changed["headers"] = ((text, text), ("server", text))
    if isinstance(value, Result) and value.failure is not None and value.model is None:
        changed["model"] = text
    return replace(value, **changed)


def rendered_with(site: Site, text: str) -> Mapping[str, bytes]:
    """With spend and errors shown, and evidence beside every failure."""
    shown = replace(site, settings=replace(site.settings, errors=True, spend=True))
    mixed = worlds.mixed()
    checks = {
        name: replace(
            history,
            evidence=Evidence(headers=(("server", "x"),), body="x", note="x"),
        )
        for name, history in mixed.checks.items()
    }
    snapshot = poisoned(replace(mixed, checks=checks), text)
    return rendered(view(shown, snapshot, {})[0])


@pytest.fixture(scope="module")
def published() -> Mapping[str, bytes]:
    return rendered_with(hostile_site(), HOSTILE)


def test_no_text_of_a_snapshot_becomes_an_element(published: Mapping[str, bytes]) -> None:
    plain = rendered_with(SITE, "plain")
    assert any(b"plain" in content for name, content in plain.items() if name.endswith(".html"))
    for name, content in published.items():
        if not name.endswith((".html", ".svg")) or name not in plain:
            continue
        kinds = {tag for tag, _ in tags(plain[name])}
        for tag, attributes in tags(content):
            assert tag in kinds, name
            assert not [attribute for attribute in attributes if attribute.startswith("on")], name
        scripts = [attributes for tag, attributes in tags(content) if tag == "script"]
        assert len(scripts) == len([tag for tag, _ in tags(plain[name]) if tag == "script"]), name


def test_it_is_shown_nevertheless_as_text(published: Mapping[str, bytes]) -> None:
    pages = b"".join(content for name, content in published.items() if name.endswith(".html"))
    assert b"&lt;script&gt;alert(1)&lt;/script&gt;" in pages
    markup = {name for name in published if name.endswith((".html", ".svg", ".atom", ".xml"))}
    assert [name for name in markup if b"<script>alert" in published[name]] == []


def test_no_page_runs_what_is_not_its_own(published: Mapping[str, bytes]) -> None:
    for name, content in published.items():
        if not name.endswith(".html"):
            continue
        policies = [
            attributes["content"] or ""
            for tag, attributes in tags(content)
            if attributes.get("http-equiv") == "Content-Security-Policy"
        ]
        assert len(policies) == 1, name
        assert policies[0].startswith("default-src 'none'"), name
        assert "unsafe" not in policies[0], name


def test_what_programs_read_stays_readable(published: Mapping[str, bytes]) -> None:
    for name, content in published.items():
        if name.endswith(".json"):
            json.loads(content)
        if name.endswith((".svg", ".atom")):
            ET.fromstring(content)
