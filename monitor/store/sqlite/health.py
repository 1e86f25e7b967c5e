"""Looks after the file itself: what no commit would notice, how large it is, and what is held in reserve.

A file that was deleted is written to as before, into nothing; one that was cut or overwritten takes
new rows among the ruins. Every quarter of a minute the writer's thread looks whether the path still
leads to the file it writes, and after any sign of damage whether that file is sound.
"""

import contextlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.exc import DatabaseError, DBAPIError

from monitor.clock import Clock
from monitor.model import StoreError
from monitor.store import retention, schema
from monitor.store.database import Meaning
from monitor.store.retention import RowSteps
from monitor.store.sqlite import connections, file_tables, repair
from monitor.store.sqlite.connections import MOST_JOURNAL

LOOK_EVERY_S = 15.0
SPARE = 1024
"""Pages that are kept free at least, and an eighth of the file: retention frees what new runs need."""
_CUT_LASTS_S = 600.0
"""So long after we gave space back a smaller file is no damage."""
_STEPS, _STEPS_WHEN_FULL = 20, 200
"""Of making room, before results are written again."""
_LARGE = 64 << 20
"""Bytes that are looked through in half a second."""
_LONG_JOURNAL = 4
"""Times its limit: so long it grows only while somebody reads without an end."""
_VACUUM_PAGES = 256
_CHECKPOINT = 1000
"""Pages of journal after which they are carried into the file."""
_LARGEST = 0xFFFFFFFE
log = logging.getLogger(__name__)


class Sizes(NamedTuple):
    """Holds sizes of the file, in pages, but for `page` in bytes."""

    total: int
    free: int
    page: int


def sizes(connection: Connection) -> Sizes:
    names = "page_count", "freelist_count", "page_size"
    return Sizes(*(_pragma(connection, name) for name in names))


def journal_limit(max_size: int | None) -> int:
    """Return how many bytes the journal beside the file may keep."""
    return MOST_JOURNAL if max_size is None else min(MOST_JOURNAL, max_size // 4)


def file_limit(max_size: int) -> int:
    """Return how many bytes are left for the file itself: a store's size is that of both."""
    return max_size - journal_limit(max_size)


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


class Reserve:
    """A file beside the store that holds a little of the disk, to be given back when the disk is full.

    A full disk takes not even a deletion. With what is given back the store writes on: results too until
    a quarter is left, then only what alerts need. Where it cannot be held (no room, no right to), there
    is none, which is no trouble.
    """

    MOST, SHARE, LAST = 16 << 20, 16, 4
    """At most so many bytes and this part of the disk; this part of it is for what alerts need alone."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + ".reserve")
        self.is_short = False
        """The disk was full, and has not had room enough since."""

    def hold(self) -> None:
        """Take all of it, or the last part, where there is twice the room. Raises nothing."""
        with contextlib.suppress(OSError):
            disk, bytes_held = os.statvfs(self.path.parent), self.size()
            whole = min(self.MOST, disk.f_blocks * disk.f_frsize // self.SHARE)
            room = disk.f_bavail * disk.f_frsize + bytes_held
            for size in (whole, whole // self.LAST):
                if bytes_held < size and room >= 2 * size:
                    self._grow(size)
                    bytes_held = size
            self.is_short = self.path.exists() and bytes_held < whole

    def _grow(self, size: int) -> None:
        """Take real blocks; where they end half-way, they are given back."""
        with self.path.open("ab") as file:
            before = file.tell()
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError:
                file.truncate(before)
                raise

    def give(self) -> bool:
        """Give back most of it, or then all. Return False where there was none left."""
        bytes_held = self.size()
        if not bytes_held:
            return False
        try:
            os.truncate(self.path, 0 if self.is_short else bytes_held // self.LAST)
        except OSError:
            return False
        self.is_short = True
        return True

    @property
    def is_gone(self) -> bool:
        return self.is_short and not self.size()

    def size(self) -> int:
        """Return how many bytes are held."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


@dataclass(slots=True, kw_only=True)
class FileHealth:
    """Serves the writer's thread, which owns `engine`; see `Upkeep`."""

    path: Path
    engine: Engine
    clock: Clock
    note: Callable[[str], None]
    """Takes a sentence that an operator should read."""
    replaced: Callable[[], None]
    """Called when the path leads to another file than before."""
    reserve: Reserve
    max_size: int | None = None
    is_read_long: Callable[[], bool] = lambda: False
    """Tells whether we ourselves read for long now, so that the journal cannot be carried into the file."""
    suspect: bool = False
    """Somebody met damage: look at the whole file."""
    look_every_s: float = LOOK_EVERY_S
    has_lease: bool = False
    claim_id: str = ""
    lost: str | None = None
    """Nothing: a file that is locked stays locked until its daemon ends."""
    rows: RowSteps = field(default_factory=RowSteps)
    _lock: BinaryIO | None = None
    _identity: tuple[int, int] | None = None
    _claimed: BinaryIO | None = None
    _size: int = 0
    _next: float = 0.0
    _cut: float = float("-inf")

    def leader(self) -> None:
        """Return nobody: a second daemon is refused, and waits for none."""

    def prove_life(self) -> None:
        """Do nothing: nobody takes a file from a daemon that hangs."""

    def prepare(self) -> None:
        """Make the file ready to be written: sound, with our tables. Raises StoreError, NewerSchemaError."""
        if self._lock is None:
            self._lock = connections.claim(self.path)
        self._claim()
        aside, wrong = None, repair.damage(self.path, whole=not self.is_looked_through_late)
        try:
            if wrong is not None:
                aside = repair.set_aside(self.path, self._stamp())
            self._make(aside, wrong)
        except OSError as error:
            raise StoreError(
                f"{self.path} is damaged and cannot be set aside: {error.strerror}"
            ) from error
        except DBAPIError as error:
            raise StoreError(f"{self.path} cannot be opened: {error.orig}") from error
        self.opened()

    @property
    def is_looked_through_late(self) -> bool:
        """Tell whether to look at the whole of it would hold up a start."""
        return self.path.exists() and self.path.stat().st_size > _LARGE

    def _make(self, aside: Path | None, wrong: str | None) -> None:
        saved = 0
        with self.engine.begin() as connection:
            if not schema.check_version(connection):
                file_tables.create(connection)
            if aside is not None:
                saved = repair.salvage(aside, connection)
        if aside is not None:
            self.note(
                f"the store was damaged ({wrong}); it is kept as {aside.name}, "
                f"{saved} rows of it were saved into a fresh one"
            )

    def opened(self) -> None:
        """Know the file by its device and number, not by its name."""
        self._claim()
        status = self.path.stat()
        self._identity, self._size = (status.st_dev, status.st_ino), status.st_size
        self._next = self.clock.monotonic() + LOOK_EVERY_S
        self.reserve.hold()

    def _claim(self) -> None:
        """Keep others from the file, whatever they call it; it may not be there yet."""
        if self._claimed is not None and self.path.exists():
            if os.path.samestat(os.fstat(self._claimed.fileno()), self.path.stat()):
                return
            self._release_file()
        if self._claimed is None:
            self._claimed = connections.claim_file(self.path)

    def release(self) -> None:
        self.disconnect()
        self._release_file()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _release_file(self) -> None:
        if self._claimed is not None:
            self._claimed.close()
            self._claimed = None

    def disconnect(self) -> None:
        self.engine.dispose()

    @contextmanager
    def begin(self, batch: str = "") -> Iterator[Connection]:  # noqa: ARG002  # a file's commit leaves no doubt
        with self.engine.begin() as connection:
            yield connection

    def has_committed(self, batch: str) -> bool:  # noqa: ARG002  # what was not acknowledged is rolled back
        return False

    def meaning(self, error: BaseException) -> Meaning:
        return connections.meaning(error)

    def why(self, error: BaseException) -> str:
        """Return what was met, and what to do."""
        with contextlib.suppress(DatabaseError):
            if self.meaning(error) is Meaning.FULL and self._at_limit():
                return (
                    "the store cannot be written: it has reached `max_size` in [history], and no "
                    "more runs or hours may go; raise it"
                )
        return connections.why(error, self.path)

    def is_sparing(self) -> bool:
        """Tell whether all that was held in reserve is used up."""
        if self.reserve.is_gone:
            self.reserve.hold()
        return self.reserve.is_gone

    def find_room(self, share: float) -> bool:
        """Make room in a file that has reached our own limit, or on a disk that is full."""
        if self._at_limit():
            return self._step_back(share, _STEPS_WHEN_FULL)
        if not self.reserve.give():
            return False
        log.warning(
            'event=store_reserve what="the disk is full: what was held in reserve is given back"'
        )
        return not self.reserve.is_gone

    def look_through(self, stop: Callable[[], bool]) -> None:
        """Look for damage in the whole file; the writer mends what is found."""
        if repair.damage(self.path, stop=stop) is not None:
            self.suspected()

    def suspected(self) -> None:
        self.suspect = True

    def due(self) -> bool:
        return self.suspect or self.clock.monotonic() >= self._next

    def look(self) -> None:
        """Mend what can be mended; StoreError where it cannot."""
        self._next = self.clock.monotonic() + LOOK_EVERY_S
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._write_again("was deleted")
        except OSError as error:
            raise StoreError(f"the store cannot be seen: {error.strerror}, {self.path}") from error
        else:
            if (status.st_dev, status.st_ino) != self._identity:
                self._write_again("was replaced by another file")
            elif status.st_size < self._size and self._next - self._cut > _CUT_LASTS_S:
                self.suspect = True
            self._size = status.st_size
        if self.suspect:
            self.check()
        with self.engine.begin() as connection:
            self._set_limit(connection)
        self.reserve.hold()
        self._step_back(retention.ROOM, _STEPS)
        self._complain()

    def _set_limit(self, connection: Connection) -> None:
        """Set the size beyond which the database itself refuses to grow. Deleting works on, unlike on a full disk."""
        page, journal = _pragma(connection, "page_size"), journal_limit(self.max_size)
        most = _LARGEST if self.max_size is None else file_limit(self.max_size) // page
        _pragma(connection, f"max_page_count={most}")
        _pragma(connection, f"journal_size_limit={journal}")
        _pragma(connection, f"wal_autocheckpoint={min(_CHECKPOINT, journal // page // 2)}")

    def _step_back(self, room: float, most: int) -> bool:
        for step in range(most):
            with self.engine.begin() as connection:
                if not self.is_over(connection, room) or not retention.drop_oldest(
                    connection, self.rows
                ):
                    return step > 0
        return True

    def is_over(self, connection: Connection, room: float = retention.ROOM) -> bool:
        """Tell whether the file holds more than this share of its limit."""
        if self.max_size is None:
            return False
        total, free, page = sizes(connection)
        return (total - free) * page > room * file_limit(self.max_size)

    def _at_limit(self) -> bool:
        """Tell whether it is our own limit that stops the file from growing, not the disk's."""
        if self.max_size is None:
            return False
        with self.engine.begin() as connection:
            pages = sizes(connection)
        return pages.total * pages.page >= 0.95 * file_limit(self.max_size)

    def expect(self, connection: Connection, table: Table, begins: Iterable[int]) -> None: ...

    def copied(self, connection: Connection) -> None: ...

    def shrink(self, connection: Connection) -> bool:
        """Forget what is too much, then cut off what is free. True while there is more to do."""
        if self.is_over(connection) and retention.drop_oldest(connection, self.rows):
            return True
        return self._give_back(connection)

    def _give_back(self, connection: Connection) -> bool:
        """Cut some free pages off the end of the file. True while there are many more."""
        total, free, _ = sizes(connection)
        spare = max(SPARE, total // 8)
        if free <= 2 * spare or _pragma(connection, "auto_vacuum") != 2:
            return False
        for _ in range(min(_VACUUM_PAGES, free - spare)):
            # Python 3.11 runs this statement for one page only, whatever it says
            connection.exec_driver_sql("PRAGMA incremental_vacuum(1)").close()
        self._cut = self.clock.monotonic()
        return True

    def _complain(self) -> None:
        """Raise StoreError for what works still, but not for long."""
        if self.reserve.is_short:
            raise StoreError(
                f"the disk is full, and the store lives on what was held in reserve; make room ({self.path})"
            )
        journal = self.path.with_name(self.path.name + "-wal")
        size = journal.stat().st_size if journal.exists() else 0
        if size > _LONG_JOURNAL * journal_limit(self.max_size) and not self.is_read_long():
            raise StoreError(
                f"the store's journal has grown to {size // 1_000_000} MB: another program reads "
                f"without an end; end what else has {self.path} open"
            )

    def why_sparing(self) -> str:
        free = connections.free_mb(self.path)
        return (
            "the store cannot be written: the disk is full (what little is left is for alerts, "
            f"{free} MB free, {self.path})"
        )

    def check(self) -> None:
        """Check the whole file: if it is damaged, put it aside and go on with a fresh one."""
        wrong = repair.damage(self.path)
        self.suspect = False
        if wrong is not None:
            self.replaced()
            self.engine.dispose()
            self._make(repair.set_aside(self.path, self._stamp()), wrong)
            self.replaced()
            self.opened()
        self._drop_unreadable()

    def _drop_unreadable(self) -> None:
        with self.engine.begin() as connection:
            unreadable = repair.find_unreadable(connection)
        if not unreadable:
            return
        aside = self.path.with_name(f"{self.path.name}.unreadable-{self._stamp()}")
        repair.copy(self.path, aside)
        with self.engine.begin() as connection:
            repair.drop_unreadable(connection, unreadable)
        self.replaced()
        counts = ", ".join(f"{len(keys)} of {table.name}" for table, keys in unreadable.items())
        self.note(
            f"rows of the store could not be read ({counts}); it is kept as {aside.name}, and went on without them"
        )

    def _write_again(self, what: str) -> None:
        """Give the nameless file a name again, all of which our connection still reads."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(self.path.name + ".part")
            fresh.unlink(missing_ok=True)
            with self.engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, sqlite3.Connection)
                repair.copy_open(driver, fresh)
            self.replaced()
            self.engine.dispose()
            aside = repair.set_aside(self.path, self._stamp(), "found")
            fresh.replace(self.path)
        except (OSError, sqlite3.Error) as error:
            why = getattr(error, "strerror", None) or error
            raise StoreError(
                f"the store {what} while it was written, and cannot be written again: {why}"
            ) from error
        self.replaced()
        self.opened()
        kept = f"; what was found in its place is kept as {aside.name}" if aside.exists() else ""
        self.note(f"the store {what} while it was written; it was written again, whole{kept}")

    def _stamp(self) -> str:
        return self.clock.now().strftime("%Y%m%dT%H%M%SZ")
