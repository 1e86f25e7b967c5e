"""Options that several commands share, and what all of them do with them."""

import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from monitor import config, logs
from monitor.cli import places, voice
from monitor.cli.ranges import When, parse_when
from monitor.clock import SystemClock
from monitor.config import Config
from monitor.model import Redactor


def when(text: str | When) -> When:
    try:
        return parse_when(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Default: ./monitor.toml, then /etc/monitor/monitor.toml.",
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


def load(path: Path | None, *, level: str = "WARNING") -> Config:
    found = config.find(path)
    loaded = config.load(found, places.environment(found, os.environ))
    journal = "JOURNAL_STREAM" in os.environ or "INVOCATION_ID" in os.environ
    logs.set_up(Redactor(loaded.secrets), level=level, journal=journal)
    return loaded


def span(since: When, until: When | None) -> tuple[datetime, datetime]:
    now = SystemClock().now()
    first, last = since.at(now), until.at(now) if until else now
    if first >= last:
        raise typer.BadParameter("is not before --until", param_hint="--since")
    return first, last


def show(parts: Iterable[object]) -> None:
    for part in parts:
        voice.out().print(part, highlight=False)


def show_json(document: Mapping[str, object]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
