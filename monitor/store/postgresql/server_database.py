"""A store on a PostgreSQL server."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from monitor.clock import Clock
from monitor.model import StoreError
from monitor.store.database import Holder, Meaning, WaitingDaemon
from monitor.store.postgresql import claim
from monitor.store.postgresql import server_errors as errors
from monitor.store.postgresql.address import Address
from monitor.store.postgresql.upkeep import ServerUpkeep

T = TypeVar("T")


class PostgreSQL:
    """Opens the database that a URL names; see `Database`."""

    def __init__(self, url: str) -> None:
        self._address = Address(url)
        self.name = self._address.name

    def reading(self) -> Engine:
        return self._address.reading()

    def reading_unlocked(self) -> Engine | None:
        return None

    def writing(self) -> Engine:
        return self._address.writing()

    def must_exist(self) -> None:
        """Do nothing: to ask for its tables says it as well."""

    def can_be_read(self) -> bool:
        return False

    def holder(self) -> Holder | None:
        """Return the daemon whose claim is fresh. Raises StoreError where the server cannot be asked."""
        found = self._ask(claim.read)
        return None if found is None or found.is_free else found.holder

    def waiting(self) -> tuple[WaitingDaemon, ...]:
        """Return the daemons that wait. Raises StoreError where the server cannot be asked."""
        return self._ask(claim.waiting) or ()

    def _ask(self, question: Callable[[Connection], T]) -> T | None:
        engine = self.reading()
        try:
            with engine.begin() as connection:
                return question(connection)
        except DBAPIError as error:
            if errors.state_of(error) == "42P01":  # no daemon has made the tables
                return None
            raise StoreError(f"the store cannot be read: {self.why(error)}") from error
        finally:
            engine.dispose()

    def meaning(self, error: BaseException) -> Meaning:
        return errors.meaning(error)

    def why(self, error: DBAPIError) -> str:
        return self._address.why(error)

    def backup(self, to: Path) -> None:
        raise StoreError(
            f"a store on PostgreSQL is copied by its own tools; run: pg_dump --format=custom --file={to} "
            f'"{self.name}"'
        )

    def upkeep(
        self,
        *,
        clock: Clock,
        note: Callable[[str], None],  # noqa: ARG002  # nothing is mended here
        replaced: Callable[[], None],
        max_size: int | None,
        is_read_long: Callable[[], bool],  # noqa: ARG002  # readers hold nobody up
    ) -> ServerUpkeep:
        return ServerUpkeep(self._address, clock=clock, replaced=replaced, max_size=max_size)
