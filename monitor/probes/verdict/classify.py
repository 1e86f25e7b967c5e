"""From facts to a failure: transport, then status and headers, then codes, then prose.

The order and the tables are those of docs/methodology.md. Texts from the endpoint in the messages
are as they came: `attempt` cuts, cleans and redacts them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from monitor.model import Failure, FailureKind
from monitor.probes.exchange import Exchange
from monitor.probes.verdict import provider_codes
from monitor.probes.verdict.edge import judge_edge
from monitor.probes.verdict.error_body import (
    ErrorBody,
    html_title,
    looks_html,
    parse_error_body,
    read_error_object,
    read_json,
)


def judge_http(exchange: Exchange, *, had_key: bool, known_good: bool = False) -> Failure | None:
    """What status, headers and an error body say; None for 2xx (see `judge_api_body`).

    `known_good`: this very call has worked before, so a path that is gone is the endpoint's doing.
    """
    status = exchange.status
    if status is None:
        return None
    edge = judge_edge(exchange)
    if edge is not None or 200 <= status < 300:
        return edge
    said = parse_error_body(exchange.body)
    if 300 <= status < 400 and status != 304:
        where = exchange.headers.get("location", "nowhere")
        return Failure(
            FailureKind.UNEXPECTED_REDIRECT, f"got HTTP {status} to {where}, want an answer"
        )
    kind = _status_kind(status, said, html=looks_html(exchange.body))
    return Failure(_in_context(kind, had_key, known_good), _message(status, said, kind))


def judge_api_body(exchange: Exchange) -> Failure | None:
    """An API's answer under 2xx that is a page or an error object after all."""
    body = exchange.body
    if looks_html(body):
        title = html_title(body)
        page = f'an HTML page titled "{title}"' if title else "an HTML page"
        return Failure(
            FailureKind.HTML_ANSWER, f"got {page}, want the API's JSON; is the base URL right?"
        )
    value = read_json(body)
    if is_error_object(value):
        return judge_error_object(value, exchange.status, otherwise=FailureKind.SERVER_ERROR)
    return None


def is_error_object(value: Any) -> bool:
    """Whether a JSON object speaks of an error, whichever API's manner it has."""
    if not isinstance(value, dict):
        return False
    if _is_said(value.get("error")):
        return True
    if value.get("type") in {"error", "response.failed"} or value.get("object") == "error":
        return True
    return value.get("success") is False and ("message" in value or bool(value.get("errors")))


def _is_said(error: Any) -> bool:
    """Some relays put an error object into good answers too, with nothing in it."""
    return any(error.values()) if isinstance(error, dict) else bool(error)


def judge_error_object(
    value: Any, status: int | None = 200, *, otherwise: FailureKind = FailureKind.STREAM_ERROR
) -> Failure:
    """An error that came under HTTP 200, by the status it would have had.

    `otherwise` is the kind where nothing tells it from the server simply failing.
    """
    said = read_error_object(value) if isinstance(value, dict) else ErrorBody(text=str(value))
    kind = _inner_kind(said, otherwise)
    text = said.text or ", ".join(sorted(said.words)) or "no words"
    return Failure(kind, f'got an error inside HTTP {status}: "{_cut(text)}", want an answer')


def _inner_kind(said: ErrorBody, otherwise: FailureKind) -> FailureKind:
    implied = (
        provider_codes.IMPLIED_STATUS[word]
        for word in said.words
        if word in provider_codes.IMPLIED_STATUS
    )
    status = said.status or max(implied, default=None)
    if status is None and said.mentions(*provider_codes.QUOTA_PHRASES):
        return FailureKind.QUOTA_EXHAUSTED
    if status is None and said.mentions(*provider_codes.BUDGET_PHRASES):
        return FailureKind.BUDGET_TOO_SMALL
    kind = _status_kind(status or 500, said, html=False)
    return otherwise if kind.row.is_unspecific else kind


def _in_context(kind: FailureKind, had_key: bool, known_good: bool) -> FailureKind:  # noqa: FBT001
    if kind in {FailureKind.AUTH_INVALID, FailureKind.PERMISSION_DENIED} and not had_key:
        return FailureKind.NO_KEY
    if kind is FailureKind.PATH_NOT_FOUND and known_good:
        return FailureKind.ROUTE_GONE
    return kind


# --- the relay and what is behind it --------------------------------------------------------------


def _status_kind(status: int, said: ErrorBody, *, html: bool) -> FailureKind:
    spoken = _spoken_kind(status, said)
    if spoken is not None:
        return spoken
    if status >= 500:
        return _server_kind(status, said)
    judge = _BY_STATUS.get(status)
    return judge(said, html) if judge else FailureKind.UNEXPECTED_STATUS


def _spoken_kind(status: int, said: ErrorBody) -> FailureKind | None:
    """Codes that mean the same under any status."""
    if said.words & provider_codes.ALWAYS_ACCOUNT:
        return FailureKind.QUOTA_EXHAUSTED
    if status == 401:
        return None
    for word, kind in provider_codes.RELAY_WORDS.items():
        if word in said.words:
            return kind
    return FailureKind.NO_CHANNEL if said.mentions(*provider_codes.NO_CHANNEL_PHRASES) else None


def _server_kind(status: int, said: ErrorBody) -> FailureKind:
    if said.words & provider_codes.MODEL_WORDS:
        return FailureKind.NO_CHANNEL
    if (
        status == 529
        or said.words & provider_codes.BUSY_WORDS
        or said.mentions(*provider_codes.BUSY_PHRASES)
    ):
        return FailureKind.OVERLOADED
    if status == 504 or "timeout_error" in said.words:
        return FailureKind.UPSTREAM_TIMEOUT
    return FailureKind.BAD_GATEWAY if status == 502 else FailureKind.SERVER_ERROR


def _account_kind(said: ErrorBody) -> FailureKind | None:
    if any(word.startswith("subscription_") for word in said.words):
        return FailureKind.QUOTA_EXHAUSTED
    return next(
        (kind for word, kind in provider_codes.ACCOUNT_WORDS.items() if word in said.words), None
    )


def _bad_request(said: ErrorBody, html: bool) -> FailureKind:  # noqa: ARG001, FBT001
    account = _account_kind(said)
    if account is not None:
        return account
    if said.words & provider_codes.MODEL_WORDS or said.mentions(*provider_codes.NO_MODEL_PHRASES):
        return FailureKind.MODEL_NOT_FOUND
    if said.words & provider_codes.CONTEXT_WORDS or said.mentions(*provider_codes.CONTEXT_PHRASES):
        return FailureKind.REQUEST_REJECTED
    if said.mentions(*provider_codes.KEY_PHRASES):
        return FailureKind.AUTH_INVALID
    if said.mentions(*provider_codes.REGION_PHRASES):
        return FailureKind.REGION_BLOCKED
    if said.mentions(*provider_codes.QUOTA_PHRASES):
        return FailureKind.QUOTA_EXHAUSTED
    if said.mentions(*provider_codes.BUDGET_PHRASES):
        return FailureKind.BUDGET_TOO_SMALL
    return FailureKind.MODEL_NOT_FOUND if _names_model(said) else FailureKind.REQUEST_REJECTED


_MODEL_FIRST = re.compile(r"\bmodels?\b[ :`'\"]+(\S+)", re.IGNORECASE)


def _names_model(said: ErrorBody) -> bool:
    """Prose such as "Model x is not supported": the model is what the sentence is about."""
    about = _MODEL_FIRST.search(said.text[:40])
    return about is not None and said.mentions(*provider_codes.MODEL_PHRASES)


def _forbidden(said: ErrorBody, html: bool) -> FailureKind:  # noqa: FBT001
    if html:
        return FailureKind.EDGE_DENIED
    account = _account_kind(said)
    if account in {FailureKind.QUOTA_EXHAUSTED, FailureKind.REGION_BLOCKED}:
        return account
    if said.mentions(*provider_codes.QUOTA_PHRASES):
        return FailureKind.QUOTA_EXHAUSTED
    if said.mentions(*provider_codes.REGION_PHRASES):
        return FailureKind.REGION_BLOCKED
    if "forbidden" in said.words and said.mentions("request not allowed"):
        return FailureKind.REGION_BLOCKED
    if account is FailureKind.AUTH_INVALID or said.mentions(*provider_codes.KEY_PHRASES_403):
        return FailureKind.AUTH_INVALID
    return FailureKind.PERMISSION_DENIED


def _not_found(said: ErrorBody, html: bool) -> FailureKind:  # noqa: FBT001
    if html:
        return FailureKind.PATH_NOT_FOUND
    if said.words & provider_codes.MODEL_WORDS:
        return FailureKind.MODEL_NOT_FOUND
    if said.mentions("invalid url", "page not found", "unknown request url"):
        return FailureKind.PATH_NOT_FOUND
    return (
        FailureKind.MODEL_NOT_FOUND if "model" in said.text.lower() else FailureKind.PATH_NOT_FOUND
    )


def _too_many(said: ErrorBody, html: bool) -> FailureKind:  # noqa: ARG001, FBT001
    account = _account_kind(said)
    if account is FailureKind.QUOTA_EXHAUSTED or any(
        provider_codes.PER_DAY in word for word in said.words
    ):
        return FailureKind.QUOTA_EXHAUSTED
    busy = said.words & provider_codes.BUSY_WORDS or said.mentions("饱和", "overload")
    return FailureKind.OVERLOADED if busy else FailureKind.RATE_LIMITED


_BY_STATUS: Mapping[int, Callable[[ErrorBody, bool], FailureKind]] = {
    400: _bad_request,
    401: lambda _said, _html: FailureKind.AUTH_INVALID,
    402: lambda _said, _html: FailureKind.QUOTA_EXHAUSTED,
    403: _forbidden,
    404: _not_found,
    408: lambda _said, _html: FailureKind.UPSTREAM_TIMEOUT,
    429: _too_many,
    451: lambda _said, _html: FailureKind.REGION_BLOCKED,
    499: lambda _said, _html: FailureKind.UPSTREAM_TIMEOUT,
} | dict.fromkeys(
    (405, 406, 409, 410, 411, 412, 413, 414, 415, 416, 417, 422, 424, 431), _bad_request
)


def _message(status: int, said: ErrorBody, kind: FailureKind) -> str:
    text = f': "{_cut(said.text)}"' if said.text else ""
    hint = f"; {kind.row.hint}" if kind.row.hint else ""
    return f"got HTTP {status}{text}, want 200{hint}"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:199]}…"
