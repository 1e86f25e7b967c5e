"""Resolvers, odd ranges, plans and our own network, decided from values alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.diagnosis.bogon_ranges import describe_bogon, first_bogon, network_of
from monitor.diagnosis.connection_plan import PATH_KINDS, plan_connections
from monitor.diagnosis.observations import NEUTRAL, DnsAnswer, NetworkState, NetworkStatus, Target
from monitor.diagnosis.own_network import ControlResult, domain_of, judge_network
from monitor.diagnosis.resolver_setting import Resolver, parse_resolver
from monitor.model import FailureKind

TARGET = Target(host="relay.test", port=443, encrypted=True)


@pytest.mark.parametrize(
    ("text", "resolver"),
    [
        ("9.9.9.9", Resolver("9.9.9.9", "9.9.9.9")),
        ("127.0.0.1:5353", Resolver("127.0.0.1:5353", "127.0.0.1", 5353)),
        ("2620:fe::fe", Resolver("2620:fe::fe", "2620:fe::fe")),
        ("[2620:fe::fe]:54", Resolver("[2620:fe::fe]:54", "2620:fe::fe", 54)),
        (
            "https://dns.test/a-private-id",
            Resolver("dns.test", url="https://dns.test/a-private-id"),
        ),
    ],
)
def test_a_resolver_is_an_address_or_a_url(text: str, resolver: Resolver) -> None:
    assert parse_resolver(text) == resolver


@pytest.mark.parametrize(
    "text",
    [
        "dns.google",
        "http://1.1.1.1/dns-query",
        "",
        "1.1.1.1:0",
        "1.1.1.1:99999",
        "https://",
        "https://user:pass@dns.test/",
        "https://dns.test/a b",
        "[::1",
        "1.2.3",
    ],
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="want"):
        parse_resolver(text)


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("127.0.0.1", "a loopback address"),
        ("::1", "a loopback address"),
        ("0.0.0.0", "an unspecified address"),
        ("10.1.2.3", "a private address"),
        ("100.64.0.1", "a private address"),
        ("fd00::1", "a private address"),
        ("169.254.1.1", "a link-local address"),
        ("fe80::1%eth0", "a link-local address"),
        ("::ffff:10.0.0.1", "a private address"),
        ("255.255.255.255", "a reserved address"),
        ("224.0.0.1", "a multicast address"),
        ("nonsense", "no address"),
        ("2001::1", "a Teredo address, as forged AAAA answers have"),
        ("31.13.94.37", "an address of Facebook, as forged answers often have"),
        ("104.244.43.6", "an address of Twitter, as forged answers often have"),
        ("162.125.32.6", "an address of Dropbox, as forged answers often have"),
        ("59.24.3.173", "an address known from forged answers"),
        ("93.184.216.34", None),
        ("1.1.1.1", None),
        ("2606:4700::1", None),
        ("2001:4860::8888", None),
    ],
)
def test_odd_addresses_are_called_what_they_are(address: str, what: str | None) -> None:
    assert describe_bogon(address) == what


def test_an_address_is_no_sign_where_everybody_names_one_of_that_sort() -> None:
    assert first_bogon(["10.0.0.1"], ["93.184.216.34"]) == ("10.0.0.1", "a private address")
    assert first_bogon(["10.0.0.1"], ["192.168.0.1"]) is None
    assert first_bogon(["157.240.1.1"], ["31.13.94.1"]) is None
    assert first_bogon(["93.184.216.34"], []) is None


@given(st.ip_addresses().map(str))
def test_every_address_has_a_network_that_holds_it(address: str) -> None:
    import ipaddress

    assert ipaddress.ip_address(address) in ipaddress.ip_network(network_of(address))


# --- which connections ----------------------------------------------------------------------------

HERE, OTHER, THERE = "198.51.100.1", "203.0.113.1", "192.0.2.1"


def answer(*addresses: str) -> DnsAnswer:
    return DnsAnswer(resolver="other", addresses=addresses)


def chains(kind: FailureKind | None, *here: str, allowed: bool = True) -> tuple[object, ...]:
    return plan_connections(TARGET, kind, here, [answer(THERE)], names_may_be_tested=allowed)


def test_a_cut_handshake_is_tested_elsewhere_first_and_with_the_neutral_name_first() -> None:
    assert chains(FailureKind.TLS_RESET, HERE, OTHER) == (
        ((THERE, "relay.test"),),
        ((OTHER, NEUTRAL), (OTHER, "relay.test")),
        ((HERE, NEUTRAL),),
    )
    assert chains(FailureKind.TLS_RESET, HERE) == (
        ((THERE, NEUTRAL), (THERE, "relay.test")),
        ((HERE, NEUTRAL),),
    )
    assert chains(FailureKind.TLS_RESET, HERE, allowed=False) == (((THERE, "relay.test"),),)


def test_other_failures_need_the_certificate_here_and_there() -> None:
    for kind in PATH_KINDS - {FailureKind.TLS_RESET, FailureKind.TLS_TIMEOUT}:
        expected = {((THERE, "relay.test"),), ((HERE, "relay.test"),)}
        if kind in {FailureKind.DNS_NXDOMAIN, FailureKind.DNS_SERVFAIL}:
            expected = {((THERE, "relay.test"),)}
        assert set(chains(kind, HERE, allowed=False)) == expected, kind


def test_on_demand_both_names_are_tried() -> None:
    assert chains(None, HERE)[-1] == ((HERE, NEUTRAL), (HERE, "relay.test"))


@given(
    st.sampled_from([None, *sorted(PATH_KINDS)]),
    st.lists(st.ip_addresses().map(str), max_size=5, unique=True),
    st.lists(st.ip_addresses().map(str), max_size=5, unique=True),
    st.booleans(),
)
def test_no_address_hears_the_real_name_before_the_neutral_one_and_few_are_called(
    kind: FailureKind | None, here: list[str], there: list[str], allowed: bool
) -> None:
    plan = plan_connections(TARGET, kind, here, [answer(*there)], names_may_be_tested=allowed)
    calls = [call for chain in plan for call in chain]
    assert len(calls) == len(set(calls)) <= 6
    first = [chain[0][0] for chain in plan]
    assert len(first) == len(set(first))
    for chain in plan:
        assert [name for _, name in chain] in ([NEUTRAL], [NEUTRAL, "relay.test"], ["relay.test"])


# --- is it us? ------------------------------------------------------------------------------------


def seen(
    host: str, *, resolved: bool | None = True, reached: bool = True, **more: object
) -> ControlResult:
    return ControlResult(host=host, resolved=resolved, reached=reached, **more)  # type: ignore[arg-type]


SILENT = seen("a.test", reached=False, address="198.51.100.1")
FAR = seen("b.test", reached=False, address="203.0.113.1")
MUTE = seen("a.test", resolved=False, reached=False)


@pytest.mark.parametrize(
    ("controls", "more", "status"),
    [
        ((seen("a.test"),), {}, NetworkStatus.FINE),
        ((seen("a.test"), FAR), {}, NetworkStatus.FINE),
        # Silence counts from two networks, or from declared controls, or without a route.
        ((SILENT,), {"failing": "203.0.0.0/16"}, NetworkStatus.OFFLINE),
        ((SILENT, FAR), {"failing": "198.51.0.0/16"}, NetworkStatus.OFFLINE),
        ((SILENT,), {"failing": "198.51.0.0/16"}, NetworkStatus.UNKNOWN),
        ((SILENT,), {"failing": "198.51.0.0/16", "declared": True}, NetworkStatus.OFFLINE),
        ((SILENT,), {"failing": "198.51.0.0/16", "routed": False}, NetworkStatus.OFFLINE),
        # Names that fail while the network works: the resolver.
        ((seen("a.test", resolved=False),), {}, NetworkStatus.RESOLVER_FAILED),
        ((MUTE,), {"resolver_answered": True}, NetworkStatus.RESOLVER_FAILED),
        ((MUTE, seen("192.0.2.1", resolved=None)), {}, NetworkStatus.RESOLVER_FAILED),
        ((MUTE,), {"failing": "other.example"}, NetworkStatus.OFFLINE),
        (
            (seen("x.relay.test", resolved=False, reached=False),),
            {"failing": "relay.test"},
            NetworkStatus.UNKNOWN,
        ),
        # A resolver out in the world answered: the network works.
        ((), {"resolver_reached": True}, NetworkStatus.FINE),
        ((SILENT, FAR), {"resolver_reached": True}, NetworkStatus.FINE),
        ((MUTE,), {"resolver_reached": True}, NetworkStatus.RESOLVER_FAILED),
        # Nothing to compare with.
        ((), {}, NetworkStatus.UNKNOWN),
        ((), {"routed": False}, NetworkStatus.OFFLINE),
    ],
)
def test_our_own_network_is_judged_by_those_that_have_nothing_to_do_with_it(
    controls: tuple[ControlResult, ...], more: dict[str, object], status: NetworkStatus
) -> None:
    settings = {"failing": "192.0.0.0/16", "declared": False} | more
    assert judge_network(controls, **settings).status is status  # type: ignore[arg-type]


def test_the_clocks_of_others_are_taken_in_the_middle() -> None:
    clocks = [
        seen("a.test", skew_s=3600.0),
        seen("b.test", skew_s=3601.0),
        seen("c.test", skew_s=-9.0),
    ]
    assert judge_network(clocks, failing="x", declared=True).skew_s == 3600.0


@pytest.mark.parametrize(
    ("controls", "more", "reading"),
    [
        (
            (),
            {"resolver_reached": True},
            (NetworkStatus.FINE, "another resolver answered, there is no control", None),
        ),
        (
            (SILENT, FAR),
            {"resolver_reached": True},
            (NetworkStatus.FINE, "another resolver answered, none of 2 controls answered", None),
        ),
        (
            (replace(SILENT, skew_s=5.0),),
            {"resolver_reached": True},
            (NetworkStatus.FINE, "another resolver answered, none of 1 control answered", 5.0),
        ),
        ((), {}, (NetworkStatus.UNKNOWN, "there is nothing to compare with", None)),
        ((), {"routed": False}, (NetworkStatus.OFFLINE, "there is no route to anywhere", None)),
        (
            (replace(MUTE, skew_s=7.0),),
            {"resolver_answered": True},
            (
                NetworkStatus.RESOLVER_FAILED,
                "none of 1 other name resolves, while the network works",
                7.0,
            ),
        ),
        (
            (MUTE, MUTE, seen("192.0.2.1", resolved=None)),
            {},
            (
                NetworkStatus.RESOLVER_FAILED,
                "none of 2 other names resolves, while the network works",
                None,
            ),
        ),
        (
            (seen("a.test", skew_s=-3.0), FAR),
            {},
            (NetworkStatus.FINE, "1 of 2 controls answered", -3.0),
        ),
        (
            (replace(SILENT, skew_s=4.0), FAR),
            {},
            (NetworkStatus.OFFLINE, "none of 2 controls answered", 4.0),
        ),
    ],
)
def test_a_reading_says_how_many_answered_and_what_their_clocks_show(
    controls: tuple[ControlResult, ...],
    more: dict[str, object],
    reading: tuple[NetworkStatus, str, float | None],
) -> None:
    status, words, skew_s = reading
    settings = {"failing": "192.0.0.0/16", "declared": False} | more
    network = judge_network(controls, **settings)  # type: ignore[arg-type]
    assert network == NetworkState(status=status, words=words, skew_s=skew_s)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.b.relay.test", "relay.test"),
        ("relay.test", "relay.test"),
        ("localhost", "localhost"),
        ("192.0.2.7", "192.0.0.0/16"),
        ("2606:4700::1", "2606:4700::/32"),
    ],
)
def test_names_of_one_domain_and_addresses_of_one_network_are_one_witness(
    host: str, domain: str
) -> None:
    assert domain_of(host) == domain
    assert seen(host).network == domain
    assert seen(host, address="198.51.100.1").network == "198.51.0.0/16"


def test_another_address_is_tested_only_where_it_is_of_the_same_family() -> None:
    assert chains(FailureKind.TLS_RESET, HERE, "2606:4700::1") == (
        ((THERE, NEUTRAL), (THERE, "relay.test")),
        ((HERE, NEUTRAL),),
    )
    six = ("2606:4700::1", "2606:4700::2")
    assert chains(FailureKind.TLS_RESET, *six)[1:] == (
        ((six[1], NEUTRAL), (six[1], "relay.test")),
        ((six[0], NEUTRAL),),
    )


def test_on_demand_no_other_address_is_asked_for_the_neutral_name() -> None:
    assert chains(None, HERE, OTHER) == (
        ((THERE, "relay.test"),),
        ((HERE, NEUTRAL), (HERE, "relay.test")),
    )


def test_without_tls_no_name_is_said() -> None:
    plain = Target(host="relay.test", port=80, encrypted=False)
    plan = plan_connections(
        plain, FailureKind.TCP_REFUSED, (HERE,), [answer(THERE)], names_may_be_tested=False
    )
    assert plan == (((THERE, ""),), ((HERE, ""),))


def test_at_most_two_addresses_that_only_others_name_are_tried() -> None:
    far = ["192.0.2.1", "192.1.2.1", "192.2.2.1"]
    plan = plan_connections(
        TARGET, FailureKind.DNS_NXDOMAIN, (), [answer(*far)], names_may_be_tested=True
    )
    assert plan == (((far[0], "relay.test"),), ((far[1], "relay.test"),))
