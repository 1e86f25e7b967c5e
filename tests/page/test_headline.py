"""The sentence of the page where there are two services, and where the trouble is our own."""

from dataclasses import replace

import worlds
from page_cast import NOW, SITE, WEB_CHECKS, fail
from worlds import SITES

from monitor.model import Kind, Snapshot
from monitor.page import PageView, Site, view
from monitor.page.states import State


def page(snapshot: Snapshot, site: Site = SITE) -> PageView:
    return view(site, snapshot, {})[0]


def two_services(ohmygpt: Snapshot, sites: Kind | None, *, seen: bool = True) -> PageView:
    """The second service's every site fails so, or was never seen."""
    found = worlds.crowded()
    checks = {**found.checks, **ohmygpt.checks}
    found = replace(found, checks=checks, incidents=ohmygpt.incidents)
    for check in WEB_CHECKS:
        if not seen:
            del checks[check.key]
        elif sites:
            found = fail(found, check.key, sites, 1)
    return page(found, SITES["crowded"])


def test_one_of_two_services_is_named_when_it_is_down() -> None:
    seen = two_services(worlds.all_good(), Kind.BAD_GATEWAY)
    assert (seen.state, seen.headline) == (
        State.PARTIAL,
        ("Websites is down.", "OhMyGPT is up."),
    )
    assert (seen.triage_service.what, seen.triage_service.note) == ("Down", "1 of 2 services")
    both = two_services(worlds.everything_down(), Kind.BAD_GATEWAY)
    assert (both.state, both.headline) == (State.MAJOR, ("All services are down.",))


def test_a_service_that_nobody_measured_is_not_called_up() -> None:
    seen = two_services(worlds.all_good(), None, seen=False)
    assert seen.headline == ("OhMyGPT is up.", "Websites cannot be measured.")
    assert (seen.triage_service.what, seen.triage_service.note) == (
        "Up",
        "1 of 2 services not measured",
    )


def test_what_the_monitor_could_not_see_is_said_to_be_its_own_trouble() -> None:
    seen = page(worlds.offline())
    assert [story.title for story in seen.current] == ["We cannot see: monitor offline"]
    assert seen.text == (
        "The monitor's own network is down. This concerns the monitor itself, not the service."
    )
    past = replace(worlds.offline().incidents[0], closed=NOW, active=frozenset())
    later = page(replace(worlds.all_good(), incidents=(past,)))
    assert [story.title for story in later.stories] == ["We could not see: monitor offline"]
