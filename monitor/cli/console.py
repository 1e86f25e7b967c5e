"""Prints results to standard output, and progress to standard error.

Colour and motion are for terminals that want them (`NO_COLOR`); in a pipe nothing is cut to a width.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from monitor.cli import stdio
from monitor.model import Outcome

_WIDTH_OF_A_PIPE = 10_000
COLOURS = {
    Outcome.UP: "green",
    Outcome.DEGRADED: "yellow",
    Outcome.DOWN: "bold red",
    Outcome.UNKNOWN: "dim",
}


class _PipeConsole(Console):
    def on_broken_pipe(self) -> None:
        stdio.end_unread()


def stdout() -> Console:
    """Return a console for standard output, of the terminal's width or, in a pipe, of none."""
    if sys.stdout.isatty():
        return _PipeConsole()
    return _PipeConsole(width=_WIDTH_OF_A_PIPE, color_system=None)


def show(parts: Iterable[object]) -> None:
    for part in parts:
        stdout().print(part, highlight=False)


def show_json(document: Mapping[str, object]) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def plain_table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False)


def milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f} ms" if value < 10_000 else f"{value / 1000:.1f} s"


def utc_time(at: datetime) -> str:
    """Format a moment for people, to the second; the heading says that it is UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def iso_time(at: datetime, timespec: str = "seconds") -> str:
    """Format a moment for documents, as `2026-11-23T12:00:00Z`."""
    return at.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal, and nothing elsewhere, until the work is done.

    Yields a function that takes how many more are done. `total` is None where nobody knows it.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
