"""The two engines offer the same to a store: what that is. Each has a folder of its own; all else is said to both alike.

A `Database` is a place where a store is kept, by its URL, with nothing open. Its `Upkeep` belongs to the one
daemon that writes there, and every transaction of that daemon begins in `Upkeep.begin`.
"""

import struct
import zlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from sqlalchemy import Column, Connection, Engine, Table
from sqlalchemy.exc import DBAPIError, NoResultFound, StatementError

from monitor.clock import Clock
from monitor.model import StoreError

UNREADABLE = (
    ValueError,
    LookupError,
    TypeError,
    struct.error,
    zlib.error,
    NoResultFound,
    StatementError,
)
"""What is raised where a row holds what nobody has written."""

HEARD_S = 15.0


class InUseError(StoreError):
    """Another daemon writes this store: waiting would not help."""


class Meaning(Enum):
    """Says what an error means for who writes."""

    OURS = auto()
    """The database is well, but what we asked of it is impossible."""
    TROUBLE = auto()
    """Nothing can be written now; to try again later is right."""
    FULL = auto()
    """As trouble, and room may help."""
    DAMAGE = auto()
    """As trouble, and what is stored is damaged."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The daemon that writes a store: its process, its machine unless it is this one, and since when where that is known."""

    pid: int
    host: str = ""
    since: datetime | None = None
    id: str = ""
    """Tells its lives apart, where the store keeps that."""


@dataclass(frozen=True, slots=True)
class WaitingDaemon:
    """A daemon that takes the store over when the one that writes it fails: its process, its machine, its last word."""

    pid: int
    host: str
    heard: datetime
    silent_s: float
    """Since then, by the store's clock."""

    @property
    def is_heard(self) -> bool:
        """Tell whether it would take over now: one that waits says so every other second."""
        return self.silent_s <= HEARD_S


class Rows(Protocol):
    """Forgets rows of a table by its first column: a moment in unix ms, or a period."""

    def whole(self, column: Column[int], cutoff: int) -> int:
        """Return the latest value up to `cutoff` before which rows can go without others of their unit."""

    def end(self, connection: Connection, column: Column[int], cutoff: int) -> int | None:
        """Return the end of a step's oldest rows, which all lie before `cutoff`; None without any."""

    def cut(self, connection: Connection, column: Column[int], cutoff: int) -> bool:
        """Delete the oldest rows before `cutoff`, as many as a step may. True while there are more."""


class Upkeep(Protocol):
    """Looks after a store that we write, in the writer's thread; only `suspected`, `lost` and `prove_life` may be called from any."""

    look_every_s: float
    has_lease: bool
    """Whether the claim of a daemon runs out, so that another one may wait for it."""
    claim_id: str
    """The `id` of the holder that we are once it is ours."""
    max_size: int | None
    """Bytes that the store should not exceed."""

    def prepare(self) -> None:
        """Claim the store for this daemon, and make it ready to be written. Raises StoreError, InUseError."""

    def leader(self) -> Holder | None:
        """Return the daemon that we wait for, and say in the store that we do; None where we may try to claim it."""

    @property
    def lost(self) -> str | None:
        """Return why we may not act as the one daemon any more: our claim was taken over, or another may take it now."""

    def prove_life(self) -> None:
        """Note that the daemon goes on: one that hangs must not keep its claim because this thread goes on."""

    def release(self) -> None:
        """Give the claim up, and the wait for one, and close what is open."""

    def disconnect(self) -> None:
        """Close the connection, which the next transaction opens again."""

    def begin(self, batch: str = "") -> AbstractContextManager[Connection]:
        """Begin a transaction that ends with the block. `batch` is committed with it, see `has_committed`."""

    def has_committed(self, batch: str) -> bool:
        """Tell whether the newest batch is this one, where the answer to its commit was lost."""

    def meaning(self, error: BaseException) -> Meaning:
        """Say what an error that a transaction has raised means."""

    def why(self, error: BaseException) -> str:
        """Return what was met, and what to do."""

    def is_sparing(self) -> bool:
        """Tell whether there is room left only for what alerts need."""

    def why_sparing(self) -> str: ...

    def find_room(self, share: float) -> bool:
        """Make room where the store is full, below this share of its limit. False where there is none to be had."""

    def due(self) -> bool:
        """Tell whether it is time to `look`."""

    def look(self) -> None:
        """Look for what no commit meets, and mend it. StoreError where that cannot be."""

    def check(self) -> None:
        """Look at the whole store now, and mend it."""

    def suspected(self) -> None:
        """Have the whole store looked at soon: somebody met damage."""

    def look_through(self, stop: Callable[[], bool]) -> None:
        """Look for damage beside the writer, until `stop` says so. Raises StoreError."""

    @property
    def is_looked_through_late(self) -> bool:
        """Tell whether to look at the whole of it would hold up a start."""

    def replaced(self) -> None:
        """Have all forget what they know of the store: it may be another one now."""

    @property
    def rows(self) -> Rows: ...

    def expect(self, connection: Connection, table: Table, begins: Iterable[int]) -> None:
        """Make room for rows of the past that are about to be copied; they begin at these values of the first column."""

    def copied(self, connection: Connection) -> None:
        """Let the ids that are given next follow on those that were copied."""

    def shrink(self, connection: Connection) -> bool:
        """Bring the store a step nearer to its size. True while there is more to do."""


class Database(Protocol):
    """A place where a store is kept. Nothing of it stays open but what it returns."""

    name: str
    """What people are told: no secret is in it."""

    def reading(self) -> Engine:
        """Open for reading: each transaction sees the store as it was at its first question."""

    def reading_unlocked(self) -> Engine | None:
        """Open for reading what lies where nothing at all can be written; None where that makes no difference."""

    def writing(self) -> Engine:
        """Open for a command that leaves a request beside the daemon."""

    def must_exist(self) -> None:
        """Raise StoreError where nobody has made it yet."""

    def can_be_read(self) -> bool:
        """Tell whether a daemon that cannot write it may start all the same."""

    def holder(self) -> Holder | None:
        """Return the daemon that writes it, if one runs."""

    def waiting(self) -> tuple[WaitingDaemon, ...]:
        """Return the daemons that wait to take it over, or have waited within a day and did not say that they end."""

    def meaning(self, error: BaseException) -> Meaning: ...

    def why(self, error: DBAPIError) -> str:
        """Return what was met."""

    def backup(self, to: Path) -> None:
        """Write a whole, checked copy of it, whole or not at all. StoreError says why not."""

    def upkeep(
        self,
        *,
        clock: Clock,
        note: Callable[[str], None],
        replaced: Callable[[], None],
        max_size: int | None,
        is_read_long: Callable[[], bool],
    ) -> Upkeep:
        """Return what looks after it for the daemon that writes it.

        `note` takes a sentence that an operator should read; `replaced` is called when the store is another one
        than before; `is_read_long` tells whether we ourselves read for long now.
        """
