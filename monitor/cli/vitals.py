"""What the daemon beside us says of itself. It is asked over its own door: a broken store cannot tell."""

import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import timedelta

from monitor.clock import SystemClock
from monitor.config import Config
from monitor.model import StoreError
from monitor.model.duration import format_duration
from monitor.store import Store

_PATIENCE_S = 3.0
SILENT = timedelta(minutes=1)
"""A daemon that is well writes a proof of life every few seconds."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where it listens, not we
_ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@dataclass(frozen=True, slots=True)
class Vitals:
    """Of a daemon that runs."""

    pid: int
    trouble: str | None


def look(config: Config) -> Vitals | None:
    """None where no daemon writes this store."""
    pid = Store.holder(config.store)
    if pid is None:
        return None
    said = _health(config.listen)
    return Vitals(pid, _silence(config) if said is None else said or None)


def _health(listen: tuple[str, int] | None) -> str | None:
    """Its trouble, "" where it is well; None where it does not answer."""
    if listen is None:
        return None
    host = _EVERYWHERE.get(listen[0], listen[0])
    url = f"http://{f'[{host}]' if ':' in host else host}:{listen[1]}/healthz"
    try:
        with _ask(url, timeout=_PATIENCE_S):
            return ""
    except urllib.error.HTTPError as error:
        return str(error.read(2000).decode(errors="replace").strip()) if error.code == 503 else None
    except OSError:
        return None


def _silence(config: Config) -> str | None:
    """From what it has written last."""
    try:
        reader = Store.read_only(config.store)
    except StoreError as error:
        return str(error)
    try:
        seen = reader.last_seen()
    except StoreError as error:
        return str(error)
    finally:
        reader.close()
    silent = SystemClock().now() - seen if seen else timedelta()
    return f"it has written nothing for {format_duration(silent)}" if silent > SILENT else None
