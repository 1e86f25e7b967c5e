"""Loads only those of Apprise's plugins that the channels use: all take 10 MB and a fifth of a second.

Apprise's manager loads what a folder lists, so it is shown a folder that lists these alone. A plugin's
text names the schemas that it speaks, as `"tgram"`.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def load_plugins(apprise: Any, addresses: Iterable[str]) -> None:
    """Load what the addresses need; all plugins where a schema has none of its own."""
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
    texts = [file.read_bytes() for file in _files(plugin)]
    return any(f'"{schema}"'.encode() in text for schema in schemas for text in texts)


def _files(plugin: Path) -> Iterable[Path]:
    """The Python files of a plugin, which may be a folder."""
    return plugin.glob("*.py") if plugin.is_dir() else [plugin] if plugin.suffix == ".py" else []
