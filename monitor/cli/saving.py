"""`monitor backup`: a whole, checked copy of the store, also while the daemon runs."""

from contextlib import closing
from pathlib import Path

from monitor.config import Config
from monitor.model import MonitorError
from monitor.store import Store


def backup(config: Config, to: Path) -> int:
    """Bytes of the copy. It takes the place of an older one only when it is whole and sound."""
    store = Path(config.store.removeprefix("sqlite:///"))
    for part in ("", "-wal", "-shm", ".lock", ".reserve"):
        if to.absolute() == store.with_name(store.name + part).absolute():
            raise MonitorError(f"{to} is the store itself; give the copy another name")
    if to.is_dir():
        raise MonitorError(f"{to} is a folder; give the copy a name in it")
    if not to.absolute().parent.is_dir():
        raise MonitorError(f"there is no folder {to.absolute().parent}; make it first")
    with closing(Store.read_only(config.store)) as reader:
        reader.backup(to)
    return to.stat().st_size
