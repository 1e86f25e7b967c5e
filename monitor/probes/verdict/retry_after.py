"""Reads when to come back, in each of the forms that servers use.

What is meant as an answer to this very call is believed first: `retry-after-ms`, `Retry-After`, the
body's own word for it. Only then what a 429 tells of limits in general, in whichever unit: OpenAI's
"6m0s", Azure's seconds, Anthropic's dates, OpenRouter's milliseconds since 1970, also inside the body.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from monitor.probes.exchange import Exchange
from monitor.probes.verdict.error_body import ErrorBody, parse_error_body

_SHORTEST, _LONGEST = 1.0, 3600.0
_NUMBER = re.compile(r"\A\d{1,15}(?:\.\d{1,9})?\Z")
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RESET = re.compile(
    r"\A(?:x-|anthropic-)?rate-?limit-(?:reset(?P<after>-[a-z-]+)?|(?P<before>[a-z-]+)-reset)\Z"
)
_MOST_LIMITS = 20
_EPOCH_S, _EPOCH_MS = 1e9, 1e11
"""A number from here on is a moment since 1970: in seconds, in milliseconds."""


def retry_after(exchange: Exchange, now: datetime) -> timedelta | None:
    """Return the wait that the server asks for, 1 s to 1 h; None where it is not asked for or not an error."""
    status = exchange.status
    if status is None or not (status in {408, 429} or 500 <= status < 600):
        return None
    error = parse_error_body(exchange.body)
    asked = _asked_seconds(exchange.headers, error, now)
    if asked is None and status == 429:
        inside = {name.lower(): text for name, text in error.headers.items()}
        limits = {**inside, **exchange.headers}
        asked = max(_resets(limits, now), default=None)
    return None if asked is None else timedelta(seconds=min(max(asked, _SHORTEST), _LONGEST))


def _asked_seconds(headers: Mapping[str, str], error: ErrorBody, now: datetime) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    header = headers.get("retry-after", "").strip()
    if header:
        seconds = _number(header)
        return _until(header, now) if seconds is None else seconds
    if error.retry_after is not None:
        return error.retry_after
    return _span(error.retry_delay or "")


def _resets(headers: Mapping[str, str], now: datetime) -> Iterator[float]:
    """Yield the waits of limits that are used up, or of all where none says how much is left."""
    resets = [(name, text) for name, text in headers.items() if _RESET.match(name)][:_MOST_LIMITS]
    left = {name: _number(headers.get(name.replace("reset", "remaining"))) for name, _ in resets}
    used_up = any(rest == 0 for rest in left.values())
    for name, text in resets:
        seconds = _wait(text.strip(), now)
        if seconds is not None and (left[name] == 0 or not used_up):
            yield seconds


def _wait(text: str, now: datetime) -> float | None:
    """Return seconds until a reset that is given as a span or as a moment."""
    number = _number(text)
    if number is None:
        span = _span(text)
        return _until(text, now) if span is None else span
    if number >= _EPOCH_S:
        moment = number / 1000 if number >= _EPOCH_MS else number
        return moment - now.timestamp()
    return number


def _number(text: str | None) -> float | None:
    text = (text or "").strip()
    return float(text) if _NUMBER.match(text) else None


def _span(text: str) -> float | None:
    """Parse `48s`, `6m0s`, `12ms`, `1h2m3.5s` into seconds."""
    parts = _SPAN.findall(text[:60])
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def _until(text: str, now: datetime) -> float | None:
    """Return seconds until a date in HTTP's form or RFC 3339's."""
    try:
        then = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
        aware = then if then.tzinfo else then.replace(tzinfo=UTC)
        return (aware - now).total_seconds()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
