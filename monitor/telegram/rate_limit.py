"""Limits how often something may happen, for each chat and in all, in a sliding window. Pure."""

from collections import deque


class RateLimit:
    """Allows `each` within `seconds` to one chat, and `total` to all of them together."""

    def __init__(self, each: int, total: int, seconds: float) -> None:
        self._each, self._total, self._seconds = each, total, seconds
        self._taken: deque[tuple[float, int]] = deque()

    def take(self, chat: int, now: float) -> bool:
        """Say whether it may happen once more, by the monotonic clock, and count it if so."""
        while self._taken and now - self._taken[0][0] >= self._seconds:
            self._taken.popleft()
        of_chat = sum(taken == chat for _, taken in self._taken)
        if of_chat >= self._each or len(self._taken) >= self._total:
            return False
        self._taken.append((now, chat))
        return True
