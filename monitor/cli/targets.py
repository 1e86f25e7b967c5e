"""Checks, endpoints and services as people name them on the command line."""

from collections.abc import Iterable
from difflib import get_close_matches

from monitor.config import Config
from monitor.model import Check, MonitorError


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
