"""`monitor backup`: copy the store, also while in use."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.console import progress, say
from monitor.cli.options import ConfigPath, load
from monitor.config import Config, Secrets
from monitor.model import MonitorError
from monitor.store import Store


def command(
    to: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Where to write the copy; a file there is replaced."),
    ],
    path: ConfigPath = None,
) -> None:
    """Copy the store, whole and checked, also while the daemon runs."""
    loaded = load(path, secrets=Secrets.NONE)
    with progress("copying", None):
        size = backup(loaded, to)
    say(f"wrote {to}: {size} bytes, checked")


def backup(config: Config, to: Path) -> int:
    """Return the size of the copy in bytes. It replaces an older one only when it is checked."""
    try:
        _copy(config, to)
        return to.stat().st_size
    except OSError as error:
        raise MonitorError(f"{to} cannot be written: {error.strerror}") from error


def _copy(config: Config, to: Path) -> None:
    if to.is_dir():
        raise MonitorError(f"{to} is a folder; give the copy a name in it")
    if to.exists() and not to.is_file():
        raise MonitorError(f"{to} is no file; a copy would take its place")
    copy = to.resolve()
    if not copy.parent.is_dir():
        raise MonitorError(f"there is no folder {copy.parent}; make it first")
    with closing(Store.read_only(config.store)) as reader:
        reader.backup(copy)
