"""From facts to a failure: transport, then status and headers, then codes, then prose.

The order and the tables are those of docs/methodology.md. Texts from the endpoint in the messages
are as they came: `attempt` cuts, cleans and redacts them.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from monitor.model import Failure, Kind
from monitor.probes import codes
from monitor.probes.facts import Break, Exchange, Stage, Trouble
from monitor.probes.said import Said, html_title, looks_html, read_json, said_in, said_in_body

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


# --- HTTP ---------------------------------------------------------------------------------------


def judge_http(exchange: Exchange, *, had_key: bool, known_good: bool = False) -> Failure | None:
    """What status, headers and an error body say; None for 2xx (see `judge_api_body`).

    `known_good`: this very call has worked before, so a path that is gone is the endpoint's doing.
    """
    status = exchange.status
    if status is None:
        return None
    edge = _judge_edge(exchange, status)
    if edge is not None or 200 <= status < 300:
        return edge
    said = said_in_body(exchange.body)
    if 300 <= status < 400 and status != 304:
        where = exchange.headers.get("location", "nowhere")
        return Failure(Kind.UNEXPECTED_REDIRECT, f"got HTTP {status} to {where}, want an answer")
    kind = _status_kind(status, said, html=looks_html(exchange.body))
    return Failure(_in_context(kind, had_key, known_good), _message(status, said, kind))


def judge_edge(exchange: Exchange) -> Failure | None:
    """What an edge in front of the server answered in its place, if one did."""
    return None if exchange.status is None else _judge_edge(exchange, exchange.status)


def judge_api_body(exchange: Exchange) -> Failure | None:
    """An API's answer under 2xx that is a page or an error object after all."""
    body = exchange.body
    if looks_html(body):
        title = html_title(body)
        page = f'an HTML page titled "{title}"' if title else "an HTML page"
        return Failure(Kind.HTML_ANSWER, f"got {page}, want the API's JSON; is the base URL right?")
    value = read_json(body)
    if is_error_object(value):
        return judge_error_object(value, exchange.status, otherwise=Kind.SERVER_ERROR)
    return None


def is_error_object(value: Any) -> bool:
    """Whether a JSON object speaks of an error, whichever API's manner it has."""
    if not isinstance(value, dict):
        return False
    if value.get("error"):
        return True
    if value.get("type") in {"error", "response.failed"} or value.get("object") == "error":
        return True
    return value.get("success") is False and "message" in value


def judge_error_object(
    value: Any, status: int | None = 200, *, otherwise: Kind = Kind.STREAM_ERROR
) -> Failure:
    """An error that came under HTTP 200, by the status it would have had.

    `otherwise` is the kind where nothing tells it from the server simply failing.
    """
    said = said_in(value) if isinstance(value, dict) else Said(text=str(value))
    kind = _inner_kind(said, otherwise)
    text = said.text or ", ".join(sorted(said.words)) or "no words"
    return Failure(kind, f'got an error inside HTTP {status}: "{_cut(text)}", want an answer')


def _inner_kind(said: Said, otherwise: Kind) -> Kind:
    implied = (codes.IMPLIED_STATUS[word] for word in said.words if word in codes.IMPLIED_STATUS)
    status = said.status or max(implied, default=None)
    if status is None and said.mentions(*codes.QUOTA_PHRASES):
        return Kind.QUOTA_EXHAUSTED
    if status is None and said.mentions(*codes.BUDGET_PHRASES):
        return Kind.BUDGET_TOO_SMALL
    kind = _status_kind(status or 500, said, html=False)
    plain = {Kind.SERVER_ERROR, Kind.BAD_GATEWAY, Kind.UNEXPECTED_STATUS, Kind.PATH_NOT_FOUND}
    return otherwise if kind in plain else kind


def _in_context(kind: Kind, had_key: bool, known_good: bool) -> Kind:  # noqa: FBT001
    if kind in {Kind.AUTH_INVALID, Kind.PERMISSION_DENIED} and not had_key:
        return Kind.NO_KEY
    if kind is Kind.PATH_NOT_FOUND and known_good:
        return Kind.ROUTE_GONE
    return kind


# --- the edge -----------------------------------------------------------------------------------

_EDGE_CODE = re.compile(
    rb"""\A\s*error\ code:\s*(1\d{3})\b                 # the plain-text form
      | "error_code"\s*:\s*(1\d{3})\b                   # the structured one
      | <span[^>]*class="cf-error-code"[^>]*>(1\d{3})<  # the page
      | <title>[^<]{0,200}\berror\ (1\d{3})\b
      | \bError\ (1\d{3})\s+Ray\ ID
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BARE = re.compile(rb"\A\s*(?:error code:?\s*)?50[24][a-z ]{0,16}\s*\Z", re.IGNORECASE)
_CHALLENGES = (b"challenge-platform", b"just a moment", b"cf-chl-", b"_cf_chl_opt")


def _judge_edge(exchange: Exchange, status: int) -> Failure | None:
    """Did the edge itself answer, in place of the relay behind it?"""
    if _is_challenge(exchange, status):
        return Failure(
            Kind.EDGE_CHALLENGE,
            f"got HTTP {status} with a browser challenge of the edge, want the API's answer; "
            "the monitor is taken for a robot",
        )
    if status < 400:
        return None
    code = _edge_code(exchange.body)
    if code is not None:
        return _judge_edge_code(status, code)
    kind = _edge_kind(exchange, status)
    if kind is None:
        return None
    why = codes.EDGE_STATUS.get(status, "the edge answered in place of the server behind it")
    return Failure(kind, f"got HTTP {status}: {why}, want the API's answer")


def _edge_kind(exchange: Exchange, status: int) -> Kind | None:
    if status == 524:
        return Kind.EDGE_TIMEOUT
    if status in codes.EDGE_STATUS:
        return Kind.EDGE_ERROR
    if status in {502, 504} and len(exchange.body) <= 24 and _BARE.match(exchange.body):
        return Kind.EDGE_TIMEOUT if status == 504 else Kind.EDGE_ERROR
    if status >= 500 and "cf-error-type" in exchange.headers:
        return Kind.EDGE_ERROR
    return None


def _is_challenge(exchange: Exchange, status: int) -> bool:
    if exchange.headers.get("cf-mitigated", "").strip().lower() == "challenge":
        return True
    if not looks_html(exchange.body):
        return False
    head = exchange.body[:65536].lower()
    # Ordinary pages behind the edge carry its script too, so under 2xx only the title counts.
    signs = _CHALLENGES if status >= 400 else (b"<title>just a moment",)
    return any(sign in head for sign in signs)


def _edge_code(body: bytes) -> int | None:
    found = _EDGE_CODE.search(body[:65536])
    return int(next(group for group in found.groups() if group)) if found else None


def _judge_edge_code(status: int, code: int) -> Failure:
    if code in codes.EDGE_RATE_LIMITED:
        return Failure(
            Kind.RATE_LIMITED, f"got HTTP {status}: the edge limits our rate (error {code})"
        )
    if code in codes.EDGE_DENIED:
        return Failure(
            Kind.EDGE_DENIED,
            f"got HTTP {status}: the edge denies us access (error {code}), want the API's answer",
        )
    return Failure(
        Kind.EDGE_ERROR, f"got HTTP {status}: the edge failed (error {code}), want the API's answer"
    )


# --- the relay and what is behind it --------------------------------------------------------------


def _status_kind(status: int, said: Said, *, html: bool) -> Kind:
    spoken = _spoken_kind(status, said)
    if spoken is not None:
        return spoken
    if status >= 500:
        return _server_kind(status, said)
    judge = _BY_STATUS.get(status)
    return judge(said, html) if judge else Kind.UNEXPECTED_STATUS


def _spoken_kind(status: int, said: Said) -> Kind | None:
    """Codes that mean the same under any status."""
    if said.words & codes.ALWAYS_ACCOUNT:
        return Kind.QUOTA_EXHAUSTED
    if status == 401:
        return None
    for word, kind in codes.RELAY_WORDS.items():
        if word in said.words:
            return kind
    return Kind.NO_CHANNEL if said.mentions(*codes.NO_CHANNEL_PHRASES) else None


def _server_kind(status: int, said: Said) -> Kind:
    if said.words & codes.MODEL_WORDS:
        return Kind.NO_CHANNEL
    if status == 529 or said.words & codes.BUSY_WORDS or said.mentions(*codes.BUSY_PHRASES):
        return Kind.OVERLOADED
    if status == 504 or "timeout_error" in said.words:
        return Kind.UPSTREAM_TIMEOUT
    return Kind.BAD_GATEWAY if status == 502 else Kind.SERVER_ERROR


def _account_kind(said: Said) -> Kind | None:
    if any(word.startswith("subscription_") for word in said.words):
        return Kind.QUOTA_EXHAUSTED
    return next((kind for word, kind in codes.ACCOUNT_WORDS.items() if word in said.words), None)


def _bad_request(said: Said, html: bool) -> Kind:  # noqa: ARG001, FBT001
    account = _account_kind(said)
    if account is not None:
        return account
    if said.words & codes.MODEL_WORDS:
        return Kind.MODEL_NOT_FOUND
    if said.words & codes.CONTEXT_WORDS or said.mentions(*codes.CONTEXT_PHRASES):
        return Kind.REQUEST_REJECTED
    if said.mentions(*codes.KEY_PHRASES):
        return Kind.AUTH_INVALID
    if said.mentions(*codes.REGION_PHRASES):
        return Kind.REGION_BLOCKED
    if said.mentions(*codes.QUOTA_PHRASES):
        return Kind.QUOTA_EXHAUSTED
    if said.mentions(*codes.BUDGET_PHRASES):
        return Kind.BUDGET_TOO_SMALL
    return Kind.MODEL_NOT_FOUND if _names_model(said) else Kind.REQUEST_REJECTED


_MODEL_FIRST = re.compile(r"\bmodels?\b[ :`'\"]+(\S+)", re.IGNORECASE)


def _names_model(said: Said) -> bool:
    """Prose such as "Model x is not supported": the model is what the sentence is about."""
    about = _MODEL_FIRST.search(said.text[:40])
    return about is not None and said.mentions(*codes.MODEL_PHRASES)


def _forbidden(said: Said, html: bool) -> Kind:  # noqa: FBT001
    if html:
        return Kind.EDGE_DENIED
    account = _account_kind(said)
    if account in {Kind.QUOTA_EXHAUSTED, Kind.REGION_BLOCKED}:
        return account
    if said.mentions(*codes.QUOTA_PHRASES):
        return Kind.QUOTA_EXHAUSTED
    if said.mentions(*codes.REGION_PHRASES):
        return Kind.REGION_BLOCKED
    if "forbidden" in said.words and said.mentions("request not allowed"):
        return Kind.REGION_BLOCKED
    if account is Kind.AUTH_INVALID or said.mentions(*codes.KEY_PHRASES_403):
        return Kind.AUTH_INVALID
    return Kind.PERMISSION_DENIED


def _not_found(said: Said, html: bool) -> Kind:  # noqa: FBT001
    if html:
        return Kind.PATH_NOT_FOUND
    if said.words & codes.MODEL_WORDS:
        return Kind.MODEL_NOT_FOUND
    if said.mentions("invalid url", "page not found", "unknown request url"):
        return Kind.PATH_NOT_FOUND
    return Kind.MODEL_NOT_FOUND if "model" in said.text.lower() else Kind.PATH_NOT_FOUND


def _too_many(said: Said, html: bool) -> Kind:  # noqa: ARG001, FBT001
    account = _account_kind(said)
    if account is Kind.QUOTA_EXHAUSTED or any(codes.PER_DAY in word for word in said.words):
        return Kind.QUOTA_EXHAUSTED
    busy = said.words & codes.BUSY_WORDS or said.mentions("饱和", "overload")
    return Kind.OVERLOADED if busy else Kind.RATE_LIMITED


_BY_STATUS: Mapping[int, Callable[[Said, bool], Kind]] = {
    400: _bad_request,
    401: lambda _said, _html: Kind.AUTH_INVALID,
    402: lambda _said, _html: Kind.QUOTA_EXHAUSTED,
    403: _forbidden,
    404: _not_found,
    408: lambda _said, _html: Kind.UPSTREAM_TIMEOUT,
    429: _too_many,
    451: lambda _said, _html: Kind.REGION_BLOCKED,
    499: lambda _said, _html: Kind.UPSTREAM_TIMEOUT,
} | dict.fromkeys(
    (405, 406, 409, 410, 411, 412, 413, 414, 415, 416, 417, 422, 424, 431), _bad_request
)

_HINTS = {
    Kind.AUTH_INVALID: "; check the key, its balance and its permission for the model",
    Kind.QUOTA_EXHAUSTED: "; the account needs money or a higher limit",
    Kind.PERMISSION_DENIED: "; the key may not do this",
    Kind.MODEL_NOT_FOUND: "; check the model's name",
    Kind.PATH_NOT_FOUND: "; check the base URL",
}


def _message(status: int, said: Said, kind: Kind) -> str:
    text = f': "{_cut(said.text)}"' if said.text else ""
    return f"got HTTP {status}{text}, want 200{_HINTS.get(kind, '')}"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:199]}…"


# --- when to come back ----------------------------------------------------------------------------

_SHORTEST, _LONGEST = 1.0, 3600.0
_NUMBER = re.compile(r"\A\d{1,15}(?:\.\d{1,9})?\Z")


def retry_after(exchange: Exchange, now: datetime) -> timedelta | None:
    """What the server asks for, 1 s to 1 h. Successful answers carry the header too: not read."""
    status = exchange.status
    if status is None or not (status in {408, 429} or 500 <= status < 600):
        return None
    asked = _asked_seconds(exchange, now)
    return None if asked is None else timedelta(seconds=min(max(asked, _SHORTEST), _LONGEST))


def _asked_seconds(exchange: Exchange, now: datetime) -> float | None:
    milliseconds = _number(exchange.headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    header = exchange.headers.get("retry-after", "").strip()
    if header:
        seconds = _number(header)
        return _until(header, now) if seconds is None else seconds
    delay = said_in_body(exchange.body).retry_delay
    return _number(delay.removesuffix("s")) if delay and delay.endswith("s") else None


def _number(text: str | None) -> float | None:
    text = (text or "").strip()
    return float(text) if _NUMBER.match(text) else None


def _until(text: str, now: datetime) -> float | None:
    try:
        then = parsedate_to_datetime(text)
        aware = then if then.tzinfo else then.replace(tzinfo=UTC)
        return (aware - now).total_seconds()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
