"""Files that are not made anew with every look: of very many base URLs, and of incidents that are over. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from monitor.page.nouns import SHARE, PageView


@dataclass(frozen=True, slots=True)
class _Kept:
    at: datetime
    news: object
    source: object
    content: bytes


class Keeper:
    """Gives the same bytes again while there is no news, and they are not old."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def file(
        self,
        name: str,
        page: PageView,
        news: object,
        make: Callable[[], bytes],
        source: object = None,
        patience: timedelta | None = None,
    ) -> bytes:
        """`news` is what readers should see at once; other news may wait for `patience`. What is made of
        nothing but `source` does not grow old while that is the same.
        """
        kept = self._kept.get(name)
        wait = (patience or page.stale_after * SHARE) * _turn(name)
        if kept is None or kept.news != news or not _is_good(kept, page, source, wait):
            kept = self._kept[name] = _Kept(page.generated, news, source, make())
        return kept.content

    def forget(self, but: Iterable[str]) -> None:
        """What is no longer published."""
        for name in self._kept.keys() - set(but):
            del self._kept[name]


def _is_good(kept: _Kept, page: PageView, source: object, wait: timedelta) -> bool:
    if source is not None and (kept.source is source or not page.crowded):
        return kept.source is source
    return page.generated - kept.at <= wait


def _turn(name: str) -> float:
    """From half to all of the time that it may wait: not all are made anew at once."""
    return 0.5 + 0.5 * crc32(name.encode()) / 2**32
