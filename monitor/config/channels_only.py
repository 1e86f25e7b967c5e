"""Whom to tell that the configuration cannot be used: the channels of that very configuration."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monitor.config.build import Config, build
from monitor.config.env_references import References
from monitor.config.parse_tables import Tables

_CHANNEL = re.compile(r"^\s*\[\s*channel\s*\.")
_HEADER = re.compile(r"^(?=\s*\[)", re.MULTILINE)


def channels_only(path: Path, env: Mapping[str, str]) -> Config:
    """A config of nothing but the `[channel.ID]` tables that can be read, whatever else is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        text = ""
    folder = path.absolute().parent
    credentials = env.get("CREDENTIALS_DIRECTORY")
    references = References(env, Path(credentials) if credentials else None, folder)
    tables = Tables(references.complaints)
    tables.read_all(references.resolve({"channel": _channels(text)}))
    return build(tables, path.absolute(), folder, references.secrets)


def _channels(text: str) -> dict[str, Any]:
    """Each table read alone, so that a syntax error elsewhere in the file hides none."""
    found: dict[str, Any] = {}
    for part in _HEADER.split(text):
        if not _CHANNEL.match(part):
            continue
        try:
            channels = tomllib.loads(part).get("channel", {})
        except (tomllib.TOMLDecodeError, RecursionError):
            continue
        if isinstance(channels, dict):
            found |= channels
    return found
