"""From observations to whose it is: every rule, its near misses, and the words."""

from datetime import UTC, datetime, timedelta

import pytest

from monitor.diagnosis.connection_plan import PATH_KINDS
from monitor.diagnosis.observations import (
    NEUTRAL,
    ConnectionEnd,
    ConnectionTrial,
    DnsAnswer,
    DnsFailure,
    NetworkState,
    NetworkStatus,
    Observations,
    PeerCertificate,
    Target,
)
from monitor.diagnosis.path_verdict import explain
from monitor.diagnosis.report import report_line, report_steps
from monitor.model import Failure, FailureKind, Fault

HOST, HERE, THERE = "relay.test", "93.184.216.34", "104.18.0.7"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
FINE = NetworkState(status=NetworkStatus.FINE, words="2 of 2 controls answered")
DOWN = NetworkState(status=NetworkStatus.OFFLINE, words="none of 2 controls answered")
NO_RESOLVER = NetworkState(
    status=NetworkStatus.RESOLVER_FAILED, words="none of 2 other names resolves"
)
ALONE = NetworkState(status=NetworkStatus.UNKNOWN, words="there is nothing to compare with")
TLS = Target(host=HOST, port=443, encrypted=True)
PLAIN = Target(host=HOST, port=80, encrypted=False)


def said(*addresses: str, failure: DnsFailure | None = None, raced: bool = False) -> DnsAnswer:
    return DnsAnswer(resolver="dns.test", addresses=addresses, failure=failure, raced=raced)


def trial(address: str, end: ConnectionEnd, name: str = HOST, **more: object) -> ConnectionTrial:
    return ConnectionTrial(address=address, name=name, end=end, **more)  # type: ignore[arg-type]


def verdict(
    kind: FailureKind,
    *trials: ConnectionTrial,
    here: DnsAnswer | None = None,
    there: tuple[DnsAnswer, ...] = (),
    network: NetworkState = FINE,
    target: Target = TLS,
    now: datetime = NOW,
) -> Failure | None:
    here = here or said(HERE)
    observations = Observations(
        target=target, kind=kind, now=now, network=network, here=here, there=there, trials=trials
    )
    assert report_line(observations)
    return explain(observations)


def kind_of(failure: Failure | None) -> FailureKind | None:
    return failure and failure.kind


# --- is it us? ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(PATH_KINDS))
def test_offline_explains_silence_and_nothing_that_came_back(kind: FailureKind) -> None:
    silent = {
        FailureKind.DNS_NXDOMAIN,
        FailureKind.DNS_SERVFAIL,
        FailureKind.TCP_UNREACHABLE,
        FailureKind.CONNECT_TIMEOUT,
        FailureKind.TLS_TIMEOUT,
    }
    failure = verdict(kind, network=DOWN)
    assert kind_of(failure) == (FailureKind.OFFLINE if kind in silent else None)


def test_what_is_ours_is_a_fault_of_the_monitor() -> None:
    for kind in (FailureKind.OFFLINE, FailureKind.RESOLVER_FAILED, FailureKind.CLOCK_WRONG):
        assert kind.fault is Fault.MONITOR
    failure = verdict(FailureKind.CONNECT_TIMEOUT, network=DOWN)
    assert failure is not None
    assert failure.message == (
        "got nothing from relay.test, and none of 2 controls answered: "
        "the monitor's own network is down, want one that works"
    )


def test_a_broken_resolver_is_ours() -> None:
    lost = said(failure=DnsFailure.SILENT)
    assert (
        kind_of(verdict(FailureKind.DNS_SERVFAIL, here=lost, network=NO_RESOLVER))
        is FailureKind.RESOLVER_FAILED
    )
    assert kind_of(verdict(FailureKind.CONNECT_TIMEOUT, network=NO_RESOLVER)) is None
    # With no other name to compare with, another resolver that knows the name is enough.
    alone = verdict(FailureKind.DNS_SERVFAIL, here=lost, there=(said(THERE),), network=ALONE)
    assert kind_of(alone) is FailureKind.RESOLVER_FAILED
    assert kind_of(verdict(FailureKind.DNS_SERVFAIL, here=lost, network=ALONE)) is None


def certificate(start: datetime, end: datetime) -> PeerCertificate:
    return PeerCertificate(names=(HOST,), issuer="CA", not_before=start, not_after=end)


@pytest.mark.parametrize(
    ("skew_s", "wrong"), [(0, False), (59, False), (-86_400 * 40, True), (86_400 * 40, False)]
)
def test_a_wrong_clock_is_proven_by_others_and_by_the_certificate(
    skew_s: float, wrong: bool
) -> None:
    """Valid until ten days ago by our clock; 40 days back it would be good, 40 days on it would not."""
    shown = trial(
        HERE,
        ConnectionEnd.FOREIGN,
        detail="certificate has expired",
        certificate=certificate(NOW - timedelta(days=90), NOW - timedelta(days=10)),
    )
    network = NetworkState(status=NetworkStatus.FINE, words="", skew_s=skew_s)
    failure = verdict(FailureKind.CERT_EXPIRED, shown, network=network)
    assert kind_of(failure) == (FailureKind.CLOCK_WRONG if wrong else None)
    if failure:
        assert failure.message == (
            "got a clock that is 40 days ahead, want the time: by that of others the certificate is valid"
        )
    assert kind_of(verdict(FailureKind.CERT_EXPIRED, network=network)) is None, (
        "without the certificate no proof"
    )


def test_a_clock_before_this_program_was_written_needs_no_witness() -> None:
    failure = verdict(FailureKind.CERT_EXPIRED, network=ALONE, now=datetime(1970, 1, 1, tzinfo=UTC))
    assert kind_of(failure) is FailureKind.CLOCK_WRONG


# --- is the name answered falsely? ----------------------------------------------------------------


def test_a_denied_name_that_others_know_and_that_proves_itself_is_poisoned() -> None:
    denied = said(failure=DnsFailure.NO_NAME)
    good = trial(THERE, ConnectionEnd.VALID)
    failure = verdict(FailureKind.DNS_NXDOMAIN, good, here=denied, there=(said(THERE),))
    assert failure is not None
    assert (failure.kind, failure.fault) == (FailureKind.DNS_POISONED, Fault.PATH)
    assert failure.message == (
        "got no such name for relay.test here, while dns.test knows it at 104.18.0.7, where a valid"
        " certificate for the name came: a false answer on the way is suspected; another resolver or"
        " base URL helps"
    )
    bad = trial(THERE, ConnectionEnd.FOREIGN)
    assert verdict(FailureKind.DNS_NXDOMAIN, bad, here=denied, there=(said(THERE),)) is None
    agreed = said(failure=DnsFailure.NO_NAME)
    assert verdict(FailureKind.DNS_NXDOMAIN, here=denied, there=(agreed,)) is None


def test_a_foreign_certificate_here_and_a_valid_one_there_is_poisoned() -> None:
    for end, kind in (
        (ConnectionEnd.FOREIGN, FailureKind.CERT_HOSTNAME),
        (ConnectionEnd.SILENT, FailureKind.CONNECT_TIMEOUT),
        (ConnectionEnd.REFUSED, FailureKind.TCP_REFUSED),
        (ConnectionEnd.GARBLED, FailureKind.TLS_PROTOCOL),
    ):
        failure = verdict(
            kind, trial(HERE, end), trial(THERE, ConnectionEnd.VALID), there=(said(THERE),)
        )
        assert kind_of(failure) is FailureKind.DNS_POISONED
        assert failure is not None
        assert "suspected" in failure.message


def test_a_valid_certificate_here_is_decisive_whatever_the_address() -> None:
    odd = said("31.13.94.37")
    fine = trial("31.13.94.37", ConnectionEnd.VALID)
    args = (FailureKind.CONNECT_TIMEOUT, fine, trial(THERE, ConnectionEnd.VALID))
    assert verdict(*args, here=odd, there=(said(THERE),)) is None


def test_another_address_alone_is_no_proof() -> None:
    """Names are spread over the world: somebody else's answer may differ and both be right."""
    kind, dead = FailureKind.CONNECT_TIMEOUT, trial(HERE, ConnectionEnd.SILENT)
    assert verdict(kind, dead, there=(said(THERE),)) is None
    assert verdict(kind, dead, trial(THERE, ConnectionEnd.SILENT), there=(said(THERE),)) is None
    # The same network: one provider's other machine works, ours does not.
    near = "93.184.7.7"
    assert verdict(kind, dead, trial(near, ConnectionEnd.VALID), there=(said(near),)) is None
    # Somebody else confirms the answer here.
    both = (said(THERE), said(HERE))
    assert verdict(kind, dead, trial(THERE, ConnectionEnd.VALID), there=both) is None


@pytest.mark.parametrize("odd", ["31.13.94.37", "2001::1", "127.0.0.1", "0.0.0.0", "59.24.3.173"])
def test_an_odd_address_that_nobody_else_names_is_poisoned_without_a_certificate(odd: str) -> None:
    for target in (TLS, PLAIN):
        failure = verdict(
            FailureKind.CONNECT_TIMEOUT,
            trial(odd, ConnectionEnd.SILENT),
            here=said(odd),
            there=(said(THERE),),
            target=target,
        )
        assert kind_of(failure) is FailureKind.DNS_POISONED
    # At home it may be right: nobody to compare with, or others name such a one too.
    assert verdict(FailureKind.CONNECT_TIMEOUT, here=said(odd)) is None
    assert (
        verdict(FailureKind.CONNECT_TIMEOUT, here=said("10.0.0.1"), there=(said("10.1.0.1"),))
        is None
    )


def test_without_tls_only_an_odd_address_proves_anything() -> None:
    there = trial(THERE, ConnectionEnd.OPEN, name="")
    assert verdict(FailureKind.CONNECT_TIMEOUT, there, there=(said(THERE),), target=PLAIN) is None


def test_two_answers_to_one_question_are_a_forger_unless_somebody_confirms() -> None:
    raced = said(THERE, raced=True)
    failure = verdict(FailureKind.CONNECT_TIMEOUT, there=(raced,))
    assert kind_of(failure) is FailureKind.DNS_POISONED
    assert verdict(FailureKind.CONNECT_TIMEOUT, there=(raced, said(HERE))) is None


# --- is the name forbidden? -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [FailureKind.TLS_RESET, FailureKind.TLS_TIMEOUT])
@pytest.mark.parametrize(
    "end", [ConnectionEnd.ANSWERED, ConnectionEnd.FOREIGN, ConnectionEnd.VALID]
)
def test_another_name_that_is_answered_where_ours_is_cut_is_a_block_by_name(
    kind: FailureKind, end: ConnectionEnd
) -> None:
    failure = verdict(kind, trial(HERE, end, NEUTRAL))
    assert failure is not None
    assert (failure.kind, failure.fault) == (FailureKind.SNI_BLOCKED, Fault.PATH)
    assert "suspected" in failure.message
    assert HERE in failure.message


@pytest.mark.parametrize(
    "end", [ConnectionEnd.RESET, ConnectionEnd.CLOSED, ConnectionEnd.SILENT, ConnectionEnd.REFUSED]
)
def test_where_both_names_are_cut_the_name_is_not_to_blame(end: ConnectionEnd) -> None:
    assert verdict(FailureKind.TLS_RESET, trial(HERE, end, NEUTRAL)) is None


def test_where_our_name_is_answered_on_that_address_nothing_is_blocked() -> None:
    other = "93.184.216.35"
    neutral = trial(other, ConnectionEnd.ANSWERED, NEUTRAL)
    assert verdict(FailureKind.TLS_RESET, neutral, trial(other, ConnectionEnd.VALID)) is None
    cut = trial(other, ConnectionEnd.RESET)
    assert kind_of(verdict(FailureKind.TLS_RESET, neutral, cut)) is FailureKind.SNI_BLOCKED
    refused = trial(other, ConnectionEnd.REFUSED, connected=False)
    assert verdict(FailureKind.TLS_RESET, neutral, refused) is None


def test_other_kinds_are_never_a_block_by_name() -> None:
    for kind in PATH_KINDS - {FailureKind.TLS_RESET, FailureKind.TLS_TIMEOUT}:
        assert (
            kind_of(verdict(kind, trial(HERE, ConnectionEnd.ANSWERED, NEUTRAL)))
            is not FailureKind.SNI_BLOCKED
        )


# --- the words ------------------------------------------------------------------------------------


def test_the_steps_say_what_was_looked_at_in_order() -> None:
    shown = certificate(NOW, NOW + timedelta(days=90))
    observations = Observations(
        target=TLS,
        kind=FailureKind.CERT_HOSTNAME,
        now=NOW,
        network=FINE,
        here=DnsAnswer(resolver="here", addresses=("31.13.94.37",), ms=3.0),
        there=(said(THERE),),
        trials=(
            trial(
                "31.13.94.37", ConnectionEnd.FOREIGN, detail="hostname mismatch", certificate=shown
            ),
            trial(THERE, ConnectionEnd.VALID),
        ),
    )
    assert [step.good for step in report_steps(observations)] == [True, True, None, False, True]
    assert report_line(observations).split("; ") == [
        "own network: 2 of 2 controls answered",
        "system's resolver: 31.13.94.37 (an address of Facebook, as forged answers often have)",
        "resolver dns.test: 104.18.0.7, another network than here",
        "TLS to 31.13.94.37, saying its name (relay.test): a certificate that is not accepted (hostname mismatch)",
        "it is for relay.test, by CA, 2026-11-25 to 2027-02-23",
        "TLS to 104.18.0.7, saying its name (relay.test): a valid certificate for the name",
    ]


def test_the_words_of_each_verdict() -> None:
    """Got and want, and the witness by name."""
    lost, names = said(failure=DnsFailure.SILENT), (said(THERE),)
    raced = said(THERE, raced=True)
    odd = said("31.13.94.37")
    valid, neutral = trial(THERE, ConnectionEnd.VALID), trial(HERE, ConnectionEnd.ANSWERED, NEUTRAL)
    suspected = "a false answer on the way is suspected; another resolver or base URL helps"
    found = {
        verdict(
            FailureKind.DNS_SERVFAIL, here=lost, network=NO_RESOLVER
        ): "got no address for relay.test, and none of 2 other names resolves: the monitor's own resolver is broken",
        verdict(
            FailureKind.DNS_SERVFAIL, here=lost, there=names, network=ALONE
        ): "got no answer from the monitor's own resolver, while dns.test knows relay.test; want one that answers",
        verdict(
            FailureKind.CERT_EXPIRED, now=datetime(1970, 1, 1, tzinfo=UTC)
        ): "got 1970-01-01 from the monitor's own clock, want today: certificates cannot be judged",
        verdict(
            FailureKind.CONNECT_TIMEOUT, valid, there=names
        ): f"got {HERE} for relay.test here, while dns.test says {THERE}, where a valid certificate for the name came: {suspected}",
        verdict(
            FailureKind.CONNECT_TIMEOUT, valid, here=odd, there=names
        ): f"got 31.13.94.37 (an address of Facebook, as forged answers often have) for relay.test here, while dns.test says {THERE}, where a valid certificate for the name came: {suspected}",
        verdict(
            FailureKind.CONNECT_TIMEOUT, here=odd, there=names
        ): f"got 31.13.94.37, an address of Facebook, as forged answers often have, for relay.test here, while dns.test says {THERE}: {suspected}",
        verdict(
            FailureKind.CONNECT_TIMEOUT, there=(raced,)
        ): f"got two answers that differ to one question to dns.test about relay.test, want one: {suspected}",
        verdict(
            FailureKind.TLS_RESET, neutral
        ): f"got a reset at {HERE} for the name relay.test, and an answer in TLS for example.com: a block by name on the way is suspected; another base URL helps",
        verdict(
            FailureKind.TLS_RESET, neutral, trial(HERE, ConnectionEnd.SILENT)
        ): f"got no answer in time at {HERE} for the name relay.test, and an answer in TLS for example.com: a block by name on the way is suspected; another base URL helps",
    }
    assert {failure: failure and failure.message for failure in found} == found


@pytest.mark.parametrize(
    ("skew_s", "words"),
    [
        (60.0, None),
        (61.0, "1 min behind"),
        (-7140.0, "119 min ahead"),
        (7200.0, "2 h behind"),
        (2 * 86_400 - 60.0, "47 h behind"),
        (2 * 86_400.0, "2 days behind"),
        (-86_400 * 5.0, "5 days ahead"),
    ],
)
def test_how_wrong_the_clock_is_is_said_in_fit_units(skew_s: float, words: str | None) -> None:
    always = certificate(NOW - timedelta(days=90), NOW + timedelta(days=90))
    shown = trial(HERE, ConnectionEnd.FOREIGN, certificate=always)
    network = NetworkState(status=NetworkStatus.FINE, words="", skew_s=skew_s)
    failure = verdict(FailureKind.CERT_EXPIRED, shown, network=network)
    said_so = (
        f"got a clock that is {words}, want the time: by that of others the certificate is valid"
    )
    assert (failure and failure.message) == (words and said_so)


def test_from_the_day_that_this_was_written_a_clock_may_be_right() -> None:
    assert verdict(FailureKind.CERT_EXPIRED, now=datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize("kind", sorted(PATH_KINDS))
def test_where_no_name_was_looked_up_nothing_is_said_of_names(kind: FailureKind) -> None:
    for trials in ((), (trial(THERE, ConnectionEnd.VALID),)):
        observations = Observations(
            target=TLS, kind=kind, now=NOW, network=ALONE, there=(said(THERE),), trials=trials
        )
        wanted = FailureKind.DNS_POISONED if trials and kind.value.startswith("dns_") else None
        assert kind_of(explain(observations)) is wanted


def test_only_failures_of_the_way_can_be_explained_by_a_false_answer() -> None:
    args = (trial(THERE, ConnectionEnd.VALID),)
    assert verdict(FailureKind.SERVER_ERROR, *args, there=(said(THERE),)) is None
    assert verdict(FailureKind.DNS_NXDOMAIN, here=said("31.13.94.37"), there=(said(THERE),)) is None


def test_without_tls_an_open_connection_elsewhere_proves_a_denied_name() -> None:
    denied, open_there = said(failure=DnsFailure.NO_NAME), trial(THERE, ConnectionEnd.OPEN, name="")
    failure = verdict(
        FailureKind.DNS_NXDOMAIN, open_there, here=denied, there=(said(THERE),), target=PLAIN
    )
    assert kind_of(failure) is FailureKind.DNS_POISONED


def test_an_address_that_is_no_proof_does_not_hide_the_next_that_is() -> None:
    other = "93.184.216.35"
    mute = trial(other, ConnectionEnd.SILENT, NEUTRAL)
    fine = (trial(other, ConnectionEnd.ANSWERED, NEUTRAL), trial(other, ConnectionEnd.VALID))
    blocked = trial(HERE, ConnectionEnd.ANSWERED, NEUTRAL)
    for before in ((trial(THERE, ConnectionEnd.VALID),), (mute,), fine):
        assert kind_of(verdict(FailureKind.TLS_RESET, *before, blocked)) is FailureKind.SNI_BLOCKED
