"""`monitor backup`: a whole, checked copy of the store, also while the daemon runs."""

from contextlib import closing
from pathlib import Path

from monitor.config import Config
from monitor.model import MonitorError
from monitor.store import Store

_PARTS = ("", "-wal", "-shm", ".lock", ".reserve")


def backup(config: Config, to: Path) -> int:
    """Bytes of the copy. It takes the place of an older one only when it is whole and sound."""
    store, real = Path(config.store.removeprefix("sqlite:///")).resolve(), to.resolve()
    if real in {store.with_name(store.name + part) for part in _PARTS}:
        raise MonitorError(f"{to} is the store itself; give the copy another name")
    if to.is_dir():
        raise MonitorError(f"{to} is a folder; give the copy a name in it")
    if to.exists() and not to.is_file():
        raise MonitorError(f"{to} is no file; a copy would take its place")
    if not real.parent.is_dir():
        raise MonitorError(f"there is no folder {real.parent}; make it first")
    with closing(Store.read_only(config.store)) as reader:
        reader.backup(real)
    return real.stat().st_size
