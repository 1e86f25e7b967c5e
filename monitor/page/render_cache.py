"""Keeps what the last page was made of, for the next one: most of it has no news. Pure.

A view, a line of the crowded home page or a file is made anew when what it follows from has changed. The
page of an endpoint or incident, and its file for programs, is also made anew when it has become old.
"""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar
from zlib import crc32

EVERY = timedelta(minutes=5)
"""At most so long other news waits: nobody watches such a page more closely than the home page."""
SHARE = 0.5
"""How old a file of the page may grow for want of news, as a share of the time after which it is stale."""
T = TypeVar("T")


class _Unchanged(bytes):
    pass


UNCHANGED = _Unchanged(b"as it was written last")
"""Stands for the content of a file that has no news: a crowd has hundreds of megabytes of them."""


class Beat(Protocol):
    """Says how long the files of a page may wait."""

    @property
    def generated_at(self) -> datetime: ...

    @property
    def stale_after(self) -> timedelta: ...


@dataclass(frozen=True, slots=True)
class _Kept:
    inputs: object
    value: Any
    at: datetime | None = None
    """When a file was made."""


class RenderCache:
    """Gives the same object again while it follows from equal inputs.

    What is made anew is let go of at once: two pages of ten thousand base URLs take hundreds of megabytes.
    """

    def __init__(self, *, holds_files: bool = True) -> None:
        """Begin empty. Unless it holds files, one without news is `UNCHANGED`, for who has it on the disk."""
        self._holds_files = holds_files
        self._before: dict[Hashable, _Kept] = {}
        self._now: dict[Hashable, _Kept] = {}

    def turn(self) -> None:
        """Begin another page: what the last one did not ask for is forgotten."""
        self._before, self._now = self._now, {}

    def keep(self, key: Hashable, inputs: object, make: Callable[[], T]) -> T:
        kept = self._now.get(key) or self._before.pop(key, None)
        if kept is None or kept.inputs != inputs:
            kept = _Kept(inputs, make())
        self._now[key] = kept
        value: T = kept.value
        return value

    def file(self, name: str, page: Beat, news: object, make: Callable[[], bytes]) -> bytes:
        """Make a file, or give the last one again. `news` is what readers should see at once."""
        kept = self._now.get(name) or self._before.pop(name, None)
        wait = min(EVERY, page.stale_after * SHARE) * _turn(name)
        at = page.generated_at
        if kept is None or kept.inputs != news or not (kept.at and kept.at <= at <= kept.at + wait):
            content = make()
            self._now[name] = _Kept(news, content if self._holds_files else UNCHANGED, at)
            return content
        self._now[name] = kept
        last: bytes = kept.value
        return last

    def forget_files(self, names: Collection[str] | None = None) -> None:
        """Make these files anew the next time; None is all of them."""
        for known in (self._before, self._now):
            for name in [*known] if names is None else names:
                if isinstance(name, str):
                    known.pop(name, None)


def _turn(name: str) -> float:
    """Spread pages over the last third of the time that they may wait: not all are made anew at once."""
    return 1 - crc32(name.encode()) / 2**32 / 3
