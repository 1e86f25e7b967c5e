"""`monitor announce`: tell readers of the page something.

It is no incident: it changes no state and no figure, and channels do not hear of it.
"""

from contextlib import closing
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.text import Text

from monitor.cli.asked import say_asked
from monitor.cli.console import plain_table, stdout, utc_time
from monitor.cli.options import ConfigPath, load, number_from, operators_text, option, unknown
from monitor.cli.time_range import TimeArgument, parse_time
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.model import (
    Announcement,
    MonitorError,
    OperatorRequest,
    RequestKind,
)
from monitor.page.view import LONGEST_TEXT
from monitor.store import Store


def _until(given: str | TimeArgument) -> TimeArgument:
    try:
        return parse_time(given)
    except ValueError:
        wanted = 'how long ("6h", "3d") or a moment ("2026-12-24T12:00", in UTC)'
        raise typer.BadParameter(f'got "{str(given)[:40]}", want {wanted}') from None


def command(
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What to tell.", show_default=False)
    ] = None,
    until: Annotated[
        TimeArgument | None,
        option("WHEN", 'How long ("3d"), or until which moment (UTC).', parser=_until),
    ] = None,
    service: Annotated[str, option("SERVICE", "The service that it is about. Default: all.")] = "",
    listed: Annotated[bool, typer.Option("--list", help="List those that stand.")] = False,
    end: Annotated[
        int | None, option("N", "End number N of the list.", parser=number_from(1, 10**17))
    ] = None,
    path: ConfigPath = None,
) -> None:
    """Tell the readers of the page something. It is no incident: no state, figure or message follows from it."""
    if sum((text is not None, listed, end is not None)) != 1:
        raise typer.BadParameter("want one of TEXT, --list and --end N")
    config, now = load(path, secrets=Secrets.NONE), SystemClock().now()
    if text is not None:
        say_asked(config, announce(config, text, until, service, now))
    elif end is not None:
        say_asked(config, end_announcement(config, end, now))
    else:
        _show(announcements(config, now))


def announce(
    config: Config, text: str, until: TimeArgument | None, service: str, now: datetime
) -> str:
    """Ask the daemon to show an announcement, and return what to tell the person.

    The page is public: secrets and control characters are removed. Raises MonitorError.
    """
    text = operators_text(text, config.secrets, "the announcement", LONGEST_TEXT)
    if not text:
        raise MonitorError("the announcement is empty")
    public = {each.id: each.public for each in config.services}
    if service and service not in public:
        raise unknown(service, "SERVICE", public)
    if service and not public[service]:
        raise MonitorError(f'the page does not show service "{service}" (public = false)')
    point = until.point if until else None
    ends = now + point if isinstance(point, timedelta) else point
    if ends and ends <= now:
        raise MonitorError(f"--until {until} is over already; want a time that is to come")
    request = OperatorRequest(
        at=now, what=RequestKind.ANNOUNCE, target=service, until=ends, text=text
    )
    Store.request(config.store, request)
    if ends:
        return f"announced until {ends:%Y-%m-%d %H:%M} UTC"
    return "announced until you end it: `monitor announce --list` has its number for `--end N`"


def end_announcement(config: Config, number: int, now: datetime) -> str:
    """Ask the daemon to show an announcement no longer. Raises MonitorError where none has this number."""
    if number not in {each.id for each in announcements(config, now)}:
        raise MonitorError(
            f"there is no announcement {number}; `monitor announce --list` lists them"
        )
    request = OperatorRequest(at=now, what=RequestKind.END_ANNOUNCEMENT, target=str(number))
    Store.request(config.store, request)
    return f"asked the daemon to end announcement {number}; the page goes without it when it is written next"


def announcements(config: Config, now: datetime) -> tuple[Announcement, ...]:
    """Return those that stand, newest first."""
    with closing(Store.read_only(config.store)) as reader:
        return reader.announcements(now)


def _show(standing: tuple[Announcement, ...]) -> None:
    if not standing:
        typer.echo("Nothing is announced.")
        return
    rows = plain_table("number", "since (UTC)", "until (UTC)", "about", "text")
    for each in standing:
        until = utc_time(each.until) if each.until else "it is ended"
        rows.add_row(
            str(each.id), utc_time(each.at), until, Text(each.service or "all"), Text(each.text)
        )
    stdout().print(rows)
