"""Reads error bodies of every known shape into one `ErrorBody`.

The shapes: `{"error": {...}}`, `{"error": "text"}`, `{"code", "error": "text"}`, `{"type": "error",
"error": {...}}`, Google's `details`, `{"detail": ...}`, `{"id", "message"}`, `{"object": "error"}`,
`{"success": false, "message"}`, a list around any of them, plain text, HTML, nothing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

_TEXT_LIMIT = 4096  # enough for every table below; the rest of a hostile body is not read
_MOST_VALUES = 50_000
"""The longest honest lists of models have some 25,000."""
_MOST_HEADERS = 50
_LONGEST_WAIT = 1e6
_TITLE = re.compile(r"<title\b[^<>]{0,200}>(.{1,200}?)</title>", re.IGNORECASE | re.DOTALL)
_CODE_KEYS = ("code", "type", "status", "reason", "error_type", "error_code", "quotaId")
_STATUS_KEYS = ("code", "status_code", "http_status", "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """Holds what an error says: `words` are codes and types in lower case, `text` is prose."""

    words: frozenset[str] = frozenset()
    text: str = ""
    status: int | None = None
    """An HTTP status named inside the object."""
    params: frozenset[str] = frozenset()
    retry_delay: str | None = None
    """Google's `RetryInfo.retryDelay`, such as "48s"."""
    retry_after: float | None = None
    """Seconds, where the body names them."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer behind a relay, as the relay passes them on inside the body."""

    def mentions(self, *phrases: str) -> bool:
        low = self.text.lower()
        return any(phrase in low for phrase in phrases)


def read_json(data: bytes) -> Any:
    """Returns the JSON value, or None for anything else (`null` is of no use to a caller either)."""
    try:
        return parse_json(data.decode("utf-8-sig", "replace"))
    except ValueError:
        return None


def parse_json(text: str) -> Any:
    """Parses JSON. Raises ValueError for invalid text, and for text that is many times its size in memory."""
    if len(text) > _MOST_VALUES and sum(map(text.count, ",[{")) > _MOST_VALUES:
        raise ValueError(f"more than {_MOST_VALUES} values")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def looks_html(body: bytes) -> bool:
    return body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def html_title(body: bytes) -> str:
    match = _TITLE.search(body[:65536].decode("utf-8", "replace"))
    return " ".join(match[1].split()) if match else ""


def parse_error_body(body: bytes) -> ErrorBody:
    value = read_json(body)
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    if isinstance(value, dict):
        return read_error_object(value)
    text = html_title(body) if looks_html(body) else body[:_TEXT_LIMIT].decode("utf-8", "replace")
    return ErrorBody(text=text.strip())


def read_error_object(value: Mapping[str, Any]) -> ErrorBody:
    tables = tuple(_tables(value))
    return ErrorBody(
        words=frozenset(_words(tables)),
        text=_text(tables)[:_TEXT_LIMIT],
        status=next(_statuses(tables), None),
        params=frozenset(str(table["param"]).lower() for table in tables if table.get("param")),
        retry_after=next(_retries(tables), None),
        headers=next(_headers(tables), {}),
        retry_delay=next((t["retryDelay"] for t in tables if _is_text(t.get("retryDelay"))), None),
    )


def _tables(value: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yields the tables that describe an error, the innermost first."""
    if depth < 4:
        for key in ("error", "errors", "message", "response", "metadata", "details", "violations"):
            inner = value.get(key)
            if isinstance(inner, dict):
                yield from _tables(inner, depth + 1)
            elif isinstance(inner, list):
                for item in inner[:10]:
                    if isinstance(item, dict):
                        yield from _tables(item, depth + 1)
    yield value


def _words(tables: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    for table in tables:
        for key in _CODE_KEYS:
            word = table.get(key)
            if _is_text(word):
                yield word.strip().lower()[:100]
            elif isinstance(word, int) and not isinstance(word, bool):
                yield str(word)


def _text(tables: tuple[Mapping[str, Any], ...]) -> str:
    parts: dict[str, None] = {}
    for table in tables:
        for key in ("message", "error", "detail", "raw", "msg"):
            part = table.get(key)
            if key == "detail" and part is not None and not isinstance(part, str):
                part = json.dumps(part, ensure_ascii=False)[:_TEXT_LIMIT]
            if _is_text(part):
                parts[part.strip()] = None
    return " / ".join(parts)


def _statuses(tables: tuple[Mapping[str, Any], ...]) -> Iterator[int]:
    for table in tables:
        for key in _STATUS_KEYS:
            code = table.get(key)
            if _is_text(code) and code.strip().isascii() and code.strip().isdigit():
                code = int(code.strip()[:4])
            if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600:
                yield code


def _retries(tables: tuple[Mapping[str, Any], ...]) -> Iterator[float]:
    for table in tables:
        for key in ("retry_after", "retry_after_seconds"):
            number = table.get(key)
            if isinstance(number, int | float) and not isinstance(number, bool) and number >= 0:
                yield float(min(number, _LONGEST_WAIT))


def _headers(tables: tuple[Mapping[str, Any], ...]) -> Iterator[Mapping[str, str]]:
    for table in tables:
        headers = table.get("headers")
        if isinstance(headers, dict):
            items = list(headers.items())[:_MOST_HEADERS]
            yield {str(name)[:100]: str(text)[:200] for name, text in items}


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())
