"""Decides from the observations of an examination whose a failure is. Pure.

`explain` gives a better-founded failure, or None: what the run measured stands. In this order: is it
us, is the name answered falsely, is the name forbidden on the way. Suspicions say that they are such.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from monitor.diagnosis.bogon_ranges import first_bogon
from monitor.diagnosis.connection_plan import (
    CUT_KINDS,
    DNS_KINDS,
    PATH_KINDS,
    only_elsewhere,
)
from monitor.diagnosis.observations import (
    CUT,
    NEUTRAL,
    SPOKEN,
    ConnectionEnd,
    ConnectionTrial,
    DnsAnswer,
    DnsFailure,
    NetworkStatus,
    Observations,
    PeerCertificate,
)
from monitor.model import Failure, FailureKind

SKEW_S = 60.0
"""Seconds by which clocks may differ and still be right enough for certificates."""
RELEASED = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock before this program was written is wrong, whatever others say."""

Rule = Callable[[Observations], Failure | None]


def explain(observations: Observations) -> Failure | None:
    rules: tuple[Rule, ...] = (_offline, _resolver, _clock, _denied, _forged, _forbidden)
    return next((failure for rule in rules if (failure := rule(observations))), None)


# --- is it us? ------------------------------------------------------------------------------------


def _offline(observations: Observations) -> Failure | None:
    silent = observations.kind is not None and observations.kind.row.is_silent
    if observations.network.status is not NetworkStatus.OFFLINE or not silent:
        return None
    why = f"got nothing from {observations.target.host}, and {observations.network.words}: the monitor's own network is down"
    return Failure(FailureKind.OFFLINE, f"{why}, want one that works")


def _resolver(observations: Observations) -> Failure | None:
    """Blame our resolver: nothing resolves, or this name does not while nothing else can be asked."""
    if observations.kind not in DNS_KINDS:
        return None
    if observations.network.status is NetworkStatus.RESOLVER_FAILED:
        why = f"got no address for {observations.target.host}, and {observations.network.words}"
        return Failure(FailureKind.RESOLVER_FAILED, f"{why}: the monitor's own resolver is broken")
    here = observations.here.failure if observations.here else None
    known = _knows(observations)
    if (
        observations.network.status is NetworkStatus.UNKNOWN
        and known
        and here in {DnsFailure.FAILED, DnsFailure.SILENT}
    ):
        why = f"got no answer from the monitor's own resolver, while {known.resolver} knows"
        return Failure(
            FailureKind.RESOLVER_FAILED, f"{why} {observations.target.host}; want one that answers"
        )
    return None


def _clock(observations: Observations) -> Failure | None:
    """Blame our clock by two witnesses: the controls' clocks, and a certificate that is good by their time."""
    if observations.kind is not FailureKind.CERT_EXPIRED:
        return None
    if observations.now < RELEASED:
        why = f"got {observations.now:%Y-%m-%d} from the monitor's own clock, want today"
        return Failure(FailureKind.CLOCK_WRONG, f"{why}: certificates cannot be judged")
    skew = observations.network.skew_s
    if skew is None or abs(skew) <= SKEW_S:
        return None
    right = observations.now + timedelta(seconds=skew)
    if not any(certificate.covers(right) for certificate in _shown(observations)):
        return None
    why = f"got a clock that is {_span(skew)} {'behind' if skew > 0 else 'ahead'}, want the time"
    return Failure(FailureKind.CLOCK_WRONG, f"{why}: by that of others the certificate is valid")


def _shown(observations: Observations) -> Iterable[PeerCertificate]:
    return (trial.certificate for trial in observations.trials if trial.certificate)


def _span(seconds: float) -> str:
    minutes = round(abs(seconds) / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2 * 1440 else f"{minutes // 1440} days"


# --- is the name answered falsely? ----------------------------------------------------------------


def _denied(observations: Observations) -> Failure | None:
    """Suspect a false denial: no address here, while another resolver names one that holds up."""
    if observations.kind not in DNS_KINDS:
        return None
    good = _good_elsewhere(observations)
    if good is None:
        return None
    failure = observations.here.failure if observations.here else None
    why = f"got {failure or 'no address'} for {observations.target.host} here, while {_who(observations, good.address)} knows it"
    return Failure(
        FailureKind.DNS_POISONED,
        f"{why} at {good.address}, where {good.end.value} came: {_SUSPECTED}",
    )


_SUSPECTED = "a false answer on the way is suspected; another resolver or base URL helps"


def _forged(observations: Observations) -> Failure | None:
    here = observations.here.addresses if observations.here else ()
    if observations.kind not in PATH_KINDS - DNS_KINDS or not here:
        return None
    name = observations.target.host
    if any(
        trial.end is ConnectionEnd.VALID
        for trial in observations.trials
        if trial.address in here and trial.name == name
    ):
        return None  # decisive: whoever has the certificate is the host, whatever the address
    if _confirmed(here, observations.there):
        return None
    odd = first_bogon(
        here, (address for answer in observations.there for address in answer.addresses)
    )
    elsewhere = only_elsewhere(here, observations.there)
    good = _good_elsewhere(observations)
    if good is not None and (observations.target.encrypted or odd):
        sign = f" ({odd[1]})" if odd else ""
        why = f"got {here[0]}{sign} for {name} here, while {_who(observations, good.address)} says {good.address}"
        return Failure(
            FailureKind.DNS_POISONED, f"{why}, where {good.end.value} came: {_SUSPECTED}"
        )
    if odd and elsewhere:
        why = f"got {odd[0]}, {odd[1]}, for {name} here, while {_who(observations, elsewhere[0])} says {elsewhere[0]}"
        return Failure(FailureKind.DNS_POISONED, f"{why}: {_SUSPECTED}")
    racing = next((answer for answer in observations.there if answer.raced), None)
    if racing is not None:
        why = f"got two answers that differ to one question to {racing.resolver} about {name}, want one"
        return Failure(FailureKind.DNS_POISONED, f"{why}: {_SUSPECTED}")
    return None


def _confirmed(here: Iterable[str], there: Iterable[DnsAnswer]) -> bool:
    """Say whether another resolver, without a race, names the same address."""
    return any(set(here) & set(answer.addresses) for answer in there if not answer.raced)


def _good_elsewhere(observations: Observations) -> ConnectionTrial | None:
    """Return the trial of an address that only others name and that proved to be the host."""
    here = observations.here.addresses if observations.here else ()
    elsewhere = set(only_elsewhere(here, observations.there))
    proof = ConnectionEnd.VALID if observations.target.encrypted else ConnectionEnd.OPEN
    return next(
        (
            trial
            for trial in observations.trials
            if trial.address in elsewhere and trial.end is proof
        ),
        None,
    )


def _knows(observations: Observations) -> DnsAnswer | None:
    return next((answer for answer in observations.there if answer.addresses), None)


def _who(observations: Observations, address: str) -> str:
    return next(answer.resolver for answer in observations.there if address in answer.addresses)


# --- is the name forbidden on the way? ------------------------------------------------------------


def _forbidden(observations: Observations) -> Failure | None:
    """Suspect a block by name: at one address another name is answered, and ours is cut off."""
    if observations.kind not in CUT_KINDS:
        return None
    name = observations.target.host
    for neutral in observations.trials:
        if neutral.name != NEUTRAL or neutral.end not in SPOKEN:
            continue
        ours = observations.trial_of(neutral.address, name)
        if ours is not None and (ours.end not in CUT or not ours.connected):
            continue
        how = ours.end if ours else _END_OF[observations.kind]
        why = (
            f"got {how.value} at {neutral.address} for the name {name}, and {neutral.end.value} for"
        )
        return Failure(
            FailureKind.SNI_BLOCKED,
            f"{why} {NEUTRAL}: a block by name on the way is suspected; another base URL helps",
        )
    return None


_END_OF = {
    FailureKind.TLS_RESET: ConnectionEnd.RESET,
    FailureKind.TLS_TIMEOUT: ConnectionEnd.SILENT,
}
