"""How SQLite is opened: the one place with PRAGMAs. One connection writes, others only read."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from monitor.model import StoreError

_PREFIX = "sqlite:///"
ERRORS = (sqlite3.Error,)
TEXT = partial(str, encoding="utf-8", errors="replace")
"""Of its bytes: one that fell over is a character less, and no reason to read nothing."""
Driver = sqlite3.Connection


class InUseError(StoreError):
    """Another daemon writes this store: waiting would not help."""


def path_of(url: str) -> Path:
    """Past all links: a store has one name, and beside it one lock."""
    if not url.startswith(_PREFIX) or len(url) == len(_PREFIX):
        raise StoreError(f'the store is "{url}", want "sqlite:///" and a path')
    return Path(os.path.realpath(url.removeprefix(_PREFIX)))


def claim(path: Path) -> BinaryIO:
    """Keep every other daemon away from this store, until the file that is given back is closed."""
    name = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = name.open("ab")  # whoever comes too late must not wipe it
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise InUseError(f"{path} is in use by another monitor; stop that one first") from error
    with contextlib.suppress(OSError):  # on a full disk nobody learns our number
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n".encode())
        lock.flush()
    return lock


def holder(path: Path) -> int | None:
    """The process that has claimed this store, if one has."""
    try:
        with path.with_name(path.name + ".lock").open("rb") as lock:
            said = lock.read(20).strip()
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(said) if said.isdigit() else None
    except OSError:
        return None
    return None


def writing(path: Path) -> Engine:
    """FULL, so that what was acknowledged survives a power cut; one commit a second can afford it."""
    return _engine(
        lambda: sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5),
        begin="BEGIN IMMEDIATE",
        pragmas=(
            "auto_vacuum=INCREMENTAL",
            "journal_mode=WAL",
            "synchronous=FULL",
            "journal_size_limit=16777216",
        ),
    )


def reading(path: Path, *, immutable: bool = False) -> Engine:
    """Never checkpoints: two connections doing so have corrupted databases in older SQLites.

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
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    def on_begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def damage(path: Path) -> str | None:
    """What SQLite says against the file; None for a sound or a new one.

    Not by `quick_check`, which costs the same here and does not see an index that is damaged.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=5)) as connection:
            connection.text_factory = TEXT
            said = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:  # locked or unreadable is no damage
        raise StoreError(f"{path} cannot be opened: {error}") from None
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # it may say what stands there
        return str(error)
    return None if said == "ok" else str(said).replace("\n", " ")


def set_aside(path: Path, stamp: str, what: str = "corrupt") -> Path:
    """Move a damaged file, with its journal, out of the way; never delete it, nor another one."""
    aside, times = path.with_name(f"{path.name}.{what}-{stamp}"), 1
    while aside.exists():
        times += 1
        aside = path.with_name(f"{path.name}.{what}-{stamp}-{times}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def copy(path: Path, to: Path) -> None:
    """A consistent copy beside a busy writer, in one step: in many it would start over each time."""
    fresh = to.with_name(to.name + ".part")
    try:
        fresh.unlink(missing_ok=True)
        _copy(path, fresh)
        if wrong := damage(fresh):
            raise StoreError(f"{to} was not written: the copy is damaged ({wrong})")
        fresh.replace(to)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{to} cannot be written: {_reason(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def _copy(path: Path, to: Path) -> None:
    address = f"{path.as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(address, uri=True)) as source:
        copy_open(source, to)


def copy_open(source: Driver, to: Path) -> None:
    """Also of a file that has lost its name."""
    with contextlib.closing(sqlite3.connect(to)) as target:
        source.backup(target, pages=-1)
        target.execute("PRAGMA journal_mode=DELETE").close()


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
