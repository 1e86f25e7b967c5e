"""The command line: every command by its name."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from monitor import __version__
from monitor.cli import voice
from monitor.cli.commands import daemon, first, now, past, people

COMMANDS: Mapping[str, Callable[..., Any]] = {
    "run": daemon.run,
    "once": now.once,
    "diagnose": now.diagnose,
    "validate": now.validate,
    "status": past.status,
    "history": past.show_history,
    "incidents": past.show_incidents,
    "export": past.export_history,
    "backup": past.backup,
    "render": past.render,
    "reload": daemon.ask_to_reload,
    "silence": people.silence,
    "ack": people.ack,
    "test-alert": now.send_test,
    "report-failure": daemon.report_failure,
    "init": first.write_first_config,
    "schema": first.schema,
    "demo": daemon.demo,
}

app = typer.Typer(
    name="monitor",
    help="Asks every base URL of an LLM service the real questions, and says what broke, why, and which URL to use.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local values would show keys
    context_settings={"help_option_names": ["-h", "--help"]},
)
incident = typer.Typer(no_args_is_help=True, help="What people say of an incident.")
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


for name, command in COMMANDS.items():
    app.command(name)(command)
incident.command("note")(people.note_incident)
