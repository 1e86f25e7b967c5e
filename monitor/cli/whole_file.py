"""Writes a file that a person has named: it appears when it is complete, or what was there stays."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TextIO

from monitor.model import MonitorError


def write_whole(to: Path, text: str, mode: int = 0o666, *, keeps_rights: bool = True) -> None:
    """Write a text into a file. Raises MonitorError where that cannot be done."""
    with written_whole(to, mode, keeps_rights=keeps_rights) as out:
        out.write(text)


@contextmanager
def written_whole(to: Path, mode: int = 0o666, *, keeps_rights: bool = True) -> Iterator[TextIO]:
    """Open a draft beside `to`, which takes its place at the end.

    A file that is there gives its rights on, and where root writes its owner too, unless it `keeps_rights` no more;
    any other has those of `mode` that the umask leaves. A device or a pipe is written to as it is. Raises MonitorError.
    """
    try:
        with (
            _in_place(to) if _is_device(to) else _replaced(to.resolve(), mode, keeps_rights) as out
        ):
            yield out
    except OSError as error:
        raise MonitorError(f"{to} cannot be written: {error.strerror}") from error


def _is_device(to: Path) -> bool:
    return to.exists() and not to.is_file() and not to.is_dir()


@contextmanager
def _in_place(to: Path) -> Iterator[TextIO]:
    with to.open("w", encoding="utf-8", newline="") as out:
        yield out


@contextmanager
def _replaced(to: Path, mode: int, keeps_rights: bool) -> Iterator[TextIO]:  # noqa: FBT001  # passed on
    draft = to.with_name(f".new-{token_hex(4)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            if keeps_rights and to.exists():
                was = to.stat()
                if os.geteuid() == 0:
                    os.fchown(handle, was.st_uid, was.st_gid)
                os.fchmod(handle, stat.S_IMODE(was.st_mode))
            yield out
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
