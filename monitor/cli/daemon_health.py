"""Asks the running daemon whether it is well: over HTTP, because a broken store cannot tell."""

import contextlib
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.clock import SystemClock
from monitor.config import Config
from monitor.daemon import STARTED, noted_start
from monitor.model import StoreError
from monitor.model.duration import format_duration
from monitor.store import Holder, Store

_TIMEOUT_S = 3.0
SILENT = timedelta(minutes=1)
"""A daemon that is well writes to its store every few seconds."""
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where it listens, not we
_WITHOUT_REASON = (
    "it is not well; the log says why, and so does /healthz with `metrics` in [monitor]"
)
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@dataclass(frozen=True, slots=True)
class DaemonHealth:
    """A running daemon. `trouble` is None where it is well, `since` where its start is not known."""

    pid: int
    trouble: str | None
    since: datetime | None = None
    host: str = ""
    """Its machine, where it is another one than ours."""
    leads_since: datetime | None = None
    """When it began to write a store that a standby may take over."""


def daemon_health(config: Config) -> DaemonHealth | None:
    """Return None where no daemon writes this store."""
    holder = Store.holder(config.store)
    if holder is None:
        return None
    answer = None if holder.host else _healthz(config.metrics or config.listen)
    trouble = _silence(config) if answer is None else answer or None
    since = _started(config, holder)
    return DaemonHealth(holder.pid, trouble, since, holder.host, holder.since)


def _healthz(listen: tuple[str, int] | None) -> str | None:
    """Return what `/healthz` complains of, "" where all is well, None where it does not answer."""
    if listen is None:
        return None
    host = _LOOPBACK.get(listen[0], listen[0])
    url = f"http://{f'[{host}]' if ':' in host else host}:{listen[1]}/healthz"
    try:
        with _open(url, timeout=_TIMEOUT_S):
            return ""
    except urllib.error.HTTPError as error:
        text = error.read(2000).decode(errors="replace").strip()
        if error.code != 503:
            return None
        return _WITHOUT_REASON if text == "not well" else text
    except OSError:
        return None


def _silence(config: Config) -> str | None:
    """Judge by the time of the last write; a store that cannot be read is a trouble too."""
    try:
        with closing(Store.read_only(config.store)) as reader:
            last = reader.last_seen()
    except StoreError as error:
        return str(error)
    silent = SystemClock().now() - last if last else timedelta()
    return f"it has written nothing for {format_duration(silent)}" if silent > SILENT else None


def _started(config: Config, holder: Holder) -> datetime | None:
    """Return when this daemon started, as it noted it; another daemon's note does not count."""
    with contextlib.suppress(StoreError, ValueError):
        with closing(Store.read_only(config.store)) as reader:
            note = reader.note(STARTED)
        return noted_start(note, holder.pid, holder.id) if note else None
    return None
