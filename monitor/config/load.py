"""Finds and reads monitor.toml: a `Config`, or every complaint at once."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from monitor.config.addresses import is_listen_address
from monitor.config.build import Config, address_parts, build
from monitor.config.env_references import References, Secrets
from monitor.config.parse_tables import ParsedTables
from monitor.model import Complaint, ConfigError, Redactor, Secret

USUAL = (Path("monitor.toml"), Path("/etc/monitor/monitor.toml"))
_CHANNEL = re.compile(r"^\s*\[\s*(?:channel\s*\.|alerts\s*\])")
"""A table that says whom to tell, or in which language."""
LISTEN_VARIABLE = "MONITOR_LISTEN"
"""Names a variable that says where the page is served, for images and compose files; it wins over `listen`."""
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HEADER = re.compile(r"^(?=\s*\[)", re.MULTILINE)


def find(explicit: Path | None) -> Path:
    """Return the file asked for, else `./monitor.toml`, else the system's. Raises ConfigError."""
    if explicit is not None:
        return explicit
    for path in USUAL:
        try:
            if path.is_file():
                return path
        except OSError:  # it may be there, in a folder that is not for us: `load` says why
            return path
    places = " or ".join(map(str, USUAL))
    raise ConfigError(
        (
            Complaint(
                "",
                f"there is no {places}; write one with `monitor init`, or name another with --config",
            ),
        )
    )


def load(
    path: Path,
    env: Mapping[str, str],
    *,
    secrets: Secrets = Secrets.ALL,
    strict: bool = False,
) -> Config:
    """Read the file. Raises ConfigError.

    A command that asks or tells nobody needs no secrets, and one that only asks none of the channels.
    With `strict`, what is written wrongly is refused also where it can be understood.
    """
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError((Complaint(str(path), f"cannot be read: {why}"),)) from error
    return parse(_decode(content, path), path=path, env=env, secrets=secrets, strict=strict)


def _decode(content: bytes, path: Path) -> str:
    """Return the text of a file in UTF-8, with a byte order mark or not. Raises ConfigError."""
    try:
        if content.startswith(_UTF16_MARKS) or b"\0" in content[:1000]:
            raise ConfigError(
                (Complaint(str(path), "is UTF-16, not UTF-8 text; save it as UTF-8"),)
            )
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        what = f"is not UTF-8 text (see line {line}); save it as UTF-8"
        raise ConfigError((Complaint(str(path), what),)) from error


def parse(
    text: str,
    *,
    path: Path,
    env: Mapping[str, str],
    secrets: Secrets = Secrets.ALL,
    strict: bool = True,
) -> Config:
    """Read the text of a file at `path`, as `load` does, and strictly. Raises ConfigError.

    `env` also says where state and credentials are, as systemd does, and where to listen.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_syntax(str(error), text),), path) from error
    except RecursionError as error:
        raise ConfigError((Complaint(str(path), "is nested too deeply"),)) from error
    listen = env.get(LISTEN_VARIABLE, "").strip()
    return from_document(raw, path=path, env=env, secrets=secrets, strict=strict, listen=listen)


def state_folder(path: Path, env: Mapping[str, str]) -> Path:
    """Return where a daemon with the configuration at `path` keeps what it writes."""
    folders = env.get("STATE_DIRECTORY", "").split(":")
    return Path(folders[0]) if folders[0] else path.absolute().parent


def from_document(
    raw: dict[str, Any],
    *,
    path: Path,
    env: Mapping[str, str],
    secrets: Secrets = Secrets.ALL,
    strict: bool = False,
    listen: str = "",
) -> Config:
    """Make the configuration of a document, as `parse` does of its text. Raises ConfigError.

    `listen` holds instead of what the document says, unless it is empty.
    """
    references = references_of(path, env, secrets=secrets)
    tables = ParsedTables(references.complaints)
    tables.read_all(references.resolve(raw))
    if listen:
        _listen_at(listen, tables)
    state = state_folder(path, env)
    config = build(tables, path.absolute(), state, references.secrets, document=raw)
    complaints = [*tables.complaints, *(tables.misuses if strict else ())]
    if complaints:
        raise ConfigError(_safe(complaints, references.resolved), path)
    return replace(config, warnings=_safe(config.warnings, references.resolved))


def _listen_at(listen: str, tables: ParsedTables) -> None:
    """Put the address of the environment into the tables, and say where it differs from the file's."""
    if not is_listen_address(listen):
        what = f'got "{listen}", want "ADDRESS:PORT" such as "0.0.0.0:8080"; unset it for what the file says'
        tables.complain((f"{LISTEN_VARIABLE} in the environment",), what)
        return
    if "listen" in tables.monitor.model_fields_set and tables.monitor.listen != listen:
        what = (
            f'is not heeded: {LISTEN_VARIABLE} in the environment is "{listen}" and wins;'
            " remove one of them"
        )
        tables.warn(("monitor", "listen"), what)
    tables.monitor = tables.monitor.model_copy(update={"listen": listen})


def channels_only(path: Path, env: Mapping[str, str]) -> Config:
    """Read nothing but the `[channel.ID]` tables and `[alerts]`, as far as they can be read, whatever else is wrong.

    They are told that the configuration cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        text = ""
    references = references_of(path, env)
    tables = ParsedTables(references.complaints)
    tables.read_all(references.resolve(_channels(text)))
    return build(tables, path.absolute(), path.absolute().parent, references.secrets)


def _channels(text: str) -> dict[str, Any]:
    """Parse each table alone, so that a syntax error elsewhere in the file hides none."""
    kept: dict[str, Any] = {"channel": {}, "alerts": {}}
    for part in _HEADER.split(text):
        if not _CHANNEL.match(part):
            continue
        try:
            tables = tomllib.loads(part)
        except (tomllib.TOMLDecodeError, RecursionError):
            continue
        for name, table in tables.items():
            if isinstance(table, dict):
                kept[name] |= table
    return kept


def references_of(
    path: Path, env: Mapping[str, str], *, secrets: Secrets = Secrets.ALL
) -> References:
    credentials = env.get("CREDENTIALS_DIRECTORY")
    folder = path.absolute().parent
    return References(env, Path(credentials) if credentials else None, folder, secrets)


def _safe(complaints: Iterable[Complaint], resolved: list[Secret]) -> tuple[Complaint, ...]:
    """Sort the complaints by place, each once; none quotes what came from the environment."""
    values = [secret.reveal() for secret in resolved]
    parts = (part for value in values if "://" in value for part in address_parts(value))
    redact = Redactor((*resolved, *map(Secret, parts)))
    return tuple(
        sorted(
            {Complaint(complaint.where, redact(complaint.what)) for complaint in complaints},
            key=str,
        )
    )


def _syntax(message: str, text: str) -> Complaint:
    """Put the place in front that tomllib ends with: `(at line 3, column 7)`."""
    what, _, where = message.partition(" (at ")
    where = where.rstrip(")") or "end of the file"
    hint = ""
    number = re.match(r"line (\d+)", where)
    line = text.split("\n")[int(number[1]) - 1 :][:1] if number else []
    if any(re.search("[\u2018-\u201f]", part) for part in line):
        hint = "; it has typographic quotes, want plain ones"
    elif any(re.search(r"=\s*[^\s\"'\[{]", part) for part in line):
        hint = '; want quotes around texts and durations, such as "15m", and else true, false or a number'
    return Complaint(where, f"{what[:1].lower()}{what[1:]}; this is not valid TOML{hint}")
