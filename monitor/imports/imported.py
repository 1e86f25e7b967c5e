"""The values that every reader of a foreign file makes: checks, channels, windows, secrets and remarks."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from monitor.model import MonitorError, Redactor, clean_text
from monitor.model.config_text import free_id
from monitor.model.secret import REFERENCE

_LONGEST_NAME = 80
"""Characters of a name that the configuration takes."""
_redact = Redactor()
_LOGIN = re.compile(r"(?<=://)[^\s/?#]*@")
SECRET_NAME = r"(?:\w*[_-])?(?:key|apikey|token|secret|sig|signature|password|passwd|pass|pwd|auth)"
"""What a field is called whose value is secret."""
_SECRET_QUERY = re.compile(rf"([?&]{SECRET_NAME}=)[^&#\s\"]+", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """Return a text as people may read it: without keys, and without the logins and secret fields of addresses."""
    return _SECRET_QUERY.sub(r"\1***", _LOGIN.sub("***@", _redact(text)))


class ImportFileError(MonitorError):
    """Is raised for a file of which nothing can be read; its text names the place and the remedy."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Says of one place in a foreign file what was not carried over, or otherwise than it stands there."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedCheck:
    """One thing that the other program asks: an address, and how it is asked.

    `settings` are keys of our probe's table. `key`, values of `headers` and `proxy` are references to
    secrets (`${NAME}`) or harmless texts.
    """

    source: str
    """What the other program calls it, unique in the import: channels and history refer to it."""
    place: str
    name: str
    url: str
    """The base URL."""
    kind: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    every: timedelta | None = None
    group: str = ""
    """What it is shown under there; empty where it is under nothing."""
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    proxy: str | None = None
    paused: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedChannel:
    place: str
    name: str
    url: str
    """An address of Apprise with references in the place of secrets."""
    telegram_api: str | None = None
    sources: frozenset[str] | None = None
    """The checks that it hears of; None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedWindow:
    """A maintenance window; `keys` are those of our table but for what it covers."""

    place: str
    name: str
    keys: Mapping[str, Any]
    sources: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Everything that was read from the files of one program."""

    program: str
    checks: tuple[ImportedCheck, ...] = ()
    channels: tuple[ImportedChannel, ...] = ()
    windows: tuple[ImportedWindow, ...] = ()
    page: Mapping[str, Any] = field(default_factory=dict)
    alerts: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The values of the references by their names."""


class Collector:
    """Gathers what a reader finds, and puts secrets aside under names of their own."""

    def __init__(self, program: str, *, keeps_references: bool = False) -> None:
        """`keeps_references`: what is written `${NAME}` there is a variable of the environment there too."""
        self.program = program
        self._keeps_references = keeps_references
        self.checks: list[ImportedCheck] = []
        self.channels: list[ImportedChannel] = []
        self.windows: list[ImportedWindow] = []
        self.page: dict[str, Any] = {}
        self.alerts: dict[str, Any] = {}
        self._remarks: dict[Remark, None] = {}
        self._secrets: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def remark(self, place: str, what: str) -> None:
        self._remarks[Remark(without_secrets(place), clean_text(without_secrets(what), 400))] = None

    def secret(self, value: str, *hints: str) -> str:
        """Put a value aside and return its reference; the same value has one name.

        A value that is a reference already stays what it is. The name is made of the hints.
        """
        value = value.strip()
        if REFERENCE.fullmatch(value) or (self._keeps_references and REFERENCE.search(value)):
            return value
        if value not in self._names:
            self._names[value] = self._name(hints)
            self._secrets[self._names[value]] = value
        return f"${{{self._names[value]}}}"

    def _name(self, hints: Iterable[str]) -> str:
        words = (re.sub(r"[^A-Z0-9]+", "_", hint.upper()).strip("_") for hint in hints)
        name = "_".join(filter(None, words))[:60].strip("_") or "SECRET"
        return free_id(f"K_{name}" if name[0].isdigit() else name, self._secrets, "_")

    def text(self, value: str, *hints: str) -> str:
        """Return a text as it may stand in the file; one that holds a secret or a reference is put aside."""
        is_plain = (self._keeps_references or "${" not in value) and _redact(value) == value
        return value if is_plain else self.secret(value, *hints)

    def imported(self) -> Imported:
        return Imported(
            program=self.program,
            checks=tuple(self.checks),
            channels=tuple(self.channels),
            windows=tuple(self.windows),
            page=self.page,
            alerts=self.alerts,
            remarks=tuple(self._remarks),
            secrets=self._secrets,
        )


def name_of(value: object, default: str) -> str:
    """Return a name for people: one line, without what the configuration would take for a reference."""
    text = value if isinstance(value, str) else ""
    return clean_text(without_secrets(text).replace("${", "$ {"), _LONGEST_NAME) or re.sub(
        r"[${}]", "", default
    )


def shown(value: object, limit: int = 60) -> str:
    """Return a value as a remark quotes it: in quotes where it is a text, without secrets, cut."""
    if isinstance(value, str):
        return f'"{clean_text(without_secrets(value[: limit * 8]), limit)}"'
    if isinstance(value, dict | list | tuple | set):
        return "a table" if isinstance(value, dict) else "a list"
    return clean_text(str(value)[: limit * 4] if not isinstance(value, int) else _digits(value), 40)


def _digits(value: int) -> str:
    """Write a number; one of thousands of digits is refused by `str`."""
    return str(value) if abs(value) < 10**18 else "a very large number"
