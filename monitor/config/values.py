"""Values as they stand in monitor.toml: read, or refused with what is wanted instead."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from monitor.config.budgets import parse_budget
from monitor.config.recurring import parse_every, zone_of
from monitor.model.duration import parse_duration
from monitor.probes.probe import Duration

SMALLEST_STORE = 20 * 10**6


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Each in its first place."""
    return tuple(dict.fromkeys(values))


def _kept(value: Any) -> Any:
    """A duration, or "forever", which is None from here on."""
    if value is None or value == "forever":
        return None
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004  # pydantic collects ValueErrors only
            f'got {str(value).lower()[:40]}, want a duration such as "30d", or "forever"'
        )
    return _positive(parse_duration(value))


def _size(value: Any) -> int:
    """Bytes of "500MB" or "2GB"; decimal, as disks are sold."""
    found = re.fullmatch(r"(\d{1,6}) ?(MB|GB|TB)", value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f'got {str(value)[:40]}, want a size such as "500MB" or "2GB"')
    size = int(found[1]) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[found[2]]
    if size < SMALLEST_STORE:
        raise ValueError(f"got {value}, want at least {SMALLEST_STORE // 10**6}MB")
    return size


def _header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", text):
        raise ValueError("want header names such as X-Relay-Group")
    return text


def _header_value(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("want a header value of one line")
    return text


def _variable_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError("want names of variables such as AWS_PROFILE")
    return text


def _moment(value: Any) -> Any:
    """As TOML writes it, in quotes or not; a number is no date here."""
    if isinstance(value, str | datetime):
        return value
    raise ValueError(
        f"got {str(value)[:40]}, want a date and time such as 2026-12-01T22:00:00+08:00"
    )


def _wait(value: timedelta) -> timedelta:
    if value > timedelta(minutes=10):
        raise ValueError("want at most 10m: alerts are to be told soon")
    return value


def _share(value: Any) -> Any:
    """A number, or a share as people write it: `"30%"`."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,3}(?:\.\d+)?%", value):
        return float(value[:-1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(  # noqa: TRY004  # pydantic collects ValueErrors only
            f'got "{str(value)[:40]}", want a number, or a share such as "30%"'
        )
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("want a duration longer than nothing")
    return value


Label = Annotated[str, Field(min_length=1, max_length=40)]
Kept = Annotated[timedelta | None, BeforeValidator(_kept)]
Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "examples": ["500MB", "2GB"]}),
]
Positive = Annotated[Duration, AfterValidator(_positive)]
BudgetText = Annotated[str, AfterValidator(lambda text: (parse_budget(text), text)[1])]
Money = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
Wait = Annotated[Duration, AfterValidator(_wait)]
Share = Annotated[float, BeforeValidator(_share)]
Every = Annotated[str, AfterValidator(lambda text: (parse_every(text), text)[1])]
Zone = Annotated[str, AfterValidator(lambda text: (zone_of(text), text)[1])]
Moment = Annotated[datetime, BeforeValidator(_moment)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
Languages = Annotated[tuple[Literal["en", "zh-CN"], ...], AfterValidator(_once)]
