"""`monitor incident note`: write into its timeline.

The note also stands on the incident's page.
"""

from datetime import datetime
from typing import Annotated

import typer

from monitor.cli.asked import say_asked
from monitor.cli.incidents import read_incident
from monitor.cli.options import ConfigPath, IncidentNumber, load, operators_text
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.model import MonitorError, OperatorRequest, RequestKind
from monitor.store import Store

MAX_LENGTH = 1000


def command(
    incident: IncidentNumber,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The note; readers of the page see it.")
    ],
    path: ConfigPath = None,
) -> None:
    """Write something into an incident's timeline, and onto its page."""
    config = load(path, secrets=Secrets.NONE)
    say_asked(config, add_note(config, incident, text, SystemClock().now()))


def add_note(config: Config, number: int, text: str, now: datetime) -> str:
    """Ask the daemon to add a note. The page is public: secrets and control characters are removed."""
    read_incident(config, number)
    text = operators_text(text, config.secrets, "the note", MAX_LENGTH)
    if not text:
        raise MonitorError("the note is empty")
    request = OperatorRequest(at=now, what=RequestKind.NOTE, target=str(number), text=text)
    Store.request(config.store, request)
    return f"#{number}: noted"
