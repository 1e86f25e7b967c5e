"""The calendar of maintenance: valid iCalendar, stable names, silent until a window changes, only what is public."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_cast import NOW, SITE
from worlds import SITES, WORLDS, all_good

from monitor.model import Maintenance, MaintenanceWindow, Recurrence
from monitor.page import PageView, Renderer, Site, view
from monitor.page.maintenance_calendar import calendar
from monitor.page.render_cache import RenderCache

MOVE = MaintenanceWindow(NOW + timedelta(days=200), NOW + timedelta(days=200, hours=4))
ONCE = Maintenance(id="move", title="We move", once=MOVE)
SUNDAYS = Maintenance(
    id="sundays",
    title="Updates",
    endpoints=frozenset({"ohmygpt/cf-cdn"}),
    recurring=Recurrence(
        at=time(3),
        zone=ZoneInfo("Asia/Shanghai"),
        lasts=timedelta(hours=2),
        weekdays=frozenset({6}),
    ),
)


def page(*plans: Maintenance, at: datetime = NOW, site: Site = SITE) -> PageView:
    return view(replace(site, maintenance=plans), replace(all_good(), at=at), {})[0]


def events(content: bytes) -> Sequence[Any]:
    """As a parser of others reads them; it refuses what is no calendar."""
    icalendar = pytest.importorskip("icalendar")
    read = icalendar.Calendar.from_ical(content)
    assert read.errors == []
    assert [each.errors for each in read.walk()] == [[] for _ in read.walk()]
    return list(read.walk("VEVENT"))


def said(event: Any) -> Mapping[str, object]:
    names = ("UID", "SUMMARY", "DESCRIPTION", "URL", "TRANSP")
    times = {name: event[name].dt for name in ("DTSTAMP", "DTSTART", "DTEND")}
    return {name: str(event[name]) for name in names} | times


def test_an_event_says_what_the_page_says_of_a_window_in_each_language() -> None:
    first = page(ONCE)
    (english,) = events(calendar(first, RenderCache()))
    (chinese,) = events(calendar(first.others[0], RenderCache()))
    same = {
        "UID": "move@status.example",
        "DTSTAMP": NOW,
        "DTSTART": datetime(2027, 6, 11, 13, 42, 5, tzinfo=UTC),
        "DTEND": datetime(2027, 6, 11, 17, 42, 5, tzinfo=UTC),
        "TRANSP": "TRANSPARENT",
    }
    assert said(english) == same | {
        "SUMMARY": "Scheduled maintenance: We move",
        "DESCRIPTION": "Affects all base URLs. Failures during it are not counted.",
        "URL": "https://status.example/",
    }
    assert said(chinese) == same | {
        "SUMMARY": "计划维护：We move",
        "DESCRIPTION": "影响范围：所有端点。期间的失败不计入统计。",
        "URL": "https://status.example/zh-CN/",
    }


def test_what_recurs_is_an_event_for_each_window_of_ninety_days() -> None:
    found = events(calendar(page(SUNDAYS), RenderCache()))
    first, *_, last = found
    assert len(found) == 13
    assert str(first["UID"]) == "sundays-20261128T190000Z@status.example"
    assert first["DTSTART"].dt == datetime(2026, 11, 28, 19, tzinfo=UTC)
    assert first["DTEND"].dt == datetime(2026, 11, 28, 21, tzinfo=UTC)
    assert str(first["DESCRIPTION"]).startswith("Affects Cloudflare CDN. ")
    assert last["DTSTART"].dt == datetime(2027, 2, 20, 19, tzinfo=UTC)


def test_the_file_is_the_same_until_a_window_changes_and_then_only_that_one_is_stamped_anew() -> (
    None
):
    cache, later = RenderCache(), NOW + timedelta(hours=1)
    before = calendar(page(ONCE, SUNDAYS), cache)
    assert calendar(page(ONCE, SUNDAYS, at=later), cache) == before
    moved = replace(ONCE, once=MaintenanceWindow(MOVE.start, MOVE.end + timedelta(hours=1)))
    stamps = {
        str(event["UID"]): event["DTSTAMP"].dt
        for event in events(calendar(page(moved, SUNDAYS, at=later), cache))
    }
    assert stamps.pop("move@status.example") == later, "under the name that it had"
    assert set(stamps.values()) == {NOW}


def test_a_window_that_begins_is_no_other_event() -> None:
    cache = RenderCache()
    before = calendar(page(ONCE), cache)
    assert calendar(page(ONCE, at=MOVE.start + timedelta(minutes=1)), cache) == before


def test_it_is_there_only_where_maintenance_of_something_public_is_planned() -> None:
    def names(site: Site) -> set[str]:
        return {name for name in Renderer().files(view(site, all_good(), {})[0]) if "ics" in name}

    private = replace(SITES["crowded"].services[1], public=False)
    both = replace(SITES["crowded"], services=(SITE.services[0], private))
    of_private = Maintenance(id="hidden", title="Canary", services=frozenset({"sites"}), once=MOVE)
    assert names(SITE) == set()
    assert names(replace(both, maintenance=(of_private,))) == set()
    assert names(replace(both, maintenance=(of_private, SUNDAYS))) == {
        "maintenance.ics",
        "zh-CN/maintenance.ics",
    }
    for each in (page(of_private, SUNDAYS, site=both), page(of_private, ONCE, site=both)):
        assert b"Canary" not in calendar(each, RenderCache())
        assert b"Websites" not in calendar(each, RenderCache())


def test_the_page_leads_to_it_once_where_windows_are_shown_and_at_its_foot() -> None:
    files = Renderer().files(view(SITES["mock"], WORLDS["mock"](), {})[0])
    for path in ("", "zh-CN/"):
        home = files[f"{path}index.html"].decode()
        links = re.findall(r'href="([^"]*maintenance\.ics)"', home)
        assert links == [f"webcal://status.example/{path}maintenance.ics", "maintenance.ics"]
    nameless = replace(SITES["mock"], settings=replace(SITES["mock"].settings, url=None))
    home = Renderer().files(view(nameless, WORLDS["mock"](), {})[0])["index.html"].decode()
    assert re.findall(r'href="([^"]*maintenance\.ics)"', home) == ["maintenance.ics"] * 2


def test_what_separates_values_is_escaped_in_a_text_and_a_long_line_is_folded() -> None:
    shown = page(replace(ONCE, title="a; b, c\\d\nATTACH:x 维护维护维护维护维护维护"))
    assert (
        b"SUMMARY:Scheduled maintenance: a\\; b\\, c\\\\d ATTACH:x "
        + "维护维护维护维\r\n 护维护维护".encode()
        + b"\r\nDESCRIPTION:"
        in calendar(shown, RenderCache())
    )


@given(title=st.text(max_size=200) | st.text("维护\\;,\n\r:\"'é\u202e\x00", max_size=200))
def test_whatever_a_title_is_made_of_it_is_text_and_no_line_is_longer_than_75_octets(
    title: str,
) -> None:
    shown = page(replace(ONCE, title=title))
    for each in (shown, *shown.others):
        content = calendar(each, RenderCache())
        assert content.endswith(b"END:VCALENDAR\r\n")
        lines = content.removesuffix(b"\r\n").split(b"\r\n")
        assert max(map(len, lines)) <= 75
        assert not any(b"\n" in line or b"\r" in line for line in lines)
        for line in lines:
            line.decode()
        (event,) = events(content)
        say = each.language.gettext
        assert str(event["SUMMARY"]) == say(
            "Scheduled maintenance: %(title)s", title=each.calendar[0].title
        )
