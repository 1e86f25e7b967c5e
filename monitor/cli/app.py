"""Every command and its options; what a command does stands in the file named after its verb."""

import asyncio
import faulthandler
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from monitor import __version__, config, logs
from monitor.cli import (
    alerting,
    asking,
    demonstration,
    diagnosing,
    failing,
    looking,
    places,
    reloading,
)
from monitor.config import Config
from monitor.daemon import Daemon
from monitor.model import Redactor

app = typer.Typer(
    name="monitor",
    help="Asks every base URL of an LLM service the real questions, and says what broke, why, and which URL to use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local values would show keys
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console()
_WIDE = 240
"""Where nobody looks: a line that is not broken can be searched."""

ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Default: ./monitor.toml, then /etc/monitor/monitor.toml.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]


def _load(path: Path | None, *, level: str = "WARNING") -> Config:
    found = config.find(path)
    loaded = config.load(found, places.environment(found, os.environ))
    journal = "JOURNAL_STREAM" in os.environ or "INVOCATION_ID" in os.environ
    logs.set_up(Redactor(loaded.secrets), level=level, journal=journal)
    return loaded


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    if wanted:
        typer.echo(f"monitor {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[  # its callback does the work
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def run(
    path: ConfigPath = None,
    log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run the daemon until SIGTERM or SIGINT."""
    level = log_level.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise typer.BadParameter(
            f"got {log_level}, want DEBUG, INFO, WARNING or ERROR", param_hint="--log-level"
        )
    loaded = _load(path, level=level)
    env = places.environment(loaded.path, os.environ)
    faulthandler.enable()  # a daemon that hangs is ended with SIGABRT: the log shows where it hung
    asyncio.run(Daemon(loaded, env=env).run())


@app.command()
def once(path: ConfigPath = None, as_json: AsJson = False) -> None:
    """Run every check once, now. Exit 1 if one is down."""
    loaded = _load(path)
    answers = asyncio.run(asking.ask_all(loaded))
    if as_json:
        _print_json(asking.document(loaded, answers))
    else:
        console.print(asking.table(answers))
    raise typer.Exit(asking.exit_code(answers))


@app.command()
def diagnose(
    url: Annotated[str, typer.Argument(help="A base URL; one of the config's is known by it.")],
    path: ConfigPath = None,
    as_json: AsJson = False,
    resolver: Annotated[
        list[str] | None,
        typer.Option(help="Compare DNS with this one too: an https:// URL or an address."),
    ] = None,
) -> None:
    """Where the way to a URL breaks, step by step, and whose fault it is. Exit 1 if it does."""
    loaded = _load(path) if path or any(each.is_file() for each in config.USUAL) else None
    try:
        endpoint = diagnosing.endpoint_of(url, loaded)
        settings = diagnosing.settings_of(loaded, resolver or ())
    except ValueError as error:
        raise typer.BadParameter(diagnosing.complaint(error)) from None
    found = asyncio.run(diagnosing.diagnose(endpoint, settings, loaded))
    if as_json:
        _print_json(diagnosing.document(found))
    else:
        (console if console.is_terminal else Console(width=_WIDE)).print(diagnosing.tree(found))
    raise typer.Exit(0 if found.is_fine else 1)


@app.command()
def validate(path: ConfigPath = None) -> None:
    """Read the config and print every problem. Exit 78 if there is one."""
    loaded = _load(path)
    alerting.check(loaded)
    typer.echo(f"{loaded.path}: good. {looking.summary(loaded)}")


@app.command()
def status(path: ConfigPath = None, as_json: AsJson = False) -> None:
    """What the store knows: every check, open incidents, undelivered messages, spend."""
    loaded = _load(path)
    snapshot = looking.snapshot(loaded)
    if as_json:
        _print_json(looking.document(loaded, snapshot))
    else:
        for part in looking.tables(loaded, snapshot):
            console.print(part)
        if trouble := looking.trouble_of(looking.carried(loaded)):
            console.print(f"\n{trouble}", markup=False, highlight=False, soft_wrap=True)


@app.command()
def render(
    path: ConfigPath = None,
    stopped: Annotated[
        bool, typer.Option("--stopped", help="Say on the page that monitoring has stopped.")
    ] = False,
) -> None:
    """Write the page from the store, once."""
    loaded = _load(path)
    asyncio.run(looking.render(loaded, stopped=stopped))
    typer.echo(f"wrote {loaded.page.dir}")


@app.command("reload")
def ask_to_reload(path: ConfigPath = None) -> None:
    """Ask the running daemon to read its config again. Exit 78 if it refuses."""
    typer.echo(f"reloaded: {reloading.reload(_load(path))}")


@app.command("test-alert")
def send_test(path: ConfigPath = None) -> None:
    """Send one test message to every channel, and say which failed and why."""
    loaded = _load(path)
    failed = asyncio.run(alerting.test_every_channel(loaded, typer.echo))
    raise typer.Exit(1 if failed else 0)


@app.command("report-failure")
def report_failure(path: ConfigPath = None) -> None:
    """Tell every channel that the service has ended for good; systemd starts this."""
    found = config.find(path)
    failed = failing.report(found, places.environment(found, os.environ), typer.echo)
    raise typer.Exit(1 if failed else 0)


@app.command()
def schema() -> None:
    """Print the JSON Schema of monitor.toml."""
    _print_json(config.schema())


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Where the page is served on 127.0.0.1.")] = 8080,
    seconds: Annotated[
        float | None, typer.Option(help="Stop by itself after so long.", show_default=False)
    ] = None,
) -> None:
    """Run the whole product against a bundled simulated service: no network, no key."""
    demonstration.run(port=port, seconds=seconds)


def _print_json(document: Mapping[str, object]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
