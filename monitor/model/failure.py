"""Outcomes, faults and the closed list of failure kinds (docs/methodology.md has a row for each)."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class Fault(StrEnum):
    """Whose it is."""

    ENDPOINT = "endpoint"
    PATH = "path"
    ACCOUNT = "account"
    MONITOR = "monitor"


class FailureKind(StrEnum):
    """Every way a run can fail. `kind.fault` and `kind.outcome` follow from where it stands below."""

    DNS_NXDOMAIN = "dns_nxdomain"
    DNS_SERVFAIL = "dns_servfail"
    TCP_REFUSED = "tcp_refused"
    TCP_UNREACHABLE = "tcp_unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_TIMEOUT = "tls_timeout"
    TLS_PROTOCOL = "tls_protocol"
    CERT_EXPIRED = "cert_expired"
    CERT_HOSTNAME = "cert_hostname"
    CERT_UNTRUSTED = "cert_untrusted"
    HTTP_DISCONNECT = "http_disconnect"
    HEADERS_TIMEOUT = "headers_timeout"
    HTTP_GARBAGE = "http_garbage"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    NO_CHANNEL = "no_channel"
    EDGE_ERROR = "edge_error"
    EDGE_TIMEOUT = "edge_timeout"
    HTML_ANSWER = "html_answer"
    UNEXPECTED_STATUS = "unexpected_status"
    UNEXPECTED_REDIRECT = "unexpected_redirect"
    UNEXPECTED_BODY = "unexpected_body"
    BODY_TIMEOUT = "body_timeout"
    ROUTE_GONE = "route_gone"
    NO_FIRST_TOKEN = "no_first_token"
    EMPTY_COMPLETION = "empty_completion"
    STREAM_ERROR = "stream_error"
    BODY_TOO_LARGE = "body_too_large"

    SLOW = "slow"
    STALLED = "stalled"
    TRUNCATED = "truncated"
    STREAM_NOT_SUPPORTED = "stream_not_supported"
    FAKE_STREAMING = "fake_streaming"
    CONTENT_MISMATCH = "content_mismatch"
    MODEL_MISMATCH = "model_mismatch"
    CONTENT_FILTERED = "content_filtered"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    OVER_BILLING = "over_billing"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    MISSING_USAGE = "missing_usage"
    CERT_EXPIRING = "cert_expiring"

    DNS_POISONED = "dns_poisoned"
    SNI_BLOCKED = "sni_blocked"
    TLS_RESET = "tls_reset"

    AUTH_INVALID = "auth_invalid"
    QUOTA_EXHAUSTED = "quota_exhausted"
    PERMISSION_DENIED = "permission_denied"
    MODEL_NOT_FOUND = "model_not_found"
    REGION_BLOCKED = "region_blocked"
    REQUEST_REJECTED = "request_rejected"
    BUDGET_TOO_SMALL = "budget_too_small"
    PATH_NOT_FOUND = "path_not_found"
    NO_KEY = "no_key"

    OFFLINE = "offline"
    RESOLVER_FAILED = "resolver_failed"
    CLOCK_WRONG = "clock_wrong"
    EDGE_CHALLENGE = "edge_challenge"
    EDGE_DENIED = "edge_denied"
    BUDGET_PAUSED = "budget_paused"
    INTERNAL = "internal"
    OVERRUN = "overrun"

    @property
    def fault(self) -> Fault:
        return _VERDICTS[self][0]

    @property
    def outcome(self) -> Outcome:
        return _VERDICTS[self][1]

    @property
    def on_the_way(self) -> bool:
        """Whether it speaks of the way there, a CDN's part of it included, and not of what answers at its end."""
        return self in _ON_THE_WAY or self.fault is Fault.PATH


_KINDS = tuple(FailureKind)


def _between(first: FailureKind, last: FailureKind) -> tuple[FailureKind, ...]:
    return _KINDS[_KINDS.index(first) : _KINDS.index(last) + 1]


_GROUPS: tuple[tuple[FailureKind, FailureKind, Fault, Outcome], ...] = (
    (FailureKind.DNS_NXDOMAIN, FailureKind.BODY_TOO_LARGE, Fault.ENDPOINT, Outcome.DOWN),
    (FailureKind.SLOW, FailureKind.CERT_EXPIRING, Fault.ENDPOINT, Outcome.DEGRADED),
    (FailureKind.DNS_POISONED, FailureKind.TLS_RESET, Fault.PATH, Outcome.DOWN),
    (FailureKind.AUTH_INVALID, FailureKind.NO_KEY, Fault.ACCOUNT, Outcome.UNKNOWN),
    (FailureKind.OFFLINE, FailureKind.OVERRUN, Fault.MONITOR, Outcome.UNKNOWN),
)
_VERDICTS: dict[FailureKind, tuple[Fault, Outcome]] = {
    kind: (fault, outcome)
    for first, last, fault, outcome in _GROUPS
    for kind in _between(first, last)
}

_ON_THE_WAY = frozenset({
    FailureKind.DNS_NXDOMAIN, FailureKind.DNS_SERVFAIL, FailureKind.TCP_REFUSED, FailureKind.TCP_UNREACHABLE, FailureKind.CONNECT_TIMEOUT,
    FailureKind.TLS_TIMEOUT, FailureKind.TLS_PROTOCOL, FailureKind.CERT_HOSTNAME, FailureKind.CERT_UNTRUSTED, FailureKind.HTTP_DISCONNECT,
    FailureKind.EDGE_ERROR, FailureKind.EDGE_TIMEOUT, FailureKind.BODY_TIMEOUT, FailureKind.SLOW, FailureKind.STALLED, FailureKind.TRUNCATED,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """`message` says got and want, in English, already cleaned and free of secrets."""

    kind: FailureKind
    message: str

    @property
    def fault(self) -> Fault:
        return self.kind.fault

    @property
    def outcome(self) -> Outcome:
        return self.kind.outcome
