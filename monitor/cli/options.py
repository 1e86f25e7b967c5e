"""Options and arguments that several commands share: what they name, and how they read the configuration."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import typer
from pydantic import TypeAdapter, ValidationError

from monitor import config, logs
from monitor.cli.time_range import TimeArgument, parse_time
from monitor.clock import SystemClock
from monitor.config import Config, Secrets
from monitor.config.addresses import BaseUrl
from monitor.model import Check, MonitorError, Redactor, Secret, clean_text

T = TypeVar("T", bound=StrEnum)
N = TypeVar("N", int, float)

LONGEST_REASON = 300
"""Characters of why somebody acknowledges or silences."""
_MAX_DIGITS = 18
"""More digits than the number of any stored incident has."""


def time_argument(text: str | TimeArgument) -> TimeArgument:
    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def incident_number(text: str | int) -> int:
    """Read the number of an incident as messages and tables show it: `3` or `#3`."""
    digits = str(text).removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
        raise typer.BadParameter(f'got "{digits[:40]}", want the number of an incident such as 3')
    return int(digits)


def number_from(least: N, most: N) -> Callable[[str | N], N]:
    """Return a parser for numbers of the kind of `least`; what is no number, not finite or outside is refused."""
    kind = type(least)
    whole = "a whole number" if kind is int else "a number"

    def parse(text: str | N) -> N:
        try:
            value = kind(str(text)[:_MAX_DIGITS])
        except ValueError:
            value = None
        if value is None or len(str(text)) > _MAX_DIGITS or not least <= value <= most:
            raise typer.BadParameter(
                f'got "{str(text)[:40]}", want {whole} from {least:,} to {most:,}'
            )
        return value

    return parse


def operators_text(text: str, secrets: Iterable[Secret], what: str, longest: int) -> str:
    """Return what an operator wrote, on one line and without secrets. Raises MonitorError where it is too long."""
    redacted = Redactor(secrets)(text)
    cleaned = clean_text(redacted, len(redacted))
    if len(cleaned) > longest:
        raise MonitorError(
            f"{what} has {len(cleaned):,} characters; it may have at most {longest:,}"
        )
    return cleaned


def one_of(kind: type[T]) -> Callable[[str], T]:
    """Return a parser for the values of an enum."""

    def parse(text: str) -> T:
        if text in list(kind):
            return kind(text)
        raise typer.BadParameter(f'got "{text[:40]}", want {" or ".join(kind)}')

    return parse


def option(metavar: str, text: str, *names: str, **more: Any) -> Any:
    """Return an option of Typer whose default is not shown: it has none, or `text` says it."""
    return typer.Option(*names, metavar=metavar, help=text, show_default=False, **more)


_CONFIG_HELP = "The configuration. Default: ./monitor.toml, then /etc/monitor/monitor.toml."
ConfigPath = Annotated[Path | None, option("FILE", _CONFIG_HELP, "--config", "-c")]
CaFile = Annotated[
    Path | None, option("FILE", "A file in PEM with the private CA that signs the certificate.")
]
IncidentNumber = Annotated[
    int,
    typer.Argument(parser=incident_number, metavar="N", help="The number of the incident."),
]
Since = Annotated[
    TimeArgument,
    typer.Option(
        parser=time_argument,
        metavar="WHEN",
        help='How long ago ("6h", "30d"), or a moment ("2026-11-23T12:00", in UTC).',
    ),
]
Until = Annotated[TimeArgument | None, option("WHEN", "Default: now.", parser=time_argument)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Spend the tokens without asking first.")]


def load(
    path: Path | None,
    *,
    level: str = "WARNING",
    secrets: Secrets = Secrets.ALL,
    strict: bool = False,
    known: Mapping[str, str] = MappingProxyType({}),
) -> Config:
    """Read the configuration and set up logging. `secrets` are those that the command needs.

    `strict`: whether it refuses what is written wrongly and can be understood all the same. `known` are
    values of references that the environment need not have.
    """
    file = config.find(path)
    env = service_env(file, {**known, **os.environ})
    loaded = config.load(file, env, secrets=secrets, strict=strict)
    logs.set_up(Redactor(loaded.secrets), level=level, journal=logs.is_under_systemd())
    return loaded


def time_range(since: TimeArgument, until: TimeArgument | None) -> tuple[datetime, datetime]:
    now = SystemClock().now()
    first, last = since.at(now), until.at(now) if until else now
    if first >= last:
        raise typer.BadParameter("want a moment before --until", param_hint="'--since'")
    return first, last


def matching_checks(config: Config, target: str, also: str = "") -> tuple[Check, ...]:
    """Return the checks of a service, of an endpoint, or the one check that a target names.

    Raises MonitorError where it names nothing; `also` is what else the command takes.
    """
    name = target.strip("/")
    checks = tuple(check for check in config.checks if name in _names(check))
    if not checks:
        names = dict.fromkeys(name for check in config.checks for name in _names(check))
        wanted = f"{also}SERVICE, SERVICE/ENDPOINT or SERVICE/ENDPOINT/PROBE"
        raise unknown(target, wanted, names)
    return checks


def one_check(config: Config, key: str) -> Check:
    """Return a check by its key. Raises MonitorError where there is none."""
    checks = {check.key: check for check in config.checks}
    if key not in checks:
        raise unknown(key, "SERVICE/ENDPOINT/PROBE", checks)
    return checks[key]


def unknown(name: str, wanted: str, names: Iterable[str]) -> MonitorError:
    close = get_close_matches(name, names, 1)
    hint = f' (did you mean "{close[0]}"?)' if close else ""
    return MonitorError(f'nothing is called "{name}"; want {wanted} as in `monitor status`{hint}')


def _names(check: Check) -> tuple[str, str, str]:
    return check.service, check.endpoint.path, check.key


def check_new_file(path: Path) -> None:
    """Raise MonitorError for a file that is there already or has no folder, before anything is spent on it."""
    if path.exists():
        raise MonitorError(f"{path} is there already; choose another name")
    if not path.absolute().parent.is_dir():
        raise MonitorError(f"there is no folder {path.absolute().parent}")


def base_url(text: str) -> str:
    """Return a base URL of the command line, with https:// where it names no scheme. Raises BadParameter for any other text."""
    try:
        url: str = TypeAdapter(BaseUrl).validate_python(
            text if "://" in text else f"https://{text}"
        )
    except ValidationError as error:
        problem = error.errors()[0]
        what = str(problem.get("ctx", {}).get("error", problem["msg"]))
        raise typer.BadParameter(what, param_hint="'URL'") from None
    return url


def key_in(name: str) -> Secret:
    """Return the key that a variable of the environment holds. Raises BadParameter where it is not set."""
    key = os.environ.get(name, "").strip()
    if not key:
        raise typer.BadParameter(f"{name} is not set", param_hint="'--key-env'")
    return Secret(key)


def agree_to_spend(*, yes: bool) -> None:
    """Ask whether to spend what was announced, unless `--yes` says so. Ends the command with 1 for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise MonitorError("add --yes to spend these tokens")
    if not typer.confirm("Go on?", err=True):
        raise typer.Exit(1)


SYSTEM_CONFIG = Path("/etc/monitor/monitor.toml")
_STATE = Path("/var/lib/monitor")
_CREDENTIALS = Path("/etc/monitor/credentials")


def service_env(path: Path, env: Mapping[str, str]) -> Mapping[str, str]:
    """Add systemd's folders if `path` is the service's own config; a variable that is set wins."""
    if path.absolute() != SYSTEM_CONFIG:
        return env
    complete = dict(env)
    if _STATE.is_dir():
        complete.setdefault("STATE_DIRECTORY", str(_STATE))
    if os.access(_CREDENTIALS, os.R_OK | os.X_OK):
        complete.setdefault("CREDENTIALS_DIRECTORY", str(_CREDENTIALS))
    return complete
