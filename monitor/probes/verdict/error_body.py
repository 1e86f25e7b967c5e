"""Reads error bodies of every known shape into one `ErrorBody`.

The shapes: `{"error": {...}}`, `{"error": "text"}`, `{"code", "error": "text"}`, `{"type": "error",
"error": {...}}`, Google's `details`, `{"detail": ...}`, `{"id", "message"}`, `{"object": "error"}`,
`{"success": false, "message"}`, `{"code", "msg"}`, `{"error_code", "error_msg"}`, MiniMax's `base_resp`,
Spark's `header`, Tencent's `Response.Error`, an error inside a choice, a list around any of them, plain
text, HTML, nothing. Any value may have any type.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeGuard

from monitor.probes.verdict.charset import decode

_TEXT_LIMIT = 4096  # enough for every table below; the rest of a hostile body is not read
_MOST_VALUES = 50_000
"""The longest honest lists of models have some 25,000."""
_MOST_HEADERS = 50
_LONGEST_WAIT = 1e6
_TITLE = re.compile(r"<title\b[^<>]{0,200}>(.{1,200}?)</title>", re.IGNORECASE | re.DOTALL)
_CODE_KEYS = (
    "code",
    "type",
    "__type",
    "status",
    "reason",
    "error_type",
    "error_code",
    "errcode",
    "errorcode",
    "err_code",
    "quotaid",
    "status_code",
    "ret",
)
_STATUS_KEYS = (
    "code",
    "status_code",
    "http_status",
    "http_code",
    "status",
    "statuscode",
    "error_code",
    "errorcode",
)
_TEXT_KEYS = (
    "message",
    "error",
    "detail",
    "raw",
    "msg",
    "error_msg",
    "errmsg",
    "err_msg",
    "error_message",
    "errormessage",
    "error_description",
    "status_msg",
    "title",
)
_INNER_KEYS = (
    "error",
    "errors",
    "message",
    "detail",
    "response",
    "metadata",
    "details",
    "violations",
    "base_resp",
    "header",
)
_RESET_KEYS = ("resets_at", "reset_at", "resets", "reset_time", "next_flush_time")
_MOST_FIELDS = 100
_RESERVED_SUFFIX = re.compile(r"(?:error|exception)\Z")
_CODE_AS_ERROR = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{2,60}")
"""A code in the place of an error object: `{"error": "insufficient_quota"}`."""
_NOT_ALNUM = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """Holds what an error says: `words` are codes and types in lower case, `text` is prose."""

    words: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    """The words without punctuation and `Error`, so that every spelling of a code is one."""
    numbers: frozenset[str] = frozenset()
    """Numeric codes with the field that they stood in, such as `base_resp:1008`, `error_code:17`."""
    text: str = ""
    status: int | None = None
    """An HTTP status named inside the object."""
    params: frozenset[str] = frozenset()
    retry_delay: str | None = None
    """Google's `RetryInfo.retryDelay`, such as "48s"."""
    retry_after: float | None = None
    """Seconds, where the body names them."""
    resets_at: str | float | None = None
    """When a used-up allowance returns, as the body names it: a date, or a number since 1970."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer behind a relay, as the relay passes them on inside the body."""

    def mentions(self, *phrases: str) -> bool:
        low = self.text.lower()
        return any(phrase in low for phrase in phrases)


def spelled(code: str) -> str:
    """Return a code without case, punctuation and a closing `Error`: `AccountOverdueError` -> `accountoverdue`."""
    plain = _NOT_ALNUM.sub("", code.lower())
    return _RESERVED_SUFFIX.sub("", plain) or plain


def read_json(data: bytes, most_values: int = _MOST_VALUES) -> Any:
    """Return the JSON value, or None for anything else (`null` is of no use to a caller either)."""
    try:
        return parse_json(data.decode("utf-8-sig", "replace"), most_values)
    except ValueError:
        return None


def parse_json(text: str, most_values: int = _MOST_VALUES) -> Any:
    """Parse JSON. Raises ValueError for invalid text, and for text that is many times its size in memory."""
    if len(text) > most_values and sum(map(text.count, ",[{")) > most_values:
        raise ValueError(f"more than {most_values} values")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def looks_html(body: bytes) -> bool:
    return body[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def html_title(body: bytes) -> str:
    match = _TITLE.search(decode(body[:65536]))
    return " ".join(match[1].split()) if match else ""


def parse_error_body(body: bytes) -> ErrorBody:
    """Read a body that is expected to hold an error; never raises."""
    value = read_json(body)
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    if isinstance(value, dict):
        return read_error_object(value)
    text = html_title(body) if looks_html(body) else body[:_TEXT_LIMIT].decode("utf-8", "replace")
    return ErrorBody(text=text.strip())


def read_error_object(value: Mapping[str, Any]) -> ErrorBody:
    """Read a JSON object that holds an error; any field may be missing or of any type."""
    tables = tuple(_tables(value))
    words = frozenset(_words(tables))
    return ErrorBody(
        words=words,
        codes=frozenset(map(spelled, words)),
        numbers=frozenset(_numbers(tables)),
        text=_text(tables)[:_TEXT_LIMIT],
        status=next(_statuses(tables), None),
        params=frozenset(
            str(param).lower()[:100]
            for _, table in tables
            if isinstance(param := table.get("param"), str | int) and param
        ),
        retry_after=next(_retries(tables), None),
        resets_at=next(_resets(tables), None),
        headers=next(_headers(tables), {}),
        retry_delay=next(
            (delay for _, table in tables if _is_text(delay := table.get("retrydelay"))), None
        ),
    )


Table = Mapping[str, Any]
Tables = tuple[tuple[str, Table], ...]
"""The field that a table stood in, and its fields by lower-case names."""


def folded(value: Mapping[str, Any]) -> Table:
    """Return the first fields of an object by lower-case names: `Error`, `Message` and `Code` are met too."""
    return {name.lower(): item for name, item in islice(value.items(), _MOST_FIELDS)}


def _tables(
    value: Mapping[str, Any], name: str = "", depth: int = 0
) -> Iterator[tuple[str, Table]]:
    """Yield the tables that describe an error, the innermost first."""
    table = folded(value)
    if depth < 4:
        for key in _INNER_KEYS:
            for item in _dicts(_unwrapped(table.get(key))):
                yield from _tables(item, key, depth + 1)
        for choice in _dicts(table.get("choices"))[:1]:
            if isinstance(choice.get("error"), dict):
                yield from _tables(choice["error"], "error", depth + 1)
    yield name, table


def _unwrapped(value: Any) -> Any:
    """Return the JSON object that a relay quotes inside a text, or the value itself."""
    if not isinstance(value, str) or "{" not in value[:200] or len(value) > _TEXT_LIMIT:
        return value
    try:
        return json.JSONDecoder().raw_decode(value, value.index("{"))[0]
    except (ValueError, RecursionError):
        return value


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    """List the objects in a field that holds one or a list of them."""
    items = value[:10] if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]


def _words(tables: Tables) -> Iterator[str]:
    for _, table in tables:
        for key in _CODE_KEYS:
            word = table.get(key)
            if _is_text(word):
                yield word.strip().lower()[:100]
            elif isinstance(word, int) and not isinstance(word, bool) and abs(word) < 10**9:
                yield str(word)
        error = table.get("error")
        if isinstance(error, str) and _CODE_AS_ERROR.fullmatch(error.strip()):
            yield error.strip().lower()


def _numbers(tables: Tables) -> Iterator[str]:
    for name, table in tables:
        for key in ("code", "error_code", "errcode", "status_code"):
            number = table.get(key)
            if isinstance(number, bool) or not isinstance(number, int | str):
                continue
            text = str(number)[:12].strip()
            if text.lstrip("-").isdecimal():
                field_name = name if name in {"base_resp", "header"} else key
                yield f"{field_name}:{text}"


def _text(tables: Tables) -> str:
    parts: dict[str, None] = {}
    for _, table in tables:
        for key in _TEXT_KEYS:
            part = table.get(key)
            if key == "title" and parts:
                continue
            if key == "detail" and isinstance(part, list | dict):
                part = json.dumps(part, ensure_ascii=False)[:_TEXT_LIMIT]
            if _is_text(part):
                parts[part.strip()] = None
    return " / ".join(parts)


def _statuses(tables: Tables) -> Iterator[int]:
    for _, table in tables:
        for key in _STATUS_KEYS:
            code = table.get(key)
            if _is_text(code) and code.strip().isascii() and code.strip().isdigit():
                code = int(code.strip()[:4])
            if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600:
                yield code


def _retries(tables: Tables) -> Iterator[float]:
    for _, table in tables:
        for key in ("retry_after", "retry_after_seconds", "resets_in_seconds"):
            number = table.get(key)
            if isinstance(number, int | float) and not isinstance(number, bool) and number >= 0:
                yield float(min(number, _LONGEST_WAIT))


def _resets(tables: Tables) -> Iterator[str | float]:
    for _, table in tables:
        for key in _RESET_KEYS:
            moment = table.get(key)
            if isinstance(moment, bool):
                continue
            if isinstance(moment, int | float) and 0 < moment < 1e14:
                yield float(moment)
            elif _is_text(moment):
                yield moment.strip()[:60]


def _headers(tables: Tables) -> Iterator[Mapping[str, str]]:
    for _, table in tables:
        headers = table.get("headers")
        if isinstance(headers, dict):
            items = list(headers.items())[:_MOST_HEADERS]
            yield {str(name)[:100]: str(text)[:200] for name, text in items}


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())
