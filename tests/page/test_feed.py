"""The feed: valid Atom, stable names, and silent until something happens to an incident."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest
from page_cast import NOW, SITE, ago
from worlds import SITES, WORLDS, mixed

from monitor.model import Announcement, EntryKind, Snapshot, TimelineEntry
from monitor.page import PageView, view
from monitor.page.feed import atom, sitemap

ATOM = "{http://www.w3.org/2005/Atom}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MUST = {"feed": ("id", "title", "updated"), "entry": ("id", "title", "updated")}


def page(world: str) -> PageView:
    return view(SITES[world], WORLDS[world](), {})[0]


def seen(snapshot: Snapshot, **settings: Any) -> PageView:
    site = replace(SITE, settings=replace(SITE.settings, **settings))
    return view(site, snapshot, {})[0]


def parsed(content: bytes) -> Any:
    feed = feedparser.parse(content)
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    return feed


def test_an_announcement_is_in_the_feed_while_it_stands() -> None:
    told = Announcement(id=3, at=ago(minutes=5), text="A <new> model.")
    feed = parsed(atom(seen(replace(mixed(), announcements=(told,)))))
    entry = feed.entries[0]
    assert (entry.title, entry.content[0].value) == ("Announcement", "A <new> model.")
    assert entry.content[0].type == "text/plain"
    assert entry.id == "tag:status.example,2026-11-23:/announcements/3/133705"
    assert entry.link == "https://status.example/"
    assert entry.updated == feed.feed.updated == "2026-11-23T13:37:05Z"
    assert len(feed.entries) == len(parsed(atom(seen(mixed()))).entries) + 1


def breaches(content: bytes) -> Iterator[str]:
    """What RFC 4287 forbids, section 4.1.1 and 4.1.2."""
    root = ET.fromstring(content)
    for element in [root, *root.iter(f"{ATOM}entry")]:
        kind = element.tag.removeprefix(ATOM)
        for name in MUST[kind]:
            if len(element.findall(f"{ATOM}{name}")) != 1:
                yield f"{kind} must have one {name}"
        links = [
            (link.get("rel"), link.get("type"), link.get("hreflang"))
            for link in element.findall(f"{ATOM}link")
        ]
        if len(links) != len(set(links)):
            yield f"{kind} has two links of one kind"
        if not all(link.get("href") for link in element.findall(f"{ATOM}link")):
            yield f"{kind} has a link to nowhere"
    if root.find(f"{ATOM}author/{ATOM}name") is None:
        yield "entries must have an author, or their feed one"
    ids = [element.text or "" for element in root.iter(f"{ATOM}id")]
    if len(ids) != len(set(ids)):
        yield "two things have one id"
    yield from (
        f"{element} is no tag URI"
        for element in ids
        if not re.fullmatch(r"tag:[\w.-]+,\d{4}(-\d\d(-\d\d)?)?:[\w/.-]+", element)
    )
    times = [
        element.text or ""
        for name in ("updated", "published")
        for element in root.iter(f"{ATOM}{name}")
    ]
    yield from (f"{time} is no time" for time in times if not TIME.fullmatch(time))


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("url", ["https://status.example", "https://example.org/a/status", None])
def test_it_is_valid_atom(world: str, url: str | None) -> None:
    site = replace(SITES[world], settings=replace(SITES[world].settings, url=url))
    content = atom(view(site, WORLDS[world](), {})[0])
    assert list(breaches(content)) == []
    assert len(parsed(content).entries) == len(WORLDS[world]().incidents)


def test_what_a_reader_sees() -> None:
    feed = parsed(atom(page("mixed")))
    newest = feed.entries[0]
    assert (feed.feed.title, feed.feed.link) == ("OhMyGPT status", "https://status.example/")
    assert newest.title == "Cloudflare Worker: slow · Ongoing"
    assert newest.link == "https://status.example/incidents/8/"
    assert newest.id == "tag:status.example,2026-11-23:/incidents/8/125805"
    assert "Began" in newest.content[0].value


def test_nothing_changes_until_something_happens() -> None:
    later = replace(mixed(), at=NOW + timedelta(minutes=7))
    assert atom(seen(later)) == atom(seen(mixed()))


def moved(content: bytes) -> tuple[str, dict[str, str]]:
    feed = parsed(content)
    return feed.feed.updated, {entry.id.rsplit("/", 2)[1]: entry.updated for entry in feed.entries}


def noted(snapshot: Snapshot, number: int, at: datetime, text: str) -> Snapshot:
    note = TimelineEntry(at=at, what=EntryKind.NOTE, text=text)
    return replace(
        snapshot,
        incidents=tuple(
            replace(incident, timeline=(*incident.timeline, note))
            if incident.id == number
            else incident
            for incident in snapshot.incidents
        ),
    )


def test_an_update_moves_its_own_incident_and_the_feed() -> None:
    before, after = mixed(), noted(mixed(), 5, ago(minutes=1), "We found the cause.")
    feed, entries = moved(atom(seen(before)))
    feed_after, entries_after = moved(atom(seen(after)))
    assert (feed, feed_after) == ("2026-11-23T12:58:05Z", "2026-11-23T13:41:05Z")
    assert {name for name in entries if entries[name] != entries_after[name]} == {"5"}
    assert "We found the cause." in atom(seen(after)).decode()


def test_hostile_words_stay_words() -> None:
    text = "<script>alert(1)</script> ]]> &amp; \x0b \ud800 & 'more' \""
    content = atom(seen(noted(mixed(), 9, NOW, text), title="<b>A & B</b>"))
    assert list(breaches(content)) == []
    feed = parsed(content)
    assert feed.feed.title == "<b>A & B</b>"
    assert "<script" not in feed.entries[1].content[0].value


def test_a_feed_without_incidents_is_valid_and_never_changes() -> None:
    content = atom(page("all-good"))
    assert parsed(content).feed.updated == "1970-01-01T00:00:00Z"


def test_each_language_has_a_feed_of_its_own_name() -> None:
    both = seen(mixed(), languages=("en", "zh-CN"))
    english, chinese = atom(both), atom(both.others[0])
    ids = [{entry.id for entry in parsed(content).entries} for content in (english, chinese)]
    assert ids[0].isdisjoint(ids[1])
    assert parsed(chinese).feed.language == "zh-CN"
    assert (
        "正在" in parsed(chinese).entries[0].title or "进行中" in parsed(chinese).entries[0].title
    )
    assert parsed(chinese).entries[0].link == "https://status.example/zh-CN/incidents/8/"


def test_the_map_of_the_site_has_whole_addresses_of_folders() -> None:
    names = ("style.0123456789.css", "404.html", "zh-CN/index.html", "index.html")
    site_map = ET.fromstring(sitemap("https://example.org/status", names))
    assert [element.text for element in site_map.iter() if element.tag.endswith("loc")] == [
        "https://example.org/status/zh-CN/",
        "https://example.org/status/",
    ]
