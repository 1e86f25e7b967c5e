"""What is true now: of the checks, of a path, of the configuration, of the channels."""

import asyncio
from typing import Annotated

import typer

from monitor import config
from monitor.cli import alerting, asking, diagnosing, looking, voice
from monitor.cli.options import AsJson, ConfigPath, load, show_json


def once(path: ConfigPath = None, as_json: AsJson = False) -> None:
    """Run every check once, now. Exit 1 if one is down."""
    loaded = load(path)
    with voice.progress("asking", len(loaded.checks)) as steps:
        answers = asyncio.run(asking.ask_all(loaded, steps.done))
    if as_json:
        show_json(asking.document(loaded, answers))
    else:
        voice.out().print(asking.table(answers))
    raise typer.Exit(asking.exit_code(answers))


def diagnose(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A base URL; one of the config's is known by it.")
    ],
    path: ConfigPath = None,
    as_json: AsJson = False,
    resolver: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RESOLVER", help="Compare DNS with this one too: an https:// URL or an address."
        ),
    ] = None,
) -> None:
    """Show where the way to a URL breaks, step by step, and whose fault it is. Exit 1 if it breaks."""
    loaded = load(path) if path or any(each.is_file() for each in config.USUAL) else None
    try:
        endpoint = diagnosing.endpoint_of(url, loaded)
    except ValueError as error:
        raise typer.BadParameter(diagnosing.complaint(error), param_hint="'URL'") from None
    try:
        settings = diagnosing.settings_of(loaded, resolver or ())
    except ValueError as error:
        hint = "'--resolver'"
        raise typer.BadParameter(diagnosing.complaint(error), param_hint=hint) from None
    found = asyncio.run(diagnosing.diagnose(endpoint, settings, loaded))
    if as_json:
        show_json(diagnosing.document(found))
    else:
        voice.out().print(diagnosing.tree(found))
    raise typer.Exit(0 if found.is_fine else 1)


def validate(path: ConfigPath = None) -> None:
    """Read the config and print every problem. Exit 78 if there is one."""
    loaded = load(path)
    alerting.check(loaded)
    typer.echo(f"{loaded.path}: good. {looking.summary(loaded)}")


def send_test(path: ConfigPath = None) -> None:
    """Send one test message to every channel, and say which failed and why. Exit 1 if one failed."""
    loaded = load(path)
    failed = asyncio.run(alerting.test_every_channel(loaded, typer.echo))
    raise typer.Exit(1 if failed else 0)
