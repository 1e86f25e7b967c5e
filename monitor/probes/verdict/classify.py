"""Turns an HTTP answer into a failure: edges, money, then codes, status and prose.

The order and the tables are those of docs/methodology.md. Texts from the endpoint in the messages
are as they came: `attempt` cuts, cleans and redacts them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from monitor.model import Failure, FailureKind
from monitor.probes.exchange import Exchange
from monitor.probes.verdict import provider_codes
from monitor.probes.verdict.client_rule import refuses_client
from monitor.probes.verdict.edge import judge_edge
from monitor.probes.verdict.error_body import (
    ErrorBody,
    folded,
    html_title,
    looks_html,
    parse_error_body,
    read_error_object,
    read_json,
)
from monitor.probes.verdict.quota import judge_quota, when_it_returns


def judge_http(
    exchange: Exchange,
    *,
    had_key: bool,
    known_good: bool = False,
    is_api: bool = True,
    want: int = 200,
) -> Failure | None:
    """Judge status, headers and error body; None for 2xx (see `judge_api_body`).

    `known_good`: this very call has worked before, so a path that is gone is the endpoint's doing.
    `is_api`: the call wants an API's answer, not a web page. `want` is the status of a good answer.
    """
    status = exchange.status
    if status is None:
        return None
    edge = judge_edge(exchange, is_api=is_api)
    if edge is not None or 200 <= status < 300:
        return edge
    error = parse_error_body(exchange.body)
    if 300 <= status < 400 and status != 304:
        where = exchange.headers.get("location", "nowhere")
        return Failure(
            FailureKind.UNEXPECTED_REDIRECT, f"got HTTP {status} to {where}, want an answer"
        )
    kind = _status_kind(status, error, html=looks_html(exchange.body))
    return Failure(_in_context(kind, had_key, known_good), _message(status, error, kind, want))


def judge_api_body(exchange: Exchange) -> Failure | None:
    """Judge an API's answer under 2xx that is a page or an error object after all."""
    body = exchange.body
    if looks_html(body):
        title = html_title(body)
        page = f'an HTML page titled "{title}"' if title else "an HTML page"
        return Failure(
            FailureKind.HTML_ANSWER, f"got {page}, want the API's JSON; is the base URL right?"
        )
    value = read_json(body)
    if isinstance(value, list):
        value = next(filter(is_error_object, value), None)
    if is_error_object(value) or is_bare_message(value):
        return judge_error_object(value, exchange.status, otherwise=FailureKind.SERVER_ERROR)
    return None


def is_error_object(value: Any) -> bool:
    """Say whether a JSON value is an error object of any API."""
    if not isinstance(value, dict):
        return False
    table = folded(value)
    says_so = table.get("type") in ("error", "response.failed") or table.get("object") == "error"
    if says_so or _choice_error(table):
        return True
    if _ERROR_FIELDS.isdisjoint(
        table
    ):  # nearly always, and this is asked of every piece of every stream
        return False
    if _holds_anything(table.get("error")):
        return True
    if any(_is_bad(_table(table.get(name)).get(key)) for name, key in _INNER_STATUS):
        return True
    response = _table(table.get("response"))
    if _table(response.get("Error")):
        return True
    has_words = any(isinstance(table.get(key), str) for key in _MESSAGES)
    if table.get("success") in (False, "false") and (has_words or bool(table.get("errors"))):
        return True
    if _lists_errors(table.get("errors")) and not _has_payload(table):
        return True
    if not any(isinstance(table.get(key), str) and table[key] for key in _MESSAGES):
        return False
    return any(_is_bad(table.get(key)) for key in _OUTER_STATUS) and not _has_payload(table)


def is_bare_message(value: Any) -> bool:
    """Say whether a JSON value is an object of words alone, without a place for an answer."""
    if not isinstance(value, dict) or not _PAYLOADS.isdisjoint(value):
        return False
    table = folded(value)
    words = any(isinstance(table.get(key), str) and table[key].strip() for key in _MESSAGES)
    return words and _PAYLOADS.isdisjoint(table)


def _lists_errors(errors: Any) -> bool:
    """Say whether a field lists errors as objects, as GraphQL and Cloudflare do."""
    return isinstance(errors, list) and any(isinstance(error, dict) for error in errors)


def _has_payload(table: Mapping[str, Any]) -> bool:
    return any(table.get(key) for key in _PAYLOADS)


_MESSAGES = frozenset(
    {
        "message",
        "msg",
        "error_msg",
        "errmsg",
        "err_msg",
        "error_message",
        "errormessage",
        "detail",
    }
)
_OUTER_STATUS = (
    "code",
    "error_code",
    "errcode",
    "errorcode",
    "err_code",
    "status_code",
    "statuscode",
    "status",
    "ret",
)
_INNER_STATUS = (("base_resp", "status_code"), ("header", "code"))
_ERROR_FIELDS = _MESSAGES | {"error", "errors", "response", "base_resp", "header"}
"""Fields of which an error object has one, unless a type or a choice says what it is."""
_PAYLOADS = frozenset(
    {
        "choices",
        "data",
        "output",
        "content",
        "candidates",
        "embeddings",
        "results",
        "result",
        "delta",
        "images",
        "models",
        "text",
    }
)
_GOOD_WORDS = (
    "",
    "0",
    "200",
    "ok",
    "success",
    "succeeded",
    "completed",
    "in_progress",
    "incomplete",
    "none",
    "null",
)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_bad(code: Any) -> bool:
    """Say whether a code beside a message is that of an error."""
    if isinstance(code, bool):
        return False
    if isinstance(code, int):
        return code != 0 and not 200 <= code < 300
    return isinstance(code, str) and code.strip().lower() not in _GOOD_WORDS


def _choice_error(table: Mapping[str, Any]) -> bool:
    """Say whether the first choice of a chat answer holds an error in place of an answer."""
    choices = table.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and _holds_anything(first.get("error"))


def _holds_anything(error: Any) -> bool:
    """Say whether an `error` field holds anything: some relays put an empty one into good answers."""
    return any(error.values()) if isinstance(error, dict) else bool(error)


def judge_error_object(
    value: Any, status: int | None = 200, *, otherwise: FailureKind = FailureKind.STREAM_ERROR
) -> Failure:
    """Judge an error that came under HTTP 200 by the status that it would have had.

    `otherwise` is the kind where nothing tells it from the server simply failing.
    """
    error = read_error_object(value) if isinstance(value, dict) else ErrorBody(text=str(value))
    kind = _inner_kind(error, otherwise)
    text = error.text or ", ".join(sorted(error.words)) or "no words"
    when = when_it_returns(error) if kind is FailureKind.QUOTA_EXHAUSTED else ""
    return Failure(kind, f'got an error inside HTTP {status}: "{_cut(text)}"{when}, want an answer')


def _inner_kind(error: ErrorBody, otherwise: FailureKind) -> FailureKind:
    implied = (
        provider_codes.IMPLIED_STATUS[code]
        for code in error.codes
        if code in provider_codes.IMPLIED_STATUS
    )
    status = error.status or max(implied, default=None)
    quota = judge_quota(status, error)
    if quota is not None:
        return quota
    if status is None:
        unnamed = _unnamed_kind(error)
        if unnamed is not None:
            return unnamed
    kind = _status_kind(status or 500, error, html=False)
    return otherwise if kind.row.is_unspecific else kind


def _unnamed_kind(error: ErrorBody) -> FailureKind | None:
    """Judge by its prose an error that has no status of its own, nor a code that implies one."""
    if error.mentions(*provider_codes.BUDGET_PHRASES):
        return FailureKind.BUDGET_TOO_SMALL
    if error.mentions(*provider_codes.KEY_PHRASES, *provider_codes.KEY_PHRASES_403):
        return FailureKind.AUTH_INVALID
    if error.mentions(*provider_codes.RATE_PHRASES):
        return FailureKind.RATE_LIMITED
    return None


def _in_context(kind: FailureKind, had_key: bool, known_good: bool) -> FailureKind:  # noqa: FBT001  # a fact, not a switch
    if kind in {FailureKind.AUTH_INVALID, FailureKind.PERMISSION_DENIED} and not had_key:
        return FailureKind.NO_KEY
    if kind is FailureKind.PATH_NOT_FOUND and known_good:
        return FailureKind.ROUTE_GONE
    return kind


# --- the relay and what is behind it --------------------------------------------------------------


def _status_kind(status: int, error: ErrorBody, *, html: bool) -> FailureKind:
    quota = judge_quota(status, error)
    if quota is None and not html and refuses_client(status, error):
        return FailureKind.CLIENT_REFUSED
    spoken = quota or _spoken_kind(status, error)
    if spoken is not None:
        return spoken
    if status in {401, 403} and not html and _PAGE.search(error.text):
        return FailureKind.BAD_GATEWAY
    if status >= 500:
        return _server_kind(status, error)
    judge = _BY_STATUS.get(status)
    if judge is None:
        is_busy = error.codes & provider_codes.BUSY_CODES
        return FailureKind.OVERLOADED if is_busy else FailureKind.UNEXPECTED_STATUS
    return judge(error, html)


_PAGE = re.compile(r"<!doctype\s*html|<html\b", re.IGNORECASE)
"""A web page that an error quotes was met by the relay: it came from the server behind it."""


def _spoken_kind(status: int, error: ErrorBody) -> FailureKind | None:
    """Judge by codes that mean the same under any status."""
    numbered = (provider_codes.NUMBERS.get(number) for number in sorted(error.numbers))
    exact = next((kind for kind in numbered if kind is not None), None)
    if exact is not None:
        return exact
    if status == 401:
        return None
    for code, kind in provider_codes.RELAY_CODES.items():
        if code in error.codes:
            return kind
    if any(map(provider_codes.FILTER_CODE.search, error.codes)):
        return FailureKind.CONTENT_FILTERED
    return FailureKind.NO_CHANNEL if error.mentions(*provider_codes.NO_CHANNEL_PHRASES) else None


def _server_kind(status: int, error: ErrorBody) -> FailureKind:
    if error.codes & provider_codes.MODEL_CODES:
        return FailureKind.NO_CHANNEL
    if (
        status == 529
        or error.codes & provider_codes.BUSY_CODES
        or error.mentions(*provider_codes.BUSY_PHRASES)
    ):
        return FailureKind.OVERLOADED
    if status == 504 or "timeout" in error.codes:
        return FailureKind.UPSTREAM_TIMEOUT
    return FailureKind.BAD_GATEWAY if status == 502 else FailureKind.SERVER_ERROR


def _account_kind(error: ErrorBody) -> FailureKind | None:
    return next(
        (kind for code, kind in provider_codes.ACCOUNT_CODES.items() if code in error.codes), None
    )


def _bad_request(error: ErrorBody, html: bool) -> FailureKind:  # noqa: ARG001, FBT001  # one signature for every status
    account = _account_kind(error)
    if account is not None:
        return account
    if error.codes & provider_codes.MODEL_CODES or error.mentions(*provider_codes.NO_MODEL_PHRASES):
        return FailureKind.MODEL_NOT_FOUND
    if error.codes & provider_codes.CONTEXT_CODES or error.mentions(
        *provider_codes.CONTEXT_PHRASES
    ):
        return FailureKind.REQUEST_REJECTED
    if error.mentions(*provider_codes.KEY_PHRASES):
        return FailureKind.AUTH_INVALID
    if error.mentions(*provider_codes.REGION_PHRASES):
        return FailureKind.REGION_BLOCKED
    if error.mentions(*provider_codes.DISABLED_PHRASES):
        return FailureKind.PERMISSION_DENIED
    if error.mentions(*provider_codes.BUDGET_PHRASES):
        return FailureKind.BUDGET_TOO_SMALL
    return FailureKind.MODEL_NOT_FOUND if _names_model(error) else FailureKind.REQUEST_REJECTED


_MODEL_FIRST = re.compile(r"(?:\bmodels?\b[ :`'\"]+|模型[ :\uff1a`'\"]*)\S+", re.IGNORECASE)


def _names_model(error: ErrorBody) -> bool:
    """Say whether prose such as "Model x is not supported" is about the model."""
    about = _MODEL_FIRST.search(error.text[:40])
    return about is not None and error.mentions(*provider_codes.MODEL_PHRASES)


def _forbidden(error: ErrorBody, html: bool) -> FailureKind:  # noqa: FBT001  # a fact, not a switch
    if html:
        return FailureKind.EDGE_DENIED
    account = _account_kind(error)
    if account is FailureKind.REGION_BLOCKED:
        return account
    if error.mentions(*provider_codes.REGION_PHRASES):
        return FailureKind.REGION_BLOCKED
    if "forbidden" in error.codes and error.mentions("request not allowed"):
        return FailureKind.REGION_BLOCKED
    if account is FailureKind.AUTH_INVALID or error.mentions(*provider_codes.KEY_PHRASES_403):
        return FailureKind.AUTH_INVALID
    return FailureKind.PERMISSION_DENIED


def _not_found(error: ErrorBody, html: bool) -> FailureKind:  # noqa: FBT001  # a fact, not a switch
    if html:
        return FailureKind.PATH_NOT_FOUND
    if error.codes & provider_codes.MODEL_CODES or error.mentions(*provider_codes.NO_MODEL_PHRASES):
        return FailureKind.MODEL_NOT_FOUND
    if error.mentions(
        "no endpoints found"
    ):  # OpenRouter has the model, and nobody who may serve it so
        is_choice = error.mentions("your data policy", "privacy", "your account")
        return FailureKind.PERMISSION_DENIED if is_choice else FailureKind.REQUEST_REJECTED
    if error.mentions("invalid url", "page not found", "unknown request url"):
        return FailureKind.PATH_NOT_FOUND
    return (
        FailureKind.MODEL_NOT_FOUND if "model" in error.text.lower() else FailureKind.PATH_NOT_FOUND
    )


def _too_many(error: ErrorBody, html: bool) -> FailureKind:  # noqa: ARG001, FBT001  # one signature for every status
    busy = error.codes & provider_codes.BUSY_CODES or error.mentions("饱和", "overload")
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


def _message(status: int, error: ErrorBody, kind: FailureKind, want: int) -> str:
    text = f': "{_cut(error.text)}"' if error.text else ""
    when = when_it_returns(error) if kind is FailureKind.QUOTA_EXHAUSTED else ""
    hint = f"; {kind.row.hint}{when}" if kind.row.hint else when
    return f"got HTTP {status}{text}, want {want}{hint}"


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:199]}…"
