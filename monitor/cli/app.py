"""Finds the commands, loads the one that is asked for, and turns errors into sentences and exit codes.

A command is a file of this folder whose docstring begins with its name, as in "`monitor ack`: stop the
reminders of an incident."; the rest of that line is its help in the list of commands. The file's
function `command` holds its options. Nothing of a file but that line is read until its command is run.

Exit codes: 78 for a bad configuration, 2 for wrong usage, 70 for a fault of our own, 130 after Ctrl-C,
1 for everything else that failed. A command whose reader goes away ends by SIGPIPE.
"""

import errno
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from monitor import __version__
from monitor.cli import stdio

EX_SOFTWARE = 70
EX_CONFIG = 78
GROUP_HELP = {
    "incident": "Write a note on an incident.",
    "identity": "Record, compare and show one-word answers.",
}
"""The help of a command's first word, where its name has two."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a write says that finds no room. It names no file where it is a standard stream."""
_FIRST_LINE = re.compile(r'"""`monitor (?P<name>[a-z -]+)`: (?P<help>.+\.)(?:"""|$)')
_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True, slots=True)
class CommandFile:
    """Names a command and its file. `words` is what a person types, such as `incident note`."""

    module: str
    words: tuple[str, ...]
    help: str

    def load(self) -> Any:
        """Import the file and return its command as Typer runs it."""
        alone = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=_SETTINGS)
        alone.command(self.words[-1])(import_module(f"monitor.cli.{self.module}").command)
        return typer.main.get_command(alone)


def command_files(folder: Path = Path(__file__).parent) -> Iterator[CommandFile]:
    """Yield the commands of a folder, ordered by file name."""
    for path in sorted(folder.glob("*.py")):
        with path.open(encoding="utf-8") as file:
            first = _FIRST_LINE.match(file.readline())
        if first:
            text = first["help"]
            yield CommandFile(path.stem, tuple(first["name"].split()), text[0].upper() + text[1:])


class ListedCommand(TyperCommand):
    """Stands in the list of commands for a file that is not imported yet."""

    def __init__(self, file: CommandFile) -> None:
        super().__init__(file.words[-1], short_help=file.help)
        self.file = file


class LazyGroup(TyperGroup):
    """Imports a command's file when the command is run, or when its options are completed."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.file.load() if isinstance(command, ListedCommand) else command, rest


_top = typer.Typer(
    name="monitor",
    cls=LazyGroup,
    help="Asks every base URL of an LLM service the real questions, and says what broke, why, and which URL to use.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text: nothing is framed, and nothing cut on a narrow terminal
    pretty_exceptions_enable=False,  # a traceback with local values would show keys
    context_settings=_SETTINGS,
)


class Debug:
    """Holds whether `--debug` was given: a fault of our own is then shown with its traceback."""

    on = False


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    if wanted:
        typer.echo(f"monitor {__version__}")
        raise typer.Exit


@_top.callback()
def _options_of_all(
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
    Debug.on = debug


def command_line() -> LazyGroup:
    """Return the `monitor` command with every command file below it, none of them imported."""
    root = typer.main.get_command(_top)
    assert isinstance(root, LazyGroup)
    for file in command_files():
        group = root
        for word in file.words[:-1]:
            if word not in group.commands:
                group.add_command(_group(word))
            group = group.commands[word]  # type: ignore[assignment]  # `_group` made it
        group.add_command(ListedCommand(file))
    return root


def _group(word: str) -> LazyGroup:
    return LazyGroup(
        name=word,
        help=GROUP_HELP[word],
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings=_SETTINGS,
    )


_PRIVATE = 0o027
"""History, backups and what else we write are no business of other users; the page sets its own rights."""


def main() -> None:
    """Run the `monitor` command. A person's mistake gets a sentence, never a traceback."""
    stdio.prepare()
    os.umask(os.umask(_PRIVATE) | _PRIVATE)
    try:
        _run()
    except SystemExit as end:
        stdio.end(end.code)
        raise


def _run() -> None:
    try:
        try:
            command_line()()
        finally:
            stdio.flush()  # what finds no room is told of below
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        text, code = _told(error)
        if code == EX_SOFTWARE and Debug.on:
            raise
        sys.stderr.write(f"{text}\n")
        sys.exit(code)


def _told(error: Exception) -> tuple[str, int]:
    """Return what a person reads of an error, and the exit code."""
    from monitor.model.errors import ConfigError, MonitorError  # noqa: PLC0415  # half of a start
    from monitor.model.secret import printable  # noqa: PLC0415  # with the former

    if isinstance(error, ConfigError):
        return printable(error.report), EX_CONFIG
    if isinstance(error, MonitorError):
        return printable(str(error)), 1
    if isinstance(error, OSError) and error.errno in _NO_ROOM and error.filename is None:
        return f"the output cannot be written: {error.strerror}", 1
    return _internal_error(error), EX_SOFTWARE


def _internal_error(error: Exception) -> str:
    """Describe a fault of our own in one line. Its text may hold a secret, so only its type is shown."""
    where = (
        "; the whole story: journalctl -u monitor"
        if "INVOCATION_ID" in os.environ
        else "; `monitor --debug ...` shows the whole story"
    )
    return f"internal error: {type(error).__name__}, which is a fault of monitor's own{where}"
