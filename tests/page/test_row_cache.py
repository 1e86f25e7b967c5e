"""Lines of the crowded home page: kept where nothing is new, and the same as if none were kept."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from page_cast import fail, many

from monitor.language import Language, language, templates
from monitor.model import FailureKind, Service, Snapshot
from monitor.page import PageView, Site, ViewCache, view
from monitor.page.render import environment
from monitor.page.row_cache import RowCache
from monitor.page.view_models import CROWD

SITE, SNAPSHOT = many(CROWD + 1)


def named(names: dict[int, str]) -> Site:
    """The crowd, some of it by other names."""
    (service,) = SITE.services
    endpoints = tuple(
        replace(each, name=names.get(number, each.name))
        for number, each in enumerate(service.endpoints)
    )
    by_id = {each.id: each for each in endpoints}
    return replace(
        SITE,
        services=(Service(id="many", name="Many", endpoints=endpoints),),
        checks=tuple(replace(each, endpoint=by_id[each.endpoint.id]) for each in SITE.checks),
    )


def failing(numbers: Sequence[int]) -> Snapshot:
    found = SNAPSHOT
    for number in numbers:
        found = fail(found, SITE.checks[number].key, FailureKind.SERVER_ERROR, 1)
    return found


def rows(said: Language) -> RowCache:
    macros: Any = environment(templates(), said).get_template("row.html").module
    return RowCache(macros.who, macros.row)


ROWS = {code: rows(language(code)) for code in ("en", "zh-CN")}
PLACES = st.integers(0, CROWD)
WORLDS = st.tuples(
    st.dictionaries(PLACES, st.text("ab<&\"'优", min_size=1, max_size=9), max_size=4),
    st.lists(PLACES, max_size=4),
)


@pytest.mark.parametrize("code", ROWS)
@settings(max_examples=20, deadline=None)
@given(worlds=st.lists(WORLDS, min_size=1, max_size=4))
def test_what_is_kept_is_what_would_be_made_anew(
    code: str, worlds: list[tuple[dict[int, str], list[int]]]
) -> None:
    kept, known = ROWS[code], ViewCache()
    for names, bad in worlds:
        (service,) = view(named(names), failing(bad), {}, known)[0].services
        anew = RowCache(kept._who, kept._row)
        assert kept(service) == anew(service)


def test_a_line_says_name_state_days_uptime_and_median_and_escapes_the_name() -> None:
    (service,) = view(named({0: "<b>"}), failing([0]), {})[0].services
    line = re.sub(r' d="[^"]*"', "", ROWS["en"](service).split("</li>")[0])
    assert line == (
        '<li class="row" data-state="major_outage"><a href="endpoints/many/e0/">'
        '<svg class="icon" aria-hidden="true"><use href="#i-major_outage"/></svg><b>&lt;b&gt;</b></a>'
        '<span class="row__state">Major outage</span>'
        '<svg class="uptime__bars" viewBox="0 0 720 34" preserveAspectRatio="none" role="img"'
        ' aria-label="&lt;b&gt;: 100\xa0% uptime over 90 days. 1 day with trouble.">'
        '<path class="bar-o"/><path class="bar-x"/><path stroke="url(#hatch)"/></svg>'
        "<span>100\xa0%</span><span>\u2013</span>"
    )


class Asked:
    """Counts how often each macro is asked."""

    def __init__(self) -> None:
        self.who: list[str] = []
        self.rows: list[str] = []
        self.lines = RowCache(self._begin, self._row)

    def _begin(self, endpoint: object) -> str:
        self.who.append(endpoint.name)  # type: ignore[attr-defined]
        return self.who[-1]

    def _row(self, endpoint: object, who: str) -> str:
        self.rows.append(who)
        return f"{who};"

    def of(self, page: PageView) -> tuple[int, int]:
        """How many lines begin anew, and how many are new at all."""
        self.who, self.rows = [], []
        said = str(self.lines(page.services[0]))
        assert said == "".join(f"{each.name};" for each in page.endpoints)
        return len(self.who), len(self.rows)


def test_only_a_line_with_news_is_made_anew_and_only_its_state_or_name_makes_another_beginning() -> (
    None
):
    asked, known = Asked(), ViewCache()

    def news(site: Site, snapshot: Snapshot) -> tuple[int, int]:
        return asked.of(view(site, snapshot, {}, known)[0])

    key = SITE.checks[3].key
    calmer = replace(SNAPSHOT.checks[key], windows={})
    assert news(SITE, SNAPSHOT) == (CROWD + 1, CROWD + 1)
    assert news(SITE, SNAPSHOT) == (0, 0)
    assert news(SITE, replace(SNAPSHOT, checks={**SNAPSHOT.checks, key: calmer})) == (0, 1)
    assert news(SITE, SNAPSHOT) == (0, 1)
    assert news(SITE, failing([7])) == (1, 1)
    assert news(named({7: "Another"}), failing([7])) == (1, 1)


@pytest.mark.parametrize("gone", [0, CROWD])
def test_what_is_no_longer_there_is_forgotten(gone: int) -> None:
    asked = Asked()
    page = view(SITE, SNAPSHOT, {})[0]
    (service,) = page.services
    rest = replace(service, endpoints=service.endpoints[:gone] + service.endpoints[gone + 1 :])
    asked.lines(service)
    asked.lines(rest)
    asked.who = []
    asked.lines(service)
    assert asked.who == [service.endpoints[gone].name]
