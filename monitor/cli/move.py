"""`monitor move`: copy the store to the other engine."""

import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from monitor.cli.console import progress, say
from monitor.cli.options import ConfigPath, load, service_env
from monitor.clock import SystemClock
from monitor.config import Config, Secrets, from_document
from monitor.store import store_name
from monitor.store.move import move

_STORE = re.compile(r"^\s*store\s*=")
_TABLE = re.compile(r"^\s*\[\s*([\w.\"' -]+?)\s*\]")


def command(
    to: Annotated[
        str,
        typer.Argument(
            metavar="URL",
            help='Where to: "sqlite:///PATH" or "postgresql://USER@HOST/DATABASE"; ${NAME} in it as in the config.',
        ),
    ],
    path: ConfigPath = None,
) -> None:
    """Copy the store of a stopped daemon to another place, which must be empty. The old one stays as it is."""
    loaded = load(path, secrets=Secrets.NONE)
    target = _at(loaded, to)
    with progress("copying", None):
        counts = move(loaded.store, target.store, clock=SystemClock())
    say(f"copied {sum(counts.values())} rows to {store_name(target.store)}, as many as there were:")
    say(", ".join(f"{count} of {table}" for table, count in counts.items() if count))
    say(f"Now write into [monitor] of {_place(loaded.path)}:")
    say(f'store = "{_shown(to)}"')
    say(
        f"Then start the daemon. {store_name(loaded.store)} is left as it was; delete it when you miss nothing."
    )


def _at(loaded: Config, url: str) -> Config:
    """Return the configuration with another store: what stands in its place is read as there. Raises ConfigError."""
    monitor = {**loaded.document.get("monitor", {}), "store": url}
    return from_document(
        {**loaded.document, "monitor": monitor},
        path=loaded.path,
        env=service_env(loaded.path, os.environ),
        secrets=Secrets.NONE,
    )


def _place(path: Path) -> str:
    """Return the file, and the line in it that names the store where one does."""
    table = ""
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if header := _TABLE.match(line):
            table = header[1]
        elif table == "monitor" and _STORE.match(line):
            return f"{path}, in the place of line {number}"
    return str(path)


def _shown(url: str) -> str:
    """Return an address as it may be printed: a password is left to the environment."""
    password = urlsplit(url).password if "://" in url else None
    if password is None or "${" in password:
        return url
    return url.replace(f":{password}@", ":${STORE_PASSWORD}@", 1)
