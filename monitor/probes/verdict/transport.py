"""Turns phase and cause of a broken request into a failure."""

from collections.abc import Mapping

from monitor.model import Failure, FailureKind
from monitor.probes.exchange import ErrorType, Exchange, TransportError, TransportPhase

_CERT = {
    ErrorType.CERT_EXPIRED: FailureKind.CERT_EXPIRED,
    ErrorType.CERT_NOT_YET: FailureKind.CERT_EXPIRED,
    ErrorType.CERT_HOSTNAME: FailureKind.CERT_HOSTNAME,
    ErrorType.CERT_UNTRUSTED: FailureKind.CERT_UNTRUSTED,
    ErrorType.CERT_INCOMPLETE: FailureKind.CERT_UNTRUSTED,
}
_BEFORE_TLS = {
    ErrorType.REFUSED: FailureKind.TCP_REFUSED,
    ErrorType.RESET: FailureKind.TCP_REFUSED,
    ErrorType.CLOSED: FailureKind.TCP_REFUSED,
    ErrorType.UNREACHABLE: FailureKind.TCP_UNREACHABLE,
}
_TRANSPORT: Mapping[TransportPhase, tuple[Mapping[ErrorType, FailureKind], FailureKind]] = {
    TransportPhase.PROXY: ({}, FailureKind.OFFLINE),
    TransportPhase.DNS: ({ErrorType.NXDOMAIN: FailureKind.DNS_NXDOMAIN}, FailureKind.DNS_SERVFAIL),
    TransportPhase.CONNECT: (_BEFORE_TLS, FailureKind.CONNECT_TIMEOUT),
    TransportPhase.TLS: (
        {
            ErrorType.TIMEOUT: FailureKind.TLS_TIMEOUT,
            ErrorType.RESET: FailureKind.TLS_RESET,
            ErrorType.CLOSED: FailureKind.TLS_RESET,
        },
        FailureKind.TLS_PROTOCOL,
    ),
    TransportPhase.HEADERS: (
        {
            ErrorType.TIMEOUT: FailureKind.HEADERS_TIMEOUT,
            ErrorType.GAVE_UP: FailureKind.HEADERS_TIMEOUT,
            ErrorType.RESET: FailureKind.HTTP_DISCONNECT,
            ErrorType.CLOSED: FailureKind.HTTP_DISCONNECT,
        },
        FailureKind.HTTP_GARBAGE,
    ),
}
_EXPLAINED = {
    FailureKind.DNS_NXDOMAIN: "got no such name from DNS, want an address",
    FailureKind.DNS_SERVFAIL: "got no answer from DNS, want an address",
    FailureKind.TCP_REFUSED: "got a refused connection, want one that opens",
    FailureKind.TCP_UNREACHABLE: "got no route to the host, want a connection",
    FailureKind.CONNECT_TIMEOUT: "got no connection in time, want one that opens",
    FailureKind.TLS_TIMEOUT: "got no TLS handshake in time, want an encrypted connection",
    FailureKind.TLS_RESET: "got cut off during the TLS handshake, want an encrypted connection",
    FailureKind.TLS_PROTOCOL: "got a TLS handshake that failed, or something else than TLS; want an encrypted connection",
    FailureKind.CERT_EXPIRED: "got a certificate outside its dates, want a valid one",
    FailureKind.CERT_HOSTNAME: "got a certificate for another name, want one for this host",
    FailureKind.CERT_UNTRUSTED: "got a certificate that nobody we trust signed, want a trusted one",
    FailureKind.OFFLINE: "got no way out through the proxy, which says nothing of the endpoint; want one",
    FailureKind.HEADERS_TIMEOUT: "got no answer in time, want response headers",
    FailureKind.HTTP_DISCONNECT: "got a closed connection instead of an answer, want response headers",
    FailureKind.HTTP_GARBAGE: "got something else than HTTP, want a response",
    FailureKind.BODY_TIMEOUT: "got an answer that did not end in time, want all of it",
    FailureKind.BODY_TOO_LARGE: "got a larger answer than we read, want a smaller one",
    FailureKind.UNEXPECTED_BODY: "got an answer that was cut off, want all of it",
}


def judge_transport(exchange: Exchange) -> Failure | None:
    """Judge what broke before the body; a broken body is for `judge_body_transport` or the stream's judge."""
    error = exchange.error
    if error is None or error.phase is TransportPhase.BODY:
        return None
    if error.what is ErrorType.CERT_NOT_YET:
        return Failure(
            FailureKind.CERT_EXPIRED, _with("got a certificate that is not valid yet", error)
        )
    if error.what is ErrorType.CERT_INCOMPLETE:
        why = "got the server's own certificate alone, which nobody we trust signed"
        return Failure(
            FailureKind.CERT_UNTRUSTED,
            _with(f"{why}; want the intermediate certificates too, which SDKs need", error),
        )
    return _explained(_transport_kind(error), error)


def judge_body_transport(exchange: Exchange) -> Failure | None:
    """Judge a plain answer that did not come whole."""
    error = exchange.error
    if error is None or error.phase is not TransportPhase.BODY:
        return None
    if error.what in {ErrorType.TIMEOUT, ErrorType.GAVE_UP}:
        return _explained(FailureKind.BODY_TIMEOUT, error)
    if error.what is ErrorType.TOO_LARGE:
        return _explained(FailureKind.BODY_TOO_LARGE, error)
    if error.what is ErrorType.PROTOCOL:
        return _explained(FailureKind.HTTP_GARBAGE, error)
    if error.what is ErrorType.ENCODING:
        return Failure(FailureKind.UNEXPECTED_BODY, f"got {error.detail}, want a plain body")
    return _explained(
        FailureKind.UNEXPECTED_BODY if exchange.body else FailureKind.HTTP_DISCONNECT, error
    )


def _transport_kind(error: TransportError) -> FailureKind:
    if error.what in _CERT:
        return _CERT[error.what]
    table, otherwise = _TRANSPORT[error.phase]
    return table.get(error.what, otherwise)


def _explained(kind: FailureKind, error: TransportError) -> Failure:
    return Failure(kind, _with(_EXPLAINED[kind], error))


def _with(sentence: str, error: TransportError) -> str:
    return f"{sentence} ({error.detail})" if error.detail else sentence
