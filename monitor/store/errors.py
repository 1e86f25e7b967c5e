"""What a database error means: whose it is, and what an operator can do."""

import os
import sqlite3
import struct
import zlib
from pathlib import Path

from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    NoResultFound,
    ProgrammingError,
    StatementError,
)

UNREADABLE = (
    ValueError, LookupError, TypeError, struct.error, zlib.error, NoResultFound, StatementError,
)  # fmt: skip
"""What is raised where a row holds what nobody has written."""

_OURS = (DataError, IntegrityError, ProgrammingError)
"""The database is well, but what we asked of it is impossible; all its other errors are the disk's."""

_REMEDIES = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only; mount it writable, or give it back to our user",
    sqlite3.SQLITE_BUSY: "another program keeps it locked; end what else has it open",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; look at its folder's permissions and disk",
    sqlite3.SQLITE_IOERR: "the disk fails",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is damaged",
}


def is_disk(error: BaseException) -> bool:
    return isinstance(error, DatabaseError) and not isinstance(error, _OURS)


def is_damage(error: BaseException) -> bool:
    return _code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_full(error: BaseException) -> bool:
    return _code(error) == sqlite3.SQLITE_FULL


def why(error: BaseException, path: Path) -> str:
    """Got, and what to do: `the store cannot be written: the disk is full (0 MB free on /var)`."""
    said, code = _first(error), _code(error)
    if code not in _REMEDIES:
        return f"the store cannot be written: {said}"
    free = (
        f", {_free_mb(path)} MB free" if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR} else ""
    )
    return f"the store cannot be written: {_REMEDIES[code]} ({said}{free}, {path})"


def nearly_full(path: Path) -> str:
    return (
        "the store cannot be written: the disk is full (what little is left is for alerts, "
        f"{_free_mb(path)} MB free, {path})"
    )


def _code(error: BaseException) -> int | None:
    """The primary one: extended codes carry it in their low byte."""
    code = getattr(_first(error), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _first(error: BaseException) -> BaseException:
    """A full disk ends the transaction, and whatever is cleaned up then complains in its turn."""
    found, each = error, error.__context__
    while each is not None:
        found, each = each if isinstance(each, sqlite3.Error) else found, each.__context__
    return found


def _free_mb(path: Path) -> str:
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return "?"
    return str(found.f_bavail * found.f_frsize // 1_000_000)
