"""How large the file is, and giving back what it no longer needs. Nothing here on PostgreSQL.

Retention frees about as many pages as new results need, so a share of free pages is kept; only
after something large went (a shorter retention, a smaller limit) the file is cut.
"""

from typing import NamedTuple

from sqlalchemy import Connection

_STEP = 256
"""Pages of one step: about a megabyte of journal."""
SPARE = 1024
"""Pages that are kept free at least, and an eighth of the file."""
MOST_JOURNAL = 16 << 20
_CHECKPOINT = 1000
"""Pages of journal after which they are carried into the file."""
_LARGEST = 0xFFFFFFFE


class Sizes(NamedTuple):
    """In pages, but for `page` in bytes."""

    total: int
    free: int
    page: int

    @property
    def used(self) -> int:
        """Bytes."""
        return (self.total - self.free) * self.page


def sizes(connection: Connection) -> Sizes:
    return Sizes(
        *(_pragma(connection, name) for name in ("page_count", "freelist_count", "page_size"))
    )


def journal_limit(max_size: int | None) -> int:
    """Bytes that the journal beside the file may keep."""
    return MOST_JOURNAL if max_size is None else min(MOST_JOURNAL, max_size // 4)


def file_limit(max_size: int) -> int:
    """Bytes that are left for the file itself: a store's size is that of both."""
    return max_size - journal_limit(max_size)


def set_limit(connection: Connection, max_size: int | None) -> None:
    """Beyond it the database itself refuses to grow; deleting goes on to work, as on no full disk."""
    page, journal = _pragma(connection, "page_size"), journal_limit(max_size)
    most = _LARGEST if max_size is None else file_limit(max_size) // page
    _pragma(connection, f"max_page_count={most}")
    _pragma(connection, f"journal_size_limit={journal}")
    _pragma(connection, f"wal_autocheckpoint={min(_CHECKPOINT, journal // page // 2)}")


def vacuum_step(connection: Connection) -> bool:
    """Cut some free pages off the end of the file. True while there are many more."""
    total, free, _ = sizes(connection)
    spare = max(SPARE, total // 8)
    if free <= 2 * spare or _pragma(connection, "auto_vacuum") != 2:
        return False
    step = min(_STEP, free - spare)
    for _ in range(step):  # Python 3.11 runs this statement for one page only, whatever it says
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)").close()
    return True


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
