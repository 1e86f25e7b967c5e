"""Options that several commands share, and what all of them do with them."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from monitor import config, logs
from monitor.cli import places, voice
from monitor.cli.ranges import When, parse_when
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.model import Redactor

T = TypeVar("T", bound=StrEnum)

_DIGITS = 18
"""More than any store can number."""


def when(text: str | When) -> When:
    try:
        return parse_when(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def number(text: str | int) -> int:
    """That of an incident, as messages and tables have it: `3` or `#3`."""
    digits = str(text).removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        raise typer.BadParameter(f'got "{digits[:40]}", want the number of an incident such as 3')
    return int(digits)


def port_number(text: str | int) -> int:
    digits = str(text)
    if not (digits.isascii() and digits.isdigit() and int(digits[:9]) < 65_536):
        raise typer.BadParameter(f'got "{digits[:40]}", want a port from 0 to 65535')
    return int(digits)


def one_of(kind: type[T]) -> Callable[[str], T]:
    def read(text: str) -> T:
        if text in list(kind):
            return kind(text)
        raise typer.BadParameter(f'got "{text[:40]}", want {" or ".join(kind)}')

    return read


ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration. Default: ./monitor.toml, then /etc/monitor/monitor.toml.",
        show_default=False,
    ),
]
Since = Annotated[
    When,
    typer.Option(
        parser=when,
        metavar="WHEN",
        help='How long ago ("6h", "30d"), or a moment ("2026-11-23T12:00", in UTC).',
    ),
]
Until = Annotated[
    When | None,
    typer.Option(parser=when, metavar="WHEN", help="Default: now.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]


def load(path: Path | None, *, level: str = "WARNING", speaks: bool = True) -> Config:
    """`speaks`: whether the command asks endpoints or tells channels, for which it needs secrets."""
    found = config.find(path)
    loaded = config.load(found, places.environment(found, os.environ), speaks=speaks)
    journal = "JOURNAL_STREAM" in os.environ or "INVOCATION_ID" in os.environ
    logs.set_up(Redactor(loaded.secrets), level=level, journal=journal)
    return loaded


def span(since: When, until: When | None) -> tuple[datetime, datetime]:
    now = SystemClock().now()
    first, last = since.at(now), until.at(now) if until else now
    if first >= last:
        raise typer.BadParameter("want a moment before --until", param_hint="'--since'")
    return first, last


def show(parts: Iterable[object]) -> None:
    for part in parts:
        voice.out().print(part, highlight=False)


def show_json(document: Mapping[str, object]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
