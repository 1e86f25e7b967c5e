"""The environment that systemd gives the service, for commands that a person runs beside it."""

import os
from collections.abc import Mapping
from pathlib import Path

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
