"""A store in one SQLite file."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from monitor.clock import Clock
from monitor.model import StoreError
from monitor.store.database import Holder, Meaning, WaitingDaemon
from monitor.store.sqlite import connections
from monitor.store.sqlite.health import FileHealth, Reserve
from monitor.store.sqlite.repair import copy

_SUFFIXES = ("", "-wal", "-shm", ".lock", ".reserve")
"""What the names of the store's own files end in."""


class SQLite:
    """Opens the file that a URL names; see `Database`."""

    def __init__(self, url: str) -> None:
        self.path = connections.path_of(url)
        self.name = str(self.path)

    def reading(self) -> Engine:
        return connections.reading(self.path)

    def reading_unlocked(self) -> Engine | None:
        """Read a file on a disk where not even its lock can be written, as one that nobody changes."""
        return connections.reading(self.path, immutable=True)

    def writing(self) -> Engine:
        return connections.writing(self.path)

    def must_exist(self) -> None:
        if not self.path.exists():
            raise StoreError(f"there is no store at {self.path} yet: `monitor run` makes one")
        if self.path.is_dir():
            raise StoreError(
                f"{self.path} is a folder, and the store is a file; name one in `store`"
            )

    def can_be_read(self) -> bool:
        return self.path.is_file()

    def holder(self) -> Holder | None:
        pid = connections.holder(self.path)
        return None if pid is None else Holder(pid)

    def waiting(self) -> tuple[WaitingDaemon, ...]:
        """Return nobody: a file has one daemon, and a second one is refused."""
        return ()

    def meaning(self, error: BaseException) -> Meaning:
        return connections.meaning(error)

    def why(self, error: DBAPIError) -> str:
        return str(error.orig)

    def backup(self, to: Path) -> None:
        if to in {self.path.with_name(self.path.name + suffix) for suffix in _SUFFIXES}:
            raise StoreError(f"{to} is the store itself; give the copy another name")
        copy(self.path, to)

    def upkeep(
        self,
        *,
        clock: Clock,
        note: Callable[[str], None],
        replaced: Callable[[], None],
        max_size: int | None,
        is_read_long: Callable[[], bool],
    ) -> FileHealth:
        return FileHealth(
            path=self.path,
            engine=self.writing(),
            clock=clock,
            note=note,
            replaced=replaced,
            max_size=max_size,
            reserve=Reserve(self.path),
            is_read_long=is_read_long,
        )
