"""Defines what an examination of a path finds: `PathDiagnosis` collects it, `explain` judges it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from monitor.model import FailureKind

NEUTRAL = "example.com"
"""A name set aside by RFC 2606: nobody blocks it, and no server is surprised by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Says where a base URL leads. `host` is lower case, or an address."""

    host: str
    port: int
    encrypted: bool
    ca_file: Path | None = None


class DnsFailure(StrEnum):
    """Says why a resolver gave no address."""

    NO_NAME = "no such name"
    NO_ADDRESS = "no address for the name"
    FAILED = "a failure"
    SILENT = "no answer in time"
    BROKEN = "an answer that makes no sense"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """Holds what one resolver says of the host; `resolver` is "here" for the system's own."""

    resolver: str
    addresses: tuple[str, ...] = ()
    failure: DnsFailure | None = None
    raced: bool = False
    """Two differing answers came to one question: somebody on the way answers too."""
    ms: float = 0.0


class ConnectionEnd(StrEnum):
    """Says how an attempt to connect ended."""

    VALID = "a valid certificate for the name"
    FOREIGN = "a certificate that is not accepted"
    ANSWERED = "an answer in TLS"
    OPEN = "an open connection"
    GARBLED = "something else than TLS"
    RESET = "a reset"
    CLOSED = "an end of the connection"
    SILENT = "no answer in time"
    REFUSED = "a refusal"
    UNREACHABLE = "no route"


SPOKEN = frozenset(
    {
        ConnectionEnd.VALID,
        ConnectionEnd.FOREIGN,
        ConnectionEnd.ANSWERED,
        ConnectionEnd.OPEN,
        ConnectionEnd.GARBLED,
    }
)
"""Ends at which the other side has sent something."""
CUT = frozenset({ConnectionEnd.RESET, ConnectionEnd.CLOSED, ConnectionEnd.SILENT})
"""Ends of a handshake that somebody does not want."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate:
    """Holds what a certificate says, unverified."""

    names: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime

    def covers(self, at: datetime) -> bool:
        return self.not_before <= at <= self.not_after


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTrial:
    """Describes one test connection to `address` with `name` in the handshake; without TLS `name` is empty."""

    address: str
    name: str
    end: ConnectionEnd
    connected: bool = True
    """The TCP connection stood, so that the end came after it."""
    detail: str = ""
    certificate: PeerCertificate | None = None
    ms: float = 0.0


class NetworkStatus(StrEnum):
    """Says what the controls show of our own network."""

    FINE = "fine"
    OFFLINE = "offline"
    RESOLVER_FAILED = "resolver_failed"
    UNKNOWN = "unknown"
    """There is nothing to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkState:
    """Sums up the controls. `words` says for a person how many answered."""

    status: NetworkStatus
    words: str
    skew_s: float | None = None
    """The median of their clocks minus ours; None where none told its time."""


NOTHING_TO_COMPARE = NetworkState(status=NetworkStatus.UNKNOWN, words="nothing to compare with")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Holds all that one examination found. `kind` is what the run measured; None outside a run."""

    target: Target
    kind: FailureKind | None
    now: datetime
    network: NetworkState = NOTHING_TO_COMPARE
    here: DnsAnswer | None = None
    there: tuple[DnsAnswer, ...] = ()
    trials: tuple[ConnectionTrial, ...] = ()

    def trial_of(self, address: str, name: str) -> ConnectionTrial | None:
        return next(
            (trial for trial in self.trials if (trial.address, trial.name) == (address, name)), None
        )
