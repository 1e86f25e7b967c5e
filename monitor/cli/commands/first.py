"""Before there is a configuration: a first one, and the schema of all."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor import config
from monitor.alerts.chats import TELEGRAM
from monitor.cli import starting
from monitor.cli.options import show_json
from monitor.model import MonitorError


def write_first_config(
    path: Annotated[
        Path,
        typer.Option(
            "--config", "-c", metavar="FILE", help="Where to write it; never over a file."
        ),
    ] = Path("monitor.toml"),
    url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A base URL; may be repeated. Without any, questions are asked.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Of the service.", show_default=False)
    ] = "",
    key: Annotated[
        str, typer.Option(metavar="VARIABLE", help="Its value is the key.", show_default=False)
    ] = "",
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="Model to ask.", show_default=False)
    ] = "",
    telegram: Annotated[
        bool,
        typer.Option(
            "--telegram", help="Alert the chat that the bot of $TELEGRAM_TOKEN heard from last."
        ),
    ] = False,
    chat: Annotated[
        int | None, typer.Option(metavar="ID", help="Alert this Telegram chat.", show_default=False)
    ] = None,
    telegram_api: Annotated[
        str, typer.Option(metavar="URL", help="An own Bot API server.")
    ] = TELEGRAM,
) -> None:
    """Ask a few questions and write a first monitor.toml."""
    if path.exists():
        raise MonitorError(
            f"{path} is there already and stays as it is; move it away, or name another with --config"
        )
    if url:
        if telegram and chat is None:
            chat = starting.heard_from(telegram_api)
        answers = starting.Answers(
            urls=tuple(url), name=name, key=key, model=model, chat=chat, telegram_api=telegram_api
        )
    elif sys.stdin.isatty():
        answers = starting.ask(telegram_api)
    else:
        raise typer.BadParameter(
            "want at least one base URL where nobody can be asked", param_hint="'--url'"
        )
    starting.write(path, answers)
    typer.echo(starting.next_steps(path, answers))


def schema() -> None:
    """Print the JSON Schema of monitor.toml."""
    show_json(config.schema())
