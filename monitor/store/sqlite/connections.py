"""Opens SQLite, and says what its errors mean. One connection writes, others only read."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, ProgrammingError
from sqlalchemy.pool import StaticPool

from monitor.model import StoreError
from monitor.store.database import InUseError, Meaning

_PREFIX = "sqlite:///"
MOST_JOURNAL = 16 << 20
TEXT = partial(str, encoding="utf-8", errors="replace")
"""How bytes become text: a damaged one is a lost character, and no reason to read nothing."""
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
_MEANINGS: dict[int | None, Meaning] = {
    sqlite3.SQLITE_FULL: Meaning.FULL,
    sqlite3.SQLITE_CORRUPT: Meaning.DAMAGE,
    sqlite3.SQLITE_NOTADB: Meaning.DAMAGE,
}


def path_of(url: str) -> Path:
    """Return the one path of a store, past all links, because its lock and its journal are named after it."""
    if not url.startswith(_PREFIX) or len(url) == len(_PREFIX):
        raise StoreError(f'the store is "{url}", want "sqlite:///" and a path')
    path = Path(os.path.realpath(url.removeprefix(_PREFIX)))
    with contextlib.suppress(OSError):
        if path.is_file() and path.stat().st_nlink > 1:
            names = sorted(
                candidate for candidate in path.parent.iterdir() if _is_same(candidate, path)
            )
            return max(names, key=_is_used, default=path)
    return path


def _is_same(name: Path, path: Path) -> bool:
    return not name.is_symlink() and name.is_file() and name.samefile(path)


def _is_used(name: Path) -> tuple[bool, bool]:
    """Tell by which of its hard links a file is written: beside that one lie journal and lock."""
    return name.with_name(f"{name.name}-wal").exists(), name.with_name(f"{name.name}.lock").exists()


def claim(path: Path) -> BinaryIO:
    """Keep every other daemon away from this store, until the file that is given back is closed."""
    name = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = name.open("ab")  # whoever comes too late must not wipe it
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error
    _lock(lock, path)
    with contextlib.suppress(OSError):  # on a full disk nobody learns our number
        lock.truncate(0)
        lock.write(str(os.getpid()).encode())
        lock.flush()
    return lock


def claim_file(path: Path) -> BinaryIO | None:
    """Keep others away from the file itself: it may have another name in another folder."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    _lock(file, path)
    return file


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise InUseError(f"{path} is in use by another monitor; stop that one first") from error


def holder(path: Path) -> int | None:
    """Return the id of the process that has claimed this store, if one has."""
    try:
        with path.with_name(path.name + ".lock").open("rb") as lock:
            process_id = lock.read(20).strip()
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(process_id) if process_id.isdigit() else None
    except OSError:
        return None
    return None


def writing(path: Path) -> Engine:
    """Open for writing: FULL, so that what was acknowledged survives a power cut; one commit a second can afford it."""
    return _engine(
        lambda: sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5),
        begin="BEGIN IMMEDIATE",
        pragmas=(
            "auto_vacuum=INCREMENTAL",
            "journal_mode=WAL",
            "synchronous=FULL",
            f"journal_size_limit={MOST_JOURNAL}",
        ),
    )


def reading(path: Path, *, immutable: bool = False) -> Engine:
    """Open for reading. It never checkpoints: two connections doing so have corrupted databases in older SQLites.

    `immutable` reads what lies on a disk that cannot be written at all, without its journal.
    """
    address = f"{path.as_uri()}?mode=ro" + ("&immutable=1" if immutable else "")
    return _engine(
        lambda: sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False, timeout=5
        ),
        begin="BEGIN",
        pragmas=("wal_autocheckpoint=0", "query_only=1"),
    )


def _engine(
    connect: Callable[[], sqlite3.Connection], *, begin: str, pragmas: tuple[str, ...]
) -> Engine:
    engine = create_engine("sqlite://", creator=connect, poolclass=StaticPool, hide_parameters=True)

    def on_connect(connection: Any, _record: object) -> None:
        connection.text_factory = TEXT
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.Error:
            connection.close()  # the pool never got it, so nobody else would
            raise

    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def meaning(error: BaseException) -> Meaning:
    if not isinstance(error, DatabaseError) or isinstance(error, _OURS):
        return Meaning.OURS
    return _MEANINGS.get(_code(error), Meaning.TROUBLE)


def why(error: BaseException, path: Path) -> str:
    """Return what was met, and what to do: `the store cannot be written: the disk is full (0 MB free on /var)`."""
    message, code = _first(error), _code(error)
    if code not in _REMEDIES:
        return f"the store cannot be written: {message}"
    full = code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
    free = f", {free_mb(path)} MB free" if full else ""
    return f"the store cannot be written: {_REMEDIES[code]} ({message}{free}, {path})"


def _code(error: BaseException) -> int | None:
    """Return the primary code: extended ones carry it in their low byte."""
    code = getattr(_first(error), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _first(error: BaseException) -> BaseException:
    """Return the first error: a full disk ends the transaction, and what is cleaned up then complains in its turn."""
    first, cause = error, error.__context__
    while cause is not None:
        first, cause = cause if isinstance(cause, sqlite3.Error) else first, cause.__context__
    return first


def free_mb(path: Path) -> str:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return "?"
    return str(disk.f_bavail * disk.f_frsize // 1_000_000)
