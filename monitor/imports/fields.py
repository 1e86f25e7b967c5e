"""Fields of foreign documents: any type may stand anywhere, and what does not fit is as if it were not there."""

import json
import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

from monitor.model.duration import parse_duration

_LONGEST = timedelta(days=36_500)


def as_table(value: object) -> Mapping[str, Any]:
    """Return a table with its string keys; an empty one for anything else."""
    if not isinstance(value, dict):
        return {}
    return {key: item for key, item in value.items() if isinstance(key, str)}


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def tables(value: object) -> list[Mapping[str, Any]]:
    """Return the tables of a list, or of a table by id."""
    items = list(value.values()) if isinstance(value, dict) else as_list(value)
    return [as_table(item) for item in items if isinstance(item, dict)]


def parsed(value: object) -> Any:
    """Return what a text of JSON holds; None for what is none."""
    try:
        return json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None


def text(value: object) -> str:
    """Return a text, or a number as one; empty for anything else."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return str(value)
    return ""


def split_address(url: str) -> SplitResult | None:
    """Split an address of HTTP; None for anything else."""
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018  # the property raises
    except ValueError:
        return None
    return parts if parts.scheme in {"http", "https"} and parts.hostname else None


def number(value: object) -> float | None:
    """Return a finite number, also where it stands in quotes; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        figure = float(value)
    except (ValueError, OverflowError):
        return None
    return figure if math.isfinite(figure) else None


def flag(value: object) -> bool:
    """Say whether it is true as JSON, SQLite or YAML writes it."""
    return value == 1 or value in ("true", "1")  # what is not hashable may stand there


def seconds(value: object) -> timedelta | None:
    """Return so many seconds; None for what is no positive, sensible number of them."""
    figure = number(value)
    if figure is None or not 0 < figure <= _LONGEST.total_seconds():
        return None
    return timedelta(seconds=figure)


def duration(value: object) -> timedelta | None:
    """Read `1m30s` as Go and Prometheus write it, or seconds; None for what is no positive duration."""
    if not isinstance(value, str):
        return seconds(value)
    try:
        length = parse_duration(value)
    except ValueError:
        return seconds(value)
    return length if length > timedelta(0) else None


def typed(wanted: str | float) -> str | float | bool:
    """Return the value that a text stands for: there all is compared as text, here with its type."""
    if not isinstance(wanted, str):
        return wanted
    if wanted in {"true", "false"}:
        return wanted == "true"
    if re.fullmatch(r"-?\d{1,15}", wanted):
        return int(wanted)
    return float(wanted) if re.fullmatch(r"-?\d{1,15}\.\d{1,15}", wanted) else wanted
