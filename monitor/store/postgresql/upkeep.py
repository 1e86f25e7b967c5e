"""Looks after a store on PostgreSQL for the daemon that writes it: its claim, its partitions, its size.

Damage, full disks and copies are the server's own business, and of who runs it.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from monitor.clock import Clock, SystemClock
from monitor.model import StoreError
from monitor.store import commits, retention, schema
from monitor.store.database import Holder, InUseError, Meaning
from monitor.store.postgresql import claim, partitions, server_tables
from monitor.store.postgresql.address import Address
from monitor.store.postgresql.limits import limit
from monitor.store.postgresql.partitions import PartitionedRows
from monitor.store.postgresql.server_errors import is_locked, meaning, state_of
from monitor.store.run_rows import DAY_MS, millis

_STARTING = 7_362_910_451
"""The number of the lock that holds while a daemon that starts makes the tables and claims the store."""
_POLL_S = 0.5
_MARGIN_S = 1.0
"""So long before another daemon may take our claim we cease to act."""
_LONG_S = 1.0
"""A transaction that takes longer renews the claim once more at its end."""
_HANGS_S = 2.5
"""A daemon that has not proved its life for so long hangs, and its claim is not renewed meanwhile."""
_WAIT_EVERY_S = 2.0
"""How often a daemon that waits says so."""
_LIMITS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "3s",
}
"""Of one transaction: one that was left hanging must not keep others from the store."""
_DAYS_LOCK, _DAYS_AGAIN_S = "1s", 60.0
"""So long, and so seldom, others wait for a partition that a reader keeps from being attached."""
_SIZE = """SELECT coalesce(sum(pg_total_relation_size(pg_class.oid)), 0) FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'm') AND nspname = current_schema() AND relname <> 'commits'"""


class ServerUpkeep:
    """See `Upkeep`."""

    look_every_s = 2.0
    has_lease = True
    is_looked_through_late = False

    def __init__(
        self,
        address: Address,
        *,
        clock: Clock,
        replaced: Callable[[], None],
        max_size: int | None,
    ) -> None:
        self._address, self._engine, self._clock = address, address.writing(), clock
        self.replaced, self.max_size = replaced, max_size
        self.rows = PartitionedRows()
        self.claim_id, self._lost = uuid4().hex, ""
        self._elapsed = SystemClock().elapsed
        """Goes on while we are stopped, as the server's clock does."""
        self._renewed_s, self._is_awaited = self._elapsed(), False
        """When we sent the newest renewal that is committed, and whether somebody waits for the claim."""
        self._alive_s: float | None = None
        """When the daemon proved its life last, if it ever does."""
        self._next = self._said_s = self._forgot_s = float("-inf")
        self._made_until = -1
        """The last day (since 1970) of which we know that its partition is there."""
        self._days_not_before = float("-inf")

    def prepare(self) -> None:
        """Make the tables where there are none, and claim the store; wait for a claim that may be a dead daemon's."""
        if self._lost:
            raise InUseError(self._lost)
        try:
            self._claim()
        except DBAPIError as error:
            raise StoreError(self.why(error)) from error

    def _claim(self) -> None:
        seen = None
        since = time.monotonic()
        while (other := self._try_claim()) is not None:
            is_alive = seen is not None and other.at != seen
            if is_alive or time.monotonic() - since > 2 * claim.LEASE_S:
                raise InUseError(
                    f"{self._address.name} is in use by another monitor ({other}); stop that one first"
                )
            seen = other.at if seen is None else seen
            time.sleep(_POLL_S)
        with contextlib.suppress(DBAPIError):
            self._make_days()

    def _try_claim(self) -> claim.Claim | None:
        """Claim the store, or return who has it. Of several that start at once, one after the other does."""
        asked_s = self._elapsed()
        with self._engine.begin() as connection:
            limit(connection, {**_LIMITS, "lock_timeout": "60s"})
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _STARTING})
            if not schema.check_version(connection):
                server_tables.create(connection)
            commits.create(connection)
            other = claim.read(connection, lock=True)
            if other is not None and not other.is_free:
                return other
            claim.take(connection, self.claim_id)
        self._renewed_s = asked_s
        return None

    def leader(self) -> Holder | None:
        """Return the daemon that we wait for, and say in the store that we do; None where we may try to claim it.

        Raises StoreError where the server cannot be asked.
        """
        try:
            with self._engine.begin() as connection:
                limit(connection, _LIMITS)
                other = claim.read(connection)
                if other is None or other.is_free:
                    return None
                if self._elapsed() - self._said_s >= _WAIT_EVERY_S:
                    claim.wait(connection, self.claim_id)
                    said_s = self._elapsed()
                else:
                    said_s = self._said_s
        except DBAPIError as error:
            if state_of(error) == "42P01":  # no daemon has made the tables
                return None
            raise StoreError(self.why(error)) from error
        self._said_s = said_s
        return other.holder

    @property
    def lost(self) -> str | None:
        """Return why we may not act as the one daemon any more.

        Where nobody waits for the claim, one that cannot be renewed is none: it is ours when the server is back.
        """
        silent_s = self._elapsed() - self._renewed_s
        if not self._lost and self._is_awaited and silent_s >= claim.LEASE_S - _MARGIN_S:
            self._lost = (
                f"this daemon leads no more: it could not say that it lives for {silent_s:.0f} s, and another one waits"
                f" to take over ({self._address.name})"
            )
        return self._lost or None

    def prove_life(self) -> None:
        self._alive_s = self._elapsed()

    def release(self) -> None:
        with contextlib.suppress(DBAPIError), self._engine.begin() as connection:
            claim.give_up(connection, self.claim_id)
        self.disconnect()

    def disconnect(self) -> None:
        self._engine.dispose()

    @contextmanager
    def begin(self, batch: str = "") -> Iterator[Connection]:
        """Begin a transaction that holds our claim. Raises InUseError where another daemon has taken the store over, or may."""
        if lost := self.lost:
            raise InUseError(lost)
        asked_s = self._elapsed()
        with self._engine.begin() as connection:
            limit(connection, _LIMITS)
            renewal = claim.renew(connection, self.claim_id, batch)
            if renewal is None:
                other = claim.read(connection)
                by = (
                    f"another monitor ({other}) has taken it over" if other else "its claim is gone"
                )
                self._lost = (
                    f"the store cannot be written: {by}, and this one writes nothing more; stop one of "
                    f"them, or start this one again ({self._address.name})"
                )
                raise InUseError(self._lost)
            yield connection
            if self._elapsed() - asked_s > _LONG_S:
                asked_s = self._elapsed()
                claim.renew(connection, self.claim_id)
        self._renewed_s, self._is_awaited = asked_s, renewal.is_awaited

    def has_committed(self, batch: str) -> bool:
        with self._engine.begin() as connection:
            limit(connection, {**_LIMITS, "lock_timeout": "10s"})
            there = claim.read(connection, lock=True)
            return there is not None and there.batch == batch

    def meaning(self, error: BaseException) -> Meaning:
        return meaning(error)

    def why(self, error: BaseException) -> str:
        return f"the store cannot be written: {self._address.why(error)}"

    def is_sparing(self) -> bool:
        return False

    def why_sparing(self) -> str:
        return ""

    def find_room(self, share: float) -> bool:  # noqa: ARG002  # a server's disk is not ours to clear
        return False

    def due(self) -> bool:
        return time.monotonic() >= self._next

    def look(self) -> None:
        """Renew the claim of a daemon that has nothing to write and does not hang, and make the partitions of the days to come."""
        self._next = time.monotonic() + self.look_every_s
        if self._alive_s is not None and self._elapsed() - self._alive_s > _HANGS_S:
            return
        with self.begin() as connection:
            if self._elapsed() - self._forgot_s >= commits.FORGET_EVERY_S:
                commits.forget(connection)
                self._forgot_s = self._elapsed()
        self._make_days()

    def _make_days(self) -> None:
        """Make partitions in a transaction of their own. A long reader, such as a backup, may be in the way.

        Then it is tried again later: until then runs go to the days that are there, or to the rest.
        """
        today = millis(self._clock.now()) // DAY_MS
        last = today + partitions.AHEAD - 1
        if self._made_until >= last or time.monotonic() < self._days_not_before:
            return
        try:
            with self.begin() as connection:
                limit(connection, {**_LIMITS, "lock_timeout": _DAYS_LOCK})
                partitions.make_days(connection, range(today, last + 1))
        except DBAPIError as error:
            if not is_locked(error):
                raise
            self._days_not_before = time.monotonic() + _DAYS_AGAIN_S
        else:
            self._made_until = last

    def check(self) -> None: ...

    def suspected(self) -> None: ...

    def look_through(self, stop: Callable[[], bool]) -> None: ...

    def expect(self, connection: Connection, table: Table, begins: Iterable[int]) -> None:
        if table in partitions.PARTED:
            partitions.make_days(connection, (at // DAY_MS for at in begins))

    def copied(self, connection: Connection) -> None:
        for table in SQLModel.metadata.sorted_tables:
            column = table.autoincrement_column
            if column is not None:
                highest = f"(SELECT coalesce(max({column.name}), 0) + 1 FROM {table.name})"  # noqa: S608  # our own names
                sequence = f"pg_get_serial_sequence('{table.name}', '{column.name}')"
                connection.exec_driver_sql(f"SELECT setval({sequence}, {highest}, false)")

    def shrink(self, connection: Connection) -> bool:
        """Drop the oldest day of a store that is too large. True if one went."""
        if self.max_size is None:
            return False
        size = connection.execute(text(_SIZE)).scalar_one()
        is_over = size > retention.ROOM * self.max_size
        return is_over and retention.drop_oldest(connection, self.rows)
