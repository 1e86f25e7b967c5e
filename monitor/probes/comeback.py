"""When to come back, as the server asks for it, in each of the forms in use."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from monitor.probes.facts import Exchange
from monitor.probes.said import said_in_body

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
