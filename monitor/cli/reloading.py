"""`monitor reload`: ask the daemon to read its configuration again, and say what came of it."""

import os
import signal
import time
from collections.abc import Callable

from monitor.config import Config
from monitor.daemon.reload import NOTE
from monitor.model import Complaint, ConfigError, MonitorError
from monitor.store import Store

PATIENCE_S = 30.0
_LOOK_S = 0.1


def reload(config: Config) -> str:
    """What changed. Raises ConfigError with the daemon's own complaints, which may not be ours."""
    pid = Store.holder(config.store)
    if pid is None:
        raise MonitorError(
            f"no daemon writes {config.store.removeprefix('sqlite:///')}; start one with `monitor run`"
        )
    reader = Store.read_only(config.store)
    try:
        before = reader.note(NOTE)
        _ask(pid)
        answer = _wait(lambda: reader.note(NOTE), before)
    finally:
        reader.close()
    _, verdict, what = answer.split(" ", 2)
    if verdict == "good":
        return what
    raise ConfigError(tuple(Complaint("", line) for line in what.splitlines()))


def _ask(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError:
        raise MonitorError(
            f"process {pid} is another user's; ask as that user or as root"
        ) from None
    except ProcessLookupError:
        raise MonitorError(f"process {pid} has just ended; start it again") from None


def _wait(look: Callable[[], str | None], before: str | None) -> str:
    for _ in range(round(PATIENCE_S / _LOOK_S)):
        answer = look()
        if answer and answer != before:
            return answer
        time.sleep(_LOOK_S)
    raise MonitorError(f"the daemon did not answer within {PATIENCE_S:.0f} s; its log says why")
