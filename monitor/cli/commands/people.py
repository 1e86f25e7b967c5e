"""What people say of checks and incidents."""

from datetime import timedelta
from typing import Annotated

import typer

from monitor.cli import acking, noting, silencing
from monitor.cli.options import ConfigPath, load
from monitor.clock import SystemClock
from monitor.model.duration import parse_duration


def silence(
    target: Annotated[
        str, typer.Argument(help='"all", SERVICE, SERVICE/ENDPOINT or SERVICE/ENDPOINT/PROBE.')
    ],
    lasts: Annotated[str, typer.Option("--for", help='For so long, e.g. "2h".')] = "2h",
    why: Annotated[str, typer.Option(help="Kept with what is muted.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End it now.")] = False,
    path: ConfigPath = None,
) -> None:
    """Tell nobody of a check, endpoint or service for a while. What is still bad then is told."""
    loaded = load(path)
    try:
        duration = timedelta(0) if end else parse_duration(lasts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None
    typer.echo(silencing.silence(loaded, target, duration, why, SystemClock().now()))


def ack(
    number: Annotated[int, typer.Argument(help="The number of the incident, without #.")],
    why: Annotated[str, typer.Option(help="Kept in its timeline.")] = "",
    path: ConfigPath = None,
) -> None:
    """Somebody knows of an incident: no more reminders. Its end is told."""
    typer.echo(acking.ack(load(path), number, why, SystemClock().now()))


def note_incident(
    number: Annotated[int, typer.Argument(help="The number of the incident, without #.")],
    text: Annotated[str, typer.Argument(help="What everybody may read.")],
    path: ConfigPath = None,
) -> None:
    """Write something into an incident's timeline, and onto its page."""
    typer.echo(noting.note(load(path), number, text, SystemClock().now()))
