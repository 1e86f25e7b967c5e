"""What broke on the way: stage and cause -> a failure."""

from collections.abc import Mapping

from monitor.model import Failure, Kind
from monitor.probes.facts import Break, Exchange, Stage, Trouble

_CERT = {
    Break.CERT_EXPIRED: Kind.CERT_EXPIRED,
    Break.CERT_NOT_YET: Kind.CERT_EXPIRED,
    Break.CERT_HOSTNAME: Kind.CERT_HOSTNAME,
    Break.CERT_UNTRUSTED: Kind.CERT_UNTRUSTED,
}
_BEFORE_TLS = {
    Break.REFUSED: Kind.TCP_REFUSED,
    Break.RESET: Kind.TCP_REFUSED,
    Break.CLOSED: Kind.TCP_REFUSED,
    Break.UNREACHABLE: Kind.TCP_UNREACHABLE,
}
_TRANSPORT: Mapping[Stage, tuple[Mapping[Break, Kind], Kind]] = {
    Stage.PROXY: ({}, Kind.OFFLINE),
    Stage.DNS: ({Break.NXDOMAIN: Kind.DNS_NXDOMAIN}, Kind.DNS_SERVFAIL),
    Stage.CONNECT: (_BEFORE_TLS, Kind.CONNECT_TIMEOUT),
    Stage.TLS: (
        {
            Break.TIMEOUT: Kind.TLS_TIMEOUT,
            Break.RESET: Kind.TLS_RESET,
            Break.CLOSED: Kind.TLS_RESET,
        },
        Kind.TLS_PROTOCOL,
    ),
    Stage.HEADERS: (
        {
            Break.TIMEOUT: Kind.HEADERS_TIMEOUT,
            Break.GAVE_UP: Kind.HEADERS_TIMEOUT,
            Break.RESET: Kind.HTTP_DISCONNECT,
            Break.CLOSED: Kind.HTTP_DISCONNECT,
        },
        Kind.HTTP_GARBAGE,
    ),
}
_EXPLAINED = {
    Kind.DNS_NXDOMAIN: "got no such name from DNS, want an address",
    Kind.DNS_SERVFAIL: "got no answer from DNS, want an address",
    Kind.TCP_REFUSED: "got a refused connection, want one that opens",
    Kind.TCP_UNREACHABLE: "got no route to the host, want a connection",
    Kind.CONNECT_TIMEOUT: "got no connection in time, want one that opens",
    Kind.TLS_TIMEOUT: "got no TLS handshake in time, want an encrypted connection",
    Kind.TLS_RESET: "got cut off during the TLS handshake, want an encrypted connection",
    Kind.TLS_PROTOCOL: "got something else than TLS, want an encrypted connection",
    Kind.CERT_EXPIRED: "got a certificate outside its dates, want a valid one",
    Kind.CERT_HOSTNAME: "got a certificate for another name, want one for this host",
    Kind.CERT_UNTRUSTED: "got a certificate that nobody we trust signed, want a trusted one",
    Kind.OFFLINE: "got no way out through the proxy, which says nothing of the endpoint; want one",
    Kind.HEADERS_TIMEOUT: "got no answer in time, want response headers",
    Kind.HTTP_DISCONNECT: "got a closed connection instead of an answer, want response headers",
    Kind.HTTP_GARBAGE: "got something else than HTTP, want a response",
    Kind.BODY_TIMEOUT: "got an answer that did not end in time, want all of it",
    Kind.BODY_TOO_LARGE: "got a larger answer than we read, want a smaller one",
    Kind.TRUNCATED: "got an answer that was cut off, want all of it",
}


def judge_transport(exchange: Exchange) -> Failure | None:
    """What broke before the body; a broken body is for `judge_body_trouble` or the stream's judge."""
    trouble = exchange.trouble
    if trouble is None or trouble.stage is Stage.BODY:
        return None
    if trouble.what is Break.CERT_NOT_YET:
        return Failure(Kind.CERT_EXPIRED, _with("got a certificate that is not valid yet", trouble))
    return _explained(_transport_kind(trouble), trouble)


def judge_body_trouble(exchange: Exchange) -> Failure | None:
    """A plain answer that did not come whole: worth less than half, but the server did speak."""
    trouble = exchange.trouble
    if trouble is None or trouble.stage is not Stage.BODY:
        return None
    if trouble.what in {Break.TIMEOUT, Break.GAVE_UP}:
        return _explained(Kind.BODY_TIMEOUT, trouble)
    if trouble.what is Break.TOO_LARGE:
        return _explained(Kind.BODY_TOO_LARGE, trouble)
    if trouble.what is Break.PROTOCOL:
        return _explained(Kind.HTTP_GARBAGE, trouble)
    return _explained(Kind.TRUNCATED if exchange.body else Kind.HTTP_DISCONNECT, trouble)


def _transport_kind(trouble: Trouble) -> Kind:
    if trouble.what in _CERT:
        return _CERT[trouble.what]
    table, otherwise = _TRANSPORT[trouble.stage]
    return table.get(trouble.what, otherwise)


def _explained(kind: Kind, trouble: Trouble) -> Failure:
    return Failure(kind, _with(_EXPLAINED[kind], trouble))


def _with(sentence: str, trouble: Trouble) -> str:
    return f"{sentence} ({trouble.detail})" if trouble.detail else sentence
