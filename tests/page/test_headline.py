"""The sentence of the page where there are two services, and where the trouble is our own."""

from dataclasses import replace

import worlds
from page_cast import NOW, PROBE_IDS, SITE, WEB_CHECKS, ago, fail, incident, key
from worlds import SITES

from monitor.model import FailureKind, Fault, Outcome, Severity, Snapshot
from monitor.page import PageView, Site, view
from monitor.page.states import State


def page(snapshot: Snapshot, site: Site = SITE) -> PageView:
    return view(site, snapshot, {})[0]


def two_services(ohmygpt: Snapshot, sites: FailureKind | None, *, seen: bool = True) -> PageView:
    """The second service's every site fails so, or was never seen."""
    snapshot = worlds.crowded()
    checks = {**snapshot.checks, **ohmygpt.checks}
    snapshot = replace(snapshot, checks=checks, incidents=ohmygpt.incidents)
    for check in WEB_CHECKS:
        if not seen:
            del checks[check.key]
        elif sites:
            snapshot = fail(snapshot, check.key, sites, 1)
    return page(snapshot, SITES["crowded"])


def test_one_of_two_services_is_named_when_it_is_down() -> None:
    home = two_services(worlds.all_good(), FailureKind.BAD_GATEWAY)
    assert (home.state, home.headline) == (
        State.PARTIAL,
        "Websites is down. OhMyGPT is up.",
    )
    assert (home.service.what, home.service.note) == ("Down", "1 of 2 services")
    both = two_services(worlds.everything_down(), FailureKind.BAD_GATEWAY)
    assert (both.state, both.headline) == (State.MAJOR, "All services are down.")


def test_a_service_that_nobody_measured_is_not_called_up() -> None:
    home = two_services(worlds.all_good(), None, seen=False)
    assert home.headline == "OhMyGPT is up. Websites cannot be measured."
    assert (home.service.what, home.service.note) == (
        "Up",
        "1 of 2 services not measured",
    )


def test_what_the_monitor_could_not_see_is_said_to_be_its_own_trouble() -> None:
    home = page(worlds.offline())
    assert [story.title for story in home.current] == ["We cannot see: monitor offline"]
    assert home.text == (
        "The monitor's own network is down. This concerns the monitor itself, not the service."
    )
    past = replace(worlds.offline().incidents[0], closed=NOW, active=frozenset())
    later = page(replace(worlds.all_good(), incidents=(past,)))
    assert [story.title for story in later.incidents] == ["We could not see: monitor offline"]


def test_a_key_that_is_taken_again_was_refused_though_its_incident_is_not_over_yet() -> None:
    answered = replace(worlds.all_good(), incidents=worlds.rejected_key().incidents)
    assert page(answered).text == (
        "Requests succeed through all 6 base URLs. The key was refused. The usual causes: the account's balance "
        "is empty, or the key lacks permission for this model. "
        "This concerns the account of the monitor, not the service."
    )


def test_a_key_and_a_quota_that_fail_at_different_base_urls_are_both_said() -> None:
    refused = worlds.rejected_key()
    [one] = refused.incidents
    used_up = tuple(
        replace(entry, kind=FailureKind.QUOTA_EXHAUSTED)
        if entry.check and entry.check.startswith("ohmygpt/cf-cdn/")
        else entry
        for entry in one.timeline
    )
    both = replace(refused, incidents=(replace(one, timeline=used_up),))
    assert {key("cf-cdn"), key("proxy-1")} <= one.active
    assert page(both).text.endswith(
        "The key is refused. The usual causes: the account's balance is empty, or the key lacks "
        "permission for this model. The balance or quota of the key is used up. "
        "This concerns the account of the monitor, not the service."
    )


def network(**failing: FailureKind) -> tuple[State, str, str]:
    """Each of these base URLs fails so, whatever it is asked; the others answer."""
    snapshot = worlds.all_good()
    for name, kind in failing.items():
        for probe in PROBE_IDS:
            snapshot = fail(snapshot, key(name.replace("_", "-"), probe), kind, 1)
    triage = page(snapshot).network
    return triage.state, triage.what, triage.note


def test_only_what_fails_on_the_way_is_a_sign_against_the_network() -> None:
    assert network(cf_cdn=FailureKind.CONNECT_TIMEOUT) == (
        State.PARTIAL,
        "1\u00a0down",
        "6 base URLs",
    )
    assert network(cf_cdn=FailureKind.SLOW) == (State.DEGRADED, "1\u00a0degraded", "6 base URLs")
    assert network(cf_cdn=FailureKind.NO_CHANNEL, proxy_1=FailureKind.MODEL_MISMATCH) == (
        State.OPERATIONAL,
        "No blocking seen",
        "The failures have other causes",
    )
    assert network(us_direct=FailureKind.DNS_POISONED, cf_cdn=FailureKind.SERVER_ERROR) == (
        State.PARTIAL,
        "1\u00a0blocked",
        "1 fails for another reason",
    )
    assert network(
        us_direct=FailureKind.SLOW,
        cf_cdn=FailureKind.SERVER_ERROR,
        proxy_1=FailureKind.OVER_BILLING,
    ) == (
        State.DEGRADED,
        "1\u00a0degraded",
        "2 fail for other reasons",
    )


def test_no_account_and_no_answer_speaks_of_the_way_but_every_break_of_a_path_does() -> None:
    assert {kind for kind in FailureKind if kind.fault is Fault.PATH} < {
        kind for kind in FailureKind if kind.row.on_path
    }
    assert {kind.fault for kind in FailureKind if kind.row.on_path} == {Fault.PATH, Fault.ENDPOINT}
    for kind in (
        FailureKind.SERVER_ERROR,
        FailureKind.NO_CHANNEL,
        FailureKind.RATE_LIMITED,
        FailureKind.CERT_EXPIRED,
    ):
        assert not kind.row.on_path


def test_a_key_that_is_refused_meanwhile_does_not_hide_why_a_base_url_is_down() -> None:
    """What is believed of it came of what its incident says; the refusal only says that we cannot look."""
    down = key("cf-cdn")
    for kind, what in (
        (FailureKind.SERVER_ERROR, "No blocking seen"),
        (FailureKind.DNS_POISONED, "1\u00a0blocked"),
    ):
        snapshot = fail(fail(worlds.all_good(), down, kind, 1), down, FailureKind.AUTH_INVALID, 1)
        opened = incident(1, Severity.DOWN, kind, ago(minutes=40), None, down)
        home = page(replace(snapshot, incidents=(opened,)))
        (endpoint,) = [endpoint for endpoint in home.endpoints if endpoint.path == "ohmygpt/cf-cdn"]
        assert (endpoint.state, endpoint.trouble) == (State.MAJOR, kind)
        assert home.network.what == what
    assert FailureKind.AUTH_INVALID.outcome is Outcome.UNKNOWN


def test_what_is_worse_is_the_trouble_of_a_base_url_whose_key_is_refused_for_another_call() -> None:
    snapshot = fail(worlds.all_good(), key("cf-cdn", "models"), FailureKind.AUTH_INVALID)
    snapshot = fail(snapshot, key("cf-cdn"), FailureKind.SLOW, 1)
    home = page(snapshot)
    (endpoint,) = [endpoint for endpoint in home.endpoints if endpoint.path == "ohmygpt/cf-cdn"]
    assert (endpoint.state, endpoint.trouble) == (State.DEGRADED, FailureKind.SLOW)
    assert home.network.what == "1\u00a0degraded"
