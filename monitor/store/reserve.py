"""A file beside the store that holds a little of the disk, to be given back when the disk is full.

A full disk takes not even a deletion. With what is given back the store writes on: results too until a
quarter is left, then only what alerts need, until a person has made room.
"""

import contextlib
import os
from pathlib import Path

MOST = 16 << 20
_SHARE = 16
"""Of a small disk it holds no more than a sixteenth."""
_LAST = 4
"""This share of it is for what alerts need alone."""


class Reserve:
    """Where it cannot be held at all (no room, no right to), there is none, which is no trouble."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + ".reserve")
        self.is_short = False
        """The disk was full, and has not had room enough since."""

    def hold(self) -> None:
        """All of it, or the last part, where there is twice the room. Raises nothing."""
        with contextlib.suppress(OSError):
            disk, held = os.statvfs(self.path.parent), self.size()
            whole = min(MOST, disk.f_blocks * disk.f_frsize // _SHARE)
            room = disk.f_bavail * disk.f_frsize + held
            for size in (whole, whole // _LAST):
                if held < size and room >= 2 * size:
                    _grow(self.path, size)
                    held = size
            self.is_short = self.path.exists() and held < whole

    def give(self) -> bool:
        """Give back most of it, or then all. False where there was none left."""
        held = self.size()
        if not held:
            return False
        try:
            os.truncate(self.path, 0 if self.is_short else held // _LAST)
        except OSError:
            return False
        self.is_short = True
        return True

    @property
    def is_gone(self) -> bool:
        return self.is_short and not self.size()

    def size(self) -> int:
        """Bytes that are held."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0


def _grow(path: Path, size: int) -> None:
    """With real blocks; where they end half-way, they are given back."""
    with path.open("ab") as file:
        before = file.tell()
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            file.truncate(before)
            raise
