"""What broke on the way: stage and cause -> a failure."""

from collections.abc import Mapping

from monitor.model import Failure, FailureKind
from monitor.probes.exchange import Break, Exchange, Stage, Trouble

_CERT = {
    Break.CERT_EXPIRED: FailureKind.CERT_EXPIRED,
    Break.CERT_NOT_YET: FailureKind.CERT_EXPIRED,
    Break.CERT_HOSTNAME: FailureKind.CERT_HOSTNAME,
    Break.CERT_UNTRUSTED: FailureKind.CERT_UNTRUSTED,
}
_BEFORE_TLS = {
    Break.REFUSED: FailureKind.TCP_REFUSED,
    Break.RESET: FailureKind.TCP_REFUSED,
    Break.CLOSED: FailureKind.TCP_REFUSED,
    Break.UNREACHABLE: FailureKind.TCP_UNREACHABLE,
}
_TRANSPORT: Mapping[Stage, tuple[Mapping[Break, FailureKind], FailureKind]] = {
    Stage.PROXY: ({}, FailureKind.OFFLINE),
    Stage.DNS: ({Break.NXDOMAIN: FailureKind.DNS_NXDOMAIN}, FailureKind.DNS_SERVFAIL),
    Stage.CONNECT: (_BEFORE_TLS, FailureKind.CONNECT_TIMEOUT),
    Stage.TLS: (
        {
            Break.TIMEOUT: FailureKind.TLS_TIMEOUT,
            Break.RESET: FailureKind.TLS_RESET,
            Break.CLOSED: FailureKind.TLS_RESET,
        },
        FailureKind.TLS_PROTOCOL,
    ),
    Stage.HEADERS: (
        {
            Break.TIMEOUT: FailureKind.HEADERS_TIMEOUT,
            Break.GAVE_UP: FailureKind.HEADERS_TIMEOUT,
            Break.RESET: FailureKind.HTTP_DISCONNECT,
            Break.CLOSED: FailureKind.HTTP_DISCONNECT,
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
    FailureKind.TLS_PROTOCOL: "got something else than TLS, want an encrypted connection",
    FailureKind.CERT_EXPIRED: "got a certificate outside its dates, want a valid one",
    FailureKind.CERT_HOSTNAME: "got a certificate for another name, want one for this host",
    FailureKind.CERT_UNTRUSTED: "got a certificate that nobody we trust signed, want a trusted one",
    FailureKind.OFFLINE: "got no way out through the proxy, which says nothing of the endpoint; want one",
    FailureKind.HEADERS_TIMEOUT: "got no answer in time, want response headers",
    FailureKind.HTTP_DISCONNECT: "got a closed connection instead of an answer, want response headers",
    FailureKind.HTTP_GARBAGE: "got something else than HTTP, want a response",
    FailureKind.BODY_TIMEOUT: "got an answer that did not end in time, want all of it",
    FailureKind.BODY_TOO_LARGE: "got a larger answer than we read, want a smaller one",
    FailureKind.TRUNCATED: "got an answer that was cut off, want all of it",
}


def judge_transport(exchange: Exchange) -> Failure | None:
    """What broke before the body; a broken body is for `judge_body_trouble` or the stream's judge."""
    trouble = exchange.trouble
    if trouble is None or trouble.stage is Stage.BODY:
        return None
    if trouble.what is Break.CERT_NOT_YET:
        return Failure(
            FailureKind.CERT_EXPIRED, _with("got a certificate that is not valid yet", trouble)
        )
    return _explained(_transport_kind(trouble), trouble)


def judge_body_trouble(exchange: Exchange) -> Failure | None:
    """A plain answer that did not come whole: worth less than half, but the server did speak."""
    trouble = exchange.trouble
    if trouble is None or trouble.stage is not Stage.BODY:
        return None
    if trouble.what in {Break.TIMEOUT, Break.GAVE_UP}:
        return _explained(FailureKind.BODY_TIMEOUT, trouble)
    if trouble.what is Break.TOO_LARGE:
        return _explained(FailureKind.BODY_TOO_LARGE, trouble)
    if trouble.what is Break.PROTOCOL:
        return _explained(FailureKind.HTTP_GARBAGE, trouble)
    return _explained(
        FailureKind.TRUNCATED if exchange.body else FailureKind.HTTP_DISCONNECT, trouble
    )


def _transport_kind(trouble: Trouble) -> FailureKind:
    if trouble.what in _CERT:
        return _CERT[trouble.what]
    table, otherwise = _TRANSPORT[trouble.stage]
    return table.get(trouble.what, otherwise)


def _explained(kind: FailureKind, trouble: Trouble) -> Failure:
    return Failure(kind, _with(_EXPLAINED[kind], trouble))


def _with(sentence: str, trouble: Trouble) -> str:
    return f"{sentence} ({trouble.detail})" if trouble.detail else sentence
