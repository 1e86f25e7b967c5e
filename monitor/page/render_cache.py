"""Keeps pages that have no news: the page of an endpoint or incident is made anew when its state changes. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from monitor.page.view_models import SHARE, PageView

EVERY = timedelta(minutes=5)
"""At most so long other news waits: nobody watches such a page more closely than the home page."""


@dataclass(frozen=True, slots=True)
class _Kept:
    at: datetime
    news: object
    content: bytes


class RenderCache:
    """Gives the same bytes again while there is no news, and they are not old."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def file(self, name: str, page: PageView, news: object, make: Callable[[], bytes]) -> bytes:
        """Make a file, or give the last one again. `news` is what readers should see at once."""
        kept = self._kept.get(name)
        wait = min(EVERY, page.stale_after * SHARE) * _turn(name)
        if kept is None or kept.news != news or not kept.at <= page.generated_at <= kept.at + wait:
            kept = self._kept[name] = _Kept(page.generated_at, news, make())
        return kept.content

    def forget(self, but: Iterable[str]) -> None:
        """Forget what is no longer published."""
        for name in self._kept.keys() - set(but):
            del self._kept[name]


def _turn(name: str) -> float:
    """Spread pages from half to all of the time that they may wait: not all are made anew at once."""
    return 0.5 + 0.5 * crc32(name.encode()) / 2**32
