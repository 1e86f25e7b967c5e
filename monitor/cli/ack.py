"""`monitor ack`: stop the reminders of an incident."""

from datetime import datetime
from typing import Annotated

import typer

from monitor.cli.asked import say_asked
from monitor.cli.incidents import read_incident
from monitor.cli.options import LONGEST_REASON, ConfigPath, IncidentNumber, load, operators_text
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.model import MonitorError, OperatorRequest, RequestKind
from monitor.store import Store


def command(
    incident: IncidentNumber,
    why: Annotated[
        str, typer.Option(metavar="TEXT", help="The reason, kept in its timeline.")
    ] = "",
    path: ConfigPath = None,
) -> None:
    """Stop the reminders of an incident that somebody knows of. Its end is told."""
    config = load(path, secrets=Secrets.NONE)
    say_asked(config, ack(config, incident, why, SystemClock().now()))


def ack(config: Config, number: int, why: str, now: datetime) -> str:
    """Ask the daemon to stop the reminders, and return what to tell the person."""
    incident = read_incident(config, number)
    if incident.closed:
        raise MonitorError(f"incident #{number} is over since {incident.closed:%Y-%m-%d %H:%M} UTC")
    text = operators_text(why, config.secrets, "the reason", LONGEST_REASON)
    request = OperatorRequest(at=now, what=RequestKind.ACK, target=str(number), text=text)
    Store.request(config.store, request)
    return f"#{number}: no more reminders; its end will be told"
