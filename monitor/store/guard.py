"""Looks after the file itself: what no commit would notice.

A file that was deleted is written to as before, into nothing; one that was cut or overwritten takes
new rows among the ruins. Every quarter of a minute the writer's thread looks whether the path still
leads to the file it writes, and after any sign of damage whether that file is sound.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from monitor.clock import Clock
from monitor.model import StoreError
from monitor.store import engine as engines
from monitor.store import migrations, unreadable
from monitor.store.pages import file_limit, journal_limit, set_limit, sizes
from monitor.store.prune import ROOM, limit_step
from monitor.store.reserve import Reserve
from monitor.store.salvage import salvage

LOOK_EVERY_S = 15.0
_CUT_LASTS_S = 600.0
"""So long after we gave space back a smaller file is no damage."""
_STEPS = 20
"""Of making room, before results are written again."""
_STEPS_WHEN_FULL = 200
_LONG_JOURNAL = 4
"""Times its limit: so long it grows only while somebody reads without an end."""
log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Guard:
    """Serves the writer's thread, which owns `engine`."""

    path: Path
    engine: Engine
    clock: Clock
    note: Callable[[str], None]
    """Takes a sentence that an operator should read."""
    replaced: Callable[[], None]
    """Called when the path leads to another file than before."""
    reserve: Reserve
    max_size: int | None = None
    suspect: bool = False
    """Somebody met damage: look at the whole file."""
    _identity: tuple[int, int] | None = None
    _size: int = 0
    _next: float = 0.0
    _cut: float = float("-inf")

    def opened(self) -> None:
        """Know the file by its device and number, not by its name."""
        found = self.path.stat()
        self._identity, self._size = (found.st_dev, found.st_ino), found.st_size
        self._next = self.clock.monotonic() + LOOK_EVERY_S
        self.reserve.hold()

    def suspected(self) -> None:
        self.suspect = True

    def due(self) -> bool:
        return self.suspect or self.clock.monotonic() >= self._next

    def look(self) -> None:
        """Mend what can be mended; StoreError where it cannot."""
        self._next = self.clock.monotonic() + LOOK_EVERY_S
        try:
            found = self.path.stat()
        except FileNotFoundError:
            self._write_again("was deleted")
        except OSError as error:
            raise StoreError(f"the store cannot be seen: {error.strerror}, {self.path}") from error
        else:
            if (found.st_dev, found.st_ino) != self._identity:
                self._write_again("was replaced by another file")
            elif found.st_size < self._size and self._next - self._cut > _CUT_LASTS_S:
                self.suspect = True
            self._size = found.st_size
        if self.suspect:
            self.check()
        with self.engine.begin() as connection:
            set_limit(connection, self.max_size)
        self.reserve.hold()
        self._step_back(ROOM, _STEPS)
        self._complain()

    def make_room(self, room: float) -> bool:
        """Of a file that may not grow: keep below this share of `max_size`. True if anything went."""
        return self._step_back(room, _STEPS_WHEN_FULL)

    def _step_back(self, room: float, most: int) -> bool:
        for step in range(most):
            with self.engine.begin() as connection:
                if not limit_step(connection, self.max_size, room):
                    return step > 0
        return True

    def _complain(self) -> None:
        """Raise StoreError for what works still, but not for long."""
        if self.reserve.is_short:
            raise StoreError(
                f"the disk is full, and the store lives on what was held in reserve; make room ({self.path})"
            )
        journal = self.path.with_name(self.path.name + "-wal")
        size = journal.stat().st_size if journal.exists() else 0
        if size > _LONG_JOURNAL * journal_limit(self.max_size):
            raise StoreError(
                f"the store's journal has grown to {size // 1_000_000} MB: another program reads "
                f"without an end; end what else has {self.path} open"
            )

    def at_limit(self) -> bool:
        """Whether it is our own limit that stops the file from growing, not the disk's."""
        if self.max_size is None:
            return False
        with self.engine.begin() as connection:
            found = sizes(connection)
        return found.total * found.page >= 0.95 * file_limit(self.max_size)

    def cut(self) -> None:
        """We gave space back ourselves: a smaller file is no damage."""
        self._cut = self.clock.monotonic()

    def check(self) -> None:
        """The whole file: if it is damaged, put it aside and go on with a fresh one."""
        damage = engines.damage(self.path)
        self.suspect = False
        if damage is not None:
            self.begin_afresh(damage)
        self._drop_unreadable()

    def _drop_unreadable(self) -> None:
        with self.engine.begin() as connection:
            found = unreadable.find(connection)
        if not found:
            return
        aside = self.path.with_name(f"{self.path.name}.unreadable-{self._stamp()}")
        engines.copy(self.path, aside)
        with self.engine.begin() as connection:
            unreadable.drop(connection, found)
        self.replaced()
        counts = ", ".join(f"{len(keys)} of {table.name}" for table, keys in found.items())
        self.note(
            f"rows of the store could not be read ({counts}); it is kept as {aside.name}, and went on without them"
        )

    def begin_afresh(self, damage: str) -> None:
        self.replaced()
        self.engine.dispose()
        aside = engines.set_aside(self.path, self._stamp())
        with self.engine.begin() as connection:
            migrations.create(connection)
            saved = salvage(aside, connection)
        self.replaced()
        self.opened()
        self.note(
            f"the store was damaged ({damage}); it is kept as {aside.name}, "
            f"{saved} rows of it were saved into a fresh one"
        )

    def _write_again(self, what: str) -> None:
        """Our connection still reads all that is in the nameless file: give it a name again."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(self.path.name + ".part")
            fresh.unlink(missing_ok=True)
            with self.engine.connect() as connection:
                engines.copy_open(_driver(connection), fresh)
            self.replaced()
            self.engine.dispose()
            aside = engines.set_aside(self.path, self._stamp(), "found")
            os.replace(fresh, self.path)  # noqa: PTH105  # says what it does
        except (OSError, *engines.ERRORS) as error:
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


def _driver(connection: Connection) -> engines.Driver:
    found = connection.connection.driver_connection
    assert isinstance(found, engines.Driver)
    return found
