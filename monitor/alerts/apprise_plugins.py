"""Loads only those of Apprise's plugins that the channels use: all take 10 MB and a fifth of a second.

It also mends the two that lose track of their events. Apprise's manager loads what a folder lists, so it is shown a folder that lists these alone. A plugin's
text names the schemas that it speaks, as `"tgram"`.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote


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
    """Return the Python files of a plugin, which may be a folder."""
    return plugin.glob("*.py") if plugin.is_dir() else [plugin] if plugin.suffix == ".py" else []


def mend(plugin: Any) -> None:
    """Let a plugin for Opsgenie or Jira Service Management name an alert by its alias, and DingTalk sign once."""
    kind = type(plugin)
    if kind.__name__ == "NotifyDingTalk":
        plugin.__class__ = type("NotifyDingTalkSignedOnce", (_SignedOnce, kind), {})
    if kind.__name__ in {"NotifyOpsgenie", "NotifyJira"} and plugin.alias:
        plugin.__class__ = type(f"{kind.__name__}ByAlias", (_ByAlias, kind), {})


class _SignedOnce:
    """Gives the signature as it is: `requests` encodes it, and what is encoded twice is refused."""

    def get_signature(self) -> tuple[str, str]:
        timestamp, signature = super().get_signature()  # type: ignore[misc]
        return timestamp, unquote(signature)


class _ByAlias:
    """Names an alert by its alias in what acknowledges and closes it.

    The plugins remember the id of the request that made an alert and use it as the id of the alert,
    which it is not: the service answers 202 and finds nothing. Both services take
    `identifierType=alias`, and with it nothing need be remembered.
    """

    alias: str

    @property
    def store(self) -> "_KnownAlias":
        return _KnownAlias(self.alias)

    def _fetch(self, method: Any, url: str, payload: Any, params: Any = None) -> Any:
        by_alias = params and {"identifierType": "alias"}
        return super()._fetch(method, url, payload, by_alias)  # type: ignore[misc]


class _KnownAlias:
    """Stands for what a plugin remembers of an alert: its alias, as a part of an address."""

    def __init__(self, alias: str) -> None:
        self._ids = [quote(alias, safe="")]

    def get(self, _key: str, _default: object = None) -> list[str]:
        return [*self._ids]

    def set(self, _key: str, _value: object, **_more: object) -> bool:
        return True
