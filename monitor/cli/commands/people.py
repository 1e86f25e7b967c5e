"""What people say of checks and incidents."""

from datetime import timedelta
from typing import Annotated

import typer

from monitor.cli import acking, noting, silencing
from monitor.cli.options import ConfigPath, load, number
from monitor.clock import SystemClock
from monitor.model.duration import parse_duration


def silence(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help='"all", SERVICE, SERVICE/ENDPOINT or SERVICE/ENDPOINT/PROBE.'
        ),
    ],
    lasts: Annotated[
        str, typer.Option("--for", metavar="DURATION", help='For so long, e.g. "2h".')
    ] = "2h",
    why: Annotated[str, typer.Option(metavar="TEXT", help="Kept with what is muted.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End it now.")] = False,
    path: ConfigPath = None,
) -> None:
    """Tell nobody of a check, endpoint or service for a while. What is still bad then is told."""
    try:
        duration = timedelta(0) if end else parse_duration(lasts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--for'") from None
    typer.echo(
        silencing.silence(load(path, speaks=False), target, duration, why, SystemClock().now())
    )


def ack(
    incident: Annotated[
        int, typer.Argument(parser=number, metavar="N", help="The number of the incident.")
    ],
    why: Annotated[str, typer.Option(metavar="TEXT", help="Kept in its timeline.")] = "",
    path: ConfigPath = None,
) -> None:
    """Stop the reminders of an incident that somebody knows of. Its end is told."""
    typer.echo(acking.ack(load(path, speaks=False), incident, why, SystemClock().now()))


def note_incident(
    incident: Annotated[
        int, typer.Argument(parser=number, metavar="N", help="The number of the incident.")
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What everybody may read.")],
    path: ConfigPath = None,
) -> None:
    """Write something into an incident's timeline, and onto its page."""
    typer.echo(noting.note(load(path, speaks=False), incident, text, SystemClock().now()))
