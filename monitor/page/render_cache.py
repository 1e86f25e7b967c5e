"""Files that are not made anew with every look: of very many base URLs, and of incidents that are over. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from monitor.page.render_throttle import RenderThrottle
from monitor.page.view_models import SHARE, PageView


@dataclass(frozen=True, slots=True)
class _Kept:
    at: datetime
    news: object
    source: object
    content: bytes


class RenderCache:
    """Gives the same bytes again while there is no news, and they are not old."""

    def __init__(self, pace: RenderThrottle | None = None) -> None:
        self._pace = pace or RenderThrottle()
        self._kept: dict[str, _Kept] = {}

    def file(
        self,
        name: str,
        page: PageView,
        news: object,
        make: Callable[[], bytes],
        source: object = None,
        *,
        paced: bool = False,
    ) -> bytes:
        """`news` is what readers should see at once; other news may wait until the page would be too old,
        where it is `paced` as long as the pace asks. What is made of nothing but `source` does not grow
        old while that is the same.
        """
        kept, wait = self._kept.get(name), page.stale_after * SHARE
        if paced:
            wait = min(wait, self._pace.patience)
        if (
            kept is None
            or kept.news != news
            or not _is_good(kept, page, source, wait * _turn(name))
        ):
            hurry = page.stopped_at is not None
            content = self._pace.make(name, make, hurry=hurry) if paced else make()
            kept = self._kept[name] = _Kept(page.generated_at, news, source, content)
        return kept.content

    def forget(self, but: Iterable[str]) -> None:
        """Drop what is no longer published."""
        for name in self._kept.keys() - set(but):
            del self._kept[name]
            self._pace.forget(name)


def _is_good(kept: _Kept, page: PageView, source: object, wait: timedelta) -> bool:
    if source is not None and (kept.source is source or not page.crowded):
        return kept.source is source
    return page.generated_at - kept.at <= wait


def _turn(name: str) -> float:
    """Return a share from half to all of the time that it may wait: not all are made anew at once."""
    return 0.5 + 0.5 * crc32(name.encode()) / 2**32
