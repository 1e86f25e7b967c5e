"""Where the service keeps its things, for commands that a person runs beside it."""

import os
from collections.abc import Mapping
from pathlib import Path

SYSTEM = Path("/etc/monitor/monitor.toml")
_STATE = Path("/var/lib/monitor")
_CREDENTIALS = Path("/etc/monitor/credentials")


def environment(path: Path, env: Mapping[str, str]) -> Mapping[str, str]:
    """For the service's own config, what systemd tells the service; a variable that is set wins."""
    if path.absolute() != SYSTEM:
        return env
    found = dict(env)
    if _STATE.is_dir():
        found.setdefault("STATE_DIRECTORY", str(_STATE))
    if os.access(_CREDENTIALS, os.R_OK | os.X_OK):
        found.setdefault("CREDENTIALS_DIRECTORY", str(_CREDENTIALS))
    return found
