"""`monitor silence`: mute a check, endpoint or service."""

from contextlib import closing
from datetime import datetime, timedelta
from typing import Annotated

import typer

from monitor.cli.asked import say_asked
from monitor.cli.options import LONGEST_REASON, ConfigPath, load, matching_checks, operators_text
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.model import ALL, MonitorError, OperatorRequest, RequestKind
from monitor.model.duration import parse_duration
from monitor.store import Store


def command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help='"all", SERVICE, SERVICE/ENDPOINT or SERVICE/ENDPOINT/PROBE.'
        ),
    ],
    lasts: Annotated[
        str, typer.Option("--for", metavar="DURATION", help='How long, such as "2h".')
    ] = "2h",
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="The reason, kept with the incidents that it mutes.")
    ] = "",
    end: Annotated[bool, typer.Option("--end", help="End it now.")] = False,
    path: ConfigPath = None,
) -> None:
    """Tell nobody of a check, endpoint or service for a while. What is still bad then is told."""
    try:
        duration = timedelta(0) if end else parse_duration(lasts)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--for'") from None
    config = load(path, secrets=Secrets.NONE)
    say_asked(config, silence(config, target, duration, why, SystemClock().now()))


def silence(config: Config, target: str, lasts: timedelta, why: str, now: datetime) -> str:
    """Ask the daemon for a silence, and return what to tell the person. A length of zero ends one."""
    target = ALL if target in {ALL, "all"} else target.strip("/")
    if target != ALL:
        matching_checks(config, target, also='"all", ')
    if lasts <= timedelta(0):
        _must_stand(config, target, now)
    until = now + lasts
    text = operators_text(why, config.secrets, "the reason", LONGEST_REASON)
    request = OperatorRequest(
        at=now, what=RequestKind.SILENCE, target=target, until=until, text=text
    )
    Store.request(config.store, request)
    what = "everything" if target == ALL else target
    if lasts <= timedelta(0):
        return f"{what}: the silence is ended"
    return f"{what}: silenced until {until:%Y-%m-%d %H:%M} UTC"


def _must_stand(config: Config, target: str, now: datetime) -> None:
    """Raise MonitorError where no silence of just this target is there to end."""
    with closing(Store.read_only(config.store)) as reader:
        standing = [silence.target for silence in reader.silences(now)]
    if target not in standing:
        names = ", ".join("all" if name == ALL else name for name in standing)
        raise MonitorError(
            f"there is no silence of {'all' if target == ALL else target}; "
            + (f"there is one of: {names}" if names else "nor of anything else")
        )
