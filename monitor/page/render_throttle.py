"""The pages of a crowd follow as soon as a small part of one core allows. Pure."""

from collections.abc import Callable
from datetime import timedelta

PART = 0.03
"""Of one core, for the pages of base URLs that have no great news."""
AT_LEAST = timedelta(seconds=40)
"""Nobody watches such a page more closely, and a small crowd need not take its part."""

LONGEST_S = 0.1
"""No file takes longer: whoever measures more was kept from it."""


class RenderThrottle:
    """Measures what files cost, and rests after each as long as it took: probes want their turn.

    Without a clock nothing costs anything.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = lambda: 0.0,
        rest: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._monotonic, self._rest = monotonic, rest
        self._took: dict[str, float] = {}
        self._sum = 0.0

    def make(self, name: str, make: Callable[[], bytes], *, hurry: bool) -> bytes:
        """`hurry` does without the rest."""
        began = self._monotonic()
        content = make()
        took = min(self._monotonic() - began, LONGEST_S)
        self._sum += took - self._took.get(name, 0.0)
        self._took[name] = took
        if took and not hurry:
            self._rest(took)
        return content

    def forget(self, name: str) -> None:
        self._sum -= self._took.pop(name, 0.0)

    @property
    def patience(self) -> timedelta:
        """Return how long news may wait, so that to make each anew in that time takes no more than our part."""
        return max(AT_LEAST, timedelta(seconds=self._sum / PART))
