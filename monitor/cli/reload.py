"""`monitor reload`: make the daemon read its config again."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing

from monitor.cli.console import say
from monitor.cli.options import ConfigPath, load
from monitor.config import Config, Secrets
from monitor.daemon.reload import NOTE
from monitor.model import Complaint, ConfigError, MonitorError
from monitor.store import Store, store_name

TIMEOUT_S = 30.0
_POLL_S = 0.1


def command(path: ConfigPath = None) -> None:
    """Ask the running daemon to read its config again. Exit 78 if it refuses."""
    loaded = load(path, secrets=Secrets.NONE)
    say(f"reloaded: {reload(loaded)}")


def reload(config: Config) -> str:
    """Return what changed. Raises ConfigError with the daemon's complaints, which may differ from ours."""
    holder = Store.holder(config.store)
    if holder is None:
        raise MonitorError(
            f"no daemon writes {store_name(config.store)}; start one with `monitor run`"
        )
    if holder.host:
        raise MonitorError(f"the daemon runs on {holder.host}; ask there")
    with closing(Store.read_only(config.store)) as reader:
        before = reader.note(NOTE)
        _send_hangup(holder.pid)
        answer = _wait(lambda: reader.note(NOTE), before)
    _, verdict, what = answer.split(" ", 2)
    if verdict == "good":
        return what
    complaints = tuple(Complaint("", line) for line in what.splitlines())
    raise ConfigError(complaints, config.path)


def _send_hangup(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError:
        raise MonitorError(
            f"process {pid} is another user's; ask as that user or as root"
        ) from None
    except ProcessLookupError:
        raise MonitorError(f"process {pid} has just ended; start it again") from None


def _wait(read: Callable[[], str | None], before: str | None) -> str:
    for _ in range(round(TIMEOUT_S / _POLL_S)):
        answer = read()
        if answer and answer != before:
            return answer
        time.sleep(_POLL_S)
    raise MonitorError(f"the daemon did not answer within {TIMEOUT_S:.0f} s; its log says why")
