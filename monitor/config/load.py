"""Find the file, read it, and say everything that is wrong with it at once."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from monitor.config.build import Config, build
from monitor.config.env_references import References
from monitor.config.parse_tables import Tables
from monitor.model import Complaint, ConfigError, Redactor, Secret

USUAL = (Path("monitor.toml"), Path("/etc/monitor/monitor.toml"))


def find(explicit: Path | None) -> Path:
    """The file asked for, else `./monitor.toml`, else the system's."""
    if explicit is not None:
        return explicit
    for path in USUAL:
        if path.is_file():
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


def load(path: Path, env: Mapping[str, str], *, speaks: bool = True) -> Config:
    """Without `speaks` for those who neither ask nor tell anybody: secrets may be missing."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError((Complaint(str(path), f"cannot be read: {error.strerror}"),)) from error
    except UnicodeDecodeError as error:
        raise ConfigError((Complaint(str(path), "is not UTF-8 text"),)) from error
    return parse(text, path=path, env=env, speaks=speaks)


def parse(text: str, *, path: Path, env: Mapping[str, str], speaks: bool = True) -> Config:
    """`env` also says where state and credentials are, as systemd does. Raises ConfigError."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((_syntax(str(error)),)) from error
    except RecursionError as error:
        raise ConfigError((Complaint(str(path), "is nested too deeply"),)) from error
    folder = path.absolute().parent
    credentials = env.get("CREDENTIALS_DIRECTORY")
    references = References(env, Path(credentials) if credentials else None, folder, speaks)
    document = references.resolve(raw)
    tables = Tables(references.complaints)
    tables.read_all(document)
    state = Path(env["STATE_DIRECTORY"].split(":")[0]) if env.get("STATE_DIRECTORY") else folder
    config = build(tables, path.absolute(), state, references.secrets)
    if tables.complaints:
        raise ConfigError(_safe(tables.complaints, references.resolved))
    return config


def _safe(complaints: list[Complaint], resolved: list[Secret]) -> tuple[Complaint, ...]:
    """Each once, by place, and none quotes what came from the environment."""
    redact = Redactor(resolved)
    return tuple(sorted({Complaint(each.where, redact(each.what)) for each in complaints}, key=str))


def _syntax(message: str) -> Complaint:
    """tomllib ends with `(at line 3, column 7)`; put it in front."""
    what, _, where = message.partition(" (at ")
    where = where.rstrip(")") or "end of the file"
    return Complaint(where, f"{what[:1].lower()}{what[1:]}; this is not valid TOML")
