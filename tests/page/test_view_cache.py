"""What the last page said is said again where it is over, and told anew as soon as anything about it changes."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from page_cast import CHECKS, ENDPOINTS, NOW, SERVICE, SITE, ago, incident
from worlds import all_good

from monitor.language import ENGLISH
from monitor.model import EntryKind, FailureKind, Incident, Severity, Snapshot, TimelineEntry
from monitor.page import Site, ViewCache, view
from monitor.page.incident_views import IncidentViews

KEYS = tuple(check.key for check in CHECKS)


def noted(found: Incident, text: str) -> Incident:
    """The operator explains it, which they may do when it is over."""
    note = TimelineEntry(at=NOW, what=EntryKind.NOTE, text=text)
    return replace(found, timeline=(*found.timeline, note))


def site(names: list[str]) -> Site:
    """The first base URLs by other names."""
    others = [
        replace(each, name=name) for each, name in zip(ENDPOINTS[: len(names)], names, strict=True)
    ]
    by_id = {each.id: each for each in (*ENDPOINTS, *others)}
    return replace(
        SITE,
        services=(replace(SERVICE, endpoints=tuple(by_id.values())),),
        checks=tuple(replace(each, endpoint=by_id[each.endpoint.id]) for each in CHECKS),
    )


def world(incidents: list[Incident], minutes: int) -> Snapshot:
    numbered = tuple(replace(each, id=number) for number, each in enumerate(incidents, 1))
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
    last = ViewCache()
    for incidents, minutes, names in pages:
        snapshot, shown = world(incidents, minutes), site(names)
        assert view(shown, snapshot, {}, last) == view(shown, snapshot, {})


def test_what_is_over_is_told_once_and_what_lasts_each_time() -> None:
    last = ViewCache()
    over = incident(1, Severity.DOWN, FailureKind.SERVER_ERROR, ago(hours=2), 5, KEYS[1])
    lasting = incident(2, Severity.DOWN, FailureKind.SLOW, ago(minutes=9), None, KEYS[4])

    def told(*incidents: Incident) -> list[object]:
        page = view(SITE, replace(all_good(), incidents=incidents), {}, last)[0]
        return [*page.incidents, *page.others[0].incidents]

    first, again = told(over, lasting), told(replace(over), lasting)
    assert [one is other for one, other in zip(first, again, strict=True)] == [True, False] * 2
    other = told(noted(over, "mended"), lasting)
    assert [one is other for one, other in zip(again, other, strict=True)] == [False, False] * 2


def test_what_is_no_longer_told_is_forgotten() -> None:
    views = IncidentViews({}, ENGLISH)
    over = incident(1, Severity.DOWN, FailureKind.SERVER_ERROR, ago(hours=2), 5, KEYS[1])
    (incident_view,) = views.views([over], lambda _: None, NOW)
    assert views.views([over], lambda _: None, NOW)[0] is incident_view
    assert views.views([], lambda _: None, NOW) == ()
    assert views.views([over], lambda _: None, NOW)[0] is not incident_view
