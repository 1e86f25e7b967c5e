"""Replaces `${NAME}` in strings by a systemd credential, else by a variable of the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from monitor.model import Complaint, Secret
from monitor.model.secret import REFERENCE

_REAL_KEY = re.compile(
    r"(?:sk|pk|xai|gsk)-[\w-]{12,}|AIza[\w-]{20,}|[0-9]{6,12}:[\w-]{30,}|[\w-]{32,}"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BEARER = re.compile(r"\A(?:authorization\s*:\s*)?bearer\b", re.IGNORECASE)
_QUOTED = re.compile("\\A['\"`\u2018\u201c]")
CREDENTIAL_PREFIX = "monitor_"
"""What systemd puts before the names of a folder loaded by `LoadCredential=monitor:FOLDER`."""

KeyPath = tuple[str, ...]
"""Names the keys that lead to a value of the document, such as `("service", "relay", "key")`."""


class Secrets(Enum):
    """The secrets that a command needs. What lacks another one is left out of its configuration."""

    ALL = "all"
    ENDPOINTS = "endpoints"
    """Those for asking: of endpoints and their proxies, not of channels and other addresses."""
    NONE = "none"
    """None but that of the store, without which nothing can be said."""


@dataclass
class References:
    """Resolves the references of a document, and keeps the secrets and complaints that it met."""

    env: Mapping[str, str]
    credentials: Path | None
    folder: Path
    needed: Secrets = Secrets.ALL
    complaints: list[Complaint] = field(default_factory=list)
    secrets: list[Secret] = field(default_factory=list)
    resolved: list[Secret] = field(default_factory=list)
    """Every value that came from outside the file: no complaint may quote one."""

    def resolve(self, value: Any, place: KeyPath = ()) -> Any:
        """Return the document with every reference replaced; an unset one in `key` gives None."""
        if isinstance(value, dict):
            parts = {(*place, name): item for name, item in value.items()}
            return {
                part[-1]: self.resolve(item, part)
                for part, item in parts.items()
                if self._is_needed(part) or not self._lacks_secret(item, part)
            }
        if isinstance(value, list):
            return [self.resolve(item, place) for item in value]
        if not isinstance(value, str):
            return value
        if _is_key(place):
            return self._key(value, place)
        if "headers" in place and value.startswith("file:"):
            return self._keep(self._file(self.folder / value[5:], place)) or ""
        return self._text(value, place)

    def _is_needed(self, place: KeyPath) -> bool:
        if place == ("monitor", "store"):
            return True
        if self.needed is Secrets.ENDPOINTS:
            is_of_others = place[0] in {"channel", "webhook", "page"} or place[:2] == (
                "monitor",
                "otlp",
            )
            return not is_of_others and place[-1] != "heartbeat"
        return self.needed is Secrets.ALL

    def _lacks_secret(self, value: Any, place: KeyPath) -> bool:
        """Say whether a secret of this value is not set. A channel without its address is no channel."""
        if place[:-1] in {("channel",), ("webhook",)} and isinstance(value, dict):
            needed = ("url", "secret")
            return any(self._lacks_secret(value.get(name), (*place, name)) for name in needed)
        if not (isinstance(value, str) and _is_secret(place)):
            return False
        return any(self._look_up(name) is None for name in REFERENCE.findall(value))

    def _key(self, value: str, place: KeyPath) -> str | None:
        if value.startswith("file:"):
            key = self._file(self.folder / value[5:], place)
            return self._keep(self._checked(key or "", value, place))
        names = REFERENCE.findall(value)
        if not names and _REAL_KEY.search(value):
            self._complain(
                place,
                'want no key in this file; write "${NAME}" and put the key in the environment',
            )
            return self._keep(None)
        if any(self._look_up(name) is None for name in names):
            return None
        key = REFERENCE.sub(lambda match: self._look_up(match[1]) or "", value).strip()
        return self._keep(self._checked(key, value, place))

    def _checked(self, key: str, source: str, place: KeyPath) -> str | None:
        """Complain of a key that no server can take; `source` is how the file names it."""
        trouble = _key_trouble(key)
        if trouble:
            self._complain(place, f"{source} {trouble}" if REFERENCE.search(source) else trouble)
        return key or None

    def _text(self, value: str, place: KeyPath) -> str:
        values = {name: self._look_up(name) for name in REFERENCE.findall(value)}
        for name in sorted(name for name, text in values.items() if text is None):
            self._complain(
                place, f"${{{name}}} is not set; export it, or give it as a systemd credential"
            )
        is_inline = place[:1] == ("webhook",) and place[-1] == "secret" and not values
        if is_inline and value.startswith("whsec_"):
            what = 'want no secret in this file; write "${NAME}" and put it into the environment'
            self._complain(place, what)
        if _is_secret(place):
            self.secrets.extend(Secret(text) for text in values.values() if text)
        return REFERENCE.sub(lambda match: values[match[1]] or "", value)

    def is_set(self, name: str) -> bool:
        return self._look_up(name) is not None

    def _look_up(self, name: str) -> str | None:
        value = self._credential(name) or self.env.get(name, "").strip() or None
        if value:
            self.resolved.append(Secret(value))
        return value

    def _credential(self, name: str) -> str | None:
        for file in (name, CREDENTIAL_PREFIX + name):
            path = self.credentials / file if self.credentials else None
            try:
                is_there = path is not None and path.is_file()
            except OSError:  # a folder that is not for us
                is_there = False
            if path and is_there:
                return self._read(path, ("credential", name))
        return None

    def _read(self, path: Path, place: KeyPath) -> str | None:
        try:
            return path.read_text(encoding="utf-8-sig").strip() or None
        except OSError as error:
            self._complain(place, f"cannot read {path}: {error.strerror}")
        except ValueError:
            self._complain(place, f"{path} is not UTF-8 text")
        return None

    def _file(self, path: Path, place: KeyPath) -> str | None:
        try:
            open_to_others = path.is_file() and path.stat().st_mode & 0o077
        except (OSError, ValueError):
            self._complain(place, "want a path to a file after file:")
            return None
        if open_to_others:
            self._complain(place, f"{path} can be read by others; run: chmod 600 {path}")
            return None
        return self._read(path, place)

    def _keep(self, key: str | None) -> str | None:
        if key:
            self.secrets.append(Secret(key))
        return key

    def _complain(self, place: KeyPath, what: str) -> None:
        self.complaints.append(Complaint(".".join(place), what))


_KEY_TROUBLES = (
    (_CONTROL, "has a line break or a control character in it, want one line"),
    (_BEARER, 'begins with "Bearer ", which every call adds by itself; want the key alone'),
    (_QUOTED, "stands in quotes, which would be sent as part of it; want the key alone"),
    (
        re.compile(r"\A(?:export )?[A-Z][A-Z0-9]*_[A-Z0-9_]*=."),
        "begins with the name of a variable and =; want the key alone",
    ),
    (re.compile(r"\A\$[{(]"), "is itself a reference that nobody resolved; want the key"),
    (re.compile(r"\*{3}"), "is masked with ***; copy the whole key"),
)
"""What spoils a key -> what is said of it, without showing any of it."""


def _key_trouble(key: str) -> str | None:
    """Say what is wrong with a key, without showing any of it."""
    for pattern, trouble in _KEY_TROUBLES:
        if pattern.search(key):
            return trouble
    for character in key:
        if character == " ":
            return "has a space in it, want the key alone"
        if not character.isprintable():
            return f"has an invisible character (U+{ord(character):04X}) in it; copy the key again"
        if not character.isascii():
            return f"has a character (U+{ord(character):04X}) in it that no key has; copy the key again"
    return None


def _is_key(place: KeyPath) -> bool:
    """Say whether a value is the key of a service or base URL: not a vantage's, nor one of a request's body."""
    return place[-1:] == ("key",) and place[0] != "vantage" and "body" not in place[:-1]


def _is_secret(place: KeyPath) -> bool:
    return (
        "headers" in place
        or (place[0] == "service" and "body" in place)
        or place[:-1] == ("page", "publish", "env")
        or place[-1:] in {("proxy",), ("heartbeat",)}
        or place == ("monitor", "store")
        or (place[:1] in {("channel",), ("webhook",)} and place[-1] in {"url", "secret"})
    )
