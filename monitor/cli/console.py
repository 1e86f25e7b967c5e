"""Prints results to standard output, and progress to standard error.

Colour and motion are for terminals that want them (`NO_COLOR`); in a pipe nothing is cut to a width.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any, cast

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from monitor.cli import stdio
from monitor.model import Check, Outcome, Result
from monitor.model.secret import CONTROL, printable

_WIDTH_OF_A_PIPE = 10_000
_PADDING = re.compile(r" +$", re.MULTILINE)
COLOURS = {
    Outcome.UP: "green",
    Outcome.DEGRADED: "yellow",
    Outcome.DOWN: "bold red",
    Outcome.UNKNOWN: "dim",
}


class SafeConsole(Console):
    """Prints no control character of a foreign text, whatever holds it."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable(text), style, control)

    def on_broken_pipe(self) -> None:
        stdio.end_unread()


class _Unpadded:
    """Writes into a pipe without the spaces with which a table fills its columns."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe

    def write(self, text: str) -> int:
        return self._pipe.write(_PADDING.sub("", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipe, name)


def stdout() -> Console:
    """Return a console for standard output, of the terminal's width or, in a pipe, of none."""
    return _console(sys.stdout)


def stderr() -> Console:
    return _console(sys.stderr)


def _console(out: IO[str]) -> Console:
    if out.isatty():
        return SafeConsole(file=out)
    pipe = cast("IO[str]", _Unpadded(out))
    return SafeConsole(file=pipe, width=_WIDTH_OF_A_PIPE, color_system=None)


def show(parts: Iterable[object]) -> None:
    for part in parts:
        stdout().print(part, highlight=False)


def say(text: str) -> None:
    """Print a text. Not by `typer.echo`: it writes UTF-8 to a terminal that cannot show it."""
    sys.stdout.write(f"{printable(text)}\n")


def show_json(document: Mapping[str, object]) -> None:
    typer.echo(json_text(document, indent=2))


def json_text(document: Mapping[str, object], indent: int | None = None) -> str:
    """Write JSON that any terminal and any encoding can show: the rest is escaped."""
    separators = (",", ":") if indent is None else None
    is_utf8 = sys.stdout.encoding.lower().startswith("utf")
    text = json.dumps(document, ensure_ascii=not is_utf8, indent=indent, separators=separators)
    return CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def plain_table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False)


def result_table(results: Iterable[tuple[Check, Result]]) -> Table:
    rows = plain_table("check", "outcome", "ttft", "total", "why")
    for check, result in results:
        failure = result.failure
        rows.add_row(
            check.key,
            Text(result.outcome.value, style=COLOURS[result.outcome]),
            milliseconds(result.timings.ttft),
            milliseconds(result.timings.total),
            Text(f"{failure.kind.value}: {failure.message}" if failure else ""),
        )
    return rows


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


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
