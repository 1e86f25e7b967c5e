"""The command line: every command by its name."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from monitor import __version__
from monitor.cli import voice
from monitor.cli.commands import daemon, first, now, past, people

COMMANDS: Mapping[str, tuple[Callable[..., Any], str]] = {
    "run": (daemon.run, "Run the daemon."),
    "once": (now.once, "Run every check once, now."),
    "diagnose": (now.diagnose, "Show where the way to a URL breaks."),
    "validate": (now.validate, "Read the config, print every problem."),
    "status": (past.status, "Show what the store knows."),
    "history": (past.show_history, "Show one check over a range of time."),
    "incidents": (past.show_incidents, "Show what went wrong."),
    "export": (past.export_history, "Write the history as CSV or JSON Lines."),
    "backup": (past.backup, "Copy the store, also while in use."),
    "render": (past.render, "Write the page from the store, once."),
    "reload": (daemon.ask_to_reload, "Make the daemon read its config again."),
    "silence": (people.silence, "Mute a check, endpoint or service."),
    "ack": (people.ack, "Stop the reminders of an incident."),
    "test-alert": (now.send_test, "Send a test message to every channel."),
    "report-failure": (daemon.report_failure, "Tell the channels that it has failed."),
    "init": (first.write_first_config, "Write a first monitor.toml."),
    "schema": (first.schema, "Print the JSON Schema of monitor.toml."),
    "demo": (daemon.demo, "Show the whole product, simulated."),
}
"""With what the list of commands says of each, short enough for a narrow terminal."""

app = typer.Typer(
    name="monitor",
    help="Asks every base URL of an LLM service the real questions, and says what broke, why, and which URL to use.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text: nothing is framed, and nothing cut on a narrow terminal
    pretty_exceptions_enable=False,  # a traceback with local values would show keys
    context_settings={"help_option_names": ["-h", "--help"]},
)
incident = typer.Typer(
    no_args_is_help=True,
    help="Say something of an incident.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(incident, name="incident")


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    if wanted:
        typer.echo(f"monitor {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[  # noqa: ARG001  # its callback does the work
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the whole traceback of an internal error.")
    ] = False,
) -> None:
    voice.Debug.on = debug


for name, (command, short) in COMMANDS.items():
    app.command(name, short_help=short)(command)
incident.command("note", short_help="Write into its timeline.")(people.note_incident)
