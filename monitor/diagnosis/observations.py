"""What a look at a path found, as values: the doctor collects them, `decide` makes a verdict of them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from monitor.model import FailureKind

NEUTRAL = "example.com"
"""Set aside by RFC 2606; nobody blocks it, and no server is surprised by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a base URL leads. `host` is lower case, and an address for URLs that have one."""

    host: str
    port: int
    encrypted: bool
    ca_file: Path | None = None


class DnsFailure(StrEnum):
    """Why a resolver gave no address."""

    NO_NAME = "no such name"
    NO_ADDRESS = "no address for the name"
    FAILED = "a failure"
    SILENT = "no answer in time"
    BROKEN = "an answer that makes no sense"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """What one resolver says of the host; `resolver` is "here" for the system's own."""

    resolver: str
    addresses: tuple[str, ...] = ()
    failure: DnsFailure | None = None
    raced: bool = False
    """Two answers that differ came to one question: somebody on the way answers too."""
    ms: float = 0.0


class ConnectionEnd(StrEnum):
    """How an attempt to connect ended."""

    VALID = "a valid certificate for the name"
    FOREIGN = "a certificate that is not valid for the name"
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
"""The other side had something to say."""
CUT = frozenset({ConnectionEnd.RESET, ConnectionEnd.CLOSED, ConnectionEnd.SILENT})
"""How a handshake ends when somebody does not want it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate:
    """Who it says it is, unverified."""

    names: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime

    def covers(self, at: datetime) -> bool:
        return self.not_before <= at <= self.not_after


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionTrial:
    """One connection: to `address`, saying `name`. Without TLS nothing is said: `name` is empty."""

    address: str
    name: str
    end: ConnectionEnd
    connected: bool = True
    """TCP stood, so that what ended the trial came after it."""
    detail: str = ""
    certificate: PeerCertificate | None = None
    ms: float = 0.0


class NetworkStatus(StrEnum):
    """What the controls say of our own network."""

    FINE = "fine"
    OFFLINE = "offline"
    RESOLVER_FAILED = "resolver_failed"
    UNKNOWN = "unknown"
    """Nothing to compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkState:
    """One look at the controls. `words` says how many answered, for a person."""

    status: NetworkStatus
    words: str
    skew_s: float | None = None
    """Their clocks minus ours, the median; None where none told its time."""


NOTHING_TO_COMPARE = NetworkState(status=NetworkStatus.UNKNOWN, words="nothing to compare with")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """All that one examination found. `kind` is what the run measured; None: it was not a run."""

    target: Target
    kind: FailureKind | None
    now: datetime
    network: NetworkState = NOTHING_TO_COMPARE
    here: DnsAnswer | None = None
    there: tuple[DnsAnswer, ...] = ()
    trials: tuple[ConnectionTrial, ...] = field(default_factory=tuple)

    def tried(self, address: str, name: str) -> ConnectionTrial | None:
        return next(
            (each for each in self.trials if (each.address, each.name) == (address, name)), None
        )
