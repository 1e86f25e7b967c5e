"""Loads of Apprise's plugins those that the channels use: all of them take 10 MB and a fifth of a second.

Its manager loads what a folder lists, so it is shown one that lists these alone. Which they are, the
plugins say themselves: each names in its text the schemas that it speaks, as `"tgram"`.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def load_plugins(apprise: Any, addresses: Iterable[str]) -> None:
    """Where a schema has no plugin of its own, all are loaded."""
    manager = apprise.NotificationManager()
    schemas = {address.partition("://")[0].strip().lower() for address in addresses}
    if manager and all(schema in manager for schema in schemas):
        return
    with contextlib.suppress(OSError):  # without a folder for it, it loads them all when asked
        _load(manager, schemas)
    if not all(schema in manager for schema in schemas):
        manager.load_modules()


def _load(manager: Any, schemas: Iterable[str]) -> None:
    package = manager.module_name_prefix
    with tempfile.TemporaryDirectory() as listing:
        for plugin in Path(manager.module_path).iterdir():
            if f"{package}.{plugin.stem}" not in sys.modules and _names_one_of(plugin, schemas):
                (Path(listing) / plugin.name).touch()
        manager.load_modules(path=listing, name=package)


def _names_one_of(plugin: Path, schemas: Iterable[str]) -> bool:
    texts = [each.read_bytes() for each in _files(plugin)]
    return any(f'"{schema}"'.encode() in text for schema in schemas for text in texts)


def _files(plugin: Path) -> Iterable[Path]:
    """Some are folders."""
    return plugin.glob("*.py") if plugin.is_dir() else [plugin] if plugin.suffix == ".py" else []
