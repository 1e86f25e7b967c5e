"""How commands speak: results to standard output, everything else to standard error.

Colour and motion are for terminals that want them (`NO_COLOR`); in a pipe nothing is cut to a width.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.cli import streams

EX_SOFTWARE = 70
_WIDE = 10_000


class Debug:
    """Whether a fault of ours is shown whole (`--debug`)."""

    on = False


class _Printer(Console):
    def on_broken_pipe(self) -> None:
        streams.end_unread()


def out() -> Console:
    return _Printer() if sys.stdout.isatty() else _Printer(width=_WIDE, color_system=None)


@contextmanager
def progress(what: str, total: int | None) -> Iterator["Steps"]:
    """A bar on a terminal, nothing elsewhere; gone when the work is done. None: nobody knows how much."""
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
        yield Steps(bar, what, total)


class Steps:
    def __init__(self, bar: Progress, what: str, total: int | None) -> None:
        self._bar = bar
        self._task = bar.add_task(what, total=total)

    def done(self, many: int = 1) -> None:
        self._bar.advance(self._task, many)


def unexpected(error: Exception) -> str:
    """One line for a fault of ours. Its text may quote what nobody cleaned, so only its kind is told."""
    where = (
        "; the whole story: journalctl -u monitor"
        if "INVOCATION_ID" in os.environ
        else "; `monitor --debug ...` shows the whole story"
    )
    return f"internal error: {type(error).__name__}, which is a fault of monitor's own{where}"
