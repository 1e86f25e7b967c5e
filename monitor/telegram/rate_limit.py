"""Limits how often something may happen, by name: a sliding window of bounded memory. Pure."""

from collections import OrderedDict, deque

_MOST_NAMES = 1000


class RateLimit:
    """Allows `most` within `seconds` for each name. Where there are too many names, none more is allowed."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._taken: OrderedDict[str, deque[float]] = OrderedDict()
        """Moments by name; the name that was heard of last stands last."""

    def take(self, name: str, now: float) -> bool:
        """Say whether it may happen once more, by the monotonic clock, and count it if so."""
        while self._taken and now - next(iter(self._taken.values()))[-1] >= self._seconds:
            self._taken.popitem(last=False)
        if name not in self._taken and len(self._taken) >= _MOST_NAMES:
            return False
        moments = self._taken.get(name, deque())
        while moments and now - moments[0] >= self._seconds:
            moments.popleft()
        if len(moments) >= self._most:
            return False
        moments.append(now)
        self._taken[name] = moments
        self._taken.move_to_end(name)
        return True
