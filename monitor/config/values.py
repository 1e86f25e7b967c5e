"""Values as they stand in monitor.toml: read, or refused with what is wanted instead."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from monitor.config.addresses import odd_character
from monitor.model import DailyBudget, Secret, Severity, WebhookEvent
from monitor.model.dealing import MOST_AGENTS
from monitor.model.duration import parse_duration
from monitor.probes.own_request import secret_values
from monitor.probes.probe import Duration

SMALLEST_STORE = 20 * 10**6


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the values without repetitions, each in its first place."""
    return tuple(dict.fromkeys(values))


def _kept(value: Any) -> Any:
    """Read a duration, or "forever", which is None from here on."""
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
    """Read "500MB" or "2GB" as bytes; decimal, as disks are sold."""
    parts = re.fullmatch(r"(\d{1,6}) ?(MB|GB|TB)", value) if isinstance(value, str) else None
    if not parts:
        raise ValueError(f'got {str(value)[:40]}, want a size such as "500MB" or "2GB"')
    size = int(parts[1]) * {"MB": 10**6, "GB": 10**9, "TB": 10**12}[parts[2]]
    if size < SMALLEST_STORE:
        raise ValueError(f"got {value}, want at least {SMALLEST_STORE // 10**6}MB")
    return size


def _variable_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ValueError("want names of variables such as AWS_PROFILE")
    return text


def _moment(value: Any) -> Any:
    """Accept a moment as TOML writes it, in quotes or not; a number is no date here."""
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
    """Read a number, or a share as people write it: `"30%"`."""
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


_BOT_TOKEN = re.compile(r"(?:bot)?\d+(?::|%3A)[\w-]+(?:/|\?|$)", re.ASCII | re.IGNORECASE)
_SCHEMES = {
    "telegram": "tgram://TOKEN/CHAT",
    "tg": "tgram://TOKEN/CHAT",
    "email": "mailto://USER:PASSWORD@HOST",
    "smtp": "mailto://USER:PASSWORD@HOST",
    "webhook": "json:// or jsons:// and the rest of the address",
}
"""Schemes that people write for those of Apprise."""
_TOKENS = re.compile(r"(\d+(?:\.\d+)?)\s*([kM]?)\s*tokens?")
_MONEY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Z]{3})")
_SCALE = {"": 1, "k": 1_000, "M": 1_000_000}


def _budget(value: Any) -> DailyBudget:
    """Read `500k tokens`, `2M tokens` or `0.50 USD`."""
    text, budget = str(value)[:40], None
    if tokens := _TOKENS.fullmatch(text.strip()):
        budget = DailyBudget(tokens=int(float(tokens[1]) * _SCALE[tokens[2]]))
    elif money := _MONEY.fullmatch(text.strip()):
        budget = DailyBudget(money=float(money[1]), currency=money[2])
    if budget is None or not (budget.tokens or budget.money):
        raise ValueError(f'got "{text}", want a budget such as "500k tokens" or "0.50 USD"')
    return budget


def _by_id(one: str, wanted: str) -> BeforeValidator:
    """Return a validator that refuses `one` value, or a list, where a table by id is wanted."""

    def check(value: Any) -> Any:
        if isinstance(value, str | list):
            got = "a list" if isinstance(value, list) else one
            raise ValueError(f"got {got}, want {wanted}")  # noqa: TRY004  # pydantic collects ValueErrors only
        return value

    return BeforeValidator(check)


def _visible(text: str) -> str:
    if character := odd_character(text.replace(" ", "")):
        raise ValueError(f"has {character} in it; type it anew")
    return text


def _path(value: Any) -> Any:
    if value == "":
        raise ValueError('got "", want at least 1 character')
    return value


def _channel_url(text: str) -> str:
    """Check what can be known of an Apprise URL without Apprise. Nothing of it is quoted but its scheme."""
    scheme, sign, rest = text.strip().partition("://")
    if not sign:
        raise ValueError("is no address, want an Apprise URL such as tgram://TOKEN/CHAT")
    if right := _SCHEMES.get(scheme.lower()):
        raise ValueError(f"begins with {scheme}://, want {right}")
    if any(not character.isprintable() for character in text):
        raise ValueError("has an invisible character in it; copy it again")
    if scheme.lower() == "tgram" and not _BOT_TOKEN.match(rest.rpartition("@")[2]):
        raise ValueError(
            "has no Telegram token behind tgram://, want tgram://TOKEN/CHAT with the token that"
            " @BotFather gave: digits, a colon, letters"
        )
    return text


MAKE_SECRET = 'make one with: echo "whsec_$(openssl rand -base64 32)"'


def _webhook_secret(text: str) -> str:
    """Check a signing secret as Standard Webhooks has it: whsec_ and 24 to 64 bytes in base64."""
    begin, sign, code = text.partition("whsec_")
    if begin or not sign:
        raise ValueError(f'want "whsec_" and base64 behind it; {MAKE_SECRET}')
    try:
        key = base64.b64decode(code, validate=True)
    except ValueError:
        raise ValueError(f'has no base64 behind "whsec_"; {MAKE_SECRET}') from None
    if not 24 <= len(key) <= 64:
        raise ValueError(f"has {len(key)} bytes, want 24 to 64; {MAKE_SECRET}")
    return text


_LANGUAGES = ("en", "zh-CN")
_LONGEST_NAME = 40
_LONGEST_NOTE = 300


def _names(value: Any) -> tuple[tuple[str, str], ...]:
    """Read one name, or a table of names by language."""
    return _by_language(value, ("name", "Shanghai", "上海"), _LONGEST_NAME)


def _note(value: Any) -> tuple[tuple[str, str], ...]:
    """Read one text, or a table of texts by language."""
    return _by_language(
        value, ("text", "A friend runs this page.", "本页由朋友维护。"), _LONGEST_NOTE
    )


def _by_language(
    value: Any, example: tuple[str, str, str], longest: int
) -> tuple[tuple[str, str], ...]:
    """Read one text, or a table of texts by language; `example` is what it is called, in English and in Chinese."""
    what, english, chinese = example
    texts = value if isinstance(value, dict) else {"": value}
    if not texts or any(not isinstance(text, str) for text in texts.values()):
        raise ValueError(
            f'want a {what} such as "{english}", or {{ en = "{english}", zh-CN = "{chinese}" }}'
        )
    if unknown := sorted(texts.keys() - {"", *_LANGUAGES}):
        raise ValueError(f'got the language "{unknown[0][:20]}", want {" or ".join(_LANGUAGES)}')
    if any(not 0 < len(text) <= longest for text in texts.values()):
        raise ValueError(f"want {what}s of 1 to {longest} characters")
    return tuple((language, _visible(text)) for language, text in texts.items())


PUBLIC_KEY_PREFIX = "ed25519:"
_PUBLIC_KEY_BYTES = 32


def _public_key(text: str) -> str:
    """Check the public key of an agent; it is no secret."""
    try:
        key = base64.b64decode(text.removeprefix(PUBLIC_KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(PUBLIC_KEY_PREFIX) or len(key) != _PUBLIC_KEY_BYTES:
        raise ValueError(
            'is no public key, want "ed25519:..." as `monitor agent add` writes it; add the agent anew'
        )
    return text


# --- maintenance that comes again ---------------------------------------------------------------

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SETS = {"day": range(7), "weekday": range(5), "weekend": range(5, 7)}
_EVERY = re.compile(r"(?:month (\d{1,2})|([a-z, ]+?)) (\d{1,2}):(\d{2})")
_SHORTEST_MONTH = timedelta(days=28)


@dataclass(frozen=True, slots=True)
class Repetition:
    at: time
    weekdays: frozenset[int]
    """Monday is 0."""
    day: int | None
    """Of the month; then the weekdays do not matter."""

    @property
    def shortest_gap(self) -> timedelta:
        """Return the shortest time between two starts, clock changes aside."""
        if self.day:
            return _SHORTEST_MONTH
        days = sorted(self.weekdays)
        return timedelta(
            days=min(
                (later - day - 1) % 7 + 1
                for day, later in zip(days, [*days[1:], days[0]], strict=True)
            )
        )


def parse_repetition(value: Any) -> Repetition:
    """Read `sunday 03:00` and its like. Raises ValueError for anything else."""
    text = str(value)[:80]
    parts = _EVERY.fullmatch(text.strip().lower())
    weekdays = _weekdays(parts[2]) if parts and parts[2] else frozenset(range(7))
    day = int(parts[1]) if parts and parts[1] else None
    if parts is None or not weekdays or (day is not None and not 1 <= day <= 28):
        raise ValueError(_want(text))
    try:
        return Repetition(time(int(parts[3]), int(parts[4])), weekdays, day)
    except ValueError:
        raise ValueError(_want(text)) from None


def _want(text: str) -> str:
    return (
        f'got "{text[:40]}", want "day 03:00", "weekday 03:00", "sunday 03:00", "mon,thu 03:00"'
        ' or "month 1 03:00" (1 to 28)'
    )


def _weekdays(text: str) -> frozenset[int]:
    """Return the numbers of the days; none of them where a word is no day."""
    weekdays: set[int] = set()
    for word in re.split(r"[, ]+", text.strip(", ")):
        numbers = _SETS.get(word) or [
            number for number, name in enumerate(_DAYS) if len(word) >= 3 and name.startswith(word)
        ]
        if not numbers:
            return frozenset()
        weekdays.update(numbers)
    return frozenset(weekdays)


def zone_of(value: Any) -> ZoneInfo:
    """Return the time zone of this name. Raises ValueError."""
    try:
        return ZoneInfo(str(value))
    except (OSError, ValueError, KeyError):  # what is not found is a KeyError
        raise ValueError(
            f'got "{str(value)[:40]}", want a time zone such as "UTC" or "Asia/Shanghai"'
        ) from None


Endpoints = Annotated[
    dict[str, Any],
    _by_id("one address", 'an id for each, as in { direct = "https://..." }'),
]
Probes = Annotated[
    dict[str, Any],
    _by_id("one word", 'an interval for each, as in { models = "1m", chat = "5m" }'),
]
ModelName = Annotated[str, Field(max_length=200), AfterValidator(_visible)]
_TEXT_BY_LANGUAGE = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ]
    }
)
Names = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(lambda value: _names(value) if value else ()),
    _TEXT_BY_LANGUAGE,
]
Note = Annotated[
    tuple[tuple[str, str], ...],
    BeforeValidator(lambda value: _note(value) if value else ()),
    _TEXT_BY_LANGUAGE,
]
_PublicKey = Annotated[str, AfterValidator(_public_key)]
PublicKeys = Annotated[
    tuple[_PublicKey, ...],
    Field(min_length=1, max_length=MOST_AGENTS),
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 1,
                    "maxItems": MOST_AGENTS,
                },
            ]
        }
    ),
]
Label = Annotated[str, Field(min_length=1, max_length=40)]
Title = Annotated[str, Field(min_length=1, max_length=80)]
PathText = Annotated[
    Path, BeforeValidator(_path), WithJsonSchema({"type": "string", "minLength": 1})
]
SecretText = Annotated[str, AfterValidator(Secret)]
ChannelUrl = Annotated[
    str, Field(min_length=1), AfterValidator(_channel_url), AfterValidator(Secret)
]
OnlySeverities = Annotated[
    tuple[Severity, ...], AfterValidator(lambda only: frozenset(only) or frozenset(Severity))
]
Events = Annotated[
    tuple[WebhookEvent, ...],
    AfterValidator(lambda events: frozenset(events) or frozenset(WebhookEvent)),
]
WebhookSecret = Annotated[str, AfterValidator(_webhook_secret), AfterValidator(Secret)]
Kept = Annotated[timedelta | None, BeforeValidator(_kept)]
Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": "string", "examples": ["500MB", "2GB"]}),
]
Positive = Annotated[Duration, AfterValidator(_positive)]
NotNegative = Duration
Budget = Annotated[DailyBudget, PlainValidator(_budget), WithJsonSchema({"type": "string"})]
Money = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
Wait = Annotated[Duration, AfterValidator(_wait)]
Share = Annotated[float, BeforeValidator(_share)]
Every = Annotated[Repetition, PlainValidator(parse_repetition), WithJsonSchema({"type": "string"})]
Zone = Annotated[
    ZoneInfo, PlainValidator(zone_of), PlainSerializer(str), WithJsonSchema({"type": "string"})
]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Variables = Annotated[
    dict[Annotated[str, AfterValidator(_variable_name)], str], AfterValidator(secret_values)
]
Languages = Annotated[
    tuple[Literal["en", "zh-CN"], ...], Field(min_length=1), AfterValidator(_once)
]
