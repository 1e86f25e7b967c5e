"""What the last page said is said again where it is over, and told anew as soon as anything about it changes."""

import gc
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_cast import CHECKS, ENDPOINTS, NOW, SERVICE, SITE, ago, fail, incident, many
from worlds import all_good

from monitor.language import ENGLISH
from monitor.model import (
    EntryKind,
    FailureKind,
    Incident,
    Service,
    Severity,
    Snapshot,
    TimelineEntry,
)
from monitor.page import RenderCache, Renderer, Site, view
from monitor.page.incident_views import IncidentViews
from monitor.page.view_models import CROWD, IN_FULL, PageView

KEYS = tuple(check.key for check in CHECKS)


def noted(incident: Incident, text: str) -> Incident:
    """The operator explains it, which they may do when it is over."""
    note = TimelineEntry(at=NOW, what=EntryKind.NOTE, text=text)
    return replace(incident, timeline=(*incident.timeline, note))


def site(names: list[str]) -> Site:
    """The first base URLs by other names."""
    others = [
        replace(each, name=name) for each, name in zip(ENDPOINTS[: len(names)], names, strict=True)
    ]
    by_id = {endpoint.id: endpoint for endpoint in (*ENDPOINTS, *others)}
    return replace(
        SITE,
        services=(replace(SERVICE, endpoints=tuple(by_id.values())),),
        checks=tuple(replace(each, endpoint=by_id[each.endpoint.id]) for each in CHECKS),
    )


def world(incidents: list[Incident], minutes: int) -> Snapshot:
    numbered = tuple(replace(incident, id=number) for number, incident in enumerate(incidents, 1))
    return replace(all_good(), at=NOW + timedelta(minutes=minutes), incidents=numbered)


INCIDENTS = st.builds(
    lambda severity, kind, minutes, checks, note: noted(
        incident(0, severity, kind, ago(hours=30), minutes, *checks), note
    ),
    st.sampled_from((Severity.DOWN, Severity.DEGRADED, Severity.ACCOUNT)),
    st.sampled_from(
        (
            FailureKind.SERVER_ERROR,
            FailureKind.SLOW,
            FailureKind.AUTH_INVALID,
            FailureKind.SNI_BLOCKED,
        )
    ),
    st.none() | st.integers(1, 600),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=18, unique=True),
    st.sampled_from(("", "mended")),
)
PAGES = st.tuples(
    st.lists(INCIDENTS, max_size=3), st.integers(0, 3), st.lists(st.sampled_from("ab"), max_size=2)
)


@settings(max_examples=15, deadline=None)
@given(st.lists(PAGES, min_size=2, max_size=4))
def test_a_page_that_remembers_the_last_one_is_the_page_that_does_not(
    pages: list[tuple[list[Incident], int, list[str]]],
) -> None:
    last = RenderCache()
    for incidents, minutes, names in pages:
        snapshot, shown = world(incidents, minutes), site(names)
        assert view(shown, snapshot, {}, last) == view(shown, snapshot, {})


def test_what_is_over_is_told_once_and_what_lasts_each_time() -> None:
    last = RenderCache()
    over = incident(1, Severity.DOWN, FailureKind.SERVER_ERROR, ago(hours=2), 5, KEYS[1])
    lasting = incident(2, Severity.DOWN, FailureKind.SLOW, ago(minutes=9), None, KEYS[4])

    def told(*incidents: Incident) -> list[object]:
        page = view(SITE, replace(all_good(), incidents=incidents), {}, last)[0]
        return [*page.incidents, *page.others[0].incidents]

    first, again = told(over, lasting), told(replace(over), lasting)
    assert [before is after for before, after in zip(first, again, strict=True)] == [
        True,
        False,
    ] * 2
    after = told(noted(over, "mended"), lasting)
    assert [before is after for before, after in zip(again, after, strict=True)] == [
        False,
        False,
    ] * 2


def test_what_is_no_longer_told_is_forgotten() -> None:
    cache = RenderCache()
    views = IncidentViews({}, ENGLISH, cache)
    over = incident(1, Severity.DOWN, FailureKind.SERVER_ERROR, ago(hours=2), 5, KEYS[1])

    def told(*incidents: Incident) -> tuple[object, ...]:
        cache.turn()
        return views.views(incidents, lambda _: None, NOW, {})

    (incident_view,) = told(over)
    assert told(over)[0] is incident_view
    assert told() == ()
    assert told(over)[0] is not incident_view


@cache
def crowd() -> tuple[Site, Snapshot]:
    return many(CROWD + 1)


def named(names: dict[int, str]) -> Site:
    """The crowd, some of it by other names."""
    site_of_many, _ = crowd()
    (service,) = site_of_many.services
    endpoints = tuple(
        replace(known, name=names.get(number, known.name))
        for number, known in enumerate(service.endpoints)
    )
    by_id = {endpoint.id: endpoint for endpoint in endpoints}
    return replace(
        site_of_many,
        services=(Service(id="many", name="Many", endpoints=endpoints),),
        checks=tuple(
            replace(known, endpoint=by_id[known.endpoint.id]) for known in site_of_many.checks
        ),
    )


def failing(numbers: Sequence[int]) -> Snapshot:
    site_of_many, snapshot = crowd()
    for number in numbers:
        snapshot = fail(snapshot, site_of_many.checks[number].key, FailureKind.SERVER_ERROR, 1)
    return snapshot


PLACES = st.integers(0, CROWD)
CROWDS = st.tuples(
    st.dictionaries(PLACES, st.text("ab<&\"'优", min_size=1, max_size=9), max_size=4),
    st.lists(PLACES, max_size=4),
)


@pytest.mark.slow
@settings(max_examples=5, deadline=None)
@given(crowds=st.lists(CROWDS, min_size=1, max_size=4))
def test_the_crowded_home_page_with_what_is_kept_is_the_one_made_anew(
    crowds: list[tuple[dict[int, str], list[int]]],
) -> None:
    cache = RenderCache()
    renderer = Renderer(cache)
    for names, bad in crowds:
        page = view(named(names), failing(bad), {}, cache)[0]
        assert renderer.files(page)["index.html"] == Renderer().files(page)["index.html"]


def test_a_line_says_name_state_days_uptime_and_median_and_escapes_the_name() -> None:
    page = view(named({IN_FULL: "<b>"}), failing(range(IN_FULL + 1)), {})[0]
    html = re.sub(r' d="[^"]*"', "", Renderer().files(page)["index.html"].decode())
    (line,) = re.findall(r'<li class="row" data-state="major_outage">.*', html)
    assert line == (
        '<li class="row" data-state="major_outage"><a href="endpoints/many/e20/">'
        '<svg class="icon" aria-hidden="true"><use href="#i-major_outage"/></svg><b>&lt;b&gt;</b><code>api20.example</code></a>'
        '<span class="row__state">Major outage</span>'
        '<svg class="uptime__bars" viewBox="0 0 720 34" preserveAspectRatio="none" role="img"'
        ' aria-label="&lt;b&gt;: 100\xa0% uptime over 90 days. 1 day with trouble.">'
        '<path class="bar-o"/><path class="bar-x"/><path stroke="url(#hatch)"/></svg>'
        "<span>100\xa0%</span><span>\u2013</span></li>"
    )


def test_a_page_is_let_go_of_as_soon_as_it_is_rendered() -> None:
    """Else each page and all that it shows would wait in memory for a full garbage collection."""

    def pages() -> int:
        return sum(isinstance(found, PageView) for found in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = pages()
        page, _ = view(SITE, all_good(), {})
        files = [*Renderer(RenderCache(holds_files=False)).files(page)]
        assert files
        assert pages() > before
        del page, files
        assert pages() == before
    finally:
        gc.enable()
